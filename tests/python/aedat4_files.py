"""AEDAT 4 files of given events: FlatBuffers laid out by hand, packets packed by the libraries themselves."""
import ctypes
import ctypes.util
import struct

import numpy as np

EVENT = np.dtype([("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1"), ("", "V3")])
PACKINGS = {"plain": 0, "LZ4": 1, "LZ4 high": 2, "zstd": 3, "zstd high": 4}


def library(name):
    path = ctypes.util.find_library(name)
    return ctypes.CDLL(path) if path else None


def pack(how, raw):
    """As one frame; None where there is no such library."""
    if how == "plain":
        return raw
    lib = library(how.split()[0].lower())
    if lib is None:
        return None
    bound, args = (lib.LZ4F_compressFrameBound, (None,)) if how.startswith("LZ4") else (lib.ZSTD_compressBound, (19 if "high" in how else 3,))
    run = lib.LZ4F_compressFrame if how.startswith("LZ4") else lib.ZSTD_compress
    bound.restype = run.restype = ctypes.c_size_t
    out = ctypes.create_string_buffer(bound(ctypes.c_size_t(len(raw)), *(args if how.startswith("LZ4") else ())))
    n = run(out, ctypes.c_size_t(len(out)), raw, ctypes.c_size_t(len(raw)), *args)
    return out.raw[:n]


def flat(identifier, fields, tail):
    """A table of fields (offset in it, bytes) in the order of the schema, (0, b"") for what is not there, and what lies behind."""
    size = 4 + max([o + len(b) - 4 for o, b in fields] + [0])
    table = bytearray(size)
    listed = struct.pack("<HH", 4 + 2 * len(fields), size) + b"".join(struct.pack("<H", o) for o, _ in fields)
    listed += bytes(-len(listed) % 4)
    start = 8 + len(listed)
    struct.pack_into("<i", table, 0, len(listed))
    for o, b in fields:
        table[o:o + len(b)] = b
    out = struct.pack("<I", start) + identifier + listed + bytes(table) + tail
    return struct.pack("<I", len(out)) + out


def vector(identifier, n, raw):
    """A table with nothing but a vector; the vector lies right behind it."""
    return flat(identifier, [(4, struct.pack("<I", 4))], struct.pack("<I", n) + raw)


def elements(ev):
    a = np.zeros(len(ev[0]), EVENT)
    a["t"], a["x"], a["y"], a["p"] = ev
    return a.tobytes()


def events_packet(ev):
    return vector(b"EVTS", len(ev[0]), elements(ev))


def streams(size, first=0):
    info = '<attr key="sizeX" type="int">%d</attr><attr key="sizeY" type="int">%d</attr>' % size
    node = ('<node name="%d" path="/outInfo/%d/"><attr key="compression" type="string">NONE</attr><attr key="originalModuleName" type="string">'
            'capture</attr><attr key="originalOutputName" type="string">%s</attr><attr key="typeDescription" type="string">.</attr>'
            '<attr key="typeIdentifier" type="string">%s</attr><node name="info" path="/outInfo/%d/info/"><attr key="source" type="string">'
            'DVXplorer</attr>%s</node></node>')
    rows = [("events", "EVTS", info), ("triggers", "TRIG", "")]
    return ('<dv version="2.0"><node name="outInfo" path="/outInfo/">' + "".join(
        node % (i + first, i + first, name, kind, i + first, more) for i, (name, kind, more) in enumerate(rows)) + "</node></dv>").encode()


def header(how, text, table_at=-1):
    """Compression at 4, the text's offset at 8, the table's place at 12."""
    place = struct.pack("<I", 12) + struct.pack("<q", table_at)
    fields = [(4, struct.pack("<i", PACKINGS[how])), (12, place[4:]), (8, place[:4])]
    return flat(b"IOHE", fields, struct.pack("<I", len(text)) + text + b"\0")


def packet(how, stream, raw):
    packed = pack(how, raw)
    return struct.pack("<II", stream, len(packed)) + packed


def file(how, ev, size, parts=3, other=True, table=b""):
    """Packets of events on stream 0, and of triggers on 1, which are passed over."""
    text = streams(size)
    cuts = np.linspace(0, len(ev[0]), parts + 1).astype(int)
    body = b""
    for a, b in zip(cuts, cuts[1:]):
        body += packet(how, 1, vector(b"TRIG", 3, bytes(48))) if other else b""
        body += packet(how, 0, events_packet([c[a:b] for c in ev]))
    head = b"#!AER-DAT4.0\r\n" + header(how, text)
    if table:
        head = b"#!AER-DAT4.0\r\n" + header(how, text, len(head) + len(body))
    return head + body + table

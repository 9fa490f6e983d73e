"""Prophesee's EVT 2.1 and 3.0: files of given events, and readers in NumPy that are written from the pages of the formats."""
import numpy as np


def header(version, width, height, lines=()):
    named = "EVT%s" % version.replace(".0", "").replace(".", "")
    text = ["% evt " + version, "% format " + named + ";height=%d;width=%d" % (height, width), *("% " + l for l in lines), "% end"]
    return "".join(l + "\n" for l in text).encode()


def events(seed, n, width, height, span=30000, start=1000, rows=True):
    """Events in the order in which a camera writes them: of a time by rows, some of them as runs."""
    r = np.random.default_rng(seed)
    t, y, x, p = np.sort(r.integers(0, span, n)) + start, r.integers(0, height, n), r.integers(0, width, n), r.integers(0, 2, n)
    for i in range(0, n - 20 if rows else 0, 20):  # ten of a row, near each other
        k = slice(i, i + 10)
        t[k], y[k], p[k] = t[i], y[i], p[i]
        x[k] = r.integers(0, width - 40 + 1) + np.sort(r.choice(40, 10, replace=False))
    return t.astype(np.int64), x, y, p


def same_run(a, b):
    return a[0] == b[0] and a[2] == b[2] and a[3] == b[3] and a[1] < b[1]


def runs(rows, length):
    """Neighbouring events of one time, row and polarity with rising x, all within `length` pixels."""
    out = []
    for e in rows:
        if out and same_run(out[-1][-1], e) and e[1] - out[-1][0][1] < length:
            out[-1].append(e)
        else:
            out.append([e])
    return out


def evt21(ev, legacy=False, more=True):
    words, high = [0x1 << 60 | 3 << 43 | 5 << 32 | 1], -1  # an event before there is time
    for k, run in enumerate(runs(list(zip(*[a.tolist() for a in ev])), 32)):
        t, x, y, p = run[0]
        if t >> 6 != high:
            high = t >> 6
            words.append(0x8 << 60 | (high & 0xFFFFFFF) << 32)
        if more and k % 9 == 4:
            words += [0xA << 60 | 1 << 32, 0xE << 60 | 7]
        words.append(p << 60 | (t & 63) << 54 | x << 43 | y << 32 | sum(1 << (e[1] - x) for e in run))
    a = np.array(words, "<u8")
    return (np.stack([a >> np.uint64(32), a & np.uint64(0xFFFFFFFF)], 1).astype("<u4") if legacy else a).tobytes()


EARLY = (0x6000 | 9, 0x0000 | 4, 0x2000 | 7, 0x3000 | 9, 0x4000 | 5, 0x5000 | 3)  # events before there is time


def evt3(ev, more=True, seed=0):
    r = np.random.default_rng(seed)
    words, high, low, row = list(EARLY) if more else [], -1, -1, -1
    for k, run in enumerate(runs(list(zip(*[a.tolist() for a in ev])), 32)):
        t, x, y, p = run[0]
        if t >> 12 != high:
            high, low = t >> 12, 0  # which is what a word of high bits says
            words.append(0x8000 | high & 0xFFF)
        if t & 0xFFF != low:
            low = t & 0xFFF
            words.append(0x6000 | low)
        if y != row:
            row = y
            words.append((k & 1) << 11 | y)
        if more and k % 9 == 4:
            words += [0xA000 | 1, 0xE000 | 5, 0xF000 | 6, 0x7000 | 2]
        if len(run) == 1 and r.integers(2):
            words.append(0x2000 | p << 11 | x)
            continue
        words.append(0x3000 | p << 11 | x)
        mask = sum(1 << (e[1] - x) for e in run)
        while mask:
            n = 12 if r.integers(2) else 8
            words.append((0x4000 if n == 12 else 0x5000) | mask & (1 << n) - 1)
            mask >>= n
    return np.array(words, "<u2").tobytes()


class Clock:
    """A counter of so many bits that goes on where it wraps."""
    def __init__(self, bits):
        self.range, self.base, self.last = 1 << bits, 0, 0

    def at(self, v):
        self.base += self.range if self.last - v > self.range // 2 else 0
        self.last = v
        return self.base + v


def columns(out):
    a = np.array(out, np.int64).reshape(-1, 4)
    return tuple(a[:, k] for k in range(4))


def read_evt21(raw, legacy=False):
    halves = np.frombuffer(raw, "<u4").reshape(-1, 2)
    out, high, clock = [], None, Clock(28)
    for upper, lower in (halves if legacy else halves[:, ::-1]).tolist():
        kind = upper >> 28
        if kind == 8:
            high = clock.at(upper & 0xFFFFFFF) << 6
        elif kind < 2 and high is not None:
            out += [(high + (upper >> 22 & 63), (upper >> 11 & 2047) + k, upper & 2047, kind) for k in range(32) if lower >> k & 1]
    return columns(out)


def read_evt3(raw):
    out, high, low, y, base, p, clock = [], None, 0, 0, 0, 0, Clock(12)
    for w in np.frombuffer(raw, "<u2").tolist():
        kind, v = w >> 12, w & 0xFFF
        if kind == 0:
            y = v & 2047
        elif kind == 8:
            high, low = clock.at(v) << 12, 0
        elif kind == 6:
            low = v
        elif kind == 3:
            base, p = v & 2047, v >> 11
        elif kind == 2 and high is not None:
            out.append((high + low, v & 2047, y, v >> 11))
        elif kind in (4, 5):
            n = 12 if kind == 4 else 8
            out += [(high + low, base + k, y, p) for k in range(n) if v >> k & 1 and high is not None]
            base += n
    return columns(out)

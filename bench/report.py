"""The result table of `make bench`: rows, the TSV, the text, and what machine it was."""
import os
import pathlib
import platform
import subprocess

COLUMNS = ("section", "model", "what", "threads", "value", "unit", "least", "cpu", "ratio", "ratio_cpu", "against",
           "note")


def number(v):
    if v is None:
        return ""
    if isinstance(v, float):
        return "%.0f" % v if abs(v) >= 1000 else "%.4g" % v
    return str(v)


class Table:
    """Rows of COLUMNS; written to the file as they come, so that a run that is stopped leaves what it has."""

    def __init__(self, path):
        self.rows, self.file = [], open(path, "w")
        self.file.write("\t".join(COLUMNS) + "\n")

    def add(self, section, model, what, threads=None, **fields):
        row = {c: number(fields.get(c)) for c in COLUMNS}
        row.update(section=section, model=model, what=what, threads=number(threads))
        self.rows.append(row)
        self.file.write("\t".join(row[c].replace("\t", " ") for c in COLUMNS) + "\n")
        self.file.flush()

    def print(self):
        shown = [c for c in COLUMNS if c != "section"]
        widths = [max(len(c), max((len(r[c]) for r in self.rows), default=0)) for c in shown]
        right = {"threads", "value", "least", "cpu", "ratio", "ratio_cpu"}

        def line(row):
            cells = (row[c].rjust(w) if c in right else row[c].ljust(w) for c, w in zip(shown, widths))
            return "  ".join(cells).rstrip()

        section = None
        for row in self.rows:
            if row["section"] != section:
                section = row["section"]
                print("\n== %s" % section)
                print(line({c: c for c in shown}))
            print(line(row))


def output(command, given=None):
    try:
        return subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def cpu():
    """(model name, the vector extensions that matter here)"""
    fields = {}
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            fields.setdefault(key.strip(), value.strip())
    except OSError:
        pass
    flags = set(fields.get("flags", fields.get("Features", "")).split())
    wanted = ("sse4_2", "avx2", "fma", "avx512f", "avx512bw", "avx512_vbmi2", "avx512_vpopcntdq", "avx512_vnni",
              "asimd", "sve")
    return fields.get("model name", platform.processor() or platform.machine()), [f for f in wanted if f in flags]


def machine(table, compiler):
    name, flags = cpu()
    here = pathlib.Path(__file__).resolve().parent
    commit = output(["git", "-C", str(here), "rev-parse", "--short", "HEAD"])
    if commit and output(["git", "-C", str(here), "status", "--porcelain", "--untracked-files=no"]):
        commit += " with changes"
    facts = (("cpu", "%s, %d processors" % (name, os.cpu_count() or 1)), ("isa", " ".join(flags)),
             ("system", "%s %s" % (platform.system(), platform.release())),
             ("compiler", (output([compiler, "--version"]).splitlines() or [compiler])[0]),
             ("commit", commit or "not known"))
    for what, value in facts:
        table.add("machine", "", what, note=value)
    load(table, "at the start")


def load(table, when):
    table.add("machine" if when == "at the start" else "end", "", "load average %s" % when,
              note="%.2f %.2f %.2f (1, 5, 15 minutes)" % os.getloadavg())

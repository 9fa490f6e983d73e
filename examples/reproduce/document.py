"""The page being written: text, tables as Markdown and csv, pictures, and claims, which are sentences with the numbers they
were computed from (claims.json)."""
import csv
import json

import figures
from experiments import RUNS


def markdown(header, rows):
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in [header, ["---"] * len(header)] + rows]
    return "\n".join(lines) + "\n"


def join(words):
    words = list(words)
    return " and ".join(([", ".join(words[:-1])] if len(words) > 1 else []) + words[-1:])


def points(x):
    """An amount of percentage points with its sign."""
    return "%+.2f" % x if round(x, 2) else "0.00"


def with_error(change, error):
    """Points and their standard error; what lacks one (one seed, no spread) says so by its absence."""
    return points(change) + ("" if error is None else " ± %.2f" % error)


def decimals(x, form="%.2f"):
    return "" if x is None else form % x


class Document:
    def __init__(self, args, models, found):
        """models: {name: mstrun --info}; found: {name of an experiment's measurement: result}"""
        self.args, self.models, self.found, self.out = args, models, found, args.out
        self.plt = None if args.no_pictures else figures.pyplot()
        self.text, self.claims = [], []

    def add(self, *lines):
        self.text += lines

    def table(self, name, header, rows):
        """Write NAME.csv, and the same into the text."""
        self.csv(name, header, rows)
        self.add(markdown(header, rows))

    def csv(self, name, header, rows):
        with open(self.out / (name + ".csv"), "w", newline="", encoding="utf-8") as f:
            csv.writer(f, lineterminator="\n").writerows([header] + rows)

    def claim(self, name, holds, text, **numbers):
        """A sentence about the paper's claim `name`; holds: does ours agree (None: cannot be judged); numbers: what
        that was computed from."""
        self.claims.append({"claim": name, "holds": holds, "text": text, **numbers})
        self.add("- " + text + "\n")

    def picture(self, name, draw, *data):
        if self.plt is None:
            self.add("(No picture was drawn.)\n")
        else:
            draw(self.plt, self.out, *data)
            self.add("![%s](%s.png)\n" % (name, name))

    def absent(self, *names):
        """Says which files are not there, and which were left out by --only."""
        out = [n for n in names if self.args.only and n not in self.args.only]
        why = [join(RUNS[n].file for n in part) + " " + text for part, text in (
            ([n for n in names if n not in out], "not there"), (out, "left out")) if part]
        self.add("Not measured: %s.\n" % "; ".join(why))

    def save(self):
        (self.out / "README.md").write_text("\n".join(self.text), encoding="utf-8")
        (self.out / "claims.json").write_text(json.dumps(self.claims, indent=1) + "\n", encoding="utf-8")

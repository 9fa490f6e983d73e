"""What tests of --shard and --merge share: the files of a run, of its parts, and of these put together, of either tool."""
import json

from built import lasting, tool

SETS = "npy:{0}/x.npy,{0}/y.npy"


def text(path):
    """What must be the same."""
    return json.dumps(lasting(json.loads(path.read_text())))


class Parts:
    def __init__(self, name, *before, ways):
        """before: what stands before the model on the command line; ways: options of a part that change none of its results."""
        self.name, self.before, self.ways = name, before, ways

    def job(self, made, data=SETS, model="m.bin"):
        return (self.name,) + self.before + (made[0] / model, data.format(made[0]))

    def whole(self, made, folder, *args, **how):
        tool(*self.job(made, **how), *args, "--json", folder / "whole.json", "--quiet", "--force")
        return folder / "whole.json"

    def shards(self, made, folder, n, *args, **how):
        """The files of the parts, in one of the ways each."""
        paths = [folder / ("part%d.json" % (i + 1)) for i in range(n)]
        for i, path in enumerate(paths):
            tool(*self.job(made, **how), *args, *self.ways[i % len(self.ways)], "--shard", "%d/%d" % (i + 1, n), "--json", path, "--quiet",
                 "--force")
        return paths

    def merged(self, folder, paths, code=0):
        """The file of all, or the error."""
        done = tool(self.name, "--merge", *paths, "--json", folder / "merged.json", "--quiet", "--force", code=code)
        return folder / "merged.json" if code == 0 else done.stderr


def damaged(good, n, rng, also=()):
    """The same with one value another, at n places; seldom at those that are not read, or under keys in `also`."""
    def leaves(v, at=()):
        for k, w in (v.items() if isinstance(v, dict) else enumerate(v) if isinstance(v, list) else ()):
            yield at + (k,)
            yield from leaves(w, at + (k,))
    places = [p for p in leaves(good) if p[0] not in ("layers", "provenance", "timing") + also or rng.random() < .05]
    for place in rng.sample(places, n):
        bad = json.loads(json.dumps(good))
        parent = bad
        for k in place[:-1]:
            parent = parent[k]
        parent[place[-1]] = rng.choice([None, -1, 2 ** 63 - 1, 1e308, "x", [], {}, True, 3])
        yield bad

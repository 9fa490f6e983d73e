"""Numbers of runs: accuracy, paired differences with their standard error, scatter over seeds of the masks."""
import math
import statistics


def at(run, t=None):
    """The entry of a run for t steps; t None: of a window (count, radix, ann), or the last step."""
    return run["at"][-1] if t is None else next(a for a in run["at"] if a["t"] == t)


def top1(run, t=None):
    """Accuracy in percent."""
    return at(run, t)["top1_percent"]


def over_time(run):
    """{t: accuracy in percent} of a run in step mode"""
    return {a["t"]: a["top1_percent"] for a in run["at"]}


def right(run, t=None):
    """Of each sample, whether its class is the label's. The classes are kept as one character a sample (lab.py)."""
    said = run["predicted"][str(at(run, t)["t"])]
    return [a == b for a, b in zip(said, run["labels"], strict=True)]


def paired(run, t, base, base_t):
    """(points, standard error) of the accuracy of one run minus another's over the same samples."""
    if run["labels"] != base["labels"]:
        raise ValueError("two runs of different samples cannot be compared in pairs")
    return combined((1, right(run, t)), (-1, right(base, base_t)))


def shares(found, t=None):
    """Of each sample, the share of runs (seeds of the masks) in which it is right; all of the same samples."""
    return [sum(column) / len(found) for column in zip(*(right(run, t) for run in found), strict=True)]


def combined(*terms):
    """(points, standard error) of a sum of factor * mean over (factor, shares) of the same samples. Their scatter holds
    that of the images and that of the masks, which are drawn anew for each image."""
    values = [sum(factor * share for (factor, _), share in zip(terms, column))
              for column in zip(*(part for _, part in terms), strict=True)]
    mean = sum(values) / len(values)
    square = sum(v * v for v in values) / len(values)
    return 100 * mean, 100 * math.sqrt(max(0.0, square - mean * mean) / len(values))


def scatter(values):
    """(mean, deviation) over seeds; the deviation (of the sample, n - 1) is None where there is one."""
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None


def compare(ours, error, paper):
    """How a number of ours lies to the paper's: the same within two of our standard errors, or to which side."""
    return "same" if abs(ours - paper) <= 2 * error + 0.005 else "smaller" if ours < paper else "larger"


def first_step_as_good(run, percent):
    """The first step asked for at which a run in step mode has so many percent; None: at none."""
    return next((t for t, accuracy in sorted(over_time(run).items()) if accuracy >= percent), None)

"""How many of a neuron's n spikes pass a MASK (docs/EXECUTION.md, "Count and radix"), from one random word each."""
import functools

import numpy as np

TOP = 255
WHOLE = 2.0 ** 32


def half_away(x):
    """Round to an integer as C's round does, x >= 0."""
    whole = np.floor(x)
    return whole + (x - whole >= 0.5)


@functools.lru_cache(maxsize=None)
def binomial_thresholds(ratio):
    """t[n][j], uint32 [256, 255]: at most j of n spikes survive with probability t/2^32. ratio: float."""
    below = np.ones((TOP + 1, TOP + 1))
    table = np.zeros((TOP + 1, TOP), np.uint32)
    r, p = float(ratio), 1.0 - float(ratio)
    for n in range(1, TOP + 1):
        last = below[n - 1]
        below[n, :n] = r * last[:n] + p * np.concatenate([[0.0], last[:n - 1]])
        table[n, :n] = np.minimum(half_away(below[n, :n] * WHOLE), WHOLE - 1)
    return table


def binomial(n, words, ratio):
    table, kept = binomial_thresholds(float(ratio)), np.zeros(n.shape, np.int64)
    for count in np.unique(n[n > 0]):
        at = n == count
        kept[at] = np.searchsorted(table[count, :count], words[at], side="right")
    return kept


def systematic(n, words, ratio):
    keep = np.uint64(2 ** 32 - int(half_away(float(ratio) * WHOLE)))
    return ((n.astype(np.uint64) * keep + words.astype(np.uint64)) >> np.uint64(32)).astype(np.int64)


RULES = {"binomial": binomial, "systematic": systematic}


def thin(n, words, ratio, rule):
    """n integers 0..255, words uint32 of the same shape. A ratio that leaves all, 1 - ratio = 1 in float32, draws nothing."""
    return n if np.float32(1) - np.float32(ratio) == 1 else RULES[rule](n, words, ratio)

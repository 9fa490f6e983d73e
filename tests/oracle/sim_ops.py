"""Operators of docs/EXECUTION.md without state, on arrays [samples, dims of the tensor...].

Each takes (node, operands, shape of the output tensor) and gives float32.
"""
import math

import numpy as np

F = np.float32
NEGATIVE_ZERO = F(-0.0)


def align(*arrays):
    """Give operands of lower rank leading 1s behind the sample axis, for numpy's broadcasting."""
    rank = max(a.ndim for a in arrays)
    return [a.reshape(a.shape[:1] + (1,) * (rank - a.ndim) + a.shape[1:]) for a in arrays]


def along(param, axis, ndim):
    """A constant [1, 1 or n] as it lies along tensor axis `axis` of an operand with `ndim` axes."""
    shape = [1] * ndim
    if param.size > 1:
        shape[axis + 1] = -1
    return param.reshape(shape)


# ---- movement ------------------------------------------------------------

def reshape(node, args, shape):
    return args[0].reshape(args[0].shape[:1] + tuple(shape))


def transpose(node, args, shape):
    perm = [1 + p for p in node.ip["PERM"][:len(shape)]]
    return args[0].transpose([0] + perm)


def slice_(node, args, shape):
    out = args[0]
    for d, n in enumerate(shape):
        index = node.ip["START"][d] + np.arange(n) * node.ip["STEP"][d]
        out = out.take(index, axis=d + 1)
    return out


def concat(node, args, shape):
    samples = max(len(a) for a in args)
    args = [np.broadcast_to(a, (samples,) + a.shape[1:]) for a in args]
    return np.concatenate(args, axis=node.ip["AXIS"] + 1)


def gather(node, args, shape):
    return args[0].take(args[1][0], axis=node.ip["AXIS"] + 1)


def pad(node, args, shape):
    x = args[0]
    out = np.full(x.shape[:1] + tuple(shape), node.fp["VALUE"], F)
    place = [slice(b, b + n) for b, n in zip(node.ip["BEFORE"], x.shape[1:])]
    out[tuple([slice(None)] + place)] = x
    return out


def expand(node, args, shape):
    x = args[0].reshape(args[0].shape[:1] + (1,) * (len(shape) + 1 - args[0].ndim) + args[0].shape[1:])
    return np.broadcast_to(x, x.shape[:1] + tuple(shape))


# ---- sums of products ----------------------------------------------------

def accumulate(rows, weight, start):
    """start + rows[:, i] * weight[i] over ascending i where rows is not zero: [n, outputs]."""
    out = np.empty((len(rows), weight.shape[1]), F)
    plain = bool(np.isfinite(weight).all()) and not bool((np.signbit(start) & (start == 0)).any())
    block = max(1, 32768 // max(1, weight.shape[1]))  # keeps the running sums in cache
    for at in range(0, len(rows), block):
        x = np.ascontiguousarray(rows[at:at + block].T)
        total, term = np.empty((x.shape[1], weight.shape[1]), F), np.empty((x.shape[1], weight.shape[1]), F)
        total[:] = start
        for i in range(len(x)):
            active = np.flatnonzero(x[i])
            if 4 * len(active) < x.shape[1]:
                total[active] += x[i][active, None] * weight[i]
                continue
            np.multiply(x[i][:, None], weight[i], out=term)
            if not plain:
                term[x[i] == 0] = NEGATIVE_ZERO
            np.add(total, term, out=total)
        out[at:at + block] = total
    return out


def _start(args, outputs):
    if len(args) > 2 and args[2] is not None:
        return args[2].reshape(-1)
    return np.zeros(outputs, F)


def weight_of(args):
    """The weight as float32, [1, dims...]: of f16 the same value, of int8 times its output's scale."""
    if args[1].dtype == np.int8:
        return args[3].reshape(-1) * args[1].astype(F)
    return args[1].astype(F)


def products(rows, weight, start, c):
    """rows x weight; c: of int8 weights at integer rows (spikes, counts), what the sums are multiplied by; or None."""
    if c is None:
        return accumulate(rows, weight, start)
    sums = rows.astype(np.float64) @ weight.astype(np.float64)  # exact: integers below 2^53
    return c * sums.astype(F) + start


def linear(node, args, shape, c=None):
    """c [outputs] or None, as of products."""
    x, weight = args[0], (args[1] if c is not None else weight_of(args))[0]
    rows = products(x.reshape(-1, x.shape[-1]), weight, _start(args, weight.shape[1]), c)
    return rows.reshape(x.shape[:1] + tuple(shape))


def windows(x, kernel, node, out_hw, fill):
    """[samples, batch, oh, ow, kh, kw, C]: the window of every output position."""
    (kh, kw), (oh, ow) = kernel, out_hw
    (sh, sw), (ph, pw), (dh, dw) = (node.ip[k] for k in ("STRIDE", "PAD", "DILATION"))
    rows = np.arange(oh)[:, None] * sh - ph + np.arange(kh)[None, :] * dh
    cols = np.arange(ow)[:, None] * sw - pw + np.arange(kw)[None, :] * dw
    height, width = x.shape[2:4]
    inside = ((rows >= 0) & (rows < height))[:, None, :, None] & ((cols >= 0) & (cols < width))[None, :, None, :]
    taken = x[:, :, rows.clip(0, height - 1)[:, None, :, None], cols.clip(0, width - 1)[None, :, None, :]]
    return np.where(inside[..., None], taken, F(fill)), inside


def conv(node, args, shape, c=None):
    x, weight = args[0], (args[1] if c is not None else weight_of(args))[0]
    kh, kw, depth, outputs = weight.shape
    groups = node.ip["GROUP"]
    per_group = outputs // groups
    start = _start(args, outputs)
    out = np.empty(x.shape[:1] + tuple(shape), F)
    for s in range(len(x)):
        taken, _ = windows(x[s:s + 1], (kh, kw), node, shape[1:3], 0)
        for g in range(groups):
            rows = taken[..., g * depth:(g + 1) * depth].reshape(-1, kh * kw * depth)
            cols = slice(g * per_group, (g + 1) * per_group)
            flat = np.ascontiguousarray(weight[..., cols]).reshape(-1, per_group)
            part = c[cols] if c is not None else None
            out[s, ..., cols] = products(rows, flat, start[cols], part).reshape(tuple(shape[:3]) + (per_group,))
    return out


def masked_products(present, a, b):
    """Sum over ascending k, where present[.., m, k], of b[.., k, n] (times a[.., m, k] if given)."""
    lead = np.broadcast_shapes(present.shape[:-2], b.shape[:-2])
    total = np.zeros(lead + (present.shape[-2], b.shape[-1]), F)
    for k in range(b.shape[-2]):
        term = b[..., k:k + 1, :] if a is None else a[..., :, k:k + 1] * b[..., k:k + 1, :]
        total += np.where(present[..., :, k:k + 1], term, NEGATIVE_ZERO)
    return total


# ---- elementwise ---------------------------------------------------------

def affine(node, args, shape):
    x = args[0]
    g, h = (along(a, node.ip["AXIS"], x.ndim) for a in args[1:3])
    return g * x + h


BINARY = [np.add, np.subtract, np.multiply, np.divide,
          lambda a, b: np.where(b < a, b, a), lambda a, b: np.where(b > a, b, a), np.power]


def binary(node, args, shape):
    a, b = align(*args)
    return BINARY[node.ip["FN"]](a, b)


def clip(node, args, shape):
    x, lo, hi = args[0], node.fp["LO"], node.fp["HI"]
    return np.where(x < lo, lo, np.where(x > hi, hi, x))


def _wide(fn):
    """A function of float64, rounded to float32: what a good C library gives, to the last bit or so."""
    return lambda x: np.asarray(fn(x.astype(np.float64))).astype(F)


_erf = np.vectorize(math.erf, otypes=[np.float64])
UNARY = [np.floor, np.ceil, np.rint, np.abs, np.negative, np.sqrt, lambda x: F(1) / x, _wide(np.exp), _wide(np.log),
         _wide(np.tanh), _wide(lambda x: 1 / (1 + np.exp(-x))), _wide(_erf),
         _wide(lambda x: 0.5 * x * (1 + _erf(x / math.sqrt(2)))),
         _wide(lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))),
         _wide(lambda x: x / (1 + np.exp(-x))), _wide(lambda x: np.logaddexp(0, x)),
         lambda x: np.sign(x).astype(F)]


def unary(node, args, shape):
    return UNARY[node.ip["FN"]](args[0])


# ---- windows, reductions, normalization ----------------------------------

MEAN, SUM, MAX = range(3)


def _fold(fn, terms):
    """terms[0], then one after the other. fn: MEAN and SUM add, MAX compares."""
    total = terms[0].copy()
    for term in terms[1:]:
        total = np.where(term > total, term, total) if fn == MAX else total + term
    return total


def pool(node, args, shape):
    kh, kw = node.ip["KERNEL"]
    fn = node.ip["FN"]
    taken, inside = windows(args[0], (kh, kw), node, shape[1:3], -np.inf if fn == MAX else -0.0)
    taken = taken.reshape(taken.shape[:4] + (kh * kw, taken.shape[-1]))
    out = _fold(fn, [taken[..., k, :] for k in range(kh * kw)])
    taps = inside.reshape(inside.shape[:2] + (-1,)).sum(-1)
    if fn == MEAN:
        count = taps if not node.ip["COUNT_PAD"] else kh * kw
        out = out * np.asarray(1.0 / np.maximum(count, 1).astype(np.float64)).astype(F)[..., None]
    return np.where((taps == 0)[..., None], F(0), out)


def takes_largest(node):
    return node.op == "rate_pool" or node.op in ("pool", "reduce") and node.ip["FN"] == MAX


def rate_pool(node, args, shape, so_far=None):
    """so_far: how often each element of the input has spiked; without it, the largest value."""
    rows, inside = windows(args[0], node.ip["KERNEL"], node, shape[1:3], -np.inf)
    rows = rows.reshape(rows.shape[:4] + (-1, rows.shape[-1]))
    if so_far is None:
        return np.where(inside.any((-2, -1))[..., None], rows.max(4), F(0))
    ranks, _ = windows(so_far, node.ip["KERNEL"], node, shape[1:3], -1)
    ranks = ranks.reshape(rows.shape)
    leads = (ranks == ranks.max(4, keepdims=True)) & (ranks >= 0) & (rows != 0)
    first = leads.argmax(4)[:, :, :, :, None]
    return np.where(leads.any(4), np.take_along_axis(rows, first, 4)[:, :, :, :, 0], F(0))


def reduced_rows(node, x, shape):
    """[samples, shape of the output, reduced elements in their order]"""
    mask = node.ip["AXES"]
    reduced = [d + 1 for d in range(x.ndim - 1) if mask >> d & 1]
    kept = [d + 1 for d in range(x.ndim - 1) if not mask >> d & 1]
    count = int(np.prod([x.shape[d] for d in reduced]))
    return x.transpose([0] + kept + reduced).reshape(x.shape[:1] + tuple(shape) + (count,))


def reduce_(node, args, shape):
    rows = reduced_rows(node, args[0], shape)
    count = rows.shape[-1]
    out = _fold(node.ip["FN"], [rows[..., k] for k in range(count)])
    return out * F(1.0 / count) if node.ip["FN"] == MEAN else out


def _lanes(x, n):
    """Sum along the last axis: element i in lane i mod n, lanes ascending, then added in halves."""
    lanes = [np.zeros(x.shape[:-1], x.dtype) for _ in range(n)]
    for i in range(x.shape[-1]):
        lanes[i % n] = lanes[i % n] + x[..., i]
    half = n // 2
    while half:
        lanes = [lanes[j] + lanes[j + half] for j in range(half)]
        half //= 2
    return lanes[0]


def _exp(x):
    """E(x) of docs/EXECUTION.md, x <= 0."""
    at = np.where(x < F(-87), F(-87), x).astype(F)
    shift = F(12582912)
    k = (at * F(1.44269504) + shift) - shift
    r = (at - k * F(0.693359375)) - k * F(-2.12194440e-4)
    p = np.full_like(r, F(1.9875691500e-4))
    for c in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1):
        p = p * r + F(c)
    y = np.ldexp((p * (r * r) + r) + F(1), k.astype(np.int32))
    return np.where(x < F(-87), F(0), y).astype(F)


def softmax(node, args, shape):
    x = np.moveaxis(args[0], node.ip["AXIS"] + 1, -1)
    e = _exp(x - x.max(-1, keepdims=True))
    total = _lanes(e, 16)
    return np.moveaxis(e / total[..., None], -1, node.ip["AXIS"] + 1)


def layernorm(node, args, shape):
    x = args[0].astype(np.float64)
    n = x.shape[-1]
    mean = _lanes(x, 8) / n
    away = x - mean[..., None]
    variance = _lanes(away * away, 8) / n
    out = (away * (1.0 / np.sqrt(variance + float(node.fp["EPS"])))[..., None]).astype(F)
    if len(args) > 1 and args[1] is not None:
        out = out * args[1].reshape(-1)
    if len(args) > 2 and args[2] is not None:
        out = out + args[2].reshape(-1)
    return out

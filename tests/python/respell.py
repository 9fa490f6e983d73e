"""Random QCFS networks, each written in a plain way or, with the same numbers, in another spelling.

A network is a function of a Speller. Numbers lie on a grid (weights are multiples of 15/1024, thetas L times a power
of two, inputs multiples of 1/8) on which float32 sums are exact in any order, so that two spellings of a network must
agree in everything, bit for bit: a difference is never rounding."""
import numpy as np

from support import Net
from test_qcfs import BOUNDS, CLIPS, OUTPUTS, SCALES, qcfs

I64 = np.int64
ONE = np.ones(())
BEHIND = [2.0, 0.5, 3.0, 0.75, -1.0, -3.0, -0.25]  # factors behind an activation and behind a layer:
SPLIT = [2.0, 0.5, 5.0, 1.25, -1.0, -5.0, -0.25]  # weights, multiples of 15, are divided by both


class Speller:
    """Writes operators on values of known shape. seed: of the spelling, None for the plain one. `numbers` is the same
    generator in all spellings of a network; how it is written never draws from it."""

    def __init__(self, numbers, shape, seed=None):
        self.numbers, self.n = numbers, Net(shape, 17)
        self.rng = np.random.default_rng(seed) if seed is not None else None
        self.shape = {"x": list(shape)}
        self.done = []  # what was written otherwise, for messages

    # ---- choices ----

    def other(self, what, chance=0.5):
        """Write this otherwise? Never in the plain spelling."""
        if self.rng is None or self.rng.random() >= chance:
            return False
        self.done.append(what)
        return True

    def pick(self, *choices):
        """One of them; the first in the plain spelling."""
        return choices[0] if self.rng is None else choices[self.rng.integers(len(choices))]

    def factor(self, factors, channels):
        """A factor other than 1, or one for each channel."""
        return np.asarray(self.rng.choice(factors, channels if self.other("per channel", 0.3) else None))

    # ---- numbers ----

    def weights(self, *shape):
        return self.numbers.integers(-6, 8, shape) * 15 / 1024

    def const(self, value, dtype=np.float32):
        exact = np.asarray(value, dtype)
        assert np.array_equal(exact, np.asarray(value)), "the grid is too fine for float32"
        return self.n.const(exact, self.pick("init", "constant", "identity"), dtype)

    def along(self, x, k, axis):
        """A constant beside x: one number, or one for each channel of an axis."""
        k = np.asarray(k, float)
        if k.size == 1:
            return self.const(k.reshape(self.pick((), (1,), (1,) * len(self.shape[x]))))
        return self.const(k.reshape([-1] + [1] * (len(self.shape[x]) - 1 - axis)))

    # ---- single nodes ----

    def op(self, kind, x, shape, *more, **attributes):
        y = self.n.op(kind, x, *more, **attributes)
        self.shape[y] = [int(d) for d in shape]
        return y

    def transpose(self, x, perm):
        return self.op("Transpose", x, [self.shape[x][p] for p in perm], perm=[int(p) for p in perm])

    def reshape(self, x, shape):
        return self.op("Reshape", x, shape, self.const(shape, I64))

    def times(self, x, k, axis):
        """k * x"""
        if k.size == 1 and k == -1:
            return self.op("Neg", x, self.shape[x])
        inverse = 1 / k
        if self.pick(0, 1) and np.array_equal(inverse, inverse.astype("f4")):
            return self.op("Div", x, self.shape[x], self.along(x, inverse, axis))
        return self.op("Mul", x, self.shape[x], self.along(x, k, axis))

    def over(self, x, k, axis):
        """x / k"""
        return x if np.all(k == 1) else self.op("Div", x, self.shape[x], self.along(x, k, axis))

    # ---- what does nothing ----

    def idle(self, x, chance=0.2):
        """Nodes that change nothing."""
        if not self.other("idle", chance):
            return x
        shape = self.shape[x]
        how = self.rng.integers(7)
        if how == 0:
            for _ in range(self.rng.integers(1, 4)):
                x = self.op("Identity", x, shape)
        elif how == 1:
            perm = self.rng.permutation(len(shape))
            x = self.transpose(self.transpose(x, perm), np.argsort(perm))
        elif how == 2:
            x = self.reshape(self.reshape(x, [1, int(np.prod(shape))]), shape)
        elif how == 3:
            x = self.op("Unsqueeze", x, [1] + shape, self.const([0], I64))
            x = self.op("Squeeze", x, shape, self.const([0], I64))
        elif how == 4:
            x = self.op("Add", self.op("Mul", x, shape, self.const(1.0)), shape, self.const(0.0))
        elif how == 5:
            x = self.op("Dropout", x, shape)
        else:
            x = self.op("Cast", x, shape, to=1)
        return x

    # ---- layers ----

    def scaled(self, x, axis):
        """(k*x, k): a factor that what reads it takes back."""
        if not self.other("scale behind", 0.4):
            return x, ONE
        k = self.factor(BEHIND, self.shape[x][axis])
        return self.idle(self.times(self.idle(x, 0.15), k, axis), 0.15), k

    def split(self, b):
        """g and h of what stands behind a layer, a BatchNorm or an affine: g*(..) + h."""
        g, h = np.ones(len(b)), np.zeros(len(b))
        if self.other("split behind", 0.4):
            g = np.broadcast_to(self.factor(SPLIT, len(b)), len(b))
            h = self.rng.integers(-4, 5, len(b)) * 15 / 64
        return g, h

    def behind(self, x, g, h, axis):
        if np.all(g == 1) and np.all(h == 0):
            return self.idle(x)
        x = self.idle(x, 0.15)
        if axis == 1 and self.pick(0, 1):
            mean = self.rng.integers(-3, 4, len(g)) / 4
            eps = 2.0 ** -10
            x = self.op("BatchNormalization", x, self.shape[x], self.const(2 * g), self.const(h + g * mean),
                        self.const(mean), self.const(np.full(len(g), 4 - eps)), epsilon=eps)
        else:
            g = g[:1] if np.all(g == g[0]) else g
            x = self.op("Add", self.times(x, g, axis), self.shape[x], self.along(x, h, axis))
        return self.idle(x)

    def conv(self, x, out, kernel=3, stride=1, k=ONE):
        """k: a factor of x to take back."""
        c, h, w = self.shape[x][1:]
        weight, bias = self.weights(out, c, kernel, kernel), self.weights(out)
        x, more = self.scaled(self.idle(x), 1) if k.size == 1 and k == 1 else (x, k)
        g, beta = self.split(bias)
        weight = weight / (more.reshape(-1, 1, 1) if more.size > 1 else more) / g.reshape(-1, 1, 1, 1)
        bias = (bias - beta) / g
        pad = kernel // 2
        size = [(d + 2 * pad - kernel) // stride + 1 for d in (h, w)]
        shape = [1, out] + size
        geometry = {"strides": [stride] * 2}
        if kernel == 1 and stride == 1 and self.other("1x1 as MatMul", 0.3):
            y = self.op("MatMul", self.transpose(x, [0, 2, 3, 1]), [1] + size + [out], self.const(weight[:, :, 0, 0].T))
            y = self.transpose(self.op("Add", y, self.shape[y], self.const(bias)), [0, 3, 1, 2])
        elif self.other("bias apart", 0.3):
            y = self.op("Conv", x, shape, self.const(weight), pads=[pad] * 4, **geometry)
            y = self.op("Add", y, shape, self.along(y, bias, 1))
        elif pad and self.other("pads apart", 0.2):
            y = self.op("Pad", x, [1, c, h + 2 * pad, w + 2 * pad], self.const([0, 0, pad, pad, 0, 0, pad, pad], I64))
            y = self.op("Conv", y, shape, self.const(weight), self.const(bias), **geometry)
        else:
            y = self.op("Conv", x, shape, self.const(weight), self.const(bias), pads=[pad] * 4, **geometry)
        return self.behind(y, g, beta, 1)

    def linear(self, x, out, k=ONE):
        """Over the last axis."""
        shape = self.shape[x][:-1] + [out]
        weight, bias = self.weights(self.shape[x][-1], out), self.weights(out)
        x, more = self.scaled(self.idle(x), len(shape) - 1) if k.size == 1 and k == 1 else (x, k)
        g, beta = self.split(bias)
        weight = weight / (more.reshape(-1, 1) if more.size > 1 else more) / g
        bias = (bias - beta) / g
        how = self.pick("MatMul", "Gemm", "Gemm transposed", "turned", "Conv") if len(shape) == 2 else "MatMul"
        self.done.append(how)
        if how.startswith("Gemm"):
            turned = how != "Gemm"
            y = self.op("Gemm", x, shape, self.const(weight.T if turned else weight), self.const(bias),
                        transB=int(turned))
        elif how == "Conv":
            y = self.op("Conv", self.reshape(x, self.shape[x] + [1, 1]), shape + [1, 1],
                        self.const(weight.T[:, :, None, None]), self.const(bias))
            y = self.op("Flatten", y, shape)
        elif how == "turned":
            y = self.op("MatMul", self.const(weight.T), [out, 1], self.transpose(x, [1, 0]))
            y = self.op("Add", self.transpose(y, [1, 0]), shape, self.const(bias))
        else:
            y = self.op("Add", self.op("MatMul", x, shape, self.const(weight)), shape, self.const(bias))
        return self.behind(y, g, beta, len(shape) - 1)

    def act(self, x, axis, levels=None, per_channel=None):
        """QCFS in one of its dialects, perhaps in another layout or shape."""
        shape, back = self.shape[x], None
        levels = int(self.numbers.choice([6, 10, 15])) if levels is None else levels
        per_channel = self.numbers.random() < 0.3 if per_channel is None else per_channel
        theta = levels * 2.0 ** self.numbers.integers(-5, -3, shape[axis] if per_channel else None)
        if self.other("turned activation", 0.25):
            perm = [int(p) for p in self.rng.permutation(len(shape))]
            x, back, axis = self.transpose(x, perm), np.argsort(perm), perm.index(axis)
        elif not per_channel and self.other("flat activation", 0.25):
            x = self.reshape(x, [1, int(np.prod(shape))])
        t = theta.reshape([-1] + [1] * (len(shape) - 1 - axis)) if per_channel else theta
        how = {}
        if self.other("dialect", 0.7):
            how = {"scale": self.pick(*SCALES), "clip": self.pick(*CLIPS), "bounds": self.pick(*BOUNDS),
                   "output": self.pick(*OUTPUTS), "flip": bool(self.pick(0, 1))}
            self.done.append(str(how))
        y = qcfs(self.n, x, t, levels, **how)
        self.shape[y] = self.shape[x]
        y = self.transpose(y, back) if back is not None else y
        return self.idle(y if self.shape[y] == shape else self.reshape(y, shape))

    def add(self, a, b):
        """Sum of two branches, perhaps of scaled ones that is scaled back."""
        a, b = (b, a) if self.other("swapped", 0.3) else (a, b)
        if not self.other("scaled branches", 0.15):
            return self.idle(self.op("Add", a, self.shape[a], b))
        k = self.rng.choice(SPLIT, ()) * ONE
        return self.idle(self.over(self.op("Add", self.times(a, k, 1), self.shape[a], self.times(b, k, 1)), k, 1))

    def pool(self, x):
        """The mean of 2 x 2."""
        c, h, w = self.shape[x][1:]
        return self.idle(self.op("AveragePool", self.idle(x), [1, c, h // 2, w // 2], kernel_shape=[2, 2],
                                 strides=[2, 2], **self.pick({}, {"count_include_pad": 1}, {"ceil_mode": 1})))

    def pooled_conv(self, x, out):
        """A convolution of the mean of 2 x 2; folded, one of four times as many weights."""
        c, h, w = self.shape[x][1:]
        if not self.other("pool folded", 0.4):
            return self.conv(self.pool(x), out)
        weight, bias = self.weights(out, c, 3, 3), self.weights(out)
        wide = np.repeat(np.repeat(weight, 2, 2), 2, 3) / 4
        return self.idle(self.op("Conv", x, [1, out, h // 2, w // 2], self.const(wide), self.const(bias), pads=[2] * 4,
                                 strides=[2, 2]))

    def mean(self, x):
        """[1,C,H,W] to [1,C]: the mean over the image."""
        c, h, w = self.shape[x][1:]
        how = self.pick("GlobalAveragePool", "ReduceMean", "one by one", "AveragePool")
        self.done.append(how)
        if how == "ReduceMean":
            return self.op("ReduceMean", x, [1, c], axes=[2, 3], keepdims=0)
        if how == "one by one":
            y = self.op("ReduceMean", x, [1, c, h], axes=[-1], keepdims=0)
            return self.op("ReduceMean", y, [1, c], axes=[2], keepdims=0)
        y = (self.op("GlobalAveragePool", x, [1, c, 1, 1]) if how == "GlobalAveragePool" else
             self.op("AveragePool", x, [1, c, 1, 1], kernel_shape=[h, w]))
        how = self.pick("Flatten", "Squeeze", "Reshape")
        if how == "Squeeze":
            return self.op("Squeeze", y, [1, c], self.const([2, 3], I64))
        return self.op("Flatten", y, [1, c]) if how == "Flatten" else self.reshape(y, [1, c])


# ---- networks ----

def residual(s, x, out, stride):
    """Two convolutions beside the value itself, or beside a convolution of it."""
    projects = stride != 1 or s.shape[x][1] != out
    y, k = s.scaled(x, 1)
    body = s.conv(s.act(s.conv(y, out, 3, stride, k), 1), out)
    return s.act(s.add(body, s.conv(y, out, 1, stride, k) if projects else s.over(y, k, 1)), 1)


def cnn(s):
    x = s.act(s.conv("x", 4), 1)
    for _ in range(2):
        kind = s.numbers.integers(4)
        if kind == 0:
            x = residual(s, x, 4, 1)
        elif kind == 1:
            x = residual(s, x, 6, 2)
        elif kind == 2:
            x = s.act(s.pooled_conv(x, 4), 1)
        else:
            x = s.act(s.conv(s.pool(x), 5), 1)
    x = s.mean(x) if s.numbers.integers(2) else s.op("Flatten", x, [1, int(np.prod(s.shape[x]))])
    return s.linear(x, 3)


def mlp(s):
    x = s.op("Flatten", "x", [1, int(np.prod(s.shape["x"]))])
    for width in s.numbers.integers(4, 12, 3):
        x = s.act(s.linear(x, int(width)), 1)
    return s.linear(x, 3)


def heads(s, x, n):
    """[1,N,D] to [1,n,N,D/n]"""
    _, tokens, width = s.shape[x]
    return s.idle(s.transpose(s.reshape(x, [1, tokens, n, width // n]), [0, 2, 1, 3]))


def attention(s):
    """A block of spiking attention behind patches: q k v, products of spikes, a projection, an MLP."""
    x = s.act(s.conv("x", 8, 1), 1, per_channel=False)
    c, tokens = 8, s.shape[x][2] * s.shape[x][3]
    x = s.transpose(s.reshape(x, [1, c, tokens]), [0, 2, 1])
    parts = []
    for _ in "qkv":
        y = s.linear(x, c)
        parts.append(heads(s, s.act(y, 2, per_channel=False), 2) if s.pick(1, 0) else
                     s.act(heads(s, y, 2), 3, per_channel=False))
    q, k, v = parts
    shape = [1, 2, tokens, tokens]
    if s.other("scale on q", 0.3):
        product = s.op("MatMul", s.op("Mul", q, s.shape[q], s.const(0.25)), shape, s.transpose(k, [0, 1, 3, 2]))
    elif s.other("Einsum", 0.3):
        product = s.op("Einsum", q, shape, k, equation="bhqd,bhkd->bhqk")
        product = s.op("Mul", product, shape, s.const(0.25))
    else:
        product = s.op("MatMul", q, shape, s.transpose(k, [0, 1, 3, 2]))
        product = s.op("Mul", product, shape, s.const(0.25))
    product = s.act(product, 3, per_channel=False)
    y = s.op("MatMul", product, s.shape[v], v)
    y = s.transpose(s.act(y, 3, per_channel=False), [0, 2, 1, 3])
    y = s.act(s.linear(s.reshape(y, [1, tokens, c]), c), 2)
    x = s.add(x, y)
    x = s.add(x, s.act(s.linear(s.act(s.linear(x, 12), 2), c), 2))
    x = s.op("ReduceMean", x, [1, c], axes=[1], keepdims=0)
    return s.linear(x, 3)


NETWORKS = {"cnn": (cnn, [1, 3, 8, 8]), "mlp": (mlp, [1, 2, 4, 3]), "attention": (attention, [1, 3, 2, 2])}


def write(kind, number, spelling=None):
    """(model, Speller) of network `number` of a kind."""
    make, shape = NETWORKS[kind]
    s = Speller(np.random.default_rng([number, len(kind)]), shape, None if spelling is None else [spelling, number])
    return s.n.model(make(s)), s


def inputs(kind, n=2):
    return np.random.default_rng(3).integers(-16, 17, [n] + NETWORKS[kind][1][1:]).astype("f4") / 8

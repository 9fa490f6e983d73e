"""QCFS and the noise of a run of time steps for training on the CPU, fused: one pass over memory forward, one backward.

The elementwise operations of QCFS take most of a training step in PyTorch; this
compiles fused_qcfs.c with the C compiler at hand and puts it in their place. Values
are those of mst.torch.qcfs.QCFSFunction; gradients too, to rounding.
"""
import ctypes
import pathlib
import subprocess
import tempfile

import torch

from mst.torch import layers, qcfs

SOURCE = pathlib.Path(__file__).with_name("fused_qcfs.c")
FLAGS = ["-O3", "-march=native", "-ffast-math", "-fopenmp", "-shared", "-fPIC"]
NAMES = {torch.float32: "f32", torch.bfloat16: "bf16"}


def compile_library(compiler="cc"):
    """The compiled C functions; raises OSError or CalledProcessError without a working compiler."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "fused_qcfs.so"
        subprocess.run([compiler] + FLAGS + [str(SOURCE), "-o", str(path), "-lm"], check=True, capture_output=True)
        library = ctypes.CDLL(str(path))
    pointer, number, real, seed = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float, ctypes.c_uint32
    whole = ctypes.c_int32
    for name in NAMES.values():
        for part, result, types in (("forward", None, [pointer] * 2 + [number, real, real, real]),
                                    ("backward", ctypes.c_double, [pointer] * 3 + [number, real, real]),
                                    ("largest_forward", None, [pointer] * 3 + [number, number, seed]),
                                    ("largest_backward", None, [pointer] * 4 + [number, number, seed]),
                                    ("thin_forward", None, [pointer] * 2 + [number, real, real, seed]),
                                    ("thin_backward", None, [pointer] * 3 + [number, real, real, seed]),
                                    ("binomial", None, [pointer] * 2 + [number, real, whole, seed, seed])):
            function = getattr(library, name + "_" + part)
            function.argtypes, function.restype = types, result
    return library


def dense(x):
    """x, in memory without gaps (in any order of its dimensions)."""
    return x if x.is_contiguous() or torch.empty_like(x).stride() == x.stride() else x.contiguous()


def like(grad, x):
    """A gradient in the type and the order of dimensions of x."""
    return grad if grad.dtype == x.dtype and grad.stride() == x.stride() else torch.empty_like(x).copy_(grad)


def fits(x):
    return x.device.type == "cpu" and x.dtype in NAMES


def install(compiler="cc"):
    """Make modules train through the fused functions, for CPU tensors; False where they cannot be compiled."""
    try:
        library = compile_library(compiler)
    except (OSError, subprocess.CalledProcessError):
        return False
    install_qcfs(library)
    install_noise(library)
    install_levels(library)
    return True


def seed():
    return int(torch.randint(2 ** 31, (1,)))


def install_levels(library):
    plain = layers.thin_levels

    class Levels(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, keep, quantum, levels):
            x, ctx.keep = dense(x), keep
            y = torch.empty_like(x)
            getattr(library, NAMES[x.dtype] + "_binomial")(
                x.data_ptr(), y.data_ptr(), x.numel(), quantum, levels, max(1, round(keep * 65536)), seed())
            return y

        @staticmethod
        def backward(ctx, grad):
            return grad * ctx.keep, None, None, None

    layers.thin_levels = lambda x, keep, quantum, levels: (
        Levels.apply if fits(x) and levels <= 32 else plain)(x, keep, quantum, levels)


def install_noise(library):
    plain_largest, plain_thin = qcfs.largest_sum, layers.thin

    class Largest(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, variance):
            x = dense(x)
            y, ctx.seed = torch.empty_like(x), seed()
            ctx.variance = torch.empty_like(x[0], dtype=torch.float32).copy_(variance)  # in the order of x
            getattr(library, NAMES[x.dtype] + "_largest_forward")(
                x.data_ptr(), ctx.variance.data_ptr(), y.data_ptr(), len(x), x[0].numel(), ctx.seed)
            ctx.save_for_backward(x)
            return y

        @staticmethod
        def backward(ctx, grad):
            x, = ctx.saved_tensors
            grad, grad_x = like(grad, x), torch.empty_like(x)
            getattr(library, NAMES[x.dtype] + "_largest_backward")(
                x.data_ptr(), ctx.variance.data_ptr(), grad.data_ptr(), grad_x.data_ptr(), len(x), x[0].numel(),
                ctx.seed)
            return grad_x, None

    class Thin(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, keep, scatter):
            x = dense(x)
            y, ctx.of = torch.empty_like(x), (keep, scatter, seed())
            getattr(library, NAMES[x.dtype] + "_thin_forward")(x.data_ptr(), y.data_ptr(), x.numel(), *ctx.of)
            ctx.save_for_backward(x)
            return y

        @staticmethod
        def backward(ctx, grad):
            x, = ctx.saved_tensors
            grad, grad_x = like(grad, x), torch.empty_like(x)
            getattr(library, NAMES[x.dtype] + "_thin_backward")(
                x.data_ptr(), grad.data_ptr(), grad_x.data_ptr(), x.numel(), *ctx.of)
            return grad_x, None, None

    def leading(x):
        """The first dimension is the outermost in memory."""
        return x.dim() > 1 and dense(x).stride(0) == x[0].numel()

    qcfs.largest_sum = lambda x, variance: (Largest.apply if fits(x) and leading(x) else plain_largest)(x, variance)
    layers.thin = lambda x, keep, scatter: (Thin.apply if fits(x) else plain_thin)(x, keep, scatter)


def install_qcfs(library):
    plain = qcfs.QCFSFunction

    class FusedQCFS(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, theta, levels):
            x = dense(x)
            a = torch.empty_like(x)
            ctx.theta, ctx.levels = float(theta), levels
            getattr(library, NAMES[x.dtype] + "_forward")(
                x.data_ptr(), a.data_ptr(), x.numel(), levels / ctx.theta, ctx.theta / levels, levels)
            ctx.save_for_backward(x, theta)
            return a

        @staticmethod
        def backward(ctx, grad):
            x, theta = ctx.saved_tensors
            grad = like(grad, x)
            grad_x = torch.empty_like(x)
            total = getattr(library, NAMES[x.dtype] + "_backward")(
                x.data_ptr(), grad.data_ptr(), grad_x.data_ptr(), x.numel(), ctx.levels / ctx.theta, ctx.levels)
            return grad_x, torch.full_like(theta, total / ctx.levels), None

    class Chosen:
        @staticmethod
        def apply(x, theta, levels):
            return (FusedQCFS if fits(x) else plain).apply(x, theta, levels)

    qcfs.QCFSFunction = Chosen

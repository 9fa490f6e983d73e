"""QCFS for training on the CPU, fused: one pass over memory forward, one backward.

The elementwise operations of QCFS take most of a training step in PyTorch; this
compiles fused_qcfs.c with the C compiler at hand and puts it in their place. Values
are those of mst.qcfs.QCFSFunction; gradients too, to rounding.
"""
import ctypes
import pathlib
import subprocess
import tempfile

import torch

from mst import qcfs

SOURCE = pathlib.Path(__file__).with_name("fused_qcfs.c")
FLAGS = ["-O3", "-march=native", "-ffast-math", "-fopenmp", "-shared", "-fPIC"]
NAMES = {torch.float32: "f32", torch.bfloat16: "bf16"}


def compile_library(compiler="cc"):
    """The compiled C functions; raises OSError or CalledProcessError without a working compiler."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "fused_qcfs.so"
        subprocess.run([compiler] + FLAGS + [str(SOURCE), "-o", str(path), "-lm"], check=True, capture_output=True)
        library = ctypes.CDLL(str(path))
    pointer, number, real = ctypes.c_void_p, ctypes.c_int64, ctypes.c_float
    for name in NAMES.values():
        forward, backward = getattr(library, name + "_forward"), getattr(library, name + "_backward")
        forward.argtypes, forward.restype = [pointer, pointer, number, real, real, real], None
        backward.argtypes, backward.restype = [pointer] * 3 + [number, real, real], ctypes.c_double
    return library


def dense(x):
    """x, in memory without gaps (in any order of its dimensions)."""
    return x if x.is_contiguous() or torch.empty_like(x).stride() == x.stride() else x.contiguous()


def install(compiler="cc"):
    """Make QCFS modules train through the fused functions, for CPU tensors; False where they cannot be compiled."""
    try:
        library = compile_library(compiler)
    except (OSError, subprocess.CalledProcessError):
        return False
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
            if grad.dtype != x.dtype or grad.stride() != x.stride():
                grad = torch.empty_like(x).copy_(grad)
            grad_x = torch.empty_like(x)
            total = getattr(library, NAMES[x.dtype] + "_backward")(
                x.data_ptr(), grad.data_ptr(), grad_x.data_ptr(), x.numel(), ctx.levels / ctx.theta, ctx.levels)
            return grad_x, torch.full_like(theta, total / ctx.levels), None

    class Chosen:
        @staticmethod
        def apply(x, theta, levels):
            fits = x.device.type == "cpu" and x.dtype in NAMES
            return (FusedQCFS if fits else plain).apply(x, theta, levels)

    qcfs.QCFSFunction = Chosen
    return True

#!/usr/bin/env python3
"""oneDNN's products of u8 x s8, as PyTorch brings them, on the shapes that bench_count measures: onednn.py [quick]

Reads lines NETWORK<TAB>LAYER<TAB>ROWSxINPUTSxOUTPUTS and prints each with G products a second of processor time, one thread: the best run.
As in bench_count weights are packed before and the outputs are u8 again, by a scale a channel and a bias. Prints nothing
where PyTorch has no such engine.
"""
import sys
import time
import warnings

import torch


def products(shape, runs, least):
    rows, k, n = shape
    torch.manual_seed(0)
    x = torch.quantize_per_tensor(torch.randint(0, 17, (rows, k)).float(), 1.0, 0, torch.quint8)
    w = torch.quantize_per_channel(torch.randint(-127, 128, (n, k)).float() / 127, torch.full((n,), 1 / 127.0, dtype=torch.double),
                                   torch.zeros(n, dtype=torch.long), 0, torch.qint8)
    packed = torch.ops.quantized.linear_prepack(w, torch.zeros(n))
    best = float("inf")
    for _ in range(runs):
        times, begin, end = 0, time.process_time(), 0.0
        while end < least:
            torch.ops.quantized.linear(x, packed, 1.0, 0)
            times, end = times + 1, time.process_time() - begin
        best = min(best, end / times)
    return rows * k * n * 1e-9 / best


def main():
    if "onednn" not in torch.backends.quantized.supported_engines:
        return
    torch.backends.quantized.engine = "onednn"
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # these tensors are to go, for others that are no faster
    runs, least = (3, 0.01) if "quick" in sys.argv[1:] else (9, 0.02)
    for line in sys.stdin:
        shape = [int(part) for part in line.rstrip("\n").split("\t")[2].split("x")]
        print("%s\t%.1f" % (line.rstrip("\n"), products(shape, runs, least)), flush=True)


if __name__ == "__main__":
    main()

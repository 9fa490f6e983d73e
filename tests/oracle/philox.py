"""Philox 4x32-10 (Salmon et al., SC 2011) on numpy arrays."""
import numpy as np

MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
WEYL = (0x9E3779B9, 0xBB67AE85)
LOW = np.uint64(0xFFFFFFFF)
SHIFT = np.uint64(32)


def philox4x32(counter, key, rounds=10):
    """counter: four words, key: two words (ints or arrays that broadcast). Four uint32 arrays."""
    c0, c1, c2, c3 = (np.asarray(c, np.uint64) for c in counter)
    k0, k1 = int(key[0]), int(key[1])
    for _ in range(rounds):
        p0, p1 = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1, c2, c3 = ((p1 >> SHIFT) ^ c1 ^ np.uint64(k0), p1 & LOW, (p0 >> SHIFT) ^ c3 ^ np.uint64(k1), p0 & LOW)
        k0, k1 = (k0 + WEYL[0]) & 0xFFFFFFFF, (k1 + WEYL[1]) & 0xFFFFFFFF
    return tuple(np.asarray(c, np.uint32) for c in np.broadcast_arrays(c0, c1, c2, c3))


def mask_words(seed, samples, step, index, elements):
    """uint32 [samples, elements]: the word of each element of a MASK at time step `step`."""
    samples = np.asarray(samples, np.uint64)[:, None]
    blocks = np.arange((elements + 3) // 4, dtype=np.uint64)[None, :]
    words = philox4x32((samples, np.uint64(step), np.uint64(index), blocks), (seed & 0xFFFFFFFF, seed >> 32))
    return np.stack(words, -1).reshape(len(samples), -1)[:, :elements]

/* Puts together the block kernels of a set that kernels_select.c has chosen. */
#include <string.h>

#include "runtime/kernels/block_kernels.h"

static void merge(const mst_block_kernels *t, mst_block_kernels *out)
{
#define MSTB_KERNEL(ret, name, args) \
    if (t->name != NULL) \
        out->name = t->name;
#include "runtime/kernels/block_kernels.def"
#undef MSTB_KERNEL
}

void mst_block_kernels_select(const char *isa, mst_block_kernels *out)
{
    *out = mst_block_kernels_scalar;
#if defined(__x86_64__)
    if (strcmp(isa, "avx2") == 0)
        merge(&mst_block_kernels_avx2, out);
    if (strcmp(isa, "avx512") == 0) {
        merge(&mst_block_kernels_avx512, out);
        if (__builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vpopcntdq"))
            merge(&mst_block_kernels_avx512_more, out);
    }
#else
    (void)isa;
    (void)merge;
#endif
}

/* Chooses the kernels of one instruction set. The only place that asks the
 * processor what it can do. */
#include <stdbool.h>
#include <string.h>

#include "runtime/kernels/kernels.h"

#if defined(__x86_64__)
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}
#endif

static bool has_scalar(void)
{
    return true;
}

/* best first */
static const struct isa {
    const mst_kernels *table;
    bool (*here)(void);
} sets[] = {
#if defined(__x86_64__)
    {&mst_kernels_avx512, has_avx512},
    {&mst_kernels_avx2, has_avx2},
#endif
    {&mst_kernels_scalar, has_scalar},
};

static void merge(const mst_kernels *t, mst_kernels *out)
{
    *out = mst_kernels_scalar;
    out->isa = t->isa;
#define MSTK_KERNEL(ret, name, args)                                                               \
    if (t->name != NULL)                                                                           \
        out->name = t->name;
#include "runtime/kernels/kernels.def"
#undef MSTK_KERNEL
}

mst_status mst_kernels_select(const char *isa, mst_kernels *out, mst_err *err)
{
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        if (isa != NULL && strcmp(isa, sets[i].table->isa) != 0)
            continue;
        if (sets[i].here()) {
            merge(sets[i].table, out);
            return MST_OK;
        }
        if (isa != NULL)
            return mst_fail(err, MST_EINVAL, "instruction set '%s': this machine does not have it", isa);
    }
    return mst_fail(err, MST_EINVAL, "instruction set '%s': unknown, expected scalar, avx2 or avx512", isa);
}

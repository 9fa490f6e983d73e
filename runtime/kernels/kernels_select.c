/* Chooses the kernels of one instruction set. The only place that asks the
 * processor what it can do. */
#include <stdbool.h>
#include <string.h>

#include "mst/isa.h"
#include "runtime/kernels/block_kernels.h"
#include "runtime/kernels/count_kernels.h"
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

static bool has_amx(void)
{
    return has_avx512() && mst_count_kernels_here("amx");
}

static bool has_avx512_more(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512vpopcntdq");
}
#endif

static bool has_scalar(void)
{
    return true;
}

/* the best last; more: over the others where the machine has it (NULL: nothing); asked: taken by its name only */
static const struct isa {
    const char *name;
    const mst_kernels *table;
    const mst_block_kernels *block, *more;
    bool (*here)(void), (*more_here)(void);
    bool asked;
} sets[] = {
    {"scalar", &mst_kernels_scalar, &mst_block_kernels_scalar, NULL, has_scalar, NULL, false},
#if defined(__x86_64__)
    {"avx2", &mst_kernels_avx2, &mst_block_kernels_avx2, NULL, has_avx2, NULL, false},
    {"avx512", &mst_kernels_avx512, &mst_block_kernels_avx512, &mst_block_kernels_avx512_more, has_avx512,
     has_avx512_more, false},
    /* for counts; nobody has timed it on such a processor yet */
    {"amx", &mst_kernels_avx512, &mst_block_kernels_avx512, &mst_block_kernels_avx512_more, has_amx,
     has_avx512_more, true},
#elif defined(__aarch64__)
    {"neon", &mst_kernels_neon, &mst_block_kernels_neon, NULL, has_scalar, NULL, false}, /* each of them has it */
#endif
};
#define N_SETS (sizeof sets / sizeof sets[0])

const char *mst_isa_at(size_t k, bool *here)
{
    if (k >= N_SETS)
        return NULL;
    if (here != NULL)
        *here = sets[k].here();
    return sets[k].name;
}

/* The set of that name (NULL: the best one here); NULL: there is none. */
static const struct isa *find(const char *isa)
{
    for (size_t i = N_SETS; i-- > 0;)
        if (isa == NULL ? !sets[i].asked && sets[i].here() : strcmp(isa, sets[i].name) == 0)
            return &sets[i];
    return NULL;
}

static mst_status unknown(const char *isa, mst_err *err)
{
    char names[64] = "";
    for (size_t i = 0; i < N_SETS; i++) {
        strcat(names, i == 0 ? "" : i + 1 == N_SETS ? " or "
                                                    : ", ");
        strcat(names, sets[i].name);
    }
    return mst_fail(err, MST_EINVAL, "instruction set '%s': unknown, expected %s", isa, names);
}

mst_status mst_kernels_select(const char *isa, mst_kernels *out, mst_err *err)
{
    const struct isa *set = find(isa);
    if (set == NULL)
        return unknown(isa, err);
    if (!set->here())
        return mst_fail(err, MST_EINVAL, "instruction set '%s': this machine does not have it", isa);
    *out = mst_kernels_scalar;
    out->isa = set->name;
    out->strip = set->table->strip;
#define MSTK_KERNEL(ret, name, args) \
    if (set->table->name != NULL) \
        out->name = set->table->name;
#include "runtime/kernels/kernels.def"
#undef MSTK_KERNEL
    return MST_OK;
}

static void merge_block(const mst_block_kernels *t, mst_block_kernels *out)
{
#define MSTB_KERNEL(ret, name, args) \
    if (t->name != NULL) \
        out->name = t->name;
#include "runtime/kernels/block_kernels.def"
#undef MSTB_KERNEL
}

void mst_block_kernels_select(const char *isa, mst_block_kernels *out)
{
    const struct isa *set = find(isa);
    *out = mst_block_kernels_scalar;
    if (set == NULL)
        return;
    merge_block(set->block, out);
    if (set->more != NULL && set->more_here())
        merge_block(set->more, out);
}

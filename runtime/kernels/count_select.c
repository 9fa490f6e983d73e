/* Chooses the kernels on counts of one instruction set. */
#include <stdbool.h>
#include <string.h>

#include "runtime/core/platform.h"
#include "runtime/kernels/count_kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

/* The compiler's list of names lacks this one. Bit 4 of EAX of leaf 7, subleaf 1. */
static bool has_avxvnni(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1) != 0;
}

static bool has_vnni(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
}

#if MSTC_HAS_AMX
/* Bits 24 (tiles) and 25 (of int8) of EDX of leaf 7; the system must give the tiles' state away. */
static bool has_amx(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    return has_vnni() && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d >> 24 & 3) == 3 && sys_grants_tiles();
}
#endif
#endif

static bool has_scalar(void)
{
    return true;
}

/* best first; of: the instruction set of mst_kernels_select that is asked for at least */
static const struct set {
    const mst_count_kernels *table;
    bool (*here)(void);
    const char *of;
} sets[] = {
#if MSTC_HAS_AMX
    {&mst_count_kernels_amx, has_amx, "amx"},
#endif
#if defined(__x86_64__)
    {&mst_count_kernels_vnni, has_vnni, "avx512"},
    {&mst_count_kernels_avxvnni, has_avxvnni, "avx512"},
    {&mst_count_kernels_avx2, has_avx2, "avx2"},
#elif defined(__aarch64__)
    {&mst_count_kernels_dotprod, sys_has_dotprod, "neon"},
    {&mst_count_kernels_neon, has_scalar, "neon"},
#endif
    {&mst_count_kernels_scalar, has_scalar, "scalar"},
};
enum { N_SETS = sizeof sets / sizeof sets[0] };

static void merge(const mst_count_kernels *t, mst_count_kernels *out)
{
    *out = mst_count_kernels_scalar;
    out->isa = t->isa;
#define MSTC_KERNEL(ret, name, args) \
    if (t->name != NULL) \
        out->name = t->name;
#include "runtime/kernels/count_kernels.def"
#undef MSTC_KERNEL
}

mst_status mst_count_kernels_select(const char *set, mst_count_kernels *out, mst_err *err)
{
    for (size_t i = 0; i < N_SETS; i++) {
        if (set != NULL && strcmp(set, sets[i].table->isa) != 0)
            continue;
        if (sets[i].here()) {
            merge(sets[i].table, out);
            return MST_OK;
        }
        if (set != NULL)
            return mst_fail(err, MST_EINVAL, "kernels on counts '%s': this machine does not have them", set);
    }
    char names[64] = "";
    for (size_t i = 0; i < N_SETS; i++)
        strcat(strcat(names, i == 0 ? "" : ", "), sets[i].table->isa);
    return mst_fail(err, MST_EINVAL, "kernels on counts '%s': unknown, expected one of %s", set, names);
}

bool mst_count_kernels_here(const char *set)
{
    for (size_t i = 0; i < N_SETS; i++)
        if (strcmp(set, sets[i].table->isa) == 0)
            return sets[i].here();
    return false;
}

const char *mst_count_kernels_of(const char *isa)
{
    bool under = false; /* sets of isa, and all that come after */
    for (size_t i = 0; i < N_SETS; i++) {
        under = under || strcmp(isa, sets[i].of) == 0;
        if (under && sets[i].here())
            return sets[i].table->isa;
    }
    return "scalar";
}

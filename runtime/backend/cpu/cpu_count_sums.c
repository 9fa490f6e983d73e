/* What layers on counts count: spikes of tensors, each summed up once, and the synaptic operations that they make. */
#include "runtime/backend/cpu/cpu_count.h"

#define UNKNOWN UINT64_MAX

void cpu_count_forget(const mst_session *s, const rt_value *v) { ((cpu_session *)s->how)->totals[v->buf] = UNKNOWN; }

uint64_t cpu_count_total(const mst_session *s, const rt_value *v)
{
    uint64_t *total = &((cpu_session *)s->how)->totals[v->buf];
    if (*total == UNKNOWN)
        *total = cpu_count_kernels(s->p)->total(cpu_counts_at(s, v), v->step, s->p->mode == MST_RUN_RADIX);
    return *total;
}

/* Synaptic operations of a convolution for each of its outputs: most pixels reach as many, the others are looked at
 * one by one. Whole numbers modulo 2^64. */
static uint64_t reached(const mst_session *s, const rt_synapse *syn, uint32_t *sums)
{
    static const size_t only[] = {0};
    const cpu_count_synapse *how = cpu_count_of(syn);
    const mstc_input pixels = {.x = cpu_counts_at(s, &syn->bits),
                               .ld = syn->bits.cols,
                               .taps = only,
                               .n_taps = 1,
                               .k = syn->bits.cols,
                               .most = (unsigned)syn->bits.levels};
    uint64_t n = cpu_count_total(s, &syn->bits) * how->reach;
    for (size_t i = 0, some; i < how->n_other; i += some) {
        mstc_input in = pixels;
        some = how->n_other - i < CPU_COUNT_SUMS ? how->n_other - i : CPU_COUNT_SUMS;
        in.index = how->other + i;
        cpu_count_kernels(s->p)->row_sums(&in, some, s->p->mode == MST_RUN_RADIX, sums);
        for (size_t k = 0; k < some; k++)
            n += (uint64_t)sums[k] * ((uint64_t)how->other_reach[i + k] - how->reach);
    }
    return n;
}

uint64_t cpu_count_synapse_ops(const mst_session *s, const rt_synapse *syn)
{
    uint32_t sums[CPU_COUNT_SUMS];
    return (syn->is_conv ? reached(s, syn, sums) : cpu_count_total(s, &syn->bits)) * syn->group_out;
}

/* Private to the CPU back end: layers on counts (count and radix mode, int8 weights). One step is all, so a layer
 * is rows of counts times panels of weights, integers, then neurons at once. */
#ifndef MST_BACKEND_CPU_COUNT_H
#define MST_BACKEND_CPU_COUNT_H

#include "runtime/backend/cpu/cpu.h"
#include "runtime/kernels/count_kernels.h"
#include "runtime/ops/dense.h"

_Static_assert(MSTC_LEVELS == MST_MAX_RUN_LEVELS, "kernels take every count that a neuron may fire");

/* rt_synapse.how */
typedef struct cpu_count_synapse {
    mstc_weights w; /* of the first group */
    int8_t *panels;
    size_t panel_bytes, group_bytes, groups;
    const float *b; /* [out], zeros without a bias */
    op_taps at;     /* LINEAR: a row is one segment */
    uint32_t reach; /* CONV: outputs that most pixels reach */
    size_t n_other; /* CONV: the other pixels, and what they reach */
    const uint32_t *other, *other_reach;
    size_t border_bytes; /* the image with a border is made in the first thread's scratch memory, for all */
} cpu_count_synapse;

static inline cpu_count_synapse *cpu_count_of(const rt_synapse *syn) { return syn->how; }
static inline const mst_count_kernels *cpu_count_kernels(const mst_program *p)
{
    return &((const cpu_program *)p->how)->count;
}

extern const low_target cpu_count_target;
void cpu_count_free(const mst_allocator *alloc, rt_synapse *syn);
size_t cpu_count_scratch(const mst_program *p, const rt_expr *e);

/* Run op, and count. */
void cpu_count_run(mst_session *s, const rt_op *op);

/* ---- counting ------------------------------------------------------------------------------- */

#define CPU_COUNT_SUMS 256 /* rows that are summed up together */

/* The counts of a tensor have been made anew. */
void cpu_count_forget(const mst_session *s, const rt_value *v);
/* Its spikes: counts, or their digits that are 1. */
uint64_t cpu_count_total(const mst_session *s, const rt_value *v);
uint64_t cpu_count_synapse_ops(const mst_session *s, const rt_synapse *syn);

/* ---- parts of an operation, as cpu_work ------------------------------------------------------- */

void cpu_count_move(const cpu_job *job, unsigned part, unsigned thread);
void cpu_count_mask(const cpu_job *job, unsigned part, unsigned thread);
void cpu_count_unpack(const cpu_job *job, unsigned part, unsigned thread);
void cpu_count_pack(const cpu_job *job, unsigned part, unsigned thread);
void cpu_count_layer(const cpu_job *job, unsigned part, unsigned thread);
/* Before the parts: what they all read. */
void cpu_count_border(const mst_session *s, const rt_op *op);

static inline uint8_t *cpu_counts_at(const mst_session *s, const rt_value *v) { return rt_buf_at(s, v->buf); }
static inline uint32_t *cpu_events_at(const mst_session *s, uint32_t buf) { return rt_buf_at(s, buf); }

#endif

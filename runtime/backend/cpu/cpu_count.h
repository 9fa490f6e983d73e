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

/* rt_op.how of a layer whose neurons fire floor(k*s + d), [outputs] (cpu_count_quick.c); NULL: no such numbers. */
typedef struct cpu_count_quick {
    const float *k, *d;
} cpu_count_quick;

mst_status cpu_count_find_quick(lowering *lo, rt_op *op);
/* For the outputs from o on. */
static inline void cpu_count_use_quick(const rt_op *op, size_t o, mstc_affine *a)
{
    const cpu_count_quick *quick = op->how;
    if (quick != NULL) {
        a->quick_k = quick->k + o;
        a->quick_d = quick->d + o;
    }
}

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

/* ---- sums, and what reads them (cpu_count_terms.c) --------------------------------------------- */

#define CPU_COUNT_ROWS 16 /* whose sums are kept as floats where something is added to them */

/* The term, of the operation's rows from `row` on and columns from `column` on, as kernels take it; false: no such
 * term. */
bool cpu_count_more(const cpu_job *job, const rt_term *t, size_t row, size_t column, mstc_more *m);
/* All terms and the neurons of some rows, whose source is in x, or (first) which have none. */
void cpu_count_finish(const cpu_job *job, size_t row, size_t rows, bool first, float *x);
/* Rows r0..r1-1 of an operation without a source, and of what is joined to it; x: CPU_COUNT_ROWS rows. */
void cpu_count_terms(const cpu_job *job, size_t r0, size_t r1, float *x);
/* Do op's neurons read what the operation before it stores, so that both may run together? */
bool cpu_count_stores_for(const rt_op *op, const rt_op *before);

/* Where a row of the sum starts in the neurons' tensor, and which of its columns that is. */
static inline size_t cpu_count_element(const rt_op *op, size_t row)
{
    return op->expr->to != NULL ? op->expr->to[row] : row * op->expr->cols;
}

static inline size_t cpu_count_column(const rt_op *op, size_t row) { return cpu_count_element(op, row) % op->out.cols; }

static inline mstc_neuron cpu_count_neuron(const rt_fire *f, size_t column)
{
    return (mstc_neuron){f->theta + column, f->gain != NULL ? f->gain + column : NULL,
                         f->gain != NULL ? f->bias + column : NULL, f->levels, f->shift, f->back};
}

static inline uint8_t *cpu_counts_at(const mst_session *s, const rt_value *v) { return rt_buf_at(s, v->buf); }
static inline uint32_t *cpu_events_at(const mst_session *s, uint32_t buf) { return rt_buf_at(s, buf); }

#endif

/* Private to runtime/exec: what a graph compiles to, and what a session holds. */
#ifndef MST_EXEC_PROGRAM_H
#define MST_EXEC_PROGRAM_H

#include <string.h>

#include "mst/session.h"
#include "runtime/block/schedule.h"
#include "runtime/exec/nd.h"
#include "runtime/kernels/kernels.h"

/* One session's memory may not be larger than this. */
#define EXEC_MAX_BYTES ((uint64_t)4 << 30)

/* Rows of which the spike lists are made before their products: a block of
 * weights then serves all of them from the cache. */
#define EXEC_ROWS 16
/* Outputs per call of the gather kernel. */
#define EXEC_BLOCK 128

/* Where a tensor's values are: constant data, or an offset in a session's memory. */
typedef struct exec_ref {
    const void *data; /* NULL: at */
    size_t at;
} exec_ref;

/* What is known of a tensor before anything runs. */
typedef struct exec_tensor {
    uint32_t root;      /* the tensor whose memory it shares (RESHAPE); itself otherwise */
    uint32_t layer;     /* of the NEURON that makes it; MST_NONE otherwise */
    uint32_t producer;  /* node; MST_NONE: constant or the graph's input */
    bool is_static;     /* depends on constants and a constant input only */
    bool is_spike;      /* values are theta*s */
    bool has_scale;     /* ... with one theta: scale */
    float scale;
} exec_tensor;

/* ---- parameters of the operators -------------------------------------- */

typedef struct exec_copy { /* in[k] -> out, operand 0 -> operand 1 */
    exec_nd nd;
    ptrdiff_t in_at, out_at;
} exec_copy;

typedef struct exec_move {
    exec_copy *parts; /* one per input */
    bool fill;        /* with value before copying */
    float value;
} exec_move;

typedef struct exec_gather {
    size_t outer, axis, inner, n_index;
} exec_gather;

/* The weights of LINEAR and CONV: k rows, ld outputs. */
typedef struct exec_weights {
    mst_dtype dtype;
    size_t k, ld;
    const float *scale; /* I8: [ld] */
    const float *c;     /* I8, for spikes with one theta: theta*scale; otherwise NULL */
    size_t wide;        /* F16, and I8 without c: float32 of some outputs; offset in the scratch memory */
} exec_weights;

typedef struct exec_linear {
    size_t rows, in, out;
    size_t idx, val; /* offsets in the scratch memory */
} exec_linear;

/* One spatial axis of a window. */
typedef struct exec_axis {
    int64_t size, out, kernel, stride, pad, dilation;
} exec_axis;

typedef struct exec_conv {
    exec_axis h, w;
    size_t batch, channels, groups, out; /* all channels, all outputs */
    size_t start, idx, val, row_idx, row_val; /* offsets in the scratch memory */
} exec_conv;

typedef enum exec_product { EXEC_COINCIDE, EXEC_A_SPIKES, EXEC_B_SPIKES, EXEC_ANALOG } exec_product;

typedef struct exec_matmul {
    exec_nd batch; /* operands a, b, y; strides in elements */
    size_t m, n, k;
    bool trans_b, a_spike, b_spike; /* is_spike of the inputs, for counting */
    exec_product rule;
    float c;
    size_t left, right, list, val, row, count; /* offsets in the scratch memory */
} exec_matmul;

/* AFFINE and NEURON: [outer][channels][inner], constants of `channels` values. */
typedef struct exec_channels {
    size_t outer, channels, inner;
} exec_channels;

typedef struct exec_affine {
    exec_channels ch;
    const float *g, *h;
} exec_affine;

typedef struct exec_neuron {
    exec_channels ch;
    mstk_neuron k;
    uint32_t layer;
    size_t v; /* membranes: offset in a session's memory */
} exec_neuron;

typedef struct exec_mask {
    uint32_t layer; /* MST_NONE: another mask counts this layer's spikes */
    uint32_t index, threshold;
    float keep; /* 1 - RATIO */
} exec_mask;

typedef struct exec_binary {
    exec_nd nd; /* operands a, b, y */
    int fn;
} exec_binary;

typedef struct exec_pool {
    exec_axis h, w;
    size_t batch, channels;
    bool max, count_pad;
} exec_pool;

typedef struct exec_reduce {
    exec_nd over; /* reduced dims; operand 0: x */
    exec_nd kept; /* operands x, y */
    int fn;
    size_t n; /* elements per sum */
} exec_reduce;

typedef struct exec_rows { /* SOFTMAX, LAYERNORM: [outer][n][inner] along n */
    size_t outer, n, inner;
    double eps;
} exec_rows;

typedef struct exec_scalars { /* CLIP, UNARY */
    float lo, hi;
    int fn;
} exec_scalars;

/* ---- program ---------------------------------------------------------- */

typedef struct exec_step exec_step;
typedef void (*exec_run)(mst_session *s, const exec_step *st);

struct exec_step {
    exec_run run; /* NULL: nothing to do (RESHAPE) */
    uint32_t node;
    bool is_static;
    bool counts_sops;     /* SYNAPSE nodes: sops, not macs */
    uint32_t n_in;
    exec_ref *in;
    exec_ref out;
    size_t n;             /* elements of the output */
    size_t scratch;       /* offset in a session's memory */
    size_t scratch_bytes; /* set by prepare */
    uint64_t dense;       /* multiply-adds of one pass, set by prepare */
    const exec_weights *weights; /* LINEAR, CONV */
    union {
        exec_move move;
        exec_gather gather;
        exec_linear linear;
        exec_conv conv;
        exec_matmul matmul;
        exec_affine affine;
        exec_neuron neuron;
        exec_mask mask;
        exec_binary binary;
        exec_pool pool;
        exec_reduce reduce;
        exec_rows rows;
        exec_scalars scalars;
    } u;
};

struct mst_program {
    const mst_graph *g;
    mst_run_mode mode;
    uint64_t seed;
    const mst_allocator *alloc;
    mst_kernels k;
    mst_arena arena; /* all arrays below */
    exec_tensor *tensors;
    exec_step *steps; /* one per node */
    mst_layer *layers;
    size_t n_layers;
    size_t *layer_feed_at; /* n_layers + 1 starts into layer_feed */
    uint32_t *layer_feed;  /* SYNAPSE steps that feed a layer */
    uint64_t dense, dense_static;
    size_t bytes; /* of a session's memory; the graph's input is at 0 */
    size_t transient, transient_end; /* part of it that holds nothing from one step to the next */
    size_t input_n, output_n;
    uint32_t frames;  /* 1: the input is constant */
    size_t frames_at; /* where a session keeps them; spiking mode with more than one */
    exec_ref output;
    blk_program *block; /* NULL: step schedule */
};

struct mst_session {
    const mst_program *p;
    char *mem; /* p->bytes: input, tensors, scratch, membranes */
    uint64_t *node_ops;            /* per step, since begin */
    uint64_t *fired, *spikes;      /* per layer, since begin */
    double *sum;                   /* of the outputs over steps */
    mst_counters counters;
    uint32_t time, sample;
    mst_observer observer;
    void *observer_ctx;
    blk_session *block; /* NULL: step schedule */
    uint32_t last_run;  /* steps of the last run that the block schedule made; 0: a step */
};

/* ---- compiling --------------------------------------------------------- */

typedef struct exec_compiler {
    mst_program *p;
    const mst_graph *g;
    const mst_node *node; /* being prepared */
    mst_arena tmp;
    mst_err *err;
} exec_compiler;

/* Each operator has exec_prepare_<ID>: check what the graph's validation does
 * not, fill st->u, run, scratch_bytes, dense, counts_sops. */
typedef mst_status (*exec_prepare)(exec_compiler *c, exec_step *st);
#define MST_OP_BEGIN(id, name, min, max, flags) mst_status exec_prepare_##id(exec_compiler *c, exec_step *st);
#define MST_IP(id, field, n)
#define MST_FP(id, field)
#define MST_OP_END(id)
#include "mst/ops.def"
#undef MST_OP_BEGIN
#undef MST_IP
#undef MST_FP
#undef MST_OP_END

/* The SYNAPSE nodes that feed each layer, and their dense_in (compile_layers.c). */
mst_status exec_feed_layers(exec_compiler *c);

mst_status exec_no_memory(exec_compiler *c);
/* *at = *total rounded up to EXEC_ALIGN, *total = *at + n * size. ELIMIT past EXEC_MAX_BYTES. */
mst_status exec_add_bytes(exec_compiler *c, size_t n, size_t size, size_t *at, size_t *total);
/* *ops *= n, a count of multiply-adds. ELIMIT past 2^62. */
mst_status exec_mul_ops(exec_compiler *c, uint64_t n, uint64_t *ops);

static inline const mst_tensor *exec_in_tensor(const exec_compiler *c, uint32_t k)
{
    return k < c->node->n_in && c->node->in[k] != MST_NONE ? &c->g->tensors[c->node->in[k]] : NULL;
}

static inline const exec_tensor *exec_in_attr(const exec_compiler *c, uint32_t k)
{
    return &c->p->tensors[c->node->in[k]];
}

static inline const mst_tensor *exec_out_tensor(const exec_compiler *c)
{
    return &c->g->tensors[c->node->out];
}

static inline const float *exec_const(const exec_compiler *c, uint32_t k)
{
    const mst_tensor *t = exec_in_tensor(c, k);
    return t != NULL ? t->data : NULL;
}

/* ---- running ------------------------------------------------------------ */

static inline const void *exec_at(const mst_session *s, exec_ref ref)
{
    return ref.data != NULL ? ref.data : s->mem + ref.at;
}

/* NULL for an absent input */
static inline const float *exec_in(const mst_session *s, const exec_step *st, uint32_t k)
{
    return k < st->n_in && (st->in[k].data != NULL || st->in[k].at != SIZE_MAX) ? exec_at(s, st->in[k]) : NULL;
}

static inline float *exec_out(const mst_session *s, const exec_step *st)
{
    return (float *)(void *)(s->mem + st->out.at);
}

/* at: an offset that prepare made with exec_add_bytes */
static inline void *exec_scratch(const mst_session *s, const exec_step *st, size_t at)
{
    return s->mem + st->scratch + at;
}

static inline void exec_count(mst_session *s, const exec_step *st, uint64_t ops)
{
    s->node_ops[st->node] += ops;
    if (st->counts_sops)
        s->counters.sops += ops;
    else
        s->counters.macs += ops;
}

void exec_reset_membranes(const mst_session *s, const exec_neuron *q); /* to v(0) */

/* Does the input change from step to step? */
static inline bool exec_has_frames(const mst_program *p)
{
    return p->frames > 1 && p->mode == MST_RUN_SPIKING;
}

/* What the input shows at time step t (1 is the first): a copy to `to`, [input_n]. Only with frames. */
static inline void exec_show_frame(const mst_session *s, uint32_t t, float *to)
{
    const mst_program *p = s->p;
    const float *frames = (const float *)(const void *)(s->mem + p->frames_at);
    memcpy(to, frames + (t - 1) % p->frames * p->input_n, p->input_n * sizeof *to);
}

#endif

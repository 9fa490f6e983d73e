/* Operators at run time: what one is prepared to, what one call of it gets and gives.
 *
 * An operator is one file here, named in mst/ops.def. Its prepare function turns a node of the
 * graph into an op_node: the function that runs one time step, the memory it needs, the state it
 * keeps. Operators know nothing of programs, sessions, schedules or threads: whoever calls them
 * says where inputs, output, scratch memory and state lie, and takes what they counted.
 */
#ifndef MST_OPS_OP_H
#define MST_OPS_OP_H

#include "mst/session.h"
#include "runtime/kernels/kernels.h"
#include "runtime/plan/nd.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/window.h"

/* One session's memory may not be larger than this. */
#define RT_MAX_BYTES ((uint64_t)4 << 30)

/* Where values are that do not change from step to step: constant data, or an offset in a session's
 * memory. SIZE_MAX: nowhere there (an absent input, or one that changes). */
typedef struct rt_ref {
    const void *data; /* NULL: at */
    size_t at;
} rt_ref;

/* The form of a tensor's values, and what they are worth. */
typedef struct rt_kind {
    mst_form form;
    float scale;     /* theta, what a spike is worth (COUNT: `levels` of them); 0: not the same for all, or none */
    uint32_t levels; /* COUNT: of all that it holds; 0: not the same for all */
} rt_kind;

/* The same of values that are stored, and how they lie. */
typedef struct rt_value {
    mst_form form;
    float scale;
    uint32_t levels;
    uint32_t cols; /* of a row, the last axis */
    size_t rows;
    size_t words; /* of a row. BITS: of 64 bits, those past cols are 0; COUNT: bytes */
    size_t step;  /* words of a time step; FLOAT: numbers */
    uint32_t buf; /* of the program, where it has one */
} rt_value;

/* What is known of a tensor before anything runs. */
typedef struct rt_fact {
    rt_kind value;
    bool constant;     /* computed from constants alone */
    bool events;       /* made of spikes, as far as counting goes (docs/EXECUTION.md) */
    bool train;        /* of its own: BITS and the like, one where a value is not 0; COUNT, its n */
    bool numbers;      /* a number beside each element says of how many */
    uint32_t root;     /* the tensor whose memory it shares (RESHAPE); itself otherwise */
    uint32_t layer;    /* of the NEURON that makes it; MST_NONE otherwise */
    uint32_t producer; /* node; MST_NONE: constant or the graph's input */
    uint32_t depth;    /* neurons on the longest way to it */
} rt_fact;

static inline bool rt_is_static(const rt_fact *f) { return f->value.form == MST_FORM_STATIC; }
static inline bool rt_is_spike(const rt_fact *f) { return f->value.form == MST_FORM_BITS; }
static inline bool rt_is_count(const rt_fact *f) { return f->value.form == MST_FORM_COUNT; }
/* Counts that are all worth the same; and what one is worth (docs/EXECUTION.md). */
static inline bool rt_has_unit(const rt_fact *f)
{
    return rt_is_count(f) && f->value.scale != 0.0f && f->value.levels != 0;
}
static inline double rt_unit(const rt_fact *f) { return (double)f->value.scale / (double)f->value.levels; }
/* Spikes that are all worth the same. */
static inline bool rt_has_scale(const rt_fact *f) { return rt_is_spike(f) && f->value.scale != 0.0f; }
static inline bool rt_one_worth(const rt_fact *f) { return rt_has_scale(f) || rt_has_unit(f); }

/* ---- parameters of the operators -------------------------------------- */

typedef struct op_copy { /* in[k] -> out, operand 0 -> operand 1 */
    nd_loop nd;
    ptrdiff_t in_at, out_at;
} op_copy;

typedef struct op_move {
    op_copy *parts; /* one per input */
    bool fill;      /* with value before copying */
    float value;
} op_move;

typedef struct op_gather {
    size_t outer, axis, inner, n_index;
} op_gather;

/* The weights of LINEAR and CONV: k rows, ld outputs. */
typedef struct op_weights {
    mst_dtype dtype;
    size_t k, ld;
    const float *scale;  /* I8: [ld] */
    const float *c;      /* I8, for spikes with one theta: theta*scale; otherwise NULL */
    const float *unit_c; /* I8, for counts with a unit: unit*scale; otherwise NULL */
    size_t sum;          /* with unit_c: integers of a piece of the outputs; offset in the scratch memory */
    size_t wide;         /* F16, and I8 without c: float32 of some outputs; offset in the scratch memory */
    bool dense;          /* rows of mostly non-zero inputs may be multiplied with all weights (dense.h) */
    size_t panel;        /* with dense: weights of some inputs and outputs; offset in the scratch memory */
    /* with dense, LINEAR: lists of some rows (sparse.c); offsets in the scratch memory, room of idx, of start */
    size_t idx, val, start, entries, parts;
} op_weights;

typedef struct op_linear {
    size_t rows, in, out;
    size_t idx, val; /* offsets in the scratch memory */
} op_linear;

typedef struct op_conv {
    win_axis h, w;
    size_t batch, channels, groups, out;      /* all channels, all outputs */
    size_t start, idx, val, row_idx, row_val; /* offsets in the scratch memory */
    const struct op_taps *taps;               /* with dense: where its rows lie */
    const uint32_t *reach_h, *reach_w;        /* with dense: outputs that a row, a column of the image reaches */
    size_t image;                             /* with dense: the image with a border; offset in the scratch memory */
} op_conv;

typedef enum op_product { OP_COINCIDE,
                          OP_A_SPIKES,
                          OP_B_SPIKES,
                          OP_ANALOG,
                          OP_COUNTS } op_product;

typedef struct op_matmul {
    nd_loop batch; /* operands a, b, y; strides in elements */
    size_t m, n, k;
    bool trans_b, a_spike, b_spike; /* are the inputs spikes, for counting */
    op_product rule;
    float c;
    size_t left, right, list, val, row, count, events; /* offsets in the scratch memory */
} op_matmul;

/* AFFINE and NEURON: [outer][channels][inner], constants of `channels` values. */
typedef struct op_channels {
    size_t outer, channels, inner;
} op_channels;

typedef struct op_affine {
    op_channels ch;
    const float *g, *h;
} op_affine;

/* v(0) where it was tuned: operands membranes, v(0)/theta, theta. */
typedef struct op_first {
    nd_loop nd;
    const float *value;
} op_first;

typedef struct op_neuron {
    op_channels ch;
    mstk_neuron k;         /* levels: L, or in count and radix mode those that it runs with */
    const op_first *tuned; /* NULL: v(0) = shift * theta */
    bool digits;           /* radix: spikes are digits */
} op_neuron;

typedef struct op_mask {
    uint32_t index, threshold;
    float keep;          /* 1 - RATIO */
    const op_neuron *of; /* what counts are worth; NULL: theta and levels */
    float theta, levels;
    const uint32_t *table; /* binomial thinning (mstc_thin_table); NULL: systematic, or nothing drawn */
    uint32_t ld, step;     /* columns of the table; systematic: what a spike adds */
    bool digits;           /* radix: spikes are digits */
} op_mask;

typedef struct op_binary {
    nd_loop nd; /* operands a, b, y */
    int fn;
} op_binary;

typedef struct op_pool {
    win_axis h, w;
    size_t batch, channels;
    bool max, count_pad;
} op_pool;

typedef struct op_reduce {
    nd_loop over; /* reduced dims; operand 0: x */
    nd_loop kept; /* operands x, y */
    int fn;
    size_t n; /* elements per sum */
} op_reduce;

typedef struct op_rows { /* SOFTMAX, LAYERNORM: [outer][n][inner] along n */
    size_t outer, n, inner;
    double eps;
} op_rows;

typedef struct op_scalars { /* CLIP, UNARY */
    float lo, hi;
    int fn;
} op_scalars;

/* ---- a prepared node, and a call of it ---------------------------------- */

typedef struct op_node op_node;

/* How many spikes an element of an input is made of: none; one where it is not 0; as its number says, or the
 * digits of that. */
typedef enum op_made { OP_MADE_ANALOG,
                       OP_MADE_TRAIN,
                       OP_MADE_NUMBER,
                       OP_MADE_DIGITS } op_made;

/* One time step of one node. in: the values of each input, NULL for an absent one. */
typedef struct op_call {
    const op_node *node;
    const mst_kernels *k;
    const void *const *in;
    float *out;
    char *scratch;                 /* scratch_bytes */
    void *state;                   /* state_bytes, left by the step before, or as reset made it */
    uint64_t seed;                 /* of masks */
    uint32_t sample, time;         /* the first step is 1 */
    unsigned part, parts;          /* of a node that shares: this call makes that part of the rows; parts 0: all */
    const uint32_t *const *events; /* numbers of each input; NULL: it has none */
    uint32_t *out_events;          /* NULL: the output has none */
    /* what the call counted: */
    uint64_t ops;    /* synaptic operations, or multiply-adds where the input is analog */
    uint64_t active; /* NEURON, MASK: spikes of the output */
} op_call;

typedef void (*op_run)(op_call *c);
typedef void (*op_reset)(const op_node *n, void *state);

struct op_node {
    op_run run;     /* NULL: the output is its input's memory (RESHAPE) */
    op_run pass;    /* after run: what events the output is made of; NULL: none, or run tells */
    op_run count;   /* after run: synaptic operations of a product of events; NULL: as run counted */
    op_reset reset; /* of the state, when a sample begins; NULL: it keeps none */
    uint32_t index; /* of the node in the graph */
    uint32_t layer; /* NEURON: its own; MASK: the layer whose spikes it counts, MST_NONE: none */
    bool is_static;
    bool is_pure;     /* the same inputs give the same output at any time: steps may run in any order */
    bool shares;      /* rows of the output may be made by calls of their own, each with scratch memory of its own */
    bool counts_sops; /* synaptic operations, not multiply-adds */
    uint32_t n_in;
    op_made *made;        /* of each input, for pass and count */
    rt_ref *in, out;      /* of static inputs and outputs */
    size_t n;             /* elements of the output */
    size_t scratch_bytes; /* set by prepare, as are those below */
    size_t state_bytes;
    size_t state;        /* where a session keeps them */
    size_t scratch;      /* static nodes: likewise */
    uint64_t dense;      /* multiply-adds of one pass */
    op_weights *weights; /* LINEAR, CONV */
    union {
        op_move move;
        op_gather gather;
        op_linear linear;
        op_conv conv;
        op_matmul matmul;
        op_affine affine;
        op_neuron neuron;
        op_mask mask;
        op_binary binary;
        op_pool pool;
        op_reduce reduce;
        op_rows rows;
        op_scalars scalars;
    } u;
};

/* ---- preparing ----------------------------------------------------------- */

/* What prepare functions see: the node and all that is known of the graph. */
typedef struct op_prep {
    const mst_graph *g;
    const mst_node *node; /* being prepared */
    mst_run_mode mode;
    uint32_t levels; /* of all neurons; 0: their own */
    mst_thinning thinning;
    bool int8;            /* the graph has int8 weights */
    bool draws;           /* float mode: masks are drawn */
    const rt_fact *facts; /* of each tensor */
    const op_node *nodes; /* those before it are prepared */
    mst_layer *layers;    /* to be described by NEURON and MASK */
    mst_arena *arena;     /* lives as long as the op_node */
    mst_err *err;
} op_prep;

/* Each operator has op_prepare_<ID>: check what the graph's validation does not, fill n->u, run,
 * scratch_bytes, dense, counts_sops; state_bytes and reset where ops.def says STATE. */
#define MST_OP_BEGIN(id, name, min, max, flags) mst_status op_prepare_##id(op_prep *c, op_node *n);
#define MST_IP(id, field, n)
#define MST_FP(id, field)
#define MST_OP_END(id)
#include "mst/ops.def"
#undef MST_OP_BEGIN
#undef MST_IP
#undef MST_FP
#undef MST_OP_END

/* Prepare c->node, the index-th of the graph, by its operator's function. The text of an error names
 * the node. ENOMEM, ELIMIT, EUNSUPPORTED; EINVAL where an operator keeps state that ops.def does not
 * tell of, or the other way round. */
mst_status op_prepare_node(op_prep *c, uint32_t index, op_node *n);

/* Set n->pass and n->count where numbers say what values are made of, and counts_sops (op_events.c). */
mst_status op_prepare_events(op_prep *c, op_node *n);
/* Is what c->node puts out made of events? By its operator and its inputs (docs/EXECUTION.md, Counting). */
bool op_passes_events(const op_prep *c);
/* A MATMUL of two factors made of events, whose coincidences no operator's own function counts. */
bool op_is_product_of_events(const op_prep *c);

/* The same backwards, before anything runs (op_reach.c): how many synapses an element's spikes reach. */

/* in[i], of input k, += out[j] for each way from its element i to element j of the output; UINT32_MAX: too many. */
void op_reach_back(const mst_graph *g, const mst_node *node, const op_node *n, uint32_t k, const uint32_t *out,
                   uint32_t *in);
/* Ways from any element of input k, where all have as many; 0: it is not known that they have. */
uint32_t op_ways_each(const mst_graph *g, const mst_node *node, uint32_t k);
/* in[i] = outputs that element i of a CONV's input reaches. */
void op_reach_conv(const op_node *n, uint32_t *in);

static inline bool op_counts(mst_run_mode m) { return m == MST_RUN_COUNT || m == MST_RUN_RADIX; }
/* Levels of a NEURON in this run. */
static inline int32_t op_levels_of(const op_prep *c, const mst_node *neuron)
{
    if (!op_counts(c->mode))
        return neuron->ip[MST_NEURON_LEVELS];
    return c->levels != 0 ? (int32_t)c->levels : mst_node_levels(neuron);
}

/* What the spikes of a NEURON are worth, in a form (op_neuron.c). */
rt_kind op_worth_of(const op_prep *c, const mst_node *neuron, mst_form form);

/* Spikes that a count of n is sent as: n, or its digits that are 1. */
static inline uint32_t op_spikes_of(uint32_t n, bool digits) { return digits ? (uint32_t)__builtin_popcount(n) : n; }

mst_status op_no_memory(mst_err *err);
/* *at = *total rounded up to PLAN_ALIGN, *total = *at + n * size. ELIMIT past RT_MAX_BYTES. */
mst_status op_add_bytes(mst_err *err, size_t n, size_t size, size_t *at, size_t *total);
/* *ops *= n, a count of multiply-adds. ELIMIT past 2^62. */
mst_status op_mul_ops(op_prep *c, uint64_t n, uint64_t *ops);

/* Inputs of a node that moves values, the first ones. */
static inline uint32_t op_moved_inputs(const mst_node *n) { return n->op == MST_OP_CONCAT ? n->n_in : 1; }

/* A part of a node that moves: copies elements of 32 bits. */
void op_copy_words(const op_copy *c, const void *from, void *to);

/* The rows of x along an axis. */
static inline op_rows op_rows_along(const mst_tensor *x, uint32_t axis)
{
    op_rows q = {.outer = 1, .n = x->dims[axis], .inner = 1};
    for (uint32_t d = 0; d < x->rank; d++) {
        q.outer *= d < axis ? x->dims[d] : 1;
        q.inner *= d > axis ? x->dims[d] : 1;
    }
    return q;
}

static inline const mst_tensor *op_in_tensor(const op_prep *c, uint32_t k)
{
    return k < c->node->n_in && c->node->in[k] != MST_NONE ? &c->g->tensors[c->node->in[k]] : NULL;
}

static inline const rt_fact *op_in_fact(const op_prep *c, uint32_t k)
{
    return &c->facts[c->node->in[k]];
}

static inline const mst_tensor *op_out_tensor(const op_prep *c)
{
    return &c->g->tensors[c->node->out];
}

static inline const float *op_const(const op_prep *c, uint32_t k)
{
    const mst_tensor *t = op_in_tensor(c, k);
    return t != NULL ? t->data : NULL;
}

/* ---- running -------------------------------------------------------------- */

/* at: an offset that prepare made with op_add_bytes */
static inline void *op_scratch(const op_call *c, size_t at) { return c->scratch + at; }

/* NULL for an absent input */
static inline const float *op_in(const op_call *c, uint32_t k) { return k < c->node->n_in ? c->in[k] : NULL; }

#endif

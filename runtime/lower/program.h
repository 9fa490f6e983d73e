/* What a graph becomes: prepared nodes, operations in their order, one planned memory.
 *
 * Nodes that never change run once a sample, by their operators' functions. All others are
 * operations, which run one after the other over a block of time steps: a node by its own function
 * (NODE), bits moved (MOVE) or masked (MASK), or a LAYER: a source (a synapse, a product of spikes,
 * or nothing), terms that are added to it, and what becomes of the sum (the fire rule).
 *
 * What passes from operation to operation is in buffers: a spike tensor with one theta as bits,
 * [step][row][words], a row being the last axis, its words ceil(cols/64), bits past cols 0; counts of one
 * worth as bytes; everything else as float32, [step][element].
 *
 * This says what is computed. How (panels of weights, tiles, threads) is the back end's business,
 * which hangs what it needs on the `how` pointers.
 */
#ifndef MST_LOWER_PROGRAM_H
#define MST_LOWER_PROGRAM_H

#include "runtime/ops/op.h"

#define RT_MAX_TERMS 48
#define RT_MAX_STEPS 64   /* of a block */
#define RT_MAX_SOURCES 64 /* inputs of a node; tensors that one is moved together from */
#define RT_COLS 64u       /* columns of a word of bits, and of what constants are padded to */

/* ---- layers ------------------------------------------------------------------------ */

typedef enum rt_term_kind { RT_TERM_BITS,
                            RT_TERM_ROWS,
                            RT_TERM_FLOAT,
                            RT_TERM_AFFINE } rt_term_kind;

typedef struct rt_term {
    rt_term_kind kind;
    rt_value bits;        /* BITS */
    rt_ref ref;           /* ROWS: constant or static values */
    const uint32_t *row;  /* ROWS: where each row starts; NULL: row r at r * cols */
    bool one;             /* ROWS: one value per row; AFFINE: one constant for all */
    uint32_t buf, tensor; /* FLOAT: where, whose values */
    const float *g, *h;   /* AFFINE, [cols rounded up to 64] */
} rt_term;

/* LINEAR or CONV. */
typedef struct rt_synapse {
    const op_node *node;
    bool is_conv, has_bits;
    rt_value bits;              /* has_bits: input with one theta, which the weights contain */
    const struct rt_expr *from; /* otherwise: input made row by row, LINEAR only; or NULL: */
    uint32_t buf;               /* float input */
    size_t out;                 /* outputs */
    size_t group_in, group_out; /* channels of a group; LINEAR: all inputs and outputs */
    void *how;
    struct rt_synapse *next; /* of the program, for release */
} rt_synapse;

/* MATMUL of two spike tensors. */
typedef struct rt_product {
    const op_node *node;
    rt_value a, b;
    size_t batches, m, n, k;
    const uint32_t *a_row, *b_row; /* first row of each batch */
    bool trans_b;
    uint32_t n_groups;
    const uint32_t *group; /* [n_groups + 1] first batches; groups share no word of the output */
} rt_product;

/* A sum that is not computed until something needs it: a source and terms, in the graph's order. */
typedef struct rt_expr {
    size_t rows;
    uint32_t cols;
    rt_synapse *syn; /* at most one of the two */
    rt_product *prod;
    uint32_t n_terms;
    rt_term *terms;     /* at most RT_MAX_TERMS */
    const uint32_t *to; /* products: where in the neuron's tensor each row starts; NULL: in order */
} rt_expr;

/* What becomes of a layer's sum. */
typedef enum rt_rule { RT_STORE,
                       RT_FIRE_IF,
                       RT_FIRE_COUNT,
                       RT_FIRE_SIGNED } rt_rule;

typedef enum rt_each { RT_EACH_SAME,
                       RT_EACH_COLUMN,
                       RT_EACH_ROW } rt_each;

/* The neurons of a layer: one set of constants, one for each column, or one for each row. */
typedef struct rt_fire {
    rt_rule rule;
    const float *theta, *gain, *bias; /* [cols rounded up to 64], [64], or [channels][64] */
    const float *first;               /* v(0), which is not written to memory before the first block; NULL: tuned,
                                         it is what the operator's reset writes */
    rt_each each;
    size_t channels, per_channel; /* EACH_ROW: row r has the constants of r/per_channel%channels */
    float levels, shift, back;    /* FIRE_COUNT */
    const uint32_t *piece_at;     /* neuron of each `piece` columns of the sum; NULL: in order */
    uint32_t piece;
} rt_fire;

/* ---- operations ---------------------------------------------------------------------- */

/* NUMBERS: counts, which are bytes, as an operator's function reads them; COUNTS: as bytes, what one made. */
typedef enum rt_op_kind { RT_OP_NODE,
                          RT_OP_MOVE,
                          RT_OP_MASK,
                          RT_OP_LAYER,
                          RT_OP_NUMBERS,
                          RT_OP_COUNTS } rt_op_kind;

#define RT_MOVE_COLUMNS 128u

/* Bits from elsewhere: units of `unit` bits, or whole rows. */
typedef struct rt_move {
    uint32_t n_in;
    const rt_value *in;
    uint32_t unit;         /* 1, 8, 16, 32, 64; 0: rows; RT_MOVE_COLUMNS */
    const uint32_t *from;  /* per unit of the output: position in units (rows); UINT32_MAX: zeros.
                              RT_MOVE_COLUMNS: per column of the input, the row that it becomes */
    const uint8_t *source; /* which input; NULL: the first */
} rt_move;

typedef struct rt_op {
    rt_op_kind kind;
    const op_node *node;       /* NODE, MASK; LAYER: the NEURON, or NULL where it stores */
    uint32_t tensor;           /* whose values it makes; MST_NONE: a moved copy, or a sum that no tensor is */
    const uint32_t *in_buf;    /* NODE: float buffers of the inputs; MST_NONE: as the node has it */
    const uint32_t *in_events; /* NODE: buffers of their events; MST_NONE: analog */
    uint32_t events;           /* of NODE's output, NUMBERS' output, COUNTS' input; MST_NONE: analog */
    rt_value out;              /* what it makes */
    union {
        rt_fire fire; /* LAYER */
        rt_move move; /* MOVE */
        rt_value in;  /* MASK, NUMBERS */
    };
    const rt_expr *expr;           /* LAYER */
    size_t scratch, scratch_apart; /* of thread i: scratch + i * scratch_apart */
    const void *how;               /* LAYER: the back end's */
    uint32_t head, joined;         /* LAYER: see layer_group.c; head: index of the group's first operation,
                              which has the number of the others */
} rt_op;

/* ---- what spikes reach (reach.c) -------------------------------------------------------- */

/* Counts the spikes of a tensor, each as often as its weight says, in a slot of the session. */
typedef struct rt_meter {
    struct rt_meter *next;
    uint32_t slot;
    uint32_t layer;         /* whose spikes they are, counted anyway; MST_NONE: read behind operation `op` */
    bool masked;            /* with layer: those after its mask */
    size_t op;              /* index of what makes them */
    const uint32_t *weight; /* of each element; NULL: 1 */
} rt_meter;

/* Slots, each some times, added up in another, or as the operations of a node. */
typedef struct rt_part {
    uint32_t slot;
    uint64_t times;
} rt_part;

typedef struct rt_sum {
    struct rt_sum *next;
    uint32_t slot; /* MST_NONE: node */
    uint32_t node;
    size_t n;
    const rt_part *parts;
} rt_sum;

/* ---- the program ---------------------------------------------------------------------- */

struct rt_backend;

struct mst_program {
    const mst_graph *g;
    mst_run_mode mode;
    uint64_t seed;
    uint32_t levels; /* count and radix: of all neurons; 0: their own */
    mst_thinning thinning;
    uint32_t readout_from; /* the step, counted from 1, with which the mean of the logits begins */
    bool draws;            /* float mode: masks drop whole values instead of taking their mean */
    const mst_allocator *alloc;
    mst_kernels k;
    mst_arena arena; /* what has no other owner */

    rt_fact *facts;                   /* of each tensor */
    op_node *nodes;                   /* of each node */
    uint32_t n_static, *static_nodes; /* run once a sample, in order */
    mst_layer *layers;
    size_t n_layers;
    size_t *layer_feed_at; /* n_layers + 1 starts into layer_feed */
    uint32_t *layer_feed;  /* SYNAPSE nodes that feed a layer */
    uint64_t dense, dense_static;
    uint32_t depth; /* neurons on the longest way to the output */

    rt_meter *layer_meters, *meters; /* the latter in the order of their operations */
    rt_sum *sums;                    /* each behind its parts */
    uint32_t n_slots;
    size_t metered; /* elements of the largest tensor that a meter reads */

    uint32_t steps; /* of a block */
    rt_op *ops;
    size_t n_ops, cap_ops;
    plan_buf *bufs; /* bytes: of a step, until planned; at: offset in a session's memory */
    size_t n_bufs, cap_bufs;
    rt_synapse *synapses;
    uint32_t in_buf;  /* of the input's frames; MST_NONE: the input is constant */
    uint32_t out_buf; /* of the logits; MST_NONE: they are static: */
    rt_ref output;

    size_t bytes;         /* of a session's memory; the graph's input is at 0 */
    size_t passed;        /* what static nodes pass to each other takes, behind what they keep; nothing is left there */
    size_t scratch_bytes; /* of fused layers, which reuse it while it is in the cache; for each thread */
    size_t input_n, output_n;
    uint32_t frames;  /* 1: the input is constant */
    size_t frames_at; /* where a session keeps them; spiking mode with more than one */
    unsigned threads;
    const struct rt_backend *backend;
    void *how;
};

/* Bytes behind a tensor of counts that kernels may read. */
#define RT_COUNT_SLACK 64

/* Does the input change from step to step? */
static inline bool rt_has_frames(const mst_program *p) { return p->frames > 1 && p->mode == MST_RUN_SPIKING; }

static inline uint32_t rt_last_dim(const mst_tensor *t) { return t->rank != 0 ? t->dims[t->rank - 1] : 1; }

#endif

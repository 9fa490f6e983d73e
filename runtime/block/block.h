/* Private to runtime/block: what a program's block schedule consists of.
 *
 * A spike tensor with one theta is kept as bits, [step][row][words]: a row is the
 * last axis, its words are ceil(cols/64), bits past cols are 0. Everything else
 * that passes from operation to operation is float, [step][element].
 *
 * Between them, at compile time only, values are expressions: a synapse or a
 * product of spikes or nothing, and terms added to it in the graph's order. They
 * are computed strip by strip (one row, 64 columns, all steps) where a neuron or
 * a float tensor needs them, so that residual streams are never stored.
 */
#ifndef MST_BLOCK_BLOCK_H
#define MST_BLOCK_BLOCK_H

#include "runtime/block/schedule.h"
#include "runtime/exec/plan.h"
#include "runtime/exec/program.h"
#include "runtime/kernels/block_kernels.h"

#define BLK_MAX_TERMS 48
#define BLK_PAIRS 128 /* (row, step) lists of a tile */
#define BLK_CHUNK 192 /* inputs whose weights for 64 outputs stay in the first caches */
#define BLK_MAX_THREADS 64
#define BLK_MAX_STEPS 64
#define BLK_MAX_SOURCES 64

/* A tensor of bits in buffer buf. */
typedef struct blk_bits {
    uint32_t buf, cols;
    size_t rows, words, step; /* words of a row, of a time step */
    float scale;
} blk_bits;

typedef enum blk_term_kind { BLK_TERM_BITS, BLK_TERM_ROWS, BLK_TERM_FLOAT, BLK_TERM_AFFINE } blk_term_kind;

typedef struct blk_term {
    blk_term_kind kind;
    blk_bits bits; /* BITS */
    exec_ref ref; /* ROWS: constant or static values */
    const uint32_t *row; /* ROWS: where each row starts; NULL: row r at r * cols */
    bool one; /* ROWS: one value per row */
    uint32_t buf; /* FLOAT */
    const float *g, *h; /* AFFINE, [cols rounded up to 64] */
} blk_term;

/* LINEAR or CONV. Groups of a CONV are joined into bands that begin at whole words of inputs and of
 * outputs. A band is a convolution of its own, whose weights from one group to another are -0 (int8: 0),
 * which change no sum. All else is one band of one group. */
typedef struct blk_synapse {
    const exec_step *step;
    bool is_conv, has_bits;
    blk_bits bits; /* has_bits: input with one theta, which the weights contain */
    const struct blk_expr *from; /* otherwise: input made row by row, LINEAR only; or NULL: */
    uint32_t buf; /* float input */
    size_t out, blocks; /* outputs; strips of 64 of them */
    size_t group_in, group_out; /* channels of a group; LINEAR: all inputs and outputs */
    size_t bands, band_groups, band_blocks;
    size_t k, chunks, chunk; /* inputs of a band: [taps][channels] */
    float *panels; /* [blocks][k][64], then biases [blocks][64]; NULL: panels8 */
    size_t panel_floats;
    uint8_t *panels8; /* int8 weights at spikes: of two strips each, [k][128], a lone last one [k][64] */
    size_t panel8_bytes;
    const float *factors8, *biases8; /* [blocks][64], behind the panels: y = factor*sum + bias */
    struct blk_synapse *next; /* of the program, for release */
} blk_synapse;

/* MATMUL of two spike tensors. */
typedef struct blk_product {
    const exec_step *step;
    blk_bits a, b;
    size_t batches, m, n, k;
    const uint32_t *a_row, *b_row; /* first row of each batch */
    bool trans_b;
    uint32_t n_groups;
    const uint32_t *group; /* [n_groups + 1] first batches; groups share no word of the output */
} blk_product;

typedef struct blk_expr {
    size_t rows;
    uint32_t cols;
    blk_synapse *syn; /* at most one of the two */
    blk_product *prod;
    uint32_t n_terms;
    blk_term *terms; /* at most BLK_MAX_TERMS */
    const uint32_t *to; /* products: where in the neuron's tensor each row starts; NULL: in order */
} blk_expr;

typedef enum blk_kind { BLK_STEP, BLK_MOVE, BLK_MASK, BLK_LAYER } blk_kind;

#define BLK_COLUMNS 128u

/* Bits from elsewhere: units of `unit` bits, or whole rows. */
typedef struct blk_move {
    uint32_t n_in;
    const blk_bits *in;
    uint32_t unit; /* 1, 8, 16, 32, 64; 0: rows; BLK_COLUMNS */
    const uint32_t *from; /* per unit of the output: position in units (rows); UINT32_MAX: zeros.
                              BLK_COLUMNS: per column of the input, the row that it becomes */
    const uint8_t *source; /* which input; NULL: the first */
} blk_move;

typedef enum blk_each { BLK_EACH_SAME, BLK_EACH_COLUMN, BLK_EACH_ROW } blk_each;

typedef struct blk_op {
    blk_kind kind;
    const exec_step *step; /* STEP, MASK; LAYER: the NEURON, or NULL to store floats */
    const uint32_t *in_buf; /* STEP: float buffers of the inputs; MST_NONE: as the step has it */
    uint32_t out_buf; /* STEP, and LAYER without a neuron */
    blk_bits in, out; /* bits */
    blk_move move;
    const blk_expr *expr; /* LAYER */
    const float *theta, *gain, *bias; /* LAYER: [cols rounded up to 64], [64], or [channels][64] */
    const float *first; /* v(0), which is not written to memory before the first block */
    blk_each each;
    size_t channels, per_channel; /* BLK_EACH_ROW: row r has the constants of r/per_channel%channels */
    const uint32_t *piece_at; /* LAYER: neuron of each `piece` columns of the expression; NULL: in order */
    uint32_t piece;
    size_t n; /* float elements of the output */
    uint32_t head, joined; /* LAYER: see block_group.c; head: index of the group's first operation, which
                              has the number of the others */
} blk_op;

struct blk_program {
    mst_block_kernels k;
    uint32_t steps;
    unsigned threads;
    blk_op *ops;
    size_t n_ops, cap_ops;
    exec_block *bufs; /* bytes: of a step, until planned; at: offset in a session's memory */
    size_t n_bufs, cap_bufs;
    size_t scratch, scratch_bytes; /* of thread i: scratch + i * scratch_bytes */
    size_t step_scratch; /* that step handlers need of it */
    blk_synapse *synapses;
    uint32_t in_buf; /* of the input's frames; MST_NONE: the input is constant */
    uint32_t out_buf; /* of the logits; MST_NONE: they are static */
};

typedef struct blk_job blk_job;
/* Part `part` of job->parts, on thread `thread`: parts are taken as threads come free, so nothing that is
 * written may depend on who takes what. */
typedef void (*blk_work)(const blk_job *job, unsigned part, unsigned thread);
struct blk_job {
    mst_session *s;
    const blk_op *op;
    uint32_t steps;
    unsigned parts;
    bool by_rows; /* synapses: parts are rows; otherwise, where there are few rows, blocks of outputs */
    blk_work work;
};

typedef struct blk_pool blk_pool;

struct blk_session {
    uint64_t ops[BLK_MAX_THREADS]; /* of one operation and thread: entries of lists, or terms of a product */
    uint64_t *fired, *spikes; /* [steps][layers] of the last run */
    double *sums; /* [steps][classes]: of the outputs since begin */
    float *logits; /* [steps][classes] */
    blk_pool *pool; /* NULL: one thread */
};

/* ---- compiling: block_compile.c drives, each file compiles what it runs ------- */

typedef enum blk_value_kind { BLK_STATIC, BLK_BITS, BLK_MOVED, BLK_EXPR, BLK_FLOAT } blk_value_kind;

/* What a tensor is at compile time. MOVED: the node's output is its input moved; not yet done. */
typedef struct blk_value {
    blk_value_kind kind;
    uint32_t readers; /* inputs of nodes that run each step, and the graph's output */
    blk_bits bits; /* BITS; also cached for MOVED and EXPR where it exists (has_bits) */
    bool has_bits, has_buf;
    blk_expr *expr;
    uint32_t buf; /* FLOAT; also cached where it exists (has_buf) */
    uint32_t moves; /* MOVED: nodes on all ways back to what is not moved */
} blk_value;

typedef struct blk_compiler {
    exec_compiler *c;
    mst_program *p;
    const mst_graph *g;
    blk_program *b;
    blk_value *values;
    size_t panel_room; /* bytes that panels may still take (block_panel.c) */
} blk_compiler;

mst_status blk_no_memory(blk_compiler *bc);
/* A buffer of bytes per time step, first written by the next operation. */
mst_status blk_new_buf(blk_compiler *bc, size_t bytes, uint32_t *buf);
void blk_use_buf(blk_compiler *bc, uint32_t buf); /* by the next operation */
mst_status blk_new_op(blk_compiler *bc, blk_kind kind, blk_op **op);
/* Without terms, but with room for them. */
mst_status blk_new_expr(blk_compiler *bc, uint32_t tensor, uint32_t room, blk_expr **e);
/* An operation that computes e; its output buffer has just been made. */
mst_status blk_new_layer(blk_compiler *bc, const blk_expr *e, blk_op **op);
mst_status blk_new_bits(blk_compiler *bc, uint32_t tensor, blk_bits *bits);
uint32_t blk_last_dim(const mst_tensor *t);
bool blk_is_spike(const blk_compiler *bc, uint32_t tensor); /* with one theta */

/* The tensor as bits, as an expression, as floats in a buffer; BITS fails with *ok
 * false where the tensor has no such form. */
mst_status blk_as_bits(blk_compiler *bc, uint32_t tensor, blk_bits *bits, bool *ok);
mst_status blk_as_expr(blk_compiler *bc, uint32_t tensor, bool last,
                       blk_expr **expr); /* last: nothing is added */
mst_status blk_as_float(blk_compiler *bc, uint32_t tensor, uint32_t *buf);
/* *out = e + t, for tensor; e, the expression of `of`, may belong to others and stays as it is. */
mst_status blk_add_term(blk_compiler *bc, uint32_t tensor, uint32_t of, const blk_expr *e, const blk_term *t,
                        blk_expr **out);
/* The tensor is e, or, where it is read twice and costly, floats made from it now. */
mst_status blk_set_expr(blk_compiler *bc, uint32_t tensor, blk_expr *e);
/* Run the node by its step handler, step by step, on float buffers. */
mst_status blk_fall_back(blk_compiler *bc, uint32_t node);

/* Movement (block_move.c): where each element of a moved tensor comes from. */
typedef struct blk_map {
    uint32_t n_sources, sources[BLK_MAX_SOURCES]; /* tensors that are not moved */
    size_t n;
    uint32_t *at; /* [n] element of its source; UINT32_MAX: zero */
    uint8_t *source; /* [n] */
} blk_map;
mst_status blk_map_make(blk_compiler *bc, uint32_t tensor, blk_map *map, bool *ok);
void blk_map_free(blk_compiler *bc, blk_map *map);
/* One source, same elements, rows of the same length: tensor is its source by another name. */
bool blk_map_is_same(const blk_compiler *bc, const blk_map *map, uint32_t tensor);
/* The output of n may be MOVED: it is not too far from its sources. Notes how far. */
bool blk_may_move(blk_compiler *bc, const mst_node *n);
/* The source one moves of, without making the map; MST_NONE: more than one. */
uint32_t blk_move_base(const blk_compiler *bc, uint32_t tensor);
/* Of a map that only permutes: where each piece of neighbours of the source goes; at most 64, at
 * least 8 elements a piece, a divisor of cols. *at NULL: not possible. */
mst_status blk_map_pieces(blk_compiler *bc, const blk_map *map, uint32_t cols, uint32_t *piece,
                          uint32_t **at);
/* in: [map->n_sources] */
mst_status blk_move_bits(blk_compiler *bc, uint32_t tensor, const blk_map *map, const blk_bits *in,
                         blk_bits *out);

/* The newest operation, a LAYER, runs together with those before it if their lists are the same. */
void blk_join_group(blk_compiler *bc);
void blk_keep_groups(blk_compiler *bc); /* what groups write, as long as they run; once all are known */
/* *order: the nodes that run each step, so that layers of the same input are neighbours. */
mst_status blk_node_order(blk_compiler *bc, const uint32_t **order, uint32_t *n);
mst_status blk_compile_affine(blk_compiler *bc, uint32_t node);
mst_status blk_compile_neuron(blk_compiler *bc, uint32_t node);
mst_status blk_make_synapse(blk_compiler *bc, uint32_t node, blk_expr **expr); /* *expr NULL: not possible */
mst_status blk_make_product(blk_compiler *bc, uint32_t node, blk_expr **expr);
/* Let e's rows go where map puts them in tensor. *ok false: not possible. */
mst_status blk_product_to(blk_compiler *bc, uint32_t tensor, const blk_map *map, blk_expr *e, bool *ok);
size_t blk_layer_scratch(const blk_program *b, const blk_expr *e);
/* Bytes per time step that the kernels go over again and again while they make a strip of e. */
size_t blk_layer_hot(const blk_expr *e);

/* Sizes of the first two data caches, in bytes (block_steps.c). */
typedef struct blk_caches {
    size_t first, second;
} blk_caches;
blk_caches blk_find_caches(void);
/* What a program needs, in bytes per time step. */
typedef struct blk_need {
    size_t hot; /* of its layers the most */
    size_t passed, most_passed; /* that operations leave to later ones: alive at the same time, on average and at most */
} blk_need;
uint32_t blk_choose_steps(blk_caches c, blk_need need);
size_t blk_panel_room(const mst_graph *g);
/* Pack the weights and biases of a synapse for the kernels (block_panel.c); all else is set. *ok false: no room. */
mst_status blk_make_panels(blk_compiler *bc, blk_synapse *syn, const mst_node *n, bool *ok);
void blk_free_panels(const mst_allocator *alloc, blk_synapse *syn);
static inline size_t blk_band_channels(const blk_synapse *syn) { return syn->band_groups * syn->group_in; }
/* Strips that lie in one int8 panel, of which `block` is the first: two of a band, or its last one. */
static inline size_t blk_strips_at(const blk_synapse *syn, size_t block)
{
    return block + 1 < syn->blocks && (block + 1) % syn->band_blocks != 0 ? 2 : 1;
}

/* ---- running -------------------------------------------------------------------- */

void blk_run_move(const blk_job *job, unsigned part, unsigned thread);
void blk_run_mask(const blk_job *job, unsigned part, unsigned thread);
void blk_run_layer(const blk_job *job, unsigned part, unsigned thread);

/* Where part `part` of job->parts begins among n things. */
static inline size_t blk_split(size_t n, unsigned part, unsigned parts) { return n * part / parts; }

static inline void *blk_buf_at(const mst_session *s, uint32_t buf)
{
    return s->mem + s->p->block->bufs[buf].at;
}

static inline uint64_t *blk_words(const mst_session *s, const blk_bits *b) { return blk_buf_at(s, b->buf); }

/* Threads (block_pool.c). create: NULL in *out where none could be started. */
mst_status blk_pool_create(const mst_allocator *alloc, unsigned threads, blk_pool **out);
void blk_pool_destroy(const mst_allocator *alloc, blk_pool *pool);
void blk_pool_run(blk_pool *pool, const blk_job *job);
unsigned blk_pool_threads(const blk_pool *pool);
size_t blk_pool_bytes(unsigned threads);

#endif

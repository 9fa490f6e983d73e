/* How many spikes a value is made of, and what products of such values cost (docs/EXECUTION.md, Counting): a spike
 * that reaches a layer through a sum, a pool or a scale is still a spike. Numbers beside the values are made and read
 * behind an operator's own function, which knows values only; what else spikes reach needs none (op_reach.c). */
#include <string.h>

#include "runtime/ops/op_ways.h"

/* ---- preparing ---------------------------------------------------------------------------- */

static bool has_events(const op_prep *c, uint32_t k)
{
    return k < c->node->n_in && c->node->in[k] != MST_NONE && op_in_fact(c, k)->events;
}

static bool is_constant(const op_prep *c, uint32_t k)
{
    return op_in_tensor(c, k) == NULL || op_in_fact(c, k)->constant;
}

/* Inputs 0..n-1 are made of events or constant, at least one of the former. */
static bool all_events(const op_prep *c, uint32_t n)
{
    bool any = false;
    for (uint32_t k = 0; k < n; k++) {
        if (!has_events(c, k) && !is_constant(c, k))
            return false;
        any = any || has_events(c, k);
    }
    return any;
}

static bool binary_passes(const op_prep *c)
{
    switch (c->node->ip[MST_BINARY_FN]) {
    case MST_BIN_ADD:
    case MST_BIN_SUB: return all_events(c, 2);
    case MST_BIN_MUL: return all_events(c, 2) && (is_constant(c, 0) || is_constant(c, 1));
    case MST_BIN_DIV: return has_events(c, 0) && is_constant(c, 1);
    default: return false;
    }
}

bool op_passes_events(const op_prep *c)
{
    const mst_node *n = c->node;
    switch (n->op) {
    case MST_OP_AFFINE: return has_events(c, 0);
    case MST_OP_UNARY: return n->ip[MST_UNARY_FN] == MST_UN_NEG && has_events(c, 0);
    case MST_OP_BINARY: return binary_passes(c);
    case MST_OP_POOL: return n->ip[MST_POOL_FN] == MST_RED_MEAN && has_events(c, 0);
    case MST_OP_REDUCE: return n->ip[MST_REDUCE_FN] != MST_RED_MAX && has_events(c, 0);
    default:
        return (mst_op_get(n->op)->flags & MST_F_MOVE) != 0 && all_events(c, op_moved_inputs(n));
    }
}

/* Spikes that element i of input k is made of. */
static inline uint32_t events_at(const op_call *c, uint32_t k, size_t i)
{
    switch (c->node->made[k]) {
    case OP_MADE_TRAIN: return ((const float *)c->in[k])[i] != 0.0f;
    case OP_MADE_NUMBER: return c->events[k][i];
    case OP_MADE_DIGITS: return op_spikes_of(c->events[k][i], true);
    default: return 0;
    }
}

/* ---- passing them on ------------------------------------------------------------------------ */

typedef struct passing {
    op_call *c;
    uint32_t k; /* input */
} passing;

static inline void add(void *ctx, size_t from, size_t to)
{
    const passing *p = ctx;
    p->c->out_events[to] += events_at(p->c, p->k, from);
}

static void clear(op_call *c) { memset(c->out_events, 0, c->node->n * sizeof *c->out_events); }

static void pass_same(op_call *c)
{
    clear(c);
    op_ways_same(c->node->n, add, &(passing){c, 0});
}

static bool all_numbers(const op_call *c)
{
    for (uint32_t k = 0; k < c->node->n_in; k++)
        if (c->node->made[k] != OP_MADE_NUMBER)
            return false;
    return true;
}

/* No output has two inputs. */
static void pass_move(op_call *c)
{
    if (c->node->u.move.fill || !all_numbers(c)) /* otherwise each output is written */
        clear(c);
    for (uint32_t k = 0; k < c->node->n_in; k++)
        if (c->node->made[k] == OP_MADE_NUMBER) /* counts are moved a lot */
            op_copy_words(&c->node->u.move.parts[k], c->events[k], c->out_events);
        else if (c->node->made[k] != OP_MADE_ANALOG)
            op_ways_move(&c->node->u.move, k, add, &(passing){c, k});
}

static void pass_gather(op_call *c)
{
    clear(c);
    op_ways_gather(&c->node->u.gather, c->in[1], add, &(passing){c, 0});
}

static void pass_binary(op_call *c)
{
    clear(c);
    for (uint32_t k = 0; k < 2; k++)
        if (c->node->made[k] != OP_MADE_ANALOG)
            op_ways_binary(&c->node->u.binary, k, add, &(passing){c, k});
}

/* The number of the first of the largest values. */
#define NOT_YET UINT32_MAX

static inline void take_first(void *ctx, size_t from, size_t to)
{
    const passing *p = ctx;
    op_call *c = p->c;
    if (c->out_events[to] == NOT_YET && ((const float *)c->in[0])[from] == c->out[to])
        c->out_events[to] = events_at(c, 0, from);
}

static void open_maxima(op_call *c)
{
    for (size_t i = 0; i < c->node->n; i++)
        c->out_events[i] = NOT_YET;
}

/* A window without a tap in the image has none. */
static void close_maxima(op_call *c)
{
    for (size_t i = 0; i < c->node->n; i++)
        c->out_events[i] = c->out_events[i] != NOT_YET ? c->out_events[i] : 0;
}

static void pass_pool(op_call *c)
{
    const op_pool *q = &c->node->u.pool;
    if (!q->max) {
        clear(c);
        op_ways_pool(q, add, &(passing){c, 0});
        return;
    }
    open_maxima(c);
    op_ways_pool(q, take_first, &(passing){c, 0});
    close_maxima(c);
}

static void pass_reduce(op_call *c)
{
    const op_reduce *q = &c->node->u.reduce;
    if (q->fn != MST_RED_MAX) {
        clear(c);
        op_ways_reduce(q, add, &(passing){c, 0});
        return;
    }
    open_maxima(c);
    op_ways_reduce(q, take_first, &(passing){c, 0});
    close_maxima(c);
}

static op_run pass_of(const mst_node *n)
{
    switch (n->op) {
    case MST_OP_NEURON:
    case MST_OP_MASK:
    case MST_OP_RESHAPE: return NULL; /* their own affair; the input's memory */
    case MST_OP_GATHER: return pass_gather;
    case MST_OP_BINARY: return pass_binary;
    case MST_OP_POOL:
    case MST_OP_RATE_POOL: return pass_pool;
    case MST_OP_REDUCE: return pass_reduce;
    case MST_OP_AFFINE:
    case MST_OP_UNARY: return pass_same;
    default: return pass_move;
    }
}

/* ---- what products cost ------------------------------------------------------------------------ */

/* The same of numbers, which matrices of counts have. */
static void sum_numbers(const uint32_t *x, size_t width, size_t n, bool across, uint64_t *sum)
{
    for (size_t r = 0; !across && r < n; r++)
        for (size_t j = 0; j < width; j++)
            sum[j] += x[r * width + j];
    for (size_t j = 0; across && j < width; j++)
        for (size_t r = 0; r < n; r++)
            sum[j] += x[j * n + r];
}

/* Sums over the rows of input k, [n][q->k] or, across, [q->k][n]. */
static void sum_columns(const op_call *c, uint32_t k, size_t base, size_t n, bool across, uint64_t *sum)
{
    size_t width = c->node->u.matmul.k;
    memset(sum, 0, width * sizeof *sum);
    if (c->node->made[k] == OP_MADE_NUMBER) {
        sum_numbers(c->events[k] + base, width, n, across, sum);
        return;
    }
    for (size_t r = 0; r < n; r++)
        for (size_t j = 0; j < width; j++)
            sum[j] += events_at(c, k, base + (across ? j * n + r : r * width + j));
}

static void count_matmul(op_call *c)
{
    const op_matmul *q = &c->node->u.matmul;
    const nd_loop *nd = &q->batch;
    uint64_t *a = op_scratch(c, q->events), *b = a + q->k;
    uint32_t last = nd->rank - 1;
    size_t pos[MST_MAX_RANK] = {0};
    ptrdiff_t at[ND_OPERANDS] = {0};
    c->ops = 0;
    do {
        for (size_t i = 0; i < nd->dims[last]; i++) {
            ptrdiff_t step = (ptrdiff_t)i;
            sum_columns(c, 0, (size_t)(at[0] + step * nd->stride[0][last]), q->m, false, a);
            sum_columns(c, 1, (size_t)(at[1] + step * nd->stride[1][last]), q->n, !q->trans_b, b);
            for (size_t k = 0; k < q->k; k++)
                c->ops += a[k] * b[k];
        }
    } while (nd_next(nd, pos, at));
}

bool op_is_product_of_events(const op_prep *c)
{
    return c->node->op == MST_OP_MATMUL && has_events(c, 0) && has_events(c, 1) &&
           !(rt_is_spike(op_in_fact(c, 0)) && rt_is_spike(op_in_fact(c, 1)));
}

static op_made made_of(const op_prep *c, uint32_t k)
{
    if (!has_events(c, k))
        return OP_MADE_ANALOG;
    const rt_fact *in = op_in_fact(c, k);
    if (!rt_is_count(in))
        return in->train ? OP_MADE_TRAIN : OP_MADE_NUMBER;
    /* a count's own number stays what it is where the output is counts, too */
    return c->mode == MST_RUN_RADIX && !rt_is_count(&c->facts[c->node->out]) ? OP_MADE_DIGITS : OP_MADE_NUMBER;
}

/* Of what each input is made: for nodes that pass numbers on or multiply them. */
static mst_status note_inputs(op_prep *c, op_node *op)
{
    op->made = mst_arena_array(c->arena, op->n_in, sizeof *op->made);
    for (uint32_t k = 0; op->made != NULL && k < op->n_in; k++)
        op->made[k] = made_of(c, k);
    return op->made != NULL ? MST_OK : op_no_memory(c->err);
}

mst_status op_prepare_events(op_prep *c, op_node *op)
{
    bool synapse = (mst_op_get(c->node->op)->flags & MST_F_SYNAPSE) != 0, product = op_is_product_of_events(c);
    for (uint32_t k = 0; synapse && k < op->n_in; k++)
        op->counts_sops = op->counts_sops || has_events(c, k);
    if (product || c->facts[c->node->out].numbers)
        MST_TRY(note_inputs(c, op));
    if (product) {
        op->count = count_matmul;
        MST_TRY(op_add_bytes(c->err, 2 * op->u.matmul.k, sizeof(uint64_t), &op->u.matmul.events, &op->scratch_bytes));
    }
    if (c->facts[c->node->out].numbers)
        op->pass = pass_of(c->node);
    return MST_OK;
}

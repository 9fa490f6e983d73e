/* How many spikes a value is made of, and what synapses cost by that (docs/EXECUTION.md, Counting): a spike that
 * reaches a layer through a sum, a pool or a scale is still a spike. Runs behind an operator's own function, which
 * knows values only. */
#include <string.h>

#include "runtime/ops/op.h"

/* ---- preparing ---------------------------------------------------------------------------- */

static bool has_events(const op_prep *c, uint32_t k)
{
    return k < c->node->n_in && c->node->in[k] != MST_NONE && op_in_fact(c, k)->events;
}

static bool is_constant(const op_prep *c, uint32_t k)
{
    const mst_tensor *t = op_in_tensor(c, k);
    return t == NULL || t->data != NULL;
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

/* Spikes that element i of input k is made of. A count's own number stays what it is where the output is
 * counts, too. */
static inline uint32_t events_at(const op_call *c, uint32_t k, size_t i)
{
    return c->events[k] != NULL ? op_spikes_of(c->events[k][i], c->node->digits[k]) : 0;
}

/* ---- passing them on ------------------------------------------------------------------------ */

static void pass_same(op_call *c)
{
    for (size_t i = 0; i < c->node->n; i++)
        c->out_events[i] = events_at(c, 0, i);
}

static void pass_move(op_call *c)
{
    memset(c->out_events, 0, c->node->n * sizeof *c->out_events);
    for (uint32_t k = 0; k < c->node->n_in; k++) {
        const op_copy *part = &c->node->u.move.parts[k];
        const nd_loop *nd = &part->nd;
        uint32_t last = nd->rank - 1;
        size_t pos[MST_MAX_RANK] = {0};
        ptrdiff_t at[ND_OPERANDS] = {part->in_at, part->out_at};
        do {
            for (size_t i = 0; i < nd->dims[last]; i++)
                c->out_events[at[1] + (ptrdiff_t)i * nd->stride[1][last]] =
                    events_at(c, k, (size_t)(at[0] + (ptrdiff_t)i * nd->stride[0][last]));
        } while (nd_next(nd, pos, at));
    }
}

static void pass_gather(op_call *c)
{
    const op_gather *q = &c->node->u.gather;
    const int32_t *index = c->in[1];
    uint32_t *y = c->out_events;
    for (size_t o = 0; o < q->outer; o++)
        for (size_t i = 0; i < q->n_index; i++)
            for (size_t j = 0; j < q->inner; j++)
                *y++ = events_at(c, 0, (o * q->axis + (size_t)index[i]) * q->inner + j);
}

static void pass_binary(op_call *c)
{
    const nd_loop *nd = &c->node->u.binary.nd;
    uint32_t last = nd->rank - 1;
    size_t pos[MST_MAX_RANK] = {0};
    ptrdiff_t at[ND_OPERANDS] = {0};
    do {
        for (size_t i = 0; i < nd->dims[last]; i++) {
            ptrdiff_t step = (ptrdiff_t)i;
            c->out_events[at[2] + step * nd->stride[2][last]] =
                events_at(c, 0, (size_t)(at[0] + step * nd->stride[0][last])) +
                events_at(c, 1, (size_t)(at[1] + step * nd->stride[1][last]));
        }
    } while (nd_next(nd, pos, at));
}

/* ---- windows and reduced axes: sums, or the count of the first of the largest values ---------- */

typedef struct best {
    uint32_t events;
    float value;
    bool any;
} best;

static void take(const op_call *c, bool max, size_t i, best *b)
{
    float x = ((const float *)c->in[0])[i];
    if (!max)
        b->events += events_at(c, 0, i);
    else if (!b->any || b->value < x)
        *b = (best){events_at(c, 0, i), x, true};
}

static uint32_t pool_pixel(const op_call *c, int64_t oh, int64_t ow, size_t base, size_t channel)
{
    const op_pool *q = &c->node->u.pool;
    int64_t h_lo, h_hi, w_lo, w_hi;
    best b = {0};
    win_taps(&q->h, oh, &h_lo, &h_hi);
    win_taps(&q->w, ow, &w_lo, &w_hi);
    for (int64_t i = h_lo; i < h_hi; i++)
        for (int64_t j = w_lo; j < w_hi; j++) {
            int64_t row = oh * q->h.stride - q->h.pad + i * q->h.dilation;
            int64_t col = ow * q->w.stride - q->w.pad + j * q->w.dilation;
            take(c, q->max, base + (size_t)(row * q->w.size + col) * q->channels + channel, &b);
        }
    return b.events;
}

static void pass_pool(op_call *c)
{
    const op_pool *q = &c->node->u.pool;
    uint32_t *y = c->out_events;
    for (size_t n = 0, base = 0; n < q->batch; n++, base += (size_t)q->h.size * (size_t)q->w.size * q->channels)
        for (int64_t oh = 0; oh < q->h.out; oh++)
            for (int64_t ow = 0; ow < q->w.out; ow++)
                for (size_t k = 0; k < q->channels; k++)
                    *y++ = pool_pixel(c, oh, ow, base, k);
}

/* All that is reduced to one output, whose first element is at `from`. */
static uint32_t reduce_one(const op_call *c, ptrdiff_t from)
{
    const nd_loop *nd = &c->node->u.reduce.over;
    uint32_t last = nd->rank - 1;
    size_t pos[MST_MAX_RANK] = {0};
    ptrdiff_t at[ND_OPERANDS] = {from};
    best b = {0};
    do {
        for (size_t i = 0; i < nd->dims[last]; i++)
            take(c, c->node->u.reduce.fn == MST_RED_MAX, (size_t)(at[0] + (ptrdiff_t)i * nd->stride[0][last]), &b);
    } while (nd_next(nd, pos, at));
    return b.events;
}

static void pass_reduce(op_call *c)
{
    const nd_loop *nd = &c->node->u.reduce.kept;
    uint32_t last = nd->rank - 1;
    size_t pos[MST_MAX_RANK] = {0};
    ptrdiff_t at[ND_OPERANDS] = {0};
    do {
        for (size_t i = 0; i < nd->dims[last]; i++)
            c->out_events[at[1] + (ptrdiff_t)i] = reduce_one(c, at[0] + (ptrdiff_t)i * nd->stride[0][last]);
    } while (nd_next(nd, pos, at));
}

static op_run pass_of(const mst_node *n)
{
    switch (n->op) {
    case MST_OP_NEURON:
    case MST_OP_MASK:
    case MST_OP_RESHAPE: return NULL; /* their own affair; the input's memory */
    case MST_OP_GATHER: return pass_gather;
    case MST_OP_BINARY: return pass_binary;
    case MST_OP_POOL: return pass_pool;
    case MST_OP_REDUCE: return pass_reduce;
    case MST_OP_AFFINE:
    case MST_OP_UNARY: return pass_same;
    default: return pass_move;
    }
}

/* ---- what synapses cost ------------------------------------------------------------------------ */

static void count_linear(op_call *c)
{
    const op_linear *q = &c->node->u.linear;
    uint64_t sum = 0;
    for (size_t i = 0; i < q->rows * q->in; i++)
        sum += events_at(c, 0, i);
    c->ops = sum * q->out;
}

/* Outputs along one axis that position `at` of the input reaches. */
static uint64_t reached(const win_axis *a, int64_t at)
{
    uint64_t n = 0;
    for (int64_t tap = 0; tap < a->kernel; tap++) {
        int64_t first = at + a->pad - tap * a->dilation; /* = output * stride */
        n += first >= 0 && first % a->stride == 0 && first / a->stride < a->out;
    }
    return n;
}

static void count_conv(op_call *c)
{
    const op_conv *q = &c->node->u.conv;
    uint64_t total = 0;
    size_t i = 0;
    for (size_t n = 0; n < q->batch; n++)
        for (int64_t row = 0; row < q->h.size; row++) {
            uint64_t rows = reached(&q->h, row);
            for (int64_t col = 0; col < q->w.size; col++) {
                uint64_t sum = 0;
                for (size_t k = 0; k < q->channels; k++)
                    sum += events_at(c, 0, i++);
                total += sum != 0 ? sum * rows * reached(&q->w, col) : 0;
            }
        }
    c->ops = total * (q->out / q->groups);
}

/* Sums over the rows of input k, [n][q->k] or, across, [q->k][n]; an analog one counts as 1 each. */
static void sum_columns(const op_call *c, uint32_t k, size_t base, size_t n, bool across, uint64_t *sum)
{
    size_t width = c->node->u.matmul.k;
    memset(sum, 0, width * sizeof *sum);
    for (size_t r = 0; r < n; r++)
        for (size_t j = 0; j < width; j++)
            sum[j] += c->events[k] != NULL ? events_at(c, k, base + (across ? j * n + r : r * width + j)) : 1;
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

static op_run count_of(const mst_node *n)
{
    switch (n->op) {
    case MST_OP_LINEAR: return count_linear;
    case MST_OP_CONV: return count_conv;
    case MST_OP_MATMUL: return count_matmul;
    default: return NULL;
    }
}

mst_status op_prepare_events(op_prep *c, op_node *op)
{
    bool synapse = (mst_op_get(c->node->op)->flags & MST_F_SYNAPSE) != 0,
         counts = rt_is_count(&c->facts[c->node->out]), any = false;
    op->digits = mst_arena_array(c->arena, op->n_in, sizeof *op->digits);
    if (op->digits == NULL)
        return op_no_memory(c->err);
    for (uint32_t k = 0; k < op->n_in; k++) {
        any = any || has_events(c, k);
        op->digits[k] =
            has_events(c, k) && rt_is_count(op_in_fact(c, k)) && c->mode == MST_RUN_RADIX && !counts;
    }
    if (synapse && any) {
        op->count = count_of(c->node);
        op->counts_sops = true;
    }
    if (synapse && any && c->node->op == MST_OP_MATMUL)
        MST_TRY(op_add_bytes(c->err, 2 * op->u.matmul.k, sizeof(uint64_t), &op->u.matmul.events, &op->scratch_bytes));
    if (c->facts[c->node->out].events)
        op->pass = pass_of(c->node);
    return MST_OK;
}

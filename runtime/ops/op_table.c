/* The record of every operator, and what preparing a node has in common. */
#include "runtime/ops/op.h"

typedef struct op_record {
    mst_status (*prepare)(op_prep *c, op_node *n);
    uint32_t flags;
} op_record;

static const op_record records[MST_OP_COUNT] = {
#define MST_OP_BEGIN(id, name, min, max, flags) [MST_OP_##id] = {op_prepare_##id, flags},
#define MST_IP(id, field, n)
#define MST_FP(id, field)
#define MST_OP_END(id)
#include "mst/ops.def"
#undef MST_OP_BEGIN
#undef MST_IP
#undef MST_FP
#undef MST_OP_END
};

static mst_status refuse_float64(const op_prep *c)
{
    for (uint32_t k = 0; k < c->node->n_in; k++) {
        const mst_tensor *t = op_in_tensor(c, k);
        if (t != NULL && t->dtype == MST_F64)
            return mst_fail(c->err, MST_EUNSUPPORTED, "input %u ('%s') is float64, expected float32", (unsigned)k,
                            t->name);
    }
    return MST_OK;
}

/* Float mode has no state: its neurons are a staircase. */
static mst_status check_state(const op_prep *c, const op_record *r, const op_node *n)
{
    bool told = (r->flags & MST_F_STATE) != 0, bytes = n->state_bytes != 0, reset = n->reset != NULL;
    if (!told && (bytes || reset))
        return mst_fail(c->err, MST_EINVAL, "the operator keeps state that ops.def does not tell of");
    if (bytes != reset)
        return mst_fail(c->err, MST_EINVAL, "the operator has state without a reset, or a reset without state");
    if (told && !bytes && c->mode == MST_RUN_SPIKING)
        return mst_fail(c->err, MST_EINVAL, "ops.def tells of state that the operator does not keep");
    return MST_OK;
}

/* Count and radix mode have one step for all: nothing that may depend on the time, but neurons, masks, and maxima, for
 * which counts are what rates are. */
static mst_status check_time(const op_prep *c, const op_record *r)
{
    if (op_counts(c->mode) && (r->flags & (MST_F_PURE | MST_F_SPIKE)) == 0 && !mst_node_picks(c->node))
        return mst_fail(c->err, MST_EUNSUPPORTED, "may give something else at each time step: use step");
    return MST_OK;
}

static mst_status prepare(op_prep *c, const op_record *r, op_node *n)
{
    n->in = mst_arena_array(c->arena, n->n_in, sizeof *n->in);
    if (n->in == NULL)
        return op_no_memory(c->err);
    MST_TRY(refuse_float64(c));
    MST_TRY(check_time(c, r));
    MST_TRY(r->prepare(c, n));
    if (c->mode != MST_RUN_FLOAT)
        MST_TRY(op_prepare_events(c, n));
    return check_state(c, r, n);
}

mst_status op_prepare_node(op_prep *c, uint32_t index, op_node *n)
{
    const op_record *r = &records[c->node->op];
    *n = (op_node){.index = index,
                   .layer = MST_NONE,
                   .is_static = rt_is_static(&c->facts[c->node->out]),
                   .is_pure = (r->flags & MST_F_PURE) != 0,
                   .n_in = c->node->n_in,
                   .n = mst_tensor_elements(op_out_tensor(c))};
    mst_status st = prepare(c, r, n);
    if (st != MST_OK)
        return mst_fail_in(c->err, st, "node '%s' (%s): ", c->node->name, mst_op_get(c->node->op)->name);
    return MST_OK;
}

/* The smallest back end: it fuses nothing and runs each node by its operator's function. */
#include "runtime/backend/backend.h"
#include "tests/unit/toy/toy_backend.h"

atomic_uint toy_runs;

static const low_target *target(const mst_program *p, bool int8)
{
    (void)p;
    (void)int8;
    return NULL;
}

static mst_status open_program(mst_program *p, mst_err *err)
{
    (void)err;
    p->threads = 1;
    return MST_OK;
}

static void close_program(mst_program *p) { (void)p; }

static mst_status begin(mst_session *s, mst_err *err)
{
    (void)s;
    (void)err;
    return MST_OK;
}

static void end(mst_session *s) { (void)s; }

static size_t session_bytes(const mst_program *p)
{
    (void)p;
    return 0;
}

static void run(mst_session *s, const rt_op *op, uint32_t steps)
{
    atomic_fetch_add(&toy_runs, 1);
    if (s->time == 0 && op->node->reset != NULL)
        op->node->reset(op->node, s->mem + op->node->state);
    for (uint32_t t = 0; t < steps; t++)
        s->node_ops[op->node->index] += rt_call_node(s, op->node, op, t, (rt_share){0}, rt_scratch(s, op, 0));
}

const rt_backend rt_backend_toy = {
    .name = "toy",
    .target = target,
    .open = open_program,
    .close = close_program,
    .begin = begin,
    .end = end,
    .session_bytes = session_bytes,
    .run = run,
};

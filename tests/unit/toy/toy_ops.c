/* Three operators for test_toy.c. They note their calls in a static, which no operator of the library may. */
#include <time.h>

#include "runtime/ir/graph_validate.h"
#include "runtime/ops/op.h"
#include "tests/unit/toy/toy_ops.h"

toy_log toy_calls;

/* Takes its time, so that threads that share steps mix them up. Returns the calls before this one. */
static unsigned note_call(const op_call *c)
{
    unsigned i = atomic_fetch_add(&toy_calls.n, 1);
    if (i < TOY_CALLS) {
        toy_calls.call[i].node = c->node->index;
        toy_calls.call[i].time = c->time;
        toy_calls.call[i].thread = pthread_self();
    }
    nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    return i;
}

/* ---- TOY ------------------------------------------------------------------------ */

static void run_toy(op_call *c)
{
    float calls = (float)note_call(c);
    for (size_t i = 0; i < c->node->n; i++)
        c->out[i] = op_in(c, 0)[i] + calls;
}

static void no_reset(const op_node *n, void *state)
{
    (void)n;
    (void)state;
}

/* State and reset by the parameter KEEPS. */
static void keep(op_node *n, int keeps, op_reset reset)
{
    n->state_bytes = keeps == TOY_STATE_ONLY || keeps == TOY_STATE_AND_RESET ? n->n * sizeof(float) : 0;
    n->reset = keeps == TOY_RESET_ONLY || keeps == TOY_STATE_AND_RESET ? reset : NULL;
}

mst_status mst_check_TOY(const mst_check *c)
{
    (void)c;
    return MST_OK;
}

mst_status op_prepare_TOY(op_prep *c, op_node *n)
{
    n->run = run_toy;
    keep(n, c->node->ip[MST_TOY_KEEPS], no_reset);
    return MST_OK;
}

/* ---- TOY_SUM -------------------------------------------------------------------- */

static void run_sum(op_call *c)
{
    float *sum = c->state;
    note_call(c);
    for (size_t i = 0; i < c->node->n; i++) {
        sum[i] += op_in(c, 0)[i];
        c->out[i] = sum[i];
    }
}

/* u is each operator's own; those of the test borrow the bounds of CLIP. */
static void reset_sum(const op_node *n, void *state)
{
    for (size_t i = 0; i < n->n; i++)
        ((float *)state)[i] = n->u.scalars.lo;
}

mst_status mst_check_TOY_SUM(const mst_check *c)
{
    (void)c;
    return MST_OK;
}

mst_status op_prepare_TOY_SUM(op_prep *c, op_node *n)
{
    int keeps = c->node->ip[MST_TOY_SUM_KEEPS];
    n->run = run_sum;
    n->u.scalars.lo = c->node->fp[MST_TOY_SUM_START];
    keep(n, keeps == TOY_AS_TOLD ? TOY_STATE_AND_RESET : keeps, reset_sum);
    return MST_OK;
}

/* ---- TOY_HALF ------------------------------------------------------------------- */

static void run_half(op_call *c)
{
    note_call(c);
    for (size_t i = 0; i < c->node->n; i++)
        c->out[i] = op_in(c, 0)[i] / 2;
}

mst_status mst_check_TOY_HALF(const mst_check *c)
{
    (void)c;
    return MST_OK;
}

mst_status op_prepare_TOY_HALF(op_prep *c, op_node *n)
{
    (void)c;
    n->run = run_half;
    return MST_OK;
}

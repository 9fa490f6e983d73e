/* Straight-through estimators that were exported with the model:
 *
 *     x + (floor(x) - x)      [(floor(x) - x).detach() + x in PyTorch]
 *
 * is floor(x); the same with round. */
#include "converter/passes/passes.h"

static bool is_binary(const mst_edit *e, uint32_t i, mst_binary_fn fn)
{
    return i != MST_NONE && edit_node(e, i)->op == MST_OP_BINARY && edit_node(e, i)->ip[MST_BINARY_FN] == (int32_t)fn;
}

/* Node i adds x to the difference floor(x) - x: read floor(x) instead. */
static void visit(mst_edit *e, uint32_t i)
{
    if (!is_binary(e, i, MST_BIN_ADD))
        return;
    for (uint32_t k = 0; k < 2; k++) {
        uint32_t sub = edit_maker(e, i, k), x = edit_node(e, i)->in[1 - k];
        if (!is_binary(e, sub, MST_BIN_SUB) || edit_node(e, sub)->in[1] != x)
            continue;
        uint32_t stair = edit_maker(e, sub, 0);
        if (stair == MST_NONE || edit_node(e, stair)->op != MST_OP_UNARY || edit_node(e, stair)->in[0] != x)
            continue;
        int32_t fn = edit_node(e, stair)->ip[MST_UNARY_FN];
        if (fn != MST_UN_FLOOR && fn != MST_UN_ROUND)
            continue;
        edit_replace(e, edit_node(e, i)->out, edit_node(e, stair)->out);
        edit_kill(e, i);
        return;
    }
}

mst_status pass_ste(mst_graph *g, mst_err *err)
{
    mst_edit e;
    mst_status st = edit_begin(&e, g, err);
    for (uint32_t i = 0; i < g->n_nodes && st == MST_OK; i++)
        visit(&e, i);
    return edit_finish(&e, st);
}

/* What decoding puts things into: the graph's memory and values, the budget of work. */
#include <string.h>

#include "converter/onnx/onnx_import.h"
#include "runtime/core/checked.h"
#include "runtime/core/grow.h"

void *ox_new(ox_import *c, size_t n, size_t size)
{
    if (!mst_mul_size(n, size, &c->asked))
        c->asked = SIZE_MAX;
    return mst_arena_array(&c->g->arena, n, size);
}

void *ox_grow(ox_import *c, const void *p, uint32_t n, uint32_t *cap, size_t size)
{
    uint32_t room = *cap == 0 ? 64 : 2 * *cap;
    if (!mst_mul_size(room, size, &c->asked))
        c->asked = SIZE_MAX;
    void *grown = mst_arena_grow(&c->g->arena, p, n, room, size);
    if (grown != NULL)
        *cap = room;
    return grown;
}

mst_status ox_no_memory(ox_import *c)
{
    const mst_arena *a = &c->g->arena;
    const size_t chunk = 128u * 1024u; /* the arena asks for more than it is asked for */
    if (a->limit != 0 &&
        (a->used >= a->limit || a->limit - a->used < chunk || c->asked > a->limit - a->used - chunk))
        return mst_fail(c->err, MST_ELIMIT,
                        "the decoded graph would take more than %zu MiB (limit for this file)",
                        a->limit >> 20);
    return mst_fail(c->err, MST_ENOMEM, "out of memory for the decoded graph (%zu bytes asked)", c->asked);
}

mst_status ox_charge(ox_import *c, size_t work)
{
    if (work > OX_MAX_WORK - c->work)
        return mst_fail(c->err, MST_ELIMIT,
                        "the graph with its functions inlined is too large (more than %u nodes, "
                        "inputs and names)",
                        OX_MAX_WORK);
    c->work += work;
    return MST_OK;
}

const char *ox_text(const char *s)
{
    return s != NULL ? s : "";
}

const char *ox_domain(const char *s)
{
    return s == NULL || strcmp(s, "ai.onnx") == 0 ? "" : s;
}

/* Room for one more value; values move, so pointers to them do not last. */
static mst_status value_room(ox_import *c)
{
    ox_graph *g = c->g;
    if (g->n_values < g->cap_values)
        return MST_OK;
    if (g->n_values >= OX_MAX_VALUES)
        return mst_fail(c->err, MST_ELIMIT, "more than %u values", OX_MAX_VALUES);
    ox_value *values = ox_grow(c, g->values, g->n_values, &g->cap_values, sizeof *values);
    if (values == NULL)
        return ox_no_memory(c);
    g->values = values;
    return MST_OK;
}

mst_status ox_value_new(ox_import *c, const char *prefix, const char *name, uint32_t *id)
{
    MST_TRY(value_room(c));
    c->asked = strlen(prefix) + strlen(name) + 16;
    MST_TRY(ox_charge(c, 1 + c->asked / 16));
    char *full = mst_arena_printf(&c->g->arena, "%s%s", prefix, name);
    while (full != NULL && ox_names_find(&c->names, OX_SCOPE_UNIQUE, full) != NULL)
        full = mst_arena_printf(&c->g->arena, "%s#%u", full, c->g->n_values);
    if (full == NULL)
        return ox_no_memory(c);
    if (ox_names_add(&c->names, OX_SCOPE_UNIQUE, full, c->g->n_values) == NULL)
        return mst_fail(c->err, MST_ENOMEM, "out of memory for the table of names");
    *id = c->g->n_values++;
    c->g->values[*id] = (ox_value){.name = full};
    return MST_OK;
}

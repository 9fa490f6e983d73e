/* Movement of spikes: chains of transposes, slices, joins and the like become one
 * table of copies of bits. Knows nothing of neurons and synapses. */
#include <string.h>

#include "runtime/lower/lowering.h"

/* ---- maps ------------------------------------------------------------------ */

static bool is_moved(const lowering *lo, uint32_t tensor) { return lo->values[tensor].kind == LOW_MOVED; }

uint32_t low_move_base(const lowering *lo, uint32_t tensor)
{
    if (!is_moved(lo, tensor))
        return tensor;
    const mst_node *n = &lo->g->nodes[lo->p->facts[tensor].producer];
    uint32_t base = low_move_base(lo, n->in[0]);
    for (uint32_t k = 1; k < op_moved_inputs(n); k++)
        if (low_move_base(lo, n->in[k]) != base)
            return MST_NONE;
    return base;
}

/* A map is made by going back along all ways to what is not moved. Graphs have some dozen nodes there; where joins
 * double the ways over and over, or a chain has no end, the operator keeps time, memory and stack within bounds. */
#define MOST_MOVES 256

bool low_may_move(lowering *lo, const mst_node *n)
{
    uint32_t moves = 1;
    for (uint32_t k = 0; k < op_moved_inputs(n); k++)
        moves += is_moved(lo, n->in[k]) ? lo->values[n->in[k]].moves : 0; /* at most 64 * MOST_MOVES */
    lo->values[n->out].moves = moves;
    return moves <= MOST_MOVES;
}

static mst_status map_alloc(lowering *lo, size_t n, low_map *m)
{
    const mst_allocator *a = lo->p->alloc;
    m->n = n;
    m->at = mst_alloc_array(a, n, sizeof *m->at);
    m->source = mst_alloc_array(a, n, sizeof *m->source);
    if (m->at != NULL && m->source != NULL)
        return MST_OK;
    low_map_free(lo, m);
    return low_no_memory(lo);
}

void low_map_free(lowering *lo, low_map *m)
{
    mst_free_array(lo->p->alloc, m->at, m->n, sizeof *m->at);
    mst_free_array(lo->p->alloc, m->source, m->n, sizeof *m->source);
    m->at = NULL;
    m->source = NULL;
}

/* Index of a source in m, added if need be; RT_MAX_SOURCES: too many. */
static uint32_t source_of(low_map *m, uint32_t tensor)
{
    for (uint32_t i = 0; i < m->n_sources; i++)
        if (m->sources[i] == tensor)
            return i;
    if (m->n_sources == RT_MAX_SOURCES)
        return RT_MAX_SOURCES;
    m->sources[m->n_sources] = tensor;
    return m->n_sources++;
}

static void apply_gather(const op_node *pre, const low_map *x, low_map *y)
{
    const op_gather *q = &pre->u.gather;
    const int32_t *index = pre->in[1].data;
    size_t to = 0;
    for (size_t o = 0; o < q->outer; o++)
        for (size_t i = 0; i < q->n_index; i++)
            for (size_t j = 0; j < q->inner; j++, to++) {
                size_t from = (o * q->axis + (size_t)index[i]) * q->inner + j;
                y->at[to] = x->at[from];
                y->source[to] = x->source[from];
            }
}

static void apply_part(const op_copy *part, const low_map *x, low_map *y)
{
    const nd_loop *nd = &part->nd;
    uint32_t last = nd->rank - 1;
    size_t pos[MST_MAX_RANK] = {0};
    ptrdiff_t at[ND_OPERANDS] = {part->in_at, part->out_at};
    do {
        for (size_t i = 0; i < nd->dims[last]; i++) {
            ptrdiff_t from = at[0] + (ptrdiff_t)i * nd->stride[0][last],
                      to = at[1] + (ptrdiff_t)i * nd->stride[1][last];
            y->at[to] = x->at[from];
            y->source[to] = x->source[from];
        }
    } while (nd_next(nd, pos, at));
}

static mst_status map_of(lowering *lo, uint32_t tensor, low_map *m, bool *ok);

/* What input k brings to y. */
static void apply_node(const lowering *lo, uint32_t node, uint32_t k, const low_map *x, low_map *y)
{
    mst_op op = lo->g->nodes[node].op;
    const op_node *pre = &lo->p->nodes[node];
    if (op == MST_OP_RESHAPE || op == MST_OP_NEURON) { /* a neuron behind movement */
        memcpy(y->at, x->at, y->n * sizeof *y->at);
        memcpy(y->source, x->source, y->n * sizeof *y->source);
    } else if (op == MST_OP_GATHER) {
        apply_gather(pre, x, y);
    } else {
        apply_part(&pre->u.move.parts[k], x, y);
    }
}

/* y: the map of the output of a moving node, from those of its inputs. It takes memory behind the first of them:
 * along a chain, two maps exist at a time. */
static mst_status map_node(lowering *lo, uint32_t node, low_map *y, bool *ok)
{
    const mst_node *n = &lo->g->nodes[node];
    mst_status st = MST_OK;
    for (uint32_t k = 0; k < op_moved_inputs(n) && *ok && st == MST_OK; k++) {
        low_map x = {.n_sources = y->n_sources};
        memcpy(x.sources, y->sources, sizeof x.sources);
        MST_TRY(map_of(lo, n->in[k], &x, ok));
        y->n_sources = x.n_sources;
        memcpy(y->sources, x.sources, sizeof x.sources);
        if (k == 0)
            st = map_alloc(lo, mst_tensor_elements(&lo->g->tensors[n->out]), y);
        if (k == 0 && st == MST_OK)
            memset(y->at, 0xff, y->n * sizeof *y->at); /* what PAD leaves */
        if (*ok && st == MST_OK)
            apply_node(lo, node, k, &x, y);
        low_map_free(lo, &x);
    }
    return st;
}

static mst_status map_of(lowering *lo, uint32_t tensor, low_map *m, bool *ok)
{
    if (is_moved(lo, tensor)) {
        mst_status st = map_node(lo, lo->p->facts[tensor].producer, m, ok);
        if (st != MST_OK)
            low_map_free(lo, m);
        return st;
    }
    MST_TRY(map_alloc(lo, mst_tensor_elements(&lo->g->tensors[tensor]), m));
    uint32_t source = source_of(m, tensor);
    *ok = *ok && source < RT_MAX_SOURCES;
    for (size_t i = 0; i < m->n; i++) {
        m->at[i] = (uint32_t)i;
        m->source[i] = (uint8_t)source;
    }
    return MST_OK;
}

mst_status low_map_make(lowering *lo, uint32_t tensor, low_map *map, bool *ok)
{
    *map = (low_map){0};
    *ok = true;
    return map_of(lo, tensor, map, ok);
}

bool low_map_is_same(const lowering *lo, const low_map *m, uint32_t tensor)
{
    if (m->n_sources != 1 || mst_tensor_elements(&lo->g->tensors[m->sources[0]]) != m->n ||
        rt_last_dim(&lo->g->tensors[m->sources[0]]) != rt_last_dim(&lo->g->tensors[tensor]))
        return false;
    for (size_t i = 0; i < m->n; i++)
        if (m->at[i] != i)
            return false;
    return true;
}

static bool is_piece(const uint32_t *to, size_t n, uint32_t piece)
{
    for (size_t i = 0; i < n; i++)
        if (to[i] == UINT32_MAX || (i % piece != 0 && to[i] != to[i - 1] + 1))
            return false;
    return true;
}

mst_status low_map_pieces(lowering *lo, const low_map *map, uint32_t cols, uint32_t *piece, uint32_t **at)
{
    size_t n = map->n;
    *at = NULL;
    if (map->n_sources != 1 || mst_tensor_elements(&lo->g->tensors[map->sources[0]]) != n)
        return MST_OK;
    uint32_t *to = mst_alloc_array(lo->p->alloc, n, sizeof *to);
    if (to == NULL)
        return low_no_memory(lo);
    memset(to, 0xff, n * sizeof *to);
    for (size_t i = 0; i < n; i++)
        if (map->at[i] != UINT32_MAX)
            to[map->at[i]] = (uint32_t)i;
    *piece = 64;
    while (*piece >= 8 && (cols % *piece != 0 || !is_piece(to, n, *piece)))
        *piece /= 2;
    if (*piece >= 8)
        *at = mst_arena_array(&lo->p->arena, n / *piece, sizeof **at);
    for (size_t i = 0; *at != NULL && i < n / *piece; i++)
        (*at)[i] = to[i * *piece];
    mst_free_array(lo->p->alloc, to, n, sizeof *to);
    return *piece >= 8 && *at == NULL ? low_no_memory(lo) : MST_OK;
}

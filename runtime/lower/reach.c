/* Synaptic operations of spikes that reach a layer through sums, pools and scales (docs/EXECUTION.md, Counting):
 * not counted where they arrive, but where they are made. From each such synapse back, a weight for each
 * element says how many terms its spikes take part in; at the neurons that made them, spikes are counted anyway.
 * Where all elements of a tensor weigh the same, one number, the tensor's total, serves all that is behind it. */
#include <string.h>

#include "runtime/core/grow.h"
#include "runtime/lower/lowering.h"

#define FIRST_PARTS 16
/* Elements gone over, and tensors looked at. Real networks stay far below; a graph built to make the way back
 * quadratic is refused. */
#define MAX_WORK ((uint64_t)1 << 31)
#define MAX_WEIGHTS ((uint64_t)1 << 25) /* kept: of a VGG-16 for 224x224 there are 6 million */

/* same for all, and each on top of it. */
typedef struct weights {
    uint32_t same, *each;
    bool open;
} weights;

typedef struct walk {
    lowering *lo;
    weights *of;    /* [tensors] */
    uint32_t *open; /* those on the way back */
    size_t n_open;
    bool *wanted;      /* [tensors]: its total */
    bool *by_operator; /* [nodes]: run by their operators' functions */
    rt_meter **meters; /* [tensors]: of what no layer counts */
    rt_part *parts;
    size_t n_parts, room;
    uint64_t work, kept;
} walk;

static size_t size_of(const walk *w, uint32_t tensor) { return mst_tensor_elements(&w->lo->g->tensors[tensor]); }
static const mst_node *maker_of(const walk *w, uint32_t tensor)
{
    return &w->lo->g->nodes[w->lo->p->facts[tensor].producer];
}
static bool is_moved(const walk *w, uint32_t tensor)
{
    return (mst_op_get(maker_of(w, tensor)->op)->flags & MST_F_MOVE) != 0;
}
/* Where spikes are made, or made anew: neurons, masks, maxima. */
static bool is_source(const walk *w, uint32_t tensor)
{
    return w->lo->p->facts[tensor].train && !is_moved(w, tensor);
}

static uint32_t add_most(uint32_t a, uint64_t b) { return b < UINT32_MAX - a ? a + (uint32_t)b : UINT32_MAX; }

static mst_status add_work(walk *w, size_t n)
{
    w->work += n;
    return w->work <= MAX_WORK ? MST_OK
                               : mst_fail(w->lo->err, MST_ELIMIT,
                                          "counting what spikes reach takes more than %llu operations",
                                          (unsigned long long)MAX_WORK);
}

static uint32_t *new_each(const walk *w, uint32_t tensor)
{
    return mst_alloc_array(w->lo->p->alloc, size_of(w, tensor), sizeof(uint32_t));
}

static void free_each(const walk *w, uint32_t tensor, uint32_t *each)
{
    mst_free_array(w->lo->p->alloc, each, size_of(w, tensor), sizeof *each);
}

/* ---- what is behind ------------------------------------------------------------------------ */

static mst_status add_part(walk *w, uint32_t slot, uint64_t times)
{
    rt_part *parts = mst_grow(w->lo->p->alloc, w->parts, w->n_parts, &w->room, FIRST_PARTS, sizeof *parts);
    if (parts == NULL)
        return low_no_memory(w->lo);
    w->parts = parts;
    w->parts[w->n_parts++] = (rt_part){slot, times};
    return MST_OK;
}

/* Spikes of the tensor are counted as they are made: where no layer counts them all the same, by a meter. each: their
 * weights, which go with the program; NULL: 1. */
static mst_status add_meter(walk *w, uint32_t tensor, uint32_t slot, const uint32_t *each)
{
    mst_program *p = w->lo->p;
    rt_meter *m = mst_arena_alloc(&p->arena, sizeof *m);
    if (m == NULL)
        return low_no_memory(w->lo);
    *m = (rt_meter){.slot = slot, .layer = each == NULL ? p->nodes[p->facts[tensor].producer].layer : MST_NONE};
    m->masked = mst_node_thins(maker_of(w, tensor));
    rt_meter **list = m->layer != MST_NONE ? &p->layer_meters : &w->meters[tensor];
    if (each != NULL)
        m->weight = mst_arena_copy(&p->arena, each, size_of(w, tensor) * sizeof *each);
    if (each != NULL && m->weight == NULL)
        return low_no_memory(w->lo);
    if (m->layer == MST_NONE && size_of(w, tensor) > p->metered)
        p->metered = size_of(w, tensor);
    m->next = *list;
    *list = m;
    return MST_OK;
}

/* One with the same weights; MST_NONE: there is none. */
static mst_status find_meter(walk *w, uint32_t tensor, const uint32_t *each, uint32_t *slot)
{
    size_t n = size_of(w, tensor);
    *slot = MST_NONE;
    for (const rt_meter *m = w->meters[tensor]; m != NULL && *slot == MST_NONE; m = m->next) {
        MST_TRY(add_work(w, n));
        if (m->weight != NULL && memcmp(m->weight, each, n * sizeof *each) == 0)
            *slot = m->slot;
    }
    return MST_OK;
}

static mst_status keep_weights(walk *w, size_t n)
{
    w->kept += n;
    return w->kept <= MAX_WEIGHTS ? MST_OK
                                  : mst_fail(w->lo->err, MST_ELIMIT,
                                             "counting what spikes reach takes more than %llu weights",
                                             (unsigned long long)MAX_WEIGHTS);
}

static mst_status add_sum(walk *w, uint32_t slot, uint32_t node)
{
    mst_program *p = w->lo->p;
    rt_sum *s = mst_arena_alloc(&p->arena, sizeof *s);
    rt_part *parts = mst_arena_copy(&p->arena, w->parts, w->n_parts * sizeof *parts);
    if (s == NULL || (parts == NULL && w->n_parts != 0))
        return low_no_memory(w->lo);
    *s = (rt_sum){.next = p->sums, .slot = slot, .node = node, .n = w->n_parts, .parts = parts};
    p->sums = s;
    w->n_parts = 0;
    return MST_OK;
}

/* ---- the way back ---------------------------------------------------------------------------- */

static void open_tensor(walk *w, uint32_t tensor)
{
    if (!w->of[tensor].open)
        w->open[w->n_open++] = tensor;
    w->of[tensor].open = true;
}

/* The one that is made last: all that it goes into has been seen. */
static mst_status take_last(walk *w, uint32_t *tensor)
{
    size_t last = 0;
    for (size_t i = 1; i < w->n_open; i++)
        if (w->lo->p->facts[w->open[i]].producer > w->lo->p->facts[w->open[last]].producer)
            last = i;
    *tensor = w->open[last];
    MST_TRY(add_work(w, w->n_open));
    w->open[last] = w->open[--w->n_open];
    w->of[*tensor].open = false;
    return MST_OK;
}

/* The weights of a tensor, all of them known, leave w: as one, where they are the same. */
static mst_status settle(walk *w, uint32_t tensor, weights *x)
{
    bool even = true, over = false;
    size_t n = size_of(w, tensor);
    *x = w->of[tensor];
    w->of[tensor] = (weights){0};
    over = x->same == UINT32_MAX;
    for (size_t i = 0; x->each != NULL && i < n; i++) {
        x->each[i] = add_most(x->each[i], x->same);
        even = even && x->each[i] == x->each[0];
        over = over || x->each[i] == UINT32_MAX;
    }
    if (x->each != NULL) {
        MST_TRY(add_work(w, n));
        x->same = even ? x->each[0] : 0;
    }
    if (x->each != NULL && even) {
        free_each(w, tensor, x->each);
        x->each = NULL;
    }
    return !over ? MST_OK
                 : mst_fail(w->lo->err, MST_ELIMIT, "node '%s': a spike takes part in more than 2^32 sums behind it",
                            maker_of(w, tensor)->name);
}

/* Input k of the tensor's maker: x are the tensor's weights. */
static mst_status weigh_input(walk *w, uint32_t tensor, uint32_t k, weights *x)
{
    const mst_node *n = maker_of(w, tensor);
    const op_node *op = &w->lo->p->nodes[w->lo->p->facts[tensor].producer];
    weights *in = &w->of[n->in[k]];
    uint32_t ways = x->each == NULL ? op_ways_each(w->lo->g, n, k) : 0;
    open_tensor(w, n->in[k]);
    if (ways != 0) {
        in->same = add_most(in->same, (uint64_t)x->same * ways);
        return MST_OK;
    }
    if (x->each == NULL)
        x->each = new_each(w, tensor);
    if (in->each == NULL)
        in->each = new_each(w, n->in[k]);
    if (x->each == NULL || in->each == NULL)
        return low_no_memory(w->lo);
    for (size_t i = 0; x->same != 0 && i < op->n; i++)
        x->each[i] = x->same;
    x->same = 0;
    op_reach_back(w->lo->g, n, op, k, x->each, in->each);
    return add_work(w, op->n + size_of(w, n->in[k]));
}

static mst_status weigh_inputs(walk *w, uint32_t tensor, weights *x)
{
    const mst_node *n = maker_of(w, tensor);
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] != MST_NONE && w->lo->p->facts[n->in[k]].events)
            MST_TRY(weigh_input(w, tensor, k, x));
    return MST_OK;
}

/* A tensor whose weights are known: a part of the sum, or what it is made of. Totals are kept at sums, not at what
 * moves them: what one slice leaves out goes into another. */
static mst_status take_tensor(walk *w, uint32_t tensor, uint32_t total, weights *x)
{
    uint32_t slot;
    if (x->each == NULL && x->same == 0)
        return MST_OK;
    if (x->each == NULL && (is_source(w, tensor) || (tensor != total && !is_moved(w, tensor)))) {
        w->wanted[tensor] = true;
        return add_part(w, tensor, x->same);
    }
    if (!is_source(w, tensor))
        return weigh_inputs(w, tensor, x);
    MST_TRY(find_meter(w, tensor, x->each, &slot));
    if (slot == MST_NONE) {
        slot = w->lo->p->n_slots++;
        MST_TRY(keep_weights(w, size_of(w, tensor)));
        MST_TRY(add_meter(w, tensor, slot, x->each));
    }
    return add_part(w, slot, 1);
}

/* From tensor `first`, whose weights are in w, back to what is known there, into w->parts; `total` is what it is to
 * be known of, or MST_NONE. */
static mst_status walk_back(walk *w, uint32_t first, uint32_t total)
{
    mst_status st = MST_OK;
    uint32_t tensor;
    open_tensor(w, first);
    while (st == MST_OK && w->n_open != 0) {
        weights x = {0};
        MST_TRY(take_last(w, &tensor));
        st = settle(w, tensor, &x);
        if (st == MST_OK)
            st = take_tensor(w, tensor, total, &x);
        free_each(w, tensor, x.each);
    }
    return st;
}

/* ---- who asks ------------------------------------------------------------------------------------ */

/* The input by which a node's synaptic operations are to be counted from behind: made of events, but no spikes, and
 * no counts that a back end reads; MST_NONE: as it runs. */
static uint32_t input_of(const walk *w, uint32_t node)
{
    const mst_node *n = &w->lo->g->nodes[node];
    if ((mst_op_get(n->op)->flags & MST_F_SYNAPSE) == 0)
        return MST_NONE;
    const rt_fact *a = &w->lo->p->facts[n->in[0]], *b = &w->lo->p->facts[n->in[1]], *x = a->events ? a : b;
    bool both = n->op == MST_OP_MATMUL && a->events && b->events;
    bool counted = rt_is_spike(x) || (rt_is_count(x) && !w->by_operator[node]);
    return !x->events || both || counted ? MST_NONE : x == a ? n->in[0]
                                                             : n->in[1];
}

static mst_status note_synapse(walk *w, uint32_t node, uint32_t x)
{
    const op_node *op = &w->lo->p->nodes[node];
    if (w->lo->g->nodes[node].op != MST_OP_CONV) { /* each element takes part in as many terms */
        w->wanted[x] = true;
        MST_TRY(add_part(w, x, op->dense / size_of(w, x)));
        return add_sum(w, MST_NONE, node);
    }
    w->of[x].each = new_each(w, x);
    if (w->of[x].each == NULL)
        return low_no_memory(w->lo);
    op_reach_conv(op, w->of[x].each);
    MST_TRY(walk_back(w, x, MST_NONE));
    return add_sum(w, MST_NONE, node);
}

static mst_status note_total(walk *w, uint32_t tensor)
{
    if (is_source(w, tensor))
        return add_meter(w, tensor, tensor, NULL);
    w->of[tensor].same = 1;
    MST_TRY(walk_back(w, tensor, tensor));
    return add_sum(w, tensor, MST_NONE);
}

/* From the last node to the first: who asks for a total comes behind it. */
static mst_status note_all(walk *w)
{
    for (uint32_t i = w->lo->g->n_nodes; i-- > 0;) {
        uint32_t x = input_of(w, i), out = w->lo->g->nodes[i].out;
        if (x != MST_NONE)
            MST_TRY(note_synapse(w, i, x));
        if (w->wanted[out])
            MST_TRY(note_total(w, out));
    }
    return MST_OK;
}

/* The last operation first, so that the list is in their order. */
static void place_meters(walk *w)
{
    mst_program *p = w->lo->p;
    for (size_t i = p->n_ops; i-- > 0;)
        while (p->ops[i].tensor != MST_NONE && w->meters[p->ops[i].tensor] != NULL) {
            rt_meter *m = w->meters[p->ops[i].tensor];
            w->meters[p->ops[i].tensor] = m->next;
            m->op = i;
            m->next = p->meters;
            p->meters = m;
        }
}

mst_status low_note_reach(lowering *lo)
{
    mst_program *p = lo->p;
    size_t n = lo->g->n_tensors;
    if (p->mode == MST_RUN_FLOAT)
        return MST_OK;
    walk w = {.lo = lo,
              .of = mst_arena_array(lo->tmp, n, sizeof *w.of),
              .open = mst_arena_array(lo->tmp, n, sizeof *w.open),
              .wanted = mst_arena_array(lo->tmp, n, sizeof *w.wanted),
              .by_operator = mst_arena_array(lo->tmp, lo->g->n_nodes, sizeof *w.by_operator),
              .meters = mst_arena_array(lo->tmp, n, sizeof *w.meters)};
    if (w.of == NULL || w.open == NULL || w.wanted == NULL || w.by_operator == NULL || w.meters == NULL)
        return low_no_memory(lo);
    for (size_t i = 0; i < p->n_ops; i++)
        if (p->ops[i].kind == RT_OP_NODE)
            w.by_operator[p->ops[i].node->index] = true;
    p->n_slots = (uint32_t)n;
    mst_status st = note_all(&w);
    p->n_slots = p->sums != NULL ? p->n_slots : 0;
    place_meters(&w);
    for (size_t i = 0; i < w.n_open; i++) /* after a failure */
        free_each(&w, w.open[i], w.of[w.open[i]].each);
    mst_free_array(p->alloc, w.parts, w.room, sizeof *w.parts);
    return st;
}

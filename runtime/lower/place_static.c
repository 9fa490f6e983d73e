/* Memory of the input and of what static nodes make. */
#include "runtime/lower/lowering.h"

/* How long the memory of each root tensor of static nodes is needed. */
typedef struct life {
    uint32_t last; /* static node that reads it last, by its place among them */
    bool keep;     /* over all steps of a sample: read by a node that is not static */
    uint32_t buf;  /* in the plan */
} life;

/* Made by a static node, in memory of its own. */
static bool is_made(const lowering *lo, uint32_t tensor)
{
    const rt_fact *f = &lo->p->facts[tensor];
    return f->root == tensor && f->producer != MST_NONE && rt_is_static(f);
}

static void note_use(const lowering *lo, life *lives, uint32_t tensor, uint32_t turn, bool reader_static)
{
    if (tensor == MST_NONE)
        return;
    life *l = &lives[lo->p->facts[tensor].root];
    if (reader_static && l->last < turn)
        l->last = turn;
    l->keep = l->keep || !reader_static;
}

static void note_lives(const lowering *lo, life *lives)
{
    const mst_graph *g = lo->g;
    uint32_t turn = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const mst_node *n = &g->nodes[i];
        bool is_static = lo->p->nodes[i].is_static;
        if (is_static)
            note_use(lo, lives, n->out, turn, true);
        for (uint32_t k = 0; k < n->n_in; k++)
            note_use(lo, lives, n->in[k], turn, is_static);
        turn += is_static;
    }
    note_use(lo, lives, g->output, turn, false);
}

/* In order of their first turn: kept ones first, which are there all the time; scratch[i]: that of static node i. */
static size_t list_bufs(const lowering *lo, life *lives, plan_buf *bufs, uint32_t *scratch)
{
    const mst_program *p = lo->p;
    size_t n = 0;
    for (int keep = 1; keep >= 0; keep--)
        for (uint32_t i = 0; i < p->n_static; i++) {
            uint32_t t = lo->g->nodes[p->static_nodes[i]].out;
            if (keep == 0) {
                scratch[i] = (uint32_t)n;
                bufs[n++] = (plan_buf){p->nodes[p->static_nodes[i]].scratch_bytes, i, i, 0};
            }
            if (!is_made(lo, t) || lives[t].keep != (keep != 0))
                continue;
            lives[t].buf = (uint32_t)n;
            size_t bytes = mst_tensor_elements(&lo->g->tensors[t]) * sizeof(float);
            bufs[n++] = keep ? (plan_buf){bytes, 0, p->n_static, 0} : (plan_buf){bytes, i, lives[t].last, 0};
        }
    return n;
}

/* Where the kept ones end. */
static size_t kept_end(const lowering *lo, const plan_buf *bufs, size_t n)
{
    size_t end = 0;
    for (size_t i = 0; i < n; i++)
        if (bufs[i].last == lo->p->n_static && bufs[i].at + bufs[i].bytes > end)
            end = bufs[i].at + bufs[i].bytes;
    return (end + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;
}

/* The graph's input is at 0. */
static rt_ref ref_of(const lowering *lo, const life *lives, const plan_buf *bufs, size_t base, uint32_t tensor)
{
    if (tensor == MST_NONE)
        return (rt_ref){NULL, SIZE_MAX};
    uint32_t root = lo->p->facts[tensor].root;
    if (lo->g->tensors[root].data != NULL)
        return (rt_ref){lo->g->tensors[root].data, 0};
    if (!rt_is_static(&lo->p->facts[root]))
        return (rt_ref){NULL, SIZE_MAX};
    return (rt_ref){NULL, is_made(lo, root) ? base + bufs[lives[root].buf].at : 0};
}

mst_status low_place_static(lowering *lo)
{
    mst_program *p = lo->p;
    const mst_graph *g = lo->g;
    life *lives = mst_arena_array(lo->tmp, g->n_tensors, sizeof *lives);
    plan_buf *bufs = mst_arena_array(lo->tmp, 2 * (size_t)p->n_static, sizeof *bufs);
    uint32_t *scratch = mst_arena_array(lo->tmp, p->n_static, sizeof *scratch);
    size_t at, arena, kept;
    if (lives == NULL || bufs == NULL || scratch == NULL)
        return low_no_memory(lo);
    note_lives(lo, lives);
    size_t n = list_bufs(lo, lives, bufs, scratch);
    MST_TRY(plan_memory(bufs, n, p->n_static, lo->tmp, &arena, lo->err));
    p->input_n = mst_tensor_elements(&g->tensors[g->input]);
    p->output_n = mst_tensor_elements(&g->tensors[g->output]);
    MST_TRY(op_add_bytes(lo->err, p->input_n, sizeof(float), &at, &p->bytes));
    kept = kept_end(lo, bufs, n);
    MST_TRY(op_add_bytes(lo->err, kept, 1, &at, &p->bytes));
    p->passed = arena > kept ? arena - kept : 0;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        op_node *op = &p->nodes[i];
        for (uint32_t k = 0; k < op->n_in; k++)
            op->in[k] = ref_of(lo, lives, bufs, at, g->nodes[i].in[k]);
        op->out = ref_of(lo, lives, bufs, at, g->nodes[i].out);
    }
    for (uint32_t i = 0; i < p->n_static; i++)
        p->nodes[p->static_nodes[i]].scratch = at + bufs[scratch[i]].at;
    p->output = ref_of(lo, lives, bufs, at, g->output);
    return MST_OK;
}

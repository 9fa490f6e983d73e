/* Turns a graph into a program: what is known of each tensor, one prepared step
 * per node, one planned memory, the layers table. Runs nothing. */
#include <string.h>

#include "runtime/core/checked.h"
#include "runtime/core/options.h"
#include "runtime/exec/plan.h"
#include "runtime/exec/program.h"

static const exec_prepare prepare[MST_OP_COUNT] = {
#define MST_OP_BEGIN(id, name, min, max, flags) [MST_OP_##id] = exec_prepare_##id,
#define MST_IP(id, field, n)
#define MST_FP(id, field)
#define MST_OP_END(id)
#include "mst/ops.def"
#undef MST_OP_BEGIN
#undef MST_IP
#undef MST_FP
#undef MST_OP_END
};

mst_status exec_no_memory(exec_compiler *c)
{
    return mst_fail(c->err, MST_ENOMEM, "out of memory: compiling the graph");
}

mst_status exec_add_bytes(exec_compiler *c, size_t n, size_t size, size_t *at, size_t *total)
{
    size_t bytes;
    *at = (*total + EXEC_ALIGN - 1) / EXEC_ALIGN * EXEC_ALIGN;
    if (!mst_mul_size(n, size, &bytes) || bytes > EXEC_MAX_BYTES || *at > EXEC_MAX_BYTES - bytes)
        return mst_fail(c->err, MST_ELIMIT, "a session would need more than %llu bytes",
                        (unsigned long long)EXEC_MAX_BYTES);
    *total = *at + bytes;
    return MST_OK;
}

mst_status exec_mul_ops(exec_compiler *c, uint64_t n, uint64_t *ops)
{
    if (__builtin_mul_overflow(*ops, n, ops) || *ops > (uint64_t)1 << 62)
        return mst_fail(c->err, MST_ELIMIT, "more than 2^62 multiply-adds");
    return MST_OK;
}

/* ---- what is known of tensors -------------------------------------------- */

static bool all_spikes(const exec_compiler *c, uint32_t n_data)
{
    for (uint32_t k = 0; k < n_data; k++)
        if (!exec_in_attr(c, k)->is_spike)
            return false;
    return true;
}

/* Values that move keep their scale if all inputs have the same one. */
static void scale_of_inputs(const exec_compiler *c, uint32_t n_data, exec_tensor *out)
{
    const exec_tensor *first = exec_in_attr(c, 0);
    out->scale = first->scale;
    out->has_scale = true;
    for (uint32_t k = 0; k < n_data; k++) {
        const exec_tensor *t = exec_in_attr(c, k);
        out->has_scale = out->has_scale && t->has_scale && memcmp(&t->scale, &first->scale, sizeof t->scale) == 0;
    }
}

/* Float mode has no spikes: its values are not theta*s. */
static void note_spikes(const exec_compiler *c, exec_tensor *out)
{
    const mst_node *n = c->node;
    const mst_op_info *info = mst_op_get(n->op);
    uint32_t n_data = n->op == MST_OP_CONCAT ? n->n_in : 1;
    if (c->p->mode != MST_RUN_SPIKING)
        return;
    if (n->op == MST_OP_NEURON) {
        out->is_spike = true;
        out->has_scale = mst_tensor_elements(exec_in_tensor(c, 1)) == 1;
        out->scale = exec_const(c, 1)[0];
        return;
    }
    bool moves = (info->flags & MST_F_MOVE) != 0 && (n->op != MST_OP_PAD || n->fp[MST_PAD_VALUE] == 0.0f);
    if (!(moves || n->op == MST_OP_MASK) || !all_spikes(c, n_data))
        return;
    out->is_spike = true;
    scale_of_inputs(c, n_data, out);
}

static mst_status refuse_float64(const exec_compiler *c)
{
    for (uint32_t k = 0; k < c->node->n_in; k++) {
        const mst_tensor *t = exec_in_tensor(c, k);
        if (t != NULL && t->dtype == MST_F64)
            return mst_fail(c->err, MST_EUNSUPPORTED, "input %u ('%s') is float64, expected float32", (unsigned)k,
                            t->name);
    }
    return MST_OK;
}

/* Fill the record of the node's output. */
static void note_tensor(exec_compiler *c, uint32_t node)
{
    const mst_node *n = c->node;
    exec_tensor *out = &c->p->tensors[n->out];
    out->producer = node;
    out->is_static = n->op != MST_OP_NEURON && n->op != MST_OP_MASK;
    for (uint32_t k = 0; k < n->n_in; k++)
        out->is_static = out->is_static && (n->in[k] == MST_NONE || exec_in_attr(c, k)->is_static);
    if (n->op == MST_OP_RESHAPE)
        out->root = exec_in_attr(c, 0)->root;
    if (n->op == MST_OP_NEURON)
        out->layer = (uint32_t)c->p->n_layers++;
    note_spikes(c, out);
}

static mst_status note_tensors(exec_compiler *c)
{
    mst_program *p = c->p;
    p->tensors = mst_arena_array(&p->arena, c->g->n_tensors, sizeof *p->tensors);
    if (p->tensors == NULL)
        return exec_no_memory(c);
    for (uint32_t i = 0; i < c->g->n_tensors; i++)
        p->tensors[i] = (exec_tensor){.root = i, .layer = MST_NONE, .producer = MST_NONE, .is_static = true};
    p->tensors[c->g->input].is_static = !exec_has_frames(p);
    for (uint32_t i = 0; i < c->g->n_nodes; i++) {
        c->node = &c->g->nodes[i];
        mst_status st = refuse_float64(c);
        if (st != MST_OK)
            return mst_fail_in(c->err, st, "node '%s' (%s): ", c->node->name, mst_op_get(c->node->op)->name);
        note_tensor(c, i);
    }
    if (c->g->tensors[c->g->output].dtype != MST_F32)
        return mst_fail(c->err, MST_EUNSUPPORTED, "the graph's output '%s' is not float32",
                        c->g->tensors[c->g->output].name);
    return MST_OK;
}

/* ---- steps ------------------------------------------------------------------ */

static mst_status prepare_step(exec_compiler *c, uint32_t i)
{
    mst_program *p = c->p;
    exec_step *st = &p->steps[i];
    c->node = &c->g->nodes[i];
    st->node = i;
    st->n_in = c->node->n_in;
    st->n = mst_tensor_elements(exec_out_tensor(c));
    st->is_static = p->tensors[c->node->out].is_static;
    st->in = mst_arena_array(&p->arena, st->n_in, sizeof *st->in);
    if (st->in == NULL)
        return exec_no_memory(c);
    mst_status status = prepare[c->node->op](c, st);
    if (status != MST_OK)
        return mst_fail_in(c->err, status, "node '%s' (%s): ", c->node->name, mst_op_get(c->node->op)->name);
    if (__builtin_add_overflow(p->dense, st->dense, &p->dense) || p->dense > (uint64_t)1 << 62)
        return mst_fail(c->err, MST_ELIMIT, "the graph has more than 2^62 multiply-adds");
    p->dense_static += st->is_static ? st->dense : 0;
    return MST_OK;
}

static mst_status prepare_steps(exec_compiler *c)
{
    mst_program *p = c->p;
    p->steps = mst_arena_array(&p->arena, c->g->n_nodes, sizeof *p->steps);
    p->layers = mst_arena_array(&p->arena, p->n_layers, sizeof *p->layers);
    if (p->steps == NULL || p->layers == NULL)
        return exec_no_memory(c);
    for (uint32_t i = 0; i < c->g->n_nodes; i++)
        MST_TRY(prepare_step(c, i));
    return MST_OK;
}

/* ---- memory ------------------------------------------------------------------- */

/* How long the memory of each root tensor is needed. */
typedef struct life {
    uint32_t last;  /* step that reads it last */
    bool keep;      /* over all steps of a sample: static, but read by a node that is not */
    uint32_t block; /* in the plan */
} life;

static void note_use(const exec_compiler *c, life *lives, uint32_t tensor, uint32_t step, bool reader_static)
{
    if (tensor == MST_NONE)
        return;
    const exec_tensor *t = &c->p->tensors[tensor];
    life *l = &lives[t->root];
    if (l->last < step)
        l->last = step;
    l->keep = l->keep || (t->is_static && !reader_static);
}

static void note_lives(const exec_compiler *c, life *lives)
{
    const mst_graph *g = c->g;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const mst_node *n = &g->nodes[i];
        bool is_static = c->p->steps[i].is_static;
        note_use(c, lives, n->out, i, is_static);
        for (uint32_t k = 0; k < n->n_in; k++)
            note_use(c, lives, n->in[k], i, is_static);
    }
    note_use(c, lives, g->output, g->n_nodes, false);
}

/* Is the tensor's memory planned? Not that of constants and of the input. */
static bool is_planned(const exec_compiler *c, uint32_t root)
{
    return root != c->g->input && c->g->tensors[root].data == NULL && c->p->tensors[root].producer != MST_NONE;
}

static size_t bytes_of(const exec_compiler *c, uint32_t tensor)
{
    return mst_tensor_elements(&c->g->tensors[tensor]) * sizeof(float);
}

/* Blocks in order of their first step: kept ones, then per node output and scratch. */
static size_t list_blocks(const exec_compiler *c, life *lives, exec_block *blocks, uint32_t *scratch_block)
{
    const mst_graph *g = c->g;
    size_t n = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        uint32_t t = g->nodes[i].out;
        if (c->p->tensors[t].root != t || !lives[t].keep || !is_planned(c, t))
            continue;
        lives[t].block = (uint32_t)n;
        blocks[n++] = (exec_block){bytes_of(c, t), 0, g->n_nodes, 0};
    }
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        uint32_t t = g->nodes[i].out;
        if (c->p->tensors[t].root == t && !lives[t].keep && is_planned(c, t)) {
            lives[t].block = (uint32_t)n;
            blocks[n++] = (exec_block){bytes_of(c, t), i, lives[t].last, 0};
        }
        scratch_block[i] = (uint32_t)n;
        if (c->p->steps[i].scratch_bytes != 0)
            blocks[n++] = (exec_block){c->p->steps[i].scratch_bytes, i, i, 0};
    }
    return n;
}

/* Where blocks end that are kept over all steps: the planner was given them first. */
static size_t kept_end(const exec_block *blocks, size_t n, uint32_t n_steps)
{
    size_t end = 0;
    for (size_t i = 0; i < n; i++)
        if (blocks[i].first == 0 && blocks[i].last == n_steps && blocks[i].at + blocks[i].bytes > end)
            end = blocks[i].at + blocks[i].bytes;
    return (end + EXEC_ALIGN - 1) / EXEC_ALIGN * EXEC_ALIGN;
}

static exec_ref ref_of(const exec_compiler *c, const life *lives, const exec_block *blocks, size_t base,
                       uint32_t tensor)
{
    if (tensor == MST_NONE)
        return (exec_ref){NULL, SIZE_MAX};
    uint32_t root = c->p->tensors[tensor].root;
    if (c->g->tensors[root].data != NULL)
        return (exec_ref){c->g->tensors[root].data, 0};
    return (exec_ref){NULL, is_planned(c, root) ? base + blocks[lives[root].block].at : 0};
}

/* Membranes lie behind everything else, each layer's from its own line. */
static mst_status place_membranes(exec_compiler *c)
{
    mst_program *p = c->p;
    for (size_t k = 0; k < p->n_layers && p->mode == MST_RUN_SPIKING; k++) {
        exec_step *st = &p->steps[p->layers[k].node];
        MST_TRY(exec_add_bytes(c, st->n, sizeof(float), &st->u.neuron.v, &p->bytes));
    }
    return MST_OK;
}

/* Session memory: the graph's input, the planned arena, the membranes. */
static mst_status place_memory(exec_compiler *c)
{
    mst_program *p = c->p;
    const mst_graph *g = c->g;
    life *lives = mst_arena_array(&c->tmp, g->n_tensors, sizeof *lives);
    exec_block *blocks = mst_arena_array(&c->tmp, 2 * (size_t)g->n_nodes, sizeof *blocks);
    uint32_t *scratch = mst_arena_array(&c->tmp, g->n_nodes, sizeof *scratch);
    size_t at, arena;
    if (lives == NULL || blocks == NULL || scratch == NULL)
        return exec_no_memory(c);
    note_lives(c, lives);
    size_t n_blocks = list_blocks(c, lives, blocks, scratch);
    MST_TRY(exec_plan(blocks, n_blocks, g->n_nodes, &c->tmp, &arena, c->err));
    p->input_n = mst_tensor_elements(&g->tensors[g->input]);
    p->output_n = mst_tensor_elements(&g->tensors[g->output]);
    MST_TRY(exec_add_bytes(c, p->input_n, sizeof(float), &at, &p->bytes));
    MST_TRY(exec_add_bytes(c, arena, 1, &at, &p->bytes));
    p->transient_end = at + arena;
    p->transient = at + kept_end(blocks, n_blocks, g->n_nodes);
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        exec_step *st = &p->steps[i];
        for (uint32_t k = 0; k < st->n_in; k++)
            st->in[k] = ref_of(c, lives, blocks, at, g->nodes[i].in[k]);
        st->out = ref_of(c, lives, blocks, at, g->nodes[i].out);
        st->scratch = st->scratch_bytes != 0 ? at + blocks[scratch[i]].at : 0;
    }
    p->output = ref_of(c, lives, blocks, at, g->output);
    if (exec_has_frames(p))
        MST_TRY(exec_add_bytes(c, p->input_n * sizeof(float), p->frames, &p->frames_at, &p->bytes));
    return place_membranes(c);
}

/* ---- programs ------------------------------------------------------------------- */

static mst_status compile(exec_compiler *c, const mst_run_opts *o)
{
    MST_TRY(note_tensors(c));
    MST_TRY(prepare_steps(c));
    MST_TRY(place_memory(c));
    MST_TRY(exec_feed_layers(c));
    bool block = o->schedule == MST_SCHEDULE_BLOCK && c->p->mode == MST_RUN_SPIKING;
    return block ? blk_program_create(c, o->block_steps, o->threads) : MST_OK;
}

mst_status mst_program_create(const mst_graph *g, const mst_run_opts *opts, mst_program **out, mst_err *err)
{
    mst_run_opts own = {.mode = MST_RUN_SPIKING};
    const mst_run_opts *o = &own;
    mst_kernels kernels;
    if (opts != NULL)
        MST_TRY(MST_TAKE_OPTS(mst_run_opts, &own, opts, frames, frames, err));
    if (o->mode != MST_RUN_SPIKING && o->mode != MST_RUN_FLOAT)
        return mst_fail(err, MST_EINVAL, "unknown run mode %d", (int)o->mode);
    if (o->schedule != MST_SCHEDULE_STEP && o->schedule != MST_SCHEDULE_BLOCK)
        return mst_fail(err, MST_EINVAL, "unknown schedule %d", (int)o->schedule);
    MST_TRY(mst_graph_validate(g, err));
    MST_TRY(mst_kernels_select(o->isa, &kernels, err));
    mst_program *p = mst_alloc(o->alloc, sizeof *p);
    if (p == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory: no room for a program");
    p->g = g;
    p->mode = o->mode;
    p->seed = o->seed;
    p->frames = o->frames > 1 ? o->frames : 1;
    p->alloc = p->arena.alloc = o->alloc;
    p->k = kernels;
    exec_compiler c = {.p = p, .g = g, .tmp = {.alloc = o->alloc}, .err = err};
    mst_status st = compile(&c, o);
    mst_arena_release(&c.tmp);
    if (st != MST_OK) {
        mst_program_destroy(p);
        return st;
    }
    *out = p;
    return MST_OK;
}

void mst_program_destroy(mst_program *p)
{
    if (p == NULL)
        return;
    blk_program_destroy(p->alloc, p->block);
    mst_arena_release(&p->arena);
    mst_free(p->alloc, p, sizeof *p);
}

const mst_graph *mst_program_graph(const mst_program *p) { return p->g; }
const char *mst_program_isa(const mst_program *p) { return p->k.isa; }
size_t mst_program_layers(const mst_program *p) { return p->n_layers; }
uint32_t mst_program_block_steps(const mst_program *p) { return p->block != NULL ? blk_program_steps(p->block) : 1; }
size_t mst_program_input_size(const mst_program *p) { return p->frames * p->input_n; }
uint64_t mst_program_dense_ops(const mst_program *p) { return p->dense; }
uint64_t mst_program_dense_ops_static(const mst_program *p) { return p->dense_static; }

const mst_layer *mst_program_layer(const mst_program *p, size_t k)
{
    return k < p->n_layers ? &p->layers[k] : NULL;
}

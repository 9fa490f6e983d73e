/* Programs: a graph compiled for one mode, by one back end. Drives lowering; runs nothing. */
#include "mst/facts.h"
#include "runtime/backend/backend.h"
#include "runtime/core/options.h"

/* What compiling needs for itself goes back to the system as a whole; small pieces would leave holes in the heap. */
#define TMP_CHUNK ((size_t)256 << 10)

static mst_status compile(mst_program *p, const mst_run_opts *o, mst_arena *tmp, mst_err *err)
{
    lowering lo = {.p = p,
                   .g = p->g,
                   .target = o->schedule == MST_SCHEDULE_BLOCK ? p->backend->target(p, low_has_int8(p->g)) : NULL,
                   .steps = o->block_steps,
                   .tmp = tmp,
                   .err = err};
    MST_TRY(p->backend->open(p, err));
    MST_TRY(low_note_facts(&lo));
    MST_TRY(low_prepare_nodes(&lo));
    MST_TRY(low_place_static(&lo));
    MST_TRY(low_feed_layers(&lo));
    MST_TRY(low_make_ops(&lo));
    return low_note_reach(&lo);
}

mst_status mst_program_create(const mst_graph *g, const mst_run_opts *opts, mst_program **out, mst_err *err)
{
    mst_run_opts own = {.mode = MST_RUN_SPIKING};
    const mst_run_opts *o = &own;
    mst_kernels kernels;
    const rt_backend *backend;
    if (opts != NULL)
        MST_TRY(MST_TAKE_OPTS(mst_run_opts, &own, opts, thinning, backend, err));
    if ((unsigned)o->mode > MST_RUN_ANN)
        return mst_fail(err, MST_EINVAL, "unknown run mode %d", (int)o->mode);
    if (o->levels > MST_MAX_RUN_LEVELS)
        return mst_fail(err, MST_EINVAL, "levels: expected 0 to %d, found %u", MST_MAX_RUN_LEVELS, o->levels);
    if ((unsigned)o->thinning >= MST_N_THINNINGS)
        return mst_fail(err, MST_EINVAL, "unknown thinning %d", (int)o->thinning);
    uint64_t last = o->mode == MST_RUN_SPIKING ? MST_MAX_TIMESTEPS : 1;
    if (o->readout_from > last)
        return mst_fail(err, MST_EINVAL, "readout_from: expected a time step, 0 to %llu%s, found %llu",
                        (unsigned long long)last, last == 1 ? " outside the spiking mode" : "",
                        (unsigned long long)o->readout_from);
    if (o->mode == MST_RUN_RADIX && o->frames > 1)
        return mst_fail(err, MST_EUNSUPPORTED,
                        "frames presented one after another have no radix form: use count or step");
    if (o->schedule != MST_SCHEDULE_STEP && o->schedule != MST_SCHEDULE_BLOCK)
        return mst_fail(err, MST_EINVAL, "unknown schedule %d", (int)o->schedule);
    MST_TRY(mst_graph_validate(g, err));
    MST_TRY(rt_backend_select(o->backend, &backend, err));
    MST_TRY(mst_kernels_select(o->isa, &kernels, err));
    mst_program *p = mst_alloc(o->alloc, sizeof *p);
    if (p == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory: no room for a program");
    p->g = g;
    p->mode = o->mode == MST_RUN_ANN ? MST_RUN_FLOAT : o->mode;
    p->draws = o->mode == MST_RUN_ANN;
    p->seed = o->seed;
    p->levels = o->levels;
    p->thinning = o->thinning;
    p->readout_from = o->readout_from > 1 ? (uint32_t)o->readout_from : 1;
    p->frames = o->frames > 1 ? o->frames : 1;
    p->threads = o->threads;
    p->alloc = p->arena.alloc = o->alloc;
    p->k = kernels;
    p->backend = backend;
    mst_arena tmp = {.alloc = o->alloc, .chunk = TMP_CHUNK};
    mst_status st = compile(p, o, &tmp, err);
    mst_arena_release(&tmp);
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
    p->backend->close(p);
    mst_free_array(p->alloc, p->ops, p->cap_ops, sizeof *p->ops);
    mst_free_array(p->alloc, p->bufs, p->cap_bufs, sizeof *p->bufs);
    mst_arena_release(&p->arena);
    mst_free(p->alloc, p, sizeof *p);
}

const mst_graph *mst_program_graph(const mst_program *p) { return p->g; }
const char *mst_program_isa(const mst_program *p) { return p->k.isa; }
const char *mst_program_backend(const mst_program *p) { return p->backend->name; }
mst_run_mode mst_program_mode(const mst_program *p) { return p->mode; }
size_t mst_program_layers(const mst_program *p) { return p->n_layers; }
uint32_t mst_program_block_steps(const mst_program *p) { return p->steps; }
size_t mst_program_input_size(const mst_program *p) { return p->frames * p->input_n; }
uint64_t mst_program_dense_ops(const mst_program *p) { return p->dense; }
uint64_t mst_program_dense_ops_static(const mst_program *p) { return p->dense_static; }

uint32_t mst_program_depth(const mst_program *p) { return p->depth; }

uint32_t mst_program_window(const mst_program *p)
{
    uint32_t most = 0;
    for (size_t k = 0; k < p->n_layers; k++)
        most = (uint32_t)p->layers[k].levels > most ? (uint32_t)p->layers[k].levels : most;
    return p->mode == MST_RUN_RADIX && most != 0 ? 32 - (uint32_t)__builtin_clz(most) : most;
}

const mst_layer *mst_program_layer(const mst_program *p, size_t k)
{
    return k < p->n_layers ? &p->layers[k] : NULL;
}

uint32_t mst_program_layer_leaves(const mst_program *p, size_t k)
{
    if (k >= p->n_layers)
        return MST_NONE;
    uint32_t made = p->layers[k].node, out = p->g->nodes[made].out;
    for (uint32_t i = made + 1; p->layers[k].masked && i < p->g->n_nodes; i++) {
        const mst_node *n = &p->g->nodes[i];
        if (n->op == MST_OP_MASK && p->facts[n->in[0]].root == out) /* the first counts */
            return i;
    }
    return made;
}

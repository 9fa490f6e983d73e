/* The seam between what a program computes and what computes it.
 *
 * A back end is one folder here and one line of the table in backends.c. It says which layers it
 * runs by itself (low_target), and runs operations one after the other, each over a block of time
 * steps. Everything it does not fuse runs by the operators' own functions, so a back end may begin
 * with nothing at all.
 */
#ifndef MST_BACKEND_BACKEND_H
#define MST_BACKEND_BACKEND_H

#include <string.h>

#include "runtime/lower/lowering.h"

/* What a back end sees of a session, which session/session.c makes and drives. */
struct mst_session {
    const mst_program *p;
    char *mem;     /* p->bytes: input, static tensors, buffers, scratch, states */
    uint32_t time; /* before the block that runs */
    uint32_t sample;
    uint64_t seed;            /* of masks */
    uint32_t last_run;        /* steps of the last run */
    uint64_t *node_ops;       /* per node, since begin */
    uint64_t *fired, *spikes; /* [steps + 1][layers]: row i + 1 is step i of the block, row 0 all before */
    uint64_t *slots;          /* of meters and their sums, since begin (lower/reach.c) */
    uint32_t *metered;        /* spikes of each element of a tensor, as a meter reads them */
    double *sums;             /* [steps + 1][classes] of the outputs, likewise */
    float *logits;            /* [steps][classes] */
    mst_tap_fn tap;
    void *tap_ctx;
    void *how; /* the back end's */
};

typedef struct rt_backend {
    const char *name;
    /* What it fuses in the program's mode; NULL: nothing. int8: there are int8 weights. */
    const low_target *(*target)(const mst_program *p, bool int8);
    /* Hang what lowering and runs need on p->how. Takes isa from p->k. ENOMEM. */
    mst_status (*open)(mst_program *p, mst_err *err);
    void (*close)(mst_program *p);
    /* The same for s->how; fewer threads than asked for are no error. ENOMEM. */
    mst_status (*begin)(mst_session *s, mst_err *err);
    void (*end)(mst_session *s);
    size_t (*session_bytes)(const mst_program *p);
    /* Run the operation and those joined to it over steps time steps, and count. */
    void (*run)(mst_session *s, const rt_op *op, uint32_t steps);
} rt_backend;

extern const rt_backend rt_backend_cpu;
/* The back end of that name, NULL: the first of the table (backends.c). EINVAL. */
mst_status rt_backend_select(const char *name, const rt_backend **out, mst_err *err);

/* ---- what back ends share -------------------------------------------------------------------- */

static inline void *rt_buf_at(const mst_session *s, uint32_t buf) { return s->mem + s->p->bufs[buf].at; }
static inline char *rt_scratch(const mst_session *s, const rt_op *op, unsigned thread)
{
    return s->mem + op->scratch + thread * op->scratch_apart;
}
static inline uint64_t *rt_words(const mst_session *s, const rt_value *b) { return rt_buf_at(s, b->buf); }

static inline const void *rt_at(const mst_session *s, rt_ref ref)
{
    return ref.data != NULL ? ref.data : ref.at != SIZE_MAX ? s->mem + ref.at
                                                            : NULL;
}

/* n spikes of a layer at step t of the block, before its mask, and after it. */
static inline void rt_count_fired(mst_session *s, uint32_t layer, uint32_t t, uint64_t n)
{
    size_t at = (t + 1) * s->p->n_layers + layer;
    s->fired[at] += n;
    if (!s->p->layers[layer].masked)
        s->spikes[at] += n;
}

static inline void rt_count_spikes(mst_session *s, uint32_t layer, uint32_t t, uint64_t n)
{
    s->spikes[(t + 1) * s->p->n_layers + layer] += n;
}

/* A part of the rows of a node that shares. parts 0: all. */
typedef struct rt_share {
    unsigned part, parts;
} rt_share;

/* Call the operator's function for step t of the block; op NULL: of a static node. scratch: memory of the calling
 * thread. Notes spikes; returns the operations that it counted. */
uint64_t rt_call_node(mst_session *s, const op_node *n, const rt_op *op, uint32_t t, rt_share share, char *scratch);

#endif

/* Stores the weights of LINEAR and CONV as float16, or as int8 with a scale per output. What else is
 * constant (biases, thresholds, BatchNorm) stays float32. Runs last: no pass folds into narrow weights. */
#include <math.h>
#include <string.h>

#include "converter/passes/passes.h"
#include "runtime/core/half.h"

typedef struct narrowing {
    mst_graph *g;
    mst_dtype type;
    bool *shared; /* [tensors] float constants that something else reads, too */
    mst_arena tmp;
    mst_err *err;
} narrowing;

static mst_status no_memory(const narrowing *q)
{
    return mst_fail(q->err, MST_ENOMEM, "out of memory: storing weights as %s", mst_dtype_name(q->type));
}

static bool has_weight(const mst_node *n)
{
    return n->op == MST_OP_LINEAR || n->op == MST_OP_CONV;
}

/* ---- int8 ---------------------------------------------------------------------- */

static int8_t int8_of(float w, float scale)
{
    double q = rint((double)w / (double)scale); /* ties to even */
    return (int8_t)(q > 127 ? 127 : q < -127 ? -127
                                             : q);
}

#define ON_GRID 2e-4 /* of a step: what folding scales into float32 leaves of a whole number of steps */

static bool on_grid(const float *w, size_t n, double step)
{
    for (size_t i = 0; i < n; i++) {
        double q = (double)w[i] / step;
        if (fabs(q - rint(q)) > ON_GRID)
            return false;
    }
    return true;
}

/* Of the n weights of one output. Weights that are whole numbers of steps already, from a quantized model, stay these
 * numbers (-128 becomes -127, which is all that is lost there). Otherwise the largest becomes 127: to clip it, so that
 * the others round finer, gained nothing on trained models. */
static float scale_of(const float *w, size_t n)
{
    double largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)w[i]));
    float scale = (float)(largest / 127);
    bool fits = !(scale > 0) || on_grid(w, n, largest / 127);
    for (int k = 1; k <= 128 && !fits; k++)
        if ((fits = on_grid(w, n, largest / k)))
            scale = (float)(largest / k);
    return scale > 0 ? scale : 1.0f; /* of zeros: any */
}

static mst_status to_int8(narrowing *q, const mst_tensor *w, int8_t *to, float *scale)
{
    size_t outputs = w->dims[w->rank - 1], rows = mst_tensor_elements(w) / outputs;
    float *column = mst_arena_array(&q->tmp, rows, sizeof *column);
    if (column == NULL)
        return no_memory(q);
    for (size_t o = 0; o < outputs; o++) {
        const float *from = (const float *)w->data + o;
        for (size_t i = 0; i < rows; i++)
            column[i] = from[i * outputs];
        scale[o] = scale_of(column, rows);
        for (size_t i = 0; i < rows; i++)
            to[i * outputs + o] = int8_of(column[i], scale[o]);
    }
    return MST_OK;
}

/* ---- float16 -------------------------------------------------------------------- */

static mst_status to_half(narrowing *q, const mst_node *n, const mst_tensor *w, uint16_t *to)
{
    const float *v = w->data;
    for (size_t i = 0, count = mst_tensor_elements(w); i < count; i++) {
        if (!(fabsf(v[i]) <= MST_HALF_MAX)) /* NaN too */
            return mst_fail(q->err, MST_EUNSUPPORTED,
                            "node '%s' (%s): weight %zu is %g, float16 ends at %g; use --weights int8 or f32", n->name,
                            mst_op_get(n->op)->name, i, (double)v[i], (double)MST_HALF_MAX);
        to[i] = mst_half_from_float(v[i]);
    }
    return MST_OK;
}

/* ---- the graph ------------------------------------------------------------------- */

/* |narrow - w|_2 / |w|_2 */
static double relative_error(mst_dtype type, const mst_tensor *w, const void *narrow, const float *scale)
{
    double error = 0, all = 0;
    const float *v = w->data;
    for (size_t i = 0, n = mst_tensor_elements(w), outputs = w->dims[w->rank - 1]; i < n; i++) {
        float x = type == MST_F16 ? mst_half_to_float(((const uint16_t *)narrow)[i])
                                  : scale[i % outputs] * (float)((const int8_t *)narrow)[i];
        error += ((double)x - (double)v[i]) * ((double)x - (double)v[i]);
        all += (double)v[i] * (double)v[i];
    }
    return all > 0 ? sqrt(error / all) : 0;
}

/* Narrow the weight of n; *id is the tensor that holds it then, *scales its scales or MST_NONE. */
static mst_status narrow_weight(narrowing *q, const mst_node *n, uint32_t *id, uint32_t *scales, double *error)
{
    mst_graph *g = q->g;
    const mst_tensor w = g->tensors[*id];
    uint32_t outputs = w.dims[w.rank - 1];
    void *to = mst_arena_array(&g->arena, mst_tensor_elements(&w), mst_dtype_size(q->type));
    float *scale = q->type == MST_I8 ? mst_arena_array(&g->arena, outputs, sizeof *scale) : NULL;
    *scales = MST_NONE;
    if (to == NULL || (scale == NULL && q->type == MST_I8))
        return no_memory(q);
    MST_TRY(q->type == MST_I8 ? to_int8(q, &w, to, scale) : to_half(q, n, &w, to));
    *error = relative_error(q->type, &w, to, scale);
    if (q->shared[*id])
        MST_TRY(mst_graph_add_tensor(g, w.name, q->type, w.rank, w.dims, to, id, q->err));
    g->tensors[*id].dtype = q->type;
    g->tensors[*id].data = to;
    return scale != NULL ? mst_graph_add_tensor(g, "", MST_F32, 1, &outputs, scale, scales, q->err) : MST_OK;
}

/* Inputs 1 and 3 of a node. */
static mst_status set_weight(narrowing *q, mst_node *n, uint32_t weight, uint32_t scales)
{
    n->in[1] = weight;
    if (scales == MST_NONE)
        return MST_OK;
    uint32_t *in = mst_arena_array(&q->g->arena, 4, sizeof *in);
    if (in == NULL)
        return no_memory(q);
    in[2] = MST_NONE;
    memcpy(in, n->in, n->n_in * sizeof *in);
    in[3] = scales;
    n->in = in;
    n->n_in = 4;
    return MST_OK;
}

/* Weights that several nodes read are narrowed once. */
typedef struct done {
    uint32_t weight, scales;
    double error;
} done;

static mst_status narrow_all(narrowing *q, mst_report *r)
{
    mst_graph *g = q->g;
    uint32_t n_tensors = g->n_tensors; /* before scales are added */
    done *known = mst_arena_array(&q->tmp, n_tensors, sizeof *known);
    q->shared = mst_arena_array(&q->tmp, n_tensors, sizeof *q->shared);
    r->weights = mst_arena_array(&r->arena, g->n_nodes, sizeof *r->weights);
    if (known == NULL || q->shared == NULL || r->weights == NULL)
        return no_memory(q);
    for (uint32_t i = 0; i < n_tensors; i++)
        known[i].weight = MST_NONE;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        for (uint32_t k = 0; k < g->nodes[i].n_in; k++)
            if (g->nodes[i].in[k] != MST_NONE && !(k == 1 && has_weight(&g->nodes[i])))
                q->shared[g->nodes[i].in[k]] = true;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        mst_node *n = &g->nodes[i];
        if (!has_weight(n))
            continue;
        uint32_t from = n->in[1];
        done *d = &known[from];
        if (d->weight == MST_NONE) {
            if (g->tensors[from].dtype != MST_F32)
                return mst_fail(q->err, MST_EINVAL, "node '%s' (%s): its weights are %s already, expected f32",
                                n->name, mst_op_get(n->op)->name, mst_dtype_name(g->tensors[from].dtype));
            d->weight = from;
            MST_TRY(narrow_weight(q, n, &d->weight, &d->scales, &d->error));
            uint64_t count = mst_tensor_elements(&g->tensors[from]);
            r->n_narrow += count;
            r->narrow_bytes += count * mst_dtype_size(q->type);
            r->narrow_bytes += d->scales != MST_NONE ? 4 * mst_tensor_elements(&g->tensors[d->scales]) : 0;
        }
        MST_TRY(set_weight(q, n, d->weight, d->scales));
        r->weights[r->n_weights++] =
            (mst_weight_row){n->name, i, mst_tensor_elements(&g->tensors[d->weight]), d->error};
    }
    return MST_OK;
}

mst_status pass_weights(mst_graph *g, mst_dtype type, mst_report *report, mst_err *err)
{
    if (type == MST_F32)
        return MST_OK;
    if (type != MST_F16 && type != MST_I8)
        return mst_fail(err, MST_EINVAL, "weights of type %s: expected f32, f16 or int8",
                        mst_dtype_name(type) != NULL ? mst_dtype_name(type) : "unknown");
    narrowing q = {.g = g, .type = type, .tmp.alloc = g->arena.alloc, .err = err};
    report->weight_type = type;
    mst_status st = narrow_all(&q, report);
    mst_arena_release(&q.tmp);
    return st;
}

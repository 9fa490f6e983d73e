/* What became of each layer: the rows of the conversion report. Reads the graph,
 * changes nothing. */
#include "converter/report.h"

#include <math.h>
#include <string.h>

#include "converter/pairs.h"

typedef struct tracer {
    const mst_graph *g;
    uint32_t *producer; /* [tensors] */
    bool *spikes;       /* [tensors] theta*s of a neuron, moved or masked */
} tracer;

static const mst_node *maker(const tracer *t, uint32_t tensor)
{
    return t->producer[tensor] != MST_NONE ? &t->g->nodes[t->producer[tensor]] : NULL;
}

static bool has(const mst_node *n, uint32_t flag) { return (mst_op_get(n->op)->flags & flag) != 0; }

/* Do all inputs that are not constant hold spikes? */
static bool takes_spikes(const tracer *t, const mst_node *n)
{
    for (uint32_t k = 0; k < n->n_in; k++)
        if (n->in[k] != MST_NONE && !mst_is_const(t->g, n->in[k]) && !t->spikes[n->in[k]])
            return false;
    return true;
}

static bool is_spiking(const tracer *t, uint32_t i)
{
    const mst_node *n = &t->g->nodes[i];
    if (mst_node_fires(n))
        return true;
    return (mst_node_moves_spikes(n) || mst_node_thins(n) || mst_node_leads(n)) && takes_spikes(t, n);
}

static mst_status trace(const mst_graph *g, mst_arena *arena, tracer *t, mst_err *err)
{
    t->g = g;
    t->producer = mst_graph_producers(g, arena);
    t->spikes = mst_arena_array(arena, g->n_tensors, sizeof *t->spikes);
    if (t->producer == NULL || t->spikes == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory: writing the report");
    for (uint32_t i = 0; i < g->n_nodes; i++)
        t->spikes[g->nodes[i].out] = is_spiking(t, i);
    return MST_OK;
}

/* Why a synapse does not run on spikes; NULL: it does. */
static const char *synapse_reason(const tracer *t, const mst_node *n)
{
    if (n->op == MST_OP_MATMUL) {
        if (t->spikes[n->in[0]] && t->spikes[n->in[1]])
            return NULL;
        return t->spikes[n->in[0]] || t->spikes[n->in[1]] ? "product of spikes with analog values"
                                                          : "product of two analog values";
    }
    if (takes_spikes(t, n))
        return NULL;
    return n->in[0] == t->g->input || maker(t, n->in[0]) == NULL || maker(t, n->in[0])->in[0] == t->g->input
               ? "first layer: constant analog current"
               : "its input is an analog sum, not spikes";
}

/* Sums, means and movement of analog values go without saying. */
static const char *linear_reason(const mst_node *n)
{
    if (n->op == MST_OP_AFFINE)
        return "per-channel affine (BatchNorm) with readers that cannot take it; on analog values";
    bool sum = n->op == MST_OP_BINARY &&
               (n->ip[MST_BINARY_FN] == MST_BIN_ADD || n->ip[MST_BINARY_FN] == MST_BIN_SUB);
    if (n->op == MST_OP_BINARY && !sum && qdq_mark(n) == 0)
        return "scaled by constants that differ from place to place";
    return NULL;
}

static const char *island_reason(const mst_node *n)
{
    switch (n->op) {
    case MST_OP_SOFTMAX: return "softmax of each step: an analog island";
    case MST_OP_LAYERNORM: return "layer normalization of each step: an analog island";
    case MST_OP_CLIP:
        return "a bound (ReLU or clip) that is not part of a QCFS activation";
    case MST_OP_UNARY:
        return qdq_mark(n) != 0 ? "rounding of a pair of QuantizeLinear and DequantizeLinear"
                                : "a nonlinear function of analog values";
    case MST_OP_BINARY: return "a product, quotient, minimum, maximum or power of analog values";
    case MST_OP_POOL: return "maximum of each step, not of rates, which only spikes have";
    case MST_OP_REDUCE: return "a maximum of each step, not of rates";
    default: return "an operator that is not known to be linear or to make spikes";
    }
}

/* Why a node is reported as not spiking; NULL: it is not reported. *linear: it keeps
 * the equality of rates (only its values are analog). Told by the flags of operators, so that
 * one that nobody described is reported. */
static const char *analog_reason(const tracer *t, const mst_node *n, bool *linear)
{
    *linear = true;
    bool listed = n->op == MST_OP_CLIP && qdq_mark(n) != 0; /* with the rounding that it bounds */
    if (has(n, MST_F_SPIKE) || mst_node_leads(n) || listed)
        return NULL;
    if (has(n, MST_F_SYNAPSE))
        return synapse_reason(t, n);
    *linear = mst_node_is_linear(t->g, n);
    return *linear ? linear_reason(n) : island_reason(n);
}

static const char *analog_kind(const mst_node *n)
{
    const char *fn = n->op == MST_OP_UNARY    ? mst_unary_name(n->ip[MST_UNARY_FN])
                     : n->op == MST_OP_BINARY ? mst_binary_name(n->ip[MST_BINARY_FN])
                     : n->op == MST_OP_POOL   ? "maxpool"
                                              : NULL;
    return fn != NULL ? fn : mst_op_get(n->op)->name;
}

static void fill_neuron(const tracer *t, const mst_node *n, mst_report_row *row)
{
    const mst_tensor *theta = &t->g->tensors[n->in[1]];
    row->spiking = true;
    row->kind = mst_graph_neuron_kind(t->g, t->producer, n);
    row->theta_min = row->theta_max = mst_const_at(theta, 0);
    for (size_t i = 1, count = mst_tensor_elements(theta); i < count; i++) {
        row->theta_min = fmin(row->theta_min, mst_const_at(theta, i));
        row->theta_max = fmax(row->theta_max, mst_const_at(theta, i));
    }
    row->levels = n->ip[MST_NEURON_LEVELS];
    row->run_levels = mst_node_levels(n);
    row->site = (mst_site)n->ip[MST_NEURON_SITE];
    row->stage = n->ip[MST_NEURON_STAGE];
    row->block = n->ip[MST_NEURON_BLOCK];
    row->ratio = row->trained = -1;
}

/* What a mask reads that is no neuron, and what to do. */
static const char *misplaced(const mst_node *n)
{
    switch (n != NULL ? n->op : MST_OP_COUNT) {
    case MST_OP_MASK: return "it masks again what others read with one mask alone; give them one ratio";
    case MST_OP_SLICE:
    case MST_OP_GATHER:
    case MST_OP_EXPAND: return "it masks a part or copies of one; mask all of it in front of that";
    case MST_OP_CONCAT: return "it masks several that are joined; mask each of them before";
    case MST_OP_POOL:
    case MST_OP_RATE_POOL: return "it masks a pool; mask the activation in front of it";
    default: return "mask spikes only";
    }
}

/* A mask's ratio goes to the row of its neuron, which comes before it. */
static mst_status note_mask(const tracer *t, const mst_node *mask, mst_report *r, mst_err *err)
{
    uint32_t neuron = t->producer[mask->in[0]];
    for (uint32_t k = r->n_rows; k-- > 0;)
        if (r->rows[k].node == neuron && r->rows[k].spiking) {
            r->rows[k].ratio = (double)mask->fp[MST_MASK_RATIO];
            r->rows[k].trained = (double)mask->fp[MST_MASK_TRAINED];
            r->n_masks++;
            return MST_OK;
        }
    return mst_fail(err, MST_EUNSUPPORTED, "node '%s': a random mask that does not follow a QCFS activation: %s",
                    mask->name, misplaced(neuron != MST_NONE ? &t->g->nodes[neuron] : NULL));
}

/* A neuron whose spikes are whole numbers, which a scale follows (qdq_exact.c): its threshold in units of the model. */
static void note_scale(const tracer *t, const mst_node *n, mst_report *r)
{
    bool scales = n->op == MST_OP_BINARY && n->ip[MST_BINARY_FN] == MST_BIN_MUL && qdq_mark(n) != 0;
    uint32_t at = scales ? t->producer[n->in[0]] : MST_NONE;
    while (at != MST_NONE && t->g->nodes[at].op != MST_OP_NEURON && mst_node_moves_spikes(&t->g->nodes[at]))
        at = t->producer[t->g->nodes[at].in[0]];
    for (uint32_t k = r->n_rows; at != MST_NONE && k-- > 0;)
        if (r->rows[k].node == at && r->rows[k].spiking && r->rows[k].theta_max == r->rows[k].levels) {
            r->rows[k].theta_min *= mst_const_at(&t->g->tensors[n->in[1]], 0);
            r->rows[k].theta_max = r->rows[k].theta_min;
        }
}

static mst_status add_rows(const tracer *t, mst_report *r, mst_err *err)
{
    const mst_graph *g = t->g;
    bool product = false, softmax = false;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const mst_node *n = &g->nodes[i];
        bool linear;
        const char *reason = analog_reason(t, n, &linear);
        mst_report_row *row = &r->rows[r->n_rows];
        product = product || (n->op == MST_OP_MATMUL && !mst_is_const(g, n->in[0]) && !mst_is_const(g, n->in[1]));
        softmax = softmax || n->op == MST_OP_SOFTMAX;
        if (n->op == MST_OP_MASK)
            MST_TRY(note_mask(t, n, r, err));
        note_scale(t, n, r);
        if (n->op != MST_OP_NEURON && reason == NULL)
            continue;
        row->name = n->name;
        row->node = i;
        row->neurons = mst_tensor_elements(&g->tensors[n->out]);
        row->stage = row->block = -1;
        row->ratio = row->trained = -1;
        r->n_rows++;
        if (n->op == MST_OP_NEURON) {
            fill_neuron(t, n, row);
            r->n_neuron_layers++;
            continue;
        }
        row->kind = analog_kind(n);
        row->reason = reason;
        row->linear = linear;
        r->n_non_spiking += !linear;
        r->bn_kept += n->op == MST_OP_AFFINE;
    }
    r->attention = !product ? "none" : softmax ? "softmax"
                                               : "spiking";
    return MST_OK;
}

mst_status mst_report_fill(const mst_graph *g, mst_report *r, mst_err *err)
{
    memset(r, 0, sizeof *r);
    r->arena.alloc = g->arena.alloc;
    tracer t;
    mst_status st = trace(g, &r->arena, &t, err);
    r->rows = st == MST_OK ? mst_arena_array(&r->arena, (size_t)g->n_nodes + 1, sizeof *r->rows) : NULL;
    if (st == MST_OK && r->rows == NULL)
        st = mst_fail(err, MST_ENOMEM, "out of memory: writing the report");
    if (st == MST_OK)
        st = add_rows(&t, r, err);
    for (uint32_t i = 0; i < g->n_tensors && st == MST_OK; i++)
        if (g->tensors[i].data != NULL && g->tensors[i].dtype == MST_F32)
            r->parameters += mst_tensor_elements(&g->tensors[i]);
    if (st != MST_OK)
        mst_report_free(r);
    return st;
}

void mst_report_free(mst_report *r)
{
    mst_arena_release(&r->arena);
    memset(r, 0, sizeof *r);
}

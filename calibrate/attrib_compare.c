/* Are the ANN and the spiking network the same network? Compares the constants of both graphs, and tells for each layer
 * what its current is made with: nodes that differ, weights of a coarse type, functions that see single steps.
 */
#include <math.h>
#include <string.h>

#include "calibrate/attrib.h"

#define SAME_TO 1e-5 /* of the largest of a tensor: what another order of folding may round */

typedef enum alike { ALIKE,
                     ROUNDED,
                     OTHER } alike;

typedef struct side {
    const mst_graph *g;
    const uint32_t *producer;
    alike *node;     /* [nodes] against the other graph */
    bool *live;      /* [tensors] changes from step to step */
    uint32_t *seen;  /* [nodes] the last walk that came by */
    uint32_t *stack; /* [nodes] */
    uint32_t walk;
} side;

static double largest(const mst_tensor *t)
{
    double most = 0;
    size_t n = mst_tensor_elements(t);
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(mst_const_at(t, i)));
    return most;
}

/* scale: of int8, NULL otherwise. A weight is the nearest value of its type, or the networks are not the same. */
static alike compare_constants(const mst_tensor *a, const mst_tensor *b, const mst_tensor *scale)
{
    if (!mst_same_shape(a, b))
        return OTHER;
    size_t n = mst_tensor_elements(a), outputs = b->rank != 0 ? b->dims[b->rank - 1] : 1;
    bool coarse = b->dtype == MST_I8 || b->dtype == MST_F16;
    double least = SAME_TO * largest(a);
    for (size_t i = 0; i < n; i++) {
        double s = scale != NULL ? mst_const_at(scale, i % outputs) : 1, x = mst_const_at(a, i);
        double may = b->dtype == MST_I8 ? 0.51 * s : b->dtype == MST_F16 ? 0x1p-10 * fabs(x)
                                                                         : 0;
        if (!(fabs(s * mst_const_at(b, i) - x) <= may + least))
            return OTHER;
    }
    return coarse ? ROUNDED : ALIKE;
}

/* Input i of both: a constant of the one that the other lacks makes the difference, too. */
static alike compare_input(const mst_graph *ga, const mst_node *a, const mst_graph *gb, const mst_node *b, uint32_t i)
{
    uint32_t ta = i < a->n_in ? a->in[i] : MST_NONE, tb = i < b->n_in ? b->in[i] : MST_NONE;
    bool ca = ta != MST_NONE && mst_is_const(ga, ta), cb = tb != MST_NONE && mst_is_const(gb, tb);
    bool int8 = (b->op == MST_OP_LINEAR || b->op == MST_OP_CONV) && b->n_in > 3 && b->in[3] != MST_NONE;
    if (int8 && i == 3)
        return ALIKE; /* the scale: part of the weights */
    if (ca != cb)
        return OTHER;
    return ca ? compare_constants(&ga->tensors[ta], &gb->tensors[tb], int8 && i == 1 ? &gb->tensors[b->in[3]] : NULL)
              : ALIKE;
}

static alike compare_nodes(const mst_graph *ga, const mst_node *a, const mst_graph *gb, const mst_node *b)
{
    alike worst = memcmp(a->ip, b->ip, sizeof a->ip) == 0 && memcmp(a->fp, b->fp, sizeof a->fp) == 0 ? ALIKE : OTHER;
    for (uint32_t i = 0; i < a->n_in || i < b->n_in; i++) {
        alike x = compare_input(ga, a, gb, b, i);
        worst = x > worst ? x : worst;
    }
    return worst;
}

static bool says_nothing(const mst_node *n)
{
    return mst_node_moves_spikes(n) || mst_node_fires(n) || mst_node_thins(n);
}

/* Each node of the ANN with its partner; those without one are other. */
static void compare_graphs(const side *a, const side *b)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < b->g->n_nodes; i++)
        b->node[i] = says_nothing(&b->g->nodes[i]) ? ALIKE : OTHER;
    for (uint32_t i = 0; i < a->g->n_nodes; i++) {
        const mst_node *n = &a->g->nodes[i];
        if (says_nothing(n))
            continue;
        const mst_node *partner = mst_calib_partner_node(b->g, n, &at);
        a->node[i] = partner != NULL ? compare_nodes(a->g, n, b->g, partner) : OTHER;
        if (partner != NULL)
            b->node[partner - b->g->nodes] = a->node[i];
    }
}

static void find_live(const side *s)
{
    s->live[s->g->input] = mst_graph_frames(s->g) > 1;
    for (uint32_t i = 0; i < s->g->n_nodes; i++) {
        const mst_node *n = &s->g->nodes[i];
        bool live = mst_node_fires(n) || mst_node_thins(n);
        for (uint32_t k = 0; k < n->n_in; k++)
            live = live || (n->in[k] != MST_NONE && s->live[n->in[k]]);
        s->live[n->out] = live;
    }
}

/* The cause that a node is where it sees single steps; 0: it is linear in what changes. */
static uint32_t sees_steps(const side *s, const mst_node *n)
{
    uint32_t live = 0;
    for (uint32_t k = 0; k < n->n_in; k++)
        live += n->in[k] != MST_NONE && s->live[n->in[k]];
    if (live == 0 || mst_node_moves_spikes(n))
        return 0;
    if (n->op == MST_OP_MATMUL)
        return live > 1 ? ATTRIB_BIT(MST_CAUSE_PRODUCTS) : 0;
    return mst_node_is_linear(s->g, n) ? 0 : ATTRIB_BIT(MST_CAUSE_ISLANDS);
}

/* A node to come by, unless this walk was there. */
static void push(side *s, uint32_t tensor, size_t *n)
{
    uint32_t i = tensor != MST_NONE ? s->producer[tensor] : MST_NONE;
    if (i == MST_NONE || s->seen[i] == s->walk)
        return;
    s->seen[i] = s->walk;
    s->stack[(*n)++] = i;
}

/* All nodes between tensor `from` and the layers before: the worst of them, and the causes that see single steps. */
static alike walk(side *s, uint32_t from, uint32_t *steps)
{
    alike worst = ALIKE;
    size_t n = 0;
    s->walk++;
    push(s, from, &n);
    while (n != 0) {
        uint32_t i = s->stack[--n];
        const mst_node *node = &s->g->nodes[i];
        if (mst_node_fires(node) || mst_node_thins(node))
            continue;
        worst = s->node[i] > worst ? s->node[i] : worst;
        *steps |= sees_steps(s, node);
        for (uint32_t k = 0; k < node->n_in; k++)
            push(s, node->in[k], &n);
    }
    return worst;
}

static bool close_to(const float *a, size_t n_a, const float *b, size_t n_b)
{
    bool same = (a == NULL) == (b == NULL) && (a == NULL || n_a == n_b);
    for (size_t i = 0; same && a != NULL && i < n_a; i++)
        same = fabs((double)a[i] - (double)b[i]) <= SAME_TO * fmax(fabs((double)a[i]), fabs((double)b[i]));
    return same;
}

static void compare_neurons(attrib_layer *l)
{
    const attrib_neuron *a = &l->ann, *b = &l->snn;
    double ratio = 0;
    size_t n = a->thetas > b->thetas ? a->thetas : b->thetas;
    for (size_t i = 0; i < n; i++)
        ratio += (double)b->theta[i % b->thetas] / (double)a->theta[i % a->thetas] / (double)n;
    bool thetas = fabs(ratio - 1) <= SAME_TO &&
                  (a->thetas != b->thetas || close_to(a->theta, a->thetas, b->theta, b->thetas));
    l->theta_ratio = thetas ? 1 : ratio;
    l->differs = !thetas || a->levels != b->levels ||
                 fabs((double)(a->shift - b->shift)) > SAME_TO || a->even != b->even ||
                 !close_to(a->gain, a->gains, b->gain, b->gains) || !close_to(a->bias, a->biases, b->bias, b->biases);
}

static uint32_t own_causes(const mst_attrib *a, const attrib_layer *l, size_t k)
{
    uint32_t causes = l->current | l->steps;
    if (k == a->n_layers)
        return causes | (a->readout_from > 1 ? ATTRIB_BIT(MST_CAUSE_READOUT) : 0);
    if (l->run_levels != (a->counts ? l->snn.levels : l->ann.levels) || l->first != NULL)
        causes |= ATTRIB_BIT(MST_CAUSE_QUANTIZATION);
    if (a->snn_wires.masked[k] || a->ann_wires.masked[k])
        causes |= ATTRIB_BIT(MST_CAUSE_MASKS);
    if (!a->counts)
        causes |= ATTRIB_BIT(MST_CAUSE_CLIPPING) | ATTRIB_BIT(MST_CAUSE_UNEVENNESS);
    return causes;
}

static void compare_layer(mst_attrib *a, side *ann, side *snn, size_t k)
{
    attrib_layer *l = &a->layers[k];
    bool logits = k == a->n_layers;
    uint32_t steps = 0, unused = 0;
    alike first = walk(ann, logits ? ann->g->output : a->ann_wires.source[k], &unused);
    alike second = walk(snn, logits ? snn->g->output : a->snn_wires.source[k], &steps);
    alike worst = first > second ? first : second;
    l->theta_ratio = 1;
    if (!logits)
        compare_neurons(l);
    l->differs = l->differs || worst == OTHER;
    l->current = l->differs ? ATTRIB_BIT(MST_CAUSE_NETWORK) : worst == ROUNDED ? ATTRIB_BIT(MST_CAUSE_WEIGHTS)
                                                                               : 0;
    /* one name a layer: what is no product is the rarer */
    l->steps = a->counts ? 0 : (steps & ATTRIB_BIT(MST_CAUSE_ISLANDS)) != 0 ? ATTRIB_BIT(MST_CAUSE_ISLANDS)
                                                                            : steps;
    l->causes = own_causes(a, l, k);
    a->causes |= l->causes;
}

static bool open_side(side *s, mst_arena *tmp)
{
    s->producer = mst_graph_producers(s->g, tmp);
    s->node = mst_arena_array(tmp, s->g->n_nodes, sizeof *s->node);
    s->seen = mst_arena_array(tmp, s->g->n_nodes, sizeof *s->seen);
    s->live = mst_arena_array(tmp, s->g->n_tensors, sizeof *s->live);
    s->stack = mst_arena_array(tmp, s->g->n_nodes, sizeof *s->stack);
    return s->producer != NULL && s->node != NULL && s->seen != NULL && s->live != NULL && s->stack != NULL;
}

mst_status mst_attrib_compare(mst_attrib *a, mst_err *err)
{
    mst_arena tmp = {0};
    side ann = {.g = mst_program_graph(a->ann)}, snn = {.g = mst_program_graph(a->snn)};
    bool room = open_side(&ann, &tmp) && open_side(&snn, &tmp);
    if (room) {
        compare_graphs(&ann, &snn);
        find_live(&ann);
        find_live(&snn);
        for (size_t k = 0; k <= a->n_layers; k++)
            compare_layer(a, &ann, &snn, k);
    }
    mst_arena_release(&tmp);
    return room ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory to compare the networks");
}

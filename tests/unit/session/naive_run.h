/* docs/EXECUTION.md a second time, for tests: one output element at a time, by
 * its index, with no thought of speed. Shares no code with the runtime. */
#ifndef TEST_NAIVE_RUN_H
#define TEST_NAIVE_RUN_H

#include <Random123/philox.h>
#include <math.h>

#include "tests/unit/session/naive_events.h"
#include "tests/unit/session/naive_rows.h"

static int current_seed; /* for messages */

/* ---- operators: one output element each ------------------------------------- */

static inline float bias_of(const element *q, uint32_t o)
{
    return q->n->n_in > 2 && q->n->in[2] != MST_NONE ? q->m->val[q->n->in[2]][o] : 0.0f;
}

/* The sum of one output as it grows; n: of int8 weights. */
typedef struct naive_sum {
    float y;
    int64_t n;
} naive_sum;

static inline void sum_add(element *q, naive_sum *s, size_t from, size_t at)
{
    const mst_tensor *w = &q->m->g->tensors[q->n->in[1]];
    float x = q->xv[from], p = x * weight_value(q->m->g, q->n, at);
    q->terms += naive_terms(q->m, q->n->in[0], from);
    if (x == 0)
        return;
    s->y = s->y + p;
    s->n += w->dtype == MST_I8 ? ((const int8_t *)w->data)[at] : 0;
}

static inline float sum_end(const element *q, const naive_sum *s, uint32_t o)
{
    if (q->m->g->tensors[q->n->in[1]].dtype != MST_I8 || !q->m->scaled[q->n->in[0]])
        return s->y;
    float c = q->m->scale[q->n->in[0]] * q->m->val[q->n->in[3]][o], p = c * (float)s->n;
    return p + bias_of(q, o);
}

static inline float naive_linear(element *q)
{
    size_t in = q->x->dims[q->x->rank - 1], out = q->y->dims[q->y->rank - 1];
    size_t row = q->e / out, o = q->e % out;
    naive_sum sum = {bias_of(q, (uint32_t)o), 0};
    for (size_t i = 0; i < in; i++)
        sum_add(q, &sum, row * in + i, i * out + o);
    return sum_end(q, &sum, (uint32_t)o);
}

static inline float naive_conv(element *q)
{
    const int32_t *ip = q->n->ip;
    const mst_tensor *wt = &q->m->g->tensors[q->n->in[1]];
    uint32_t per_in = wt->dims[2], per_out = wt->dims[3] / (uint32_t)ip[MST_CONV_GROUP];
    uint32_t o = q->pos[3], first = o / per_out * per_in;
    naive_sum sum = {bias_of(q, o), 0};
    for (uint32_t i = 0; i < wt->dims[0]; i++)
        for (uint32_t j = 0; j < wt->dims[1]; j++)
            for (uint32_t c = 0; c < per_in; c++) {
                int64_t h = tap(q, 0, i, &ip[MST_CONV_STRIDE], &ip[MST_CONV_PAD], &ip[MST_CONV_DILATION]);
                int64_t v = tap(q, 1, j, &ip[MST_CONV_STRIDE], &ip[MST_CONV_PAD], &ip[MST_CONV_DILATION]);
                if (h < 0 || v < 0 || h >= q->x->dims[1] || v >= q->x->dims[2])
                    continue;
                uint32_t at[4] = {q->pos[0], (uint32_t)h, (uint32_t)v, first + c}, wat[4] = {i, j, c, o};
                sum_add(q, &sum, ravel(q->x, at), ravel(wt, wat));
            }
    return sum_end(q, &sum, o);
}

static inline float naive_matmul(element *q)
{
    naive *m = q->m;
    const mst_tensor *a = q->x, *b = &m->g->tensors[q->n->in[1]];
    uint32_t ta = q->n->in[0], tb = q->n->in[1], r = q->y->rank;
    uint32_t pa[MST_MAX_RANK], pb[MST_MAX_RANK];
    bool trans = q->n->ip[MST_MATMUL_TRANS_B] != 0, sa = m->scaled[ta], sb = m->scaled[tb];
    double alpha = (double)q->n->fp[MST_MATMUL_ALPHA];
    float acc = 0, both = 0;
    memcpy(pa, q->pos, sizeof pa);
    memcpy(pb, q->pos, sizeof pb);
    for (uint32_t k = 0; k < a->dims[a->rank - 1]; k++) {
        pa[r - 1] = k;
        pb[r - (trans ? 1 : 2)] = k;
        pb[r - (trans ? 2 : 1)] = q->pos[r - 1];
        size_t ea = ravel_broadcast(a, pa, r), eb = ravel_broadcast(b, pb, r);
        float x = m->val[ta][ea], z = m->val[tb][eb];
        if (sa && sb)
            both += x != 0 && z != 0 ? 1.0f : 0.0f;
        else if (sa)
            acc = x != 0 ? acc + z : acc;
        else if (sb)
            acc = z != 0 ? acc + x : acc;
        else if (x != 0) {
            float p = x * z;
            acc = acc + p;
        }
        if (naive_made(m, ta) != naive_made(m, tb))
            q->terms += naive_made(m, ta) ? naive_terms(m, ta, ea) : naive_terms(m, tb, eb);
        else
            q->terms += naive_terms(m, ta, ea) * naive_terms(m, tb, eb);
    }
    if (sa && sb)
        return (float)(alpha * (double)m->scale[ta] * (double)m->scale[tb]) * both;
    if (sa || sb)
        return (float)(alpha * (double)m->scale[sa ? ta : tb]) * acc;
    return q->n->fp[MST_MATMUL_ALPHA] * acc;
}

static inline float naive_binary(element *q)
{
    float a = q->xv[ravel_broadcast(q->x, q->pos, q->y->rank)];
    float b = q->m->val[q->n->in[1]][ravel_broadcast(&q->m->g->tensors[q->n->in[1]], q->pos, q->y->rank)];
    switch (q->n->ip[MST_BINARY_FN]) {
    case MST_BIN_ADD: return a + b;
    case MST_BIN_SUB: return a - b;
    case MST_BIN_MUL: return a * b;
    case MST_BIN_DIV: return a / b;
    case MST_BIN_MIN: return a > b ? b : a;
    case MST_BIN_MAX: return a < b ? b : a;
    default: return (float)pow((double)a, (double)b);
    }
}

static inline float naive_pool(element *q)
{
    const int32_t *ip = q->n->ip;
    float acc = 0;
    uint32_t n = 0;
    for (int64_t i = 0; i < ip[MST_POOL_KERNEL]; i++)
        for (int64_t j = 0; j < ip[MST_POOL_KERNEL + 1]; j++) {
            int64_t h = tap(q, 0, i, &ip[MST_POOL_STRIDE], &ip[MST_POOL_PAD], &ip[MST_POOL_DILATION]);
            int64_t w = tap(q, 1, j, &ip[MST_POOL_STRIDE], &ip[MST_POOL_PAD], &ip[MST_POOL_DILATION]);
            if (h < 0 || w < 0 || h >= q->x->dims[1] || w >= q->x->dims[2])
                continue;
            uint32_t at[4] = {q->pos[0], (uint32_t)h, (uint32_t)w, q->pos[3]};
            float x = q->xv[ravel(q->x, at)];
            acc = n == 0 ? x : ip[MST_POOL_FN] == MST_RED_MAX ? (acc < x ? x : acc)
                                                              : acc + x;
            n++;
        }
    if (ip[MST_POOL_FN] == MST_RED_MAX || n == 0)
        return acc;
    if (ip[MST_POOL_COUNT_PAD])
        n = (uint32_t)(ip[MST_POOL_KERNEL] * ip[MST_POOL_KERNEL + 1]);
    return acc * (float)(1.0 / n);
}

/* Of the window, an element that has spiked most before this step and spikes now: the first. */
static inline float naive_rate_pool(element *q)
{
    const int32_t *ip = q->n->ip;
    const float *so_far = q->m->v[q->node];
    bool rates = q->m->mode == MST_RUN_SPIKING;
    float most = -INFINITY, y = 0;
    for (int64_t i = 0; i < ip[MST_RATE_POOL_KERNEL]; i++)
        for (int64_t j = 0; j < ip[MST_RATE_POOL_KERNEL + 1]; j++) {
            int64_t h =
                tap(q, 0, i, &ip[MST_RATE_POOL_STRIDE], &ip[MST_RATE_POOL_PAD], &ip[MST_RATE_POOL_DILATION]);
            int64_t w =
                tap(q, 1, j, &ip[MST_RATE_POOL_STRIDE], &ip[MST_RATE_POOL_PAD], &ip[MST_RATE_POOL_DILATION]);
            if (h < 0 || w < 0 || h >= q->x->dims[1] || w >= q->x->dims[2])
                continue;
            uint32_t at[4] = {q->pos[0], (uint32_t)h, (uint32_t)w, q->pos[3]};
            size_t e = ravel(q->x, at);
            float rank = rates ? so_far[e] : q->xv[e];
            if (rank > most || (rates && rank == most && y == 0))
                y = q->xv[e];
            most = rank > most ? rank : most;
        }
    return y;
}

static inline float naive_reduce(element *q)
{
    uint32_t axes = (uint32_t)q->n->ip[MST_REDUCE_AXES];
    int fn = q->n->ip[MST_REDUCE_FN];
    float acc = 0;
    size_t n = 0;
    for (size_t e = 0; e < mst_tensor_elements(q->x); e++) {
        uint32_t pos[MST_MAX_RANK];
        size_t kept = 0;
        unravel(q->x, e, pos);
        for (uint32_t d = 0; d < q->x->rank; d++)
            if ((axes >> d & 1) == 0)
                kept = kept * q->x->dims[d] + pos[d];
        if (kept != q->e)
            continue;
        float x = q->xv[e];
        acc = n == 0 ? x : fn == MST_RED_MAX ? (acc < x ? x : acc)
                                             : acc + x;
        n++;
    }
    return fn == MST_RED_MEAN ? acc * (float)(1.0 / (double)n) : acc;
}

static inline float naive_softmax(element *q)
{
    uint32_t axis = (uint32_t)q->n->ip[MST_SOFTMAX_AXIS], pos[MST_MAX_RANK];
    float max = -INFINITY, mine = 0;
    double lane[16] = {0}; /* of float values */
    memcpy(pos, q->pos, sizeof pos);
    for (pos[axis] = 0; pos[axis] < q->x->dims[axis]; pos[axis]++)
        max = max < q->xv[ravel(q->x, pos)] ? q->xv[ravel(q->x, pos)] : max;
    for (pos[axis] = 0; pos[axis] < q->x->dims[axis]; pos[axis]++) {
        float e = naive_exp(q->xv[ravel(q->x, pos)] - max);
        lane[pos[axis] % 16] = (double)((float)lane[pos[axis] % 16] + e);
        if (pos[axis] == q->pos[axis])
            mine = e;
    }
    return mine / (float)naive_halves(lane, 0, 1, 16, true);
}

static inline float naive_layernorm(element *q)
{
    size_t n = q->x->dims[q->x->rank - 1], at = q->e / n * n, c = q->e % n;
    double mean, sum[8] = {0}, square[8] = {0};
    for (size_t i = 0; i < n; i++)
        sum[i % 8] += (double)q->xv[at + i];
    mean = naive_halves(sum, 0, 1, 8, false) / (double)n;
    for (size_t i = 0; i < n; i++)
        square[i % 8] += ((double)q->xv[at + i] - mean) * ((double)q->xv[at + i] - mean);
    double var = naive_halves(square, 0, 1, 8, false) / (double)n;
    float y = (float)(((double)q->xv[q->e] - mean) * (1 / sqrt(var + (double)q->n->fp[MST_LAYERNORM_EPS])));
    if (q->n->n_in > 1 && q->n->in[1] != MST_NONE)
        y = y * q->m->val[q->n->in[1]][c];
    if (q->n->n_in > 2 && q->n->in[2] != MST_NONE)
        y = y + q->m->val[q->n->in[2]][c];
    return y;
}

static inline float naive_unary(int fn, float xf)
{
    double x = (double)xf, y = x;
    switch (fn) {
    case MST_UN_FLOOR: y = floor(x); break;
    case MST_UN_CEIL: y = ceil(x); break;
    case MST_UN_ROUND: y = nearbyint(x); break;
    case MST_UN_ABS: y = x < 0 ? -x : x; break;
    case MST_UN_NEG: y = -x; break;
    case MST_UN_SQRT: return sqrtf(xf);
    case MST_UN_RECIPROCAL: return 1.0f / xf;
    case MST_UN_EXP: y = exp(x); break;
    case MST_UN_LOG: y = log(x); break;
    case MST_UN_TANH: y = tanh(x); break;
    case MST_UN_SIGMOID: y = 1 / (1 + exp(-x)); break;
    case MST_UN_ERF: y = erf(x); break;
    case MST_UN_GELU: y = x * 0.5 * (1 + erf(x / sqrt(2.0))); break;
    case MST_UN_GELU_TANH: y = 0.5 * x * (1 + tanh(sqrt(2 / acos(-1.0)) * (x + 0.044715 * pow(x, 3)))); break;
    case MST_UN_SILU: y = x / (1 + exp(-x)); break;
    case MST_UN_SOFTPLUS: y = log(1 + exp(x)); break;
    default: y = (x > 0) - (x < 0); break;
    }
    return (float)y;
}

static inline float naive_neuron(element *q)
{
    const mst_node *n = q->n;
    int axis = n->ip[MST_NEURON_AXIS];
    float theta = channel_value(q->m, n->in[1], q->pos, axis), current = q->xv[q->e];
    float levels = (float)n->ip[MST_NEURON_LEVELS], *v = &q->m->v[q->node][q->e];
    if (n->n_in > 2 && n->in[2] != MST_NONE) {
        current = current * channel_value(q->m, n->in[2], q->pos, axis);
        current = current + channel_value(q->m, n->in[3], q->pos, axis);
    }
    if (q->m->mode == MST_RUN_FLOAT) {
        float scaled = current * levels, ratio = scaled / theta;
        float step = n->ip[MST_NEURON_EVEN] != 0 ? rintf(ratio) + 0.0f : floorf(ratio + n->fp[MST_NEURON_SHIFT]);
        step = step < 0 ? 0 : step > levels ? levels
                                            : step;
        return theta * (step / levels);
    }
    float u = *v + current;
    *v = u >= theta ? u - theta : u;
    return u >= theta ? theta : 0.0f;
}

static inline float naive_mask(element *q)
{
    float ratio = q->n->fp[MST_MASK_RATIO];
    if (q->m->mode == MST_RUN_FLOAT)
        return q->xv[q->e] * (1.0f - ratio);
    philox4x32_key_t key = {{(uint32_t)q->m->seed, (uint32_t)(q->m->seed >> 32)}};
    philox4x32_ctr_t ctr = {{q->m->sample, q->m->time, (uint32_t)q->n->ip[MST_MASK_INDEX],
                             (uint32_t)(q->e / 4)}};
    philox4x32_ctr_t word = philox4x32(ctr, key);
    return word.v[q->e % 4] >= (uint32_t)round((double)ratio * 4294967296.0) ? q->xv[q->e] : 0.0f;
}

static inline float naive_element(element *q)
{
    const mst_node *n = q->n;
    switch (n->op) {
    case MST_OP_LINEAR: return naive_linear(q);
    case MST_OP_CONV: return naive_conv(q);
    case MST_OP_MATMUL: return naive_matmul(q);
    case MST_OP_AFFINE: {
        float p = q->xv[q->e] * channel_value(q->m, n->in[1], q->pos, n->ip[MST_AFFINE_AXIS]);
        return p + channel_value(q->m, n->in[2], q->pos, n->ip[MST_AFFINE_AXIS]);
    }
    case MST_OP_BINARY: return naive_binary(q);
    case MST_OP_POOL: return naive_pool(q);
    case MST_OP_RATE_POOL: return naive_rate_pool(q);
    case MST_OP_REDUCE: return naive_reduce(q);
    case MST_OP_CLIP: {
        float x = q->xv[q->e], lo = n->fp[MST_CLIP_LO], hi = n->fp[MST_CLIP_HI];
        return x < lo ? lo : x > hi ? hi
                                    : x;
    }
    case MST_OP_UNARY: return naive_unary(n->ip[MST_UNARY_FN], q->xv[q->e]);
    case MST_OP_SOFTMAX: return naive_softmax(q);
    case MST_OP_LAYERNORM: return naive_layernorm(q);
    case MST_OP_NEURON: return naive_neuron(q);
    case MST_OP_MASK: return naive_mask(q);
    default: return naive_move(q);
    }
}

static inline void naive_add_terms(naive *m, uint32_t i, uint64_t terms)
{
    const mst_node *n = &m->g->nodes[i];
    bool spikes = naive_made(m, n->in[0]) || (n->op == MST_OP_MATMUL && naive_made(m, n->in[1]));
    m->ops[i] += terms;
    *(spikes ? &m->sops : &m->macs) += terms;
}

static inline void naive_node(naive *m, uint32_t i)
{
    element q = naive_at(m, i);
    const mst_node *n = q.n;
    for (q.e = 0; q.e < count(m, n->out); q.e++) {
        unravel(q.y, q.e, q.pos);
        m->val[n->out][q.e] = naive_element(&q);
        if (n->op == MST_OP_NEURON || n->op == MST_OP_MASK)
            m->fired[i] += m->val[n->out][q.e] != 0;
    }
    for (size_t e = 0; n->op == MST_OP_RATE_POOL && e < count(m, n->in[0]); e++)
        m->v[i][e] += m->val[n->in[0]][e] != 0;
    naive_pass_on(m, i);
    naive_add_terms(m, i, q.terms);
}

/* The operations of a node alone, of values that are known. */
static inline void naive_count(naive *m, uint32_t i)
{
    element q = naive_at(m, i);
    if ((mst_op_get(q.n->op)->flags & MST_F_SYNAPSE) == 0)
        return;
    for (q.e = 0; q.e < count(m, q.n->out); q.e++) {
        unravel(q.y, q.e, q.pos);
        naive_element(&q);
    }
    naive_add_terms(m, i, q.terms);
}

static inline void naive_step(naive *m)
{
    m->time++;
    for (uint32_t i = 0; i < m->g->n_nodes; i++)
        if (m->time == 1 || !m->fixed[m->g->nodes[i].out])
            naive_node(m, i);
    for (size_t i = 0; i < count(m, m->g->output); i++)
        m->sum[i] += (double)m->val[m->g->output][i];
}

static inline void naive_know_events(naive *m)
{
    m->reached[m->g->input] = true;
    for (uint32_t i = 0; i < m->g->n_nodes; i++)
        naive_note_events(m, &m->g->nodes[i]);
    for (uint32_t t = 0; t < m->g->n_tensors; t++)
        if (!m->reached[t])
            m->spikes[t] = calloc(count(m, t), sizeof(float));
}

/* ---- comparison with a session ------------------------------------------------ */

static inline bool same_bits(const float *a, const float *b, size_t n)
{
    return memcmp(a, b, n * sizeof *a) == 0;
}

/* Tap: each node's output against the naive one. */
static inline void tap_compare(void *ctx, const mst_session *s, const mst_tap *tap)
{
    const naive *m = ctx;
    uint32_t t = m->g->nodes[tap->node].out;
    float *out = malloc(tap->n * sizeof *out);
    (void)s;
    ck_assert(tap->steps == 1 && tap->first == m->time);
    ck_assert_uint_eq(tap->n, count(m, t));
    ck_assert_msg(m->time == 1 || !m->fixed[t], "static node %u reported again", tap->node);
    ck_assert((tap->form == MST_FORM_STATIC) == m->fixed[t]);
    mst_tap_values(tap, 0, out);
    for (size_t i = 0; i < tap->n; i++)
        if (!same_bits(&out[i], &m->val[t][i], 1)) /* ck_assert writes to a file at each call */
            ck_abort_msg("seed %d step %u node '%s' element %zu: %.9g, expected %.9g", current_seed, m->time,
                         m->g->nodes[tap->node].name, i, (double)out[i], (double)m->val[t][i]);
    free(out);
}

static inline void compare_layers(const naive *m, const mst_program *p, const mst_session *s)
{
    for (size_t k = 0; k < mst_program_layers(p); k++) {
        const mst_layer *l = mst_program_layer(p, k);
        uint64_t left = m->fired[l->node];
        for (uint32_t i = m->g->n_nodes; i-- > 0;)
            if (m->g->nodes[i].op == MST_OP_MASK && m->g->nodes[i].in[0] == m->g->nodes[l->node].out)
                left = m->fired[i];
        ck_assert_uint_eq(mst_session_layer_fired(s, MST_LAST, k), m->fired[l->node]);
        ck_assert_uint_eq(mst_session_layer_spikes(s, MST_LAST, k), left);
        if (m->mode == MST_RUN_SPIKING)
            ck_assert(same_bits(mst_session_potential(s, k), m->v[l->node], l->neurons));
        else
            ck_assert_ptr_null(mst_session_potential(s, k));
    }
}

/* Run g on x for some steps, in both, with every instruction set of this machine. */
static inline void compare_with_naive(const mst_graph *g, mst_run_mode mode, const float *x, uint32_t steps)
{
    naive *m = naive_new(g, mode, 0x123456789abcdefu);
    naive_know_events(m);
    for (size_t i = 0; mst_isa_at(i, NULL) != NULL; i++) {
        mst_run_opts opts = {.mode = mode, .isa = mst_isa_at(i, NULL), .seed = m->seed};
        mst_program *p = NULL;
        mst_session *s = NULL;
        if (mst_program_create(g, &opts, &p, NULL) == MST_EINVAL && i != 0)
            continue; /* not on this machine; the kernels' test says so */
        ck_assert_ptr_nonnull(p);
        OK(mst_session_create(p, &s, &err_));
        mst_session_tap(s, tap_compare, m);
        naive_begin(m, x, 7);
        mst_session_begin(s, x, 7);
        for (uint32_t t = 0; t < steps; t++) {
            naive_step(m);
            mst_session_step(s);
            ck_assert(same_bits(mst_session_logits(s, MST_LAST), m->val[g->output], mst_session_classes(s)));
        }
        mst_counters c = mst_session_counters(s);
        ck_assert_uint_eq(c.sops, m->sops);
        ck_assert_uint_eq(c.macs, m->macs);
        compare_layers(m, p, s);
        mst_session_destroy(s);
        mst_program_destroy(p);
    }
    naive_free(m);
}

static inline void compare_on_random_input(const mst_graph *g, rng *r, uint32_t steps)
{
    size_t n = mst_tensor_elements(&g->tensors[g->input]);
    float *x = malloc(n * sizeof *x);
    static const float densities[] = {0, 0.1f, 0.6f, 1};
    rng_fill(r, x, n, densities[rng_below(r, 4)], -0.3f, 1);
    compare_with_naive(g, MST_RUN_SPIKING, x, steps);
    compare_with_naive(g, MST_RUN_FLOAT, x, 1);
    free(x);
}

#endif

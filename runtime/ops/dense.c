/* Products with all weights, by panels of 16 outputs. An input of 0 then adds 0 or -0, which changes no sum but one
 * of -0, and is 0 as long as the weight is finite: layers with other weights, or a bias of -0, keep to lists. */
#include "runtime/ops/dense.h"

#include <math.h>
#include <string.h>

#include "runtime/ops/weights.h"

#define CHUNK 192u         /* inputs whose weights for a panel stay in the first cache */
#define STRIP 64u          /* outputs whose weights are read together: neighbours in memory */
#define GROUP_BYTES 262144 /* of rows, which stay in the second while all panels pass by */
#define LEAST_ROWS 4u      /* below, the panel is not worth its making */
#define LEAST_OUTPUTS 8u

size_t op_nonzeros(const float *x, size_t n)
{
    size_t active = 0;
    for (size_t i = 0; i < n; i++)
        active += x[i] != 0.0f;
    return active;
}

/* ---- which layers ------------------------------------------------------------------------------------------- */

static bool all_finite(const op_weights *q, const mst_tensor *w)
{
    bool finite = true;
    size_t n = q->k * q->ld;
    switch (w->dtype) {
    case MST_F16:
        for (size_t i = 0; i < n; i++)
            finite = finite && (((const uint16_t *)w->data)[i] & 0x7c00) != 0x7c00;
        return finite;
    case MST_I8:
        for (size_t i = 0; i < q->ld; i++)
            finite = finite && isfinite(128.0f * q->scale[i]);
        return finite;
    default:
        for (size_t i = 0; i < n; i++)
            finite = finite && isfinite(((const float *)w->data)[i]);
        return finite;
    }
}

static bool no_minus_zero(const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (b[i] == 0.0f && signbit(b[i]))
            return false;
    return true;
}

mst_status op_prepare_dense(op_prep *c, op_node *op, size_t n, size_t *at)
{
    op_weights *q = op->weights;
    const mst_tensor *w = op_in_tensor(c, 1), *b = op_in_tensor(c, 2);
    bool constant = w->data != NULL && (b == NULL || b->data != NULL);
    q->dense = constant && !rt_is_spike(op_in_fact(c, 0)) && q->unit_c == NULL && op->n / q->ld >= LEAST_ROWS &&
               n >= LEAST_OUTPUTS && (b == NULL || no_minus_zero(b->data, q->ld)) && all_finite(q, w);
    return q->dense ? op_add_bytes(c->err, CHUNK * STRIP, sizeof(float), &q->panel, at) : MST_OK;
}

/* ---- products ------------------------------------------------------------------------------------------------ */

/* Weights from..from+k of the n <= STRIP outputs from `first` on, as panels CHUNK * MSTK_DENSE apart. */
static void fill_panels(const op_call *c, size_t from, size_t k, size_t first, size_t n, float *panel)
{
    float wide[STRIP];
    if (n % MSTK_DENSE != 0)
        memset(panel + n / MSTK_DENSE * CHUNK * MSTK_DENSE, 0, k * MSTK_DENSE * sizeof *panel);
    for (size_t i = 0; i < k; i++, panel += MSTK_DENSE) {
        const float *w = op_weights_of(c, from + i, first, n, wide);
        size_t j = 0;
        for (; j + MSTK_DENSE <= n; j += MSTK_DENSE)
            memcpy(panel + j * CHUNK, w + j, MSTK_DENSE * sizeof *w);
        for (; j < n; j++)
            panel[j / MSTK_DENSE * MSTK_DENSE * CHUNK + j % MSTK_DENSE] = w[j];
    }
}

/* All inputs of the rows, a chunk after the other: segments of less than a chunk as many as it holds, others a part
 * at a time. n <= STRIP outputs. */
static void run_strip(const op_call *c, const mstk_rows *in, size_t rows, size_t first, const mstk_sums *to, size_t n)
{
    float *panels = op_scratch(c, c->node->weights->panel);
    mstk_rows part = *in;
    mstk_sums y = *to;
    for (size_t t = 0; t < in->n_taps; t += part.n_taps) {
        size_t room = in->k < CHUNK ? CHUNK / in->k : 1, rest = in->n_taps - t;
        part.taps = in->taps + t;
        part.n_taps = rest < room ? rest : room;
        for (size_t i = 0; i < in->k; i += part.k) {
            part.x = in->x + i;
            part.k = in->k - i < CHUNK ? in->k - i : CHUNK;
            fill_panels(c, t * in->k + i, part.n_taps * part.k, first, n, panels);
            for (size_t o = 0; o < n; o += MSTK_DENSE) {
                mstk_sums at = {y.from + o, y.ld_from, y.to + o, y.ld};
                c->k->dense_f32(&part, rows, panels + o * CHUNK, &at, n - o < MSTK_DENSE ? n - o : MSTK_DENSE);
            }
            y.from = y.to;
            y.ld_from = y.ld;
        }
    }
}

void op_dense(const op_call *c, const mstk_rows *in, size_t rows, size_t first, size_t n, float *y, size_t ldy)
{
    static const float zeros[STRIP];
    const float *b = op_in(c, 2);
    size_t bytes = in->n_taps > 1 ? in->ld : in->k; /* taps share what they read */
    size_t group = GROUP_BYTES / (bytes * sizeof(float) + 1) + CHUNK / 4, some;
    mstk_rows part = *in;
    for (size_t r = 0; r < rows; r += some, y += some * ldy) {
        some = rows - r < group ? rows - r : group;
        part.index = in->index != NULL ? in->index + r : NULL;
        part.x = in->index != NULL ? in->x : in->x + r * in->ld;
        for (size_t o = 0; o < n; o += STRIP) {
            mstk_sums to = {b != NULL ? b + first + o : zeros, 0, y + o, ldy};
            run_strip(c, &part, some, first + o, &to, n - o < STRIP ? n - o : STRIP);
        }
    }
}

/* What becomes of a tile's sums: vectors over outputs outside, rows inside. Included by
 * count_body.h only. Locals throughout: a store of bytes may change whatever is not. */
#ifndef MST_COUNT_FINISH_H
#define MST_COUNT_FINISH_H

#include "runtime/kernels/count_set.h"

/* What a kernel has been asked for. */
typedef struct job {
    const mstc_input *in;
    const mstc_weights *w;
    const mstc_affine *a;
    const mstc_neuron *q;
    const mstc_bytes *bytes;
    const mstc_floats *floats;
    const mstc_into *into;
    unsigned digits; /* of products; above 1 the sums are floats */
} job;

typedef struct place {
    size_t row, height, o, n; /* first row, rows; first output, outputs */
} place;

typedef void finish_fn(const job *j, const place *at, const int32_t *sums);

/* ---- neurons ------------------------------------------------------------------ */

/* The constants of VW neurons. */
typedef struct neurons {
    VF levels, shift, theta, gain, bias;
} neurons;

ALWAYS neurons load_neurons(const mstc_neuron *q, size_t o, VM live, const int gain)
{
    return (neurons){v_set(q->levels), v_set(q->shift), v_load(q->theta + o, live),
                     gain ? v_load(q->gain + o, live) : v_set(0), gain ? v_load(q->bias + o, live) : v_set(0)};
}

/* The counts that a current makes. */
ALWAYS VI fire_vec(const neurons *q, VF x, const int gain)
{
    if (gain)
        x = v_add(v_mul(q->gain, x), q->bias);
    x = v_add(v_div(v_mul(x, q->levels), q->theta), q->shift);
    return v_trunc(v_min(v_max(x, v_set(0)), q->levels)); /* NaN: 0; within 0..levels truncating is floor */
}

/* ---- currents ----------------------------------------------------------------- */

/* plain: sums are int32 and there is nothing more. The vector at row r and output o. */
ALWAYS VF current_vec(const job *j, const mstc_affine *a, VF c, const int32_t *sums, size_t r, size_t o, VM live,
                      const int plain)
{
    const mstc_more *more = a->more;
    VF f = plain || j->digits == 1 ? v_float(v_ints(sums, v_live(VW)))
                                   : v_load((const float *)(const void *)sums, v_live(VW));
    VF x = v_add(v_mul(c, f), v_load(a->b + r * a->b_step + o, live));
    if (plain || more == NULL)
        return x;
    size_t at = row_at(more->index, r) * more->ld + o;
    if (more->floats != NULL)
        return v_add(x, v_load(more->floats + at, live));
    return v_add(x, v_mul(v_load(more->worth + o, live), v_float(v_counts(more->counts + at, live))));
}

static int is_plain(const job *j) { return j->digits == 1 && j->a->more == NULL; }

/* Of one vector of outputs, all rows. live is a constant where all outputs are there. */
ALWAYS void fire_column(const job *j, const place *at, const int32_t *sums, size_t o, VM live, uint8_t *const *to,
                        const int gain, const int plain)
{
    const mstc_affine a = *j->a;
    const VF c = v_load(a.c + o, live);
    const neurons of = load_neurons(j->q, o, live, gain);
    const size_t height = at->height, row = at->row;
    for (size_t r = 0; r < height; r++) {
        VF x = current_vec(j, &a, c, sums + r * MSTC_COLS, row + r, o, live, plain);
        v_store_counts(to[r] + o, fire_vec(&of, x, gain), live);
    }
}

/* Two neighbouring vectors, which are stored as one. */
ALWAYS void fire_columns(const job *j, const place *at, const int32_t *sums, size_t o, uint8_t *const *to,
                         const int gain, const int plain)
{
    const mstc_affine a = *j->a;
    const VM all = v_live(VW);
    const VF c0 = v_load(a.c + o, all), c1 = v_load(a.c + o + VW, all);
    const neurons of0 = load_neurons(j->q, o, all, gain), of1 = load_neurons(j->q, o + VW, all, gain);
    const size_t height = at->height, row = at->row;
    for (size_t r = 0; r < height; r++, sums += MSTC_COLS) {
        VF x0 = current_vec(j, &a, c0, sums, row + r, o, all, plain);
        VF x1 = current_vec(j, &a, c1, sums + VW, row + r, o + VW, all, plain);
        v_store_both(to[r] + o, fire_vec(&of0, x0, gain), fire_vec(&of1, x1, gain));
    }
}

ALWAYS void fire_tile(const job *j, const place *at, const int32_t *sums, const int gain, const int plain)
{
    const mstc_bytes y = *j->bytes;
    const size_t end = at->o + at->n;
    size_t o = at->o;
    uint8_t *to[MSTC_TILE];
    for (size_t r = 0; r < at->height; r++) {
        to[r] = y.y + row_at(y.index, at->row + r) * y.ld;
        NOT_IN_VECTORS;
    }
    for (; o + 2 * VW <= end; o += 2 * VW, sums += 2 * VW)
        fire_columns(j, at, sums, o, to, gain, plain);
    for (; o + VW <= end; o += VW, sums += VW)
        fire_column(j, at, sums, o, v_live(VW), to, gain, plain);
    if (o < end)
        fire_column(j, at, sums, o, v_live(end - o), to, gain, plain);
}

static void finish_fire(const job *j, const place *at, const int32_t *sums)
{
    if (is_plain(j))
        j->q->gain != NULL ? fire_tile(j, at, sums, 1, 1) : fire_tile(j, at, sums, 0, 1);
    else
        j->q->gain != NULL ? fire_tile(j, at, sums, 1, 0) : fire_tile(j, at, sums, 0, 0);
}

ALWAYS void current_tile(const job *j, const place *at, const int32_t *sums, const int plain)
{
    const mstc_affine a = *j->a;
    const mstc_floats y = *j->floats;
    const size_t end = at->o + at->n;
    for (size_t o = at->o; o < end; o += VW, sums += VW) {
        const VM live = v_live(end - o);
        const VF c = v_load(a.c + o, live);
        for (size_t r = 0; r < at->height; r++) {
            float *to = y.y + row_at(y.index, at->row + r) * y.ld + o;
            VF x = current_vec(j, &a, c, sums + r * MSTC_COLS, at->row + r, o, live, plain);
            v_store(to, y.add ? v_add(v_load(to, live), x) : x, live);
        }
    }
}

static void finish_current(const job *j, const place *at, const int32_t *sums)
{
    is_plain(j) ? current_tile(j, at, sums, 1) : current_tile(j, at, sums, 0);
}

/* ---- residual streams ----------------------------------------------------------- */

/* The neurons of a reader at one vector of outputs. */
typedef struct reading {
    neurons of;
    VF unit;
    int gain;
} reading;

ALWAYS reading load_reading(const mstc_reader *next, size_t o, VM live)
{
    const int gain = next->q->gain != NULL;
    return (reading){gain ? load_neurons(next->q, o, live, 1) : load_neurons(next->q, o, live, 0),
                     v_set(next->unit), gain};
}

ALWAYS VI read_vec(const reading *by, VI x)
{
    VF f = v_mul(v_float(x), by->unit);
    return by->gain ? fire_vec(&by->of, f, 1) : fire_vec(&by->of, f, 0);
}

ALWAYS VI collect_vec(int start, int32_t *at, VI worth, VI n, VM live)
{
    VI sum = v_imul(worth, n);
    sum = start ? sum : v_iadd(v_ints(at, live), sum);
    v_store_ints(at, sum, live);
    return sum;
}

/* Of one vector of outputs, all rows. live is a constant where all outputs are there. */
ALWAYS void into_column(const job *j, const place *at, const int32_t *sums, size_t o, VM live, const int gain,
                        const int plain)
{
    const mstc_affine a = *j->a;
    const mstc_into into = *j->into;
    const mstc_stream stream = *into.x;
    const mstc_bytes own = into.y != NULL ? *into.y : (mstc_bytes){0};
    const mstc_bytes read = into.next != NULL ? *into.next->y : (mstc_bytes){0};
    const VF c = v_load(a.c + o, live);
    const VI worth = v_ints(stream.worth + o, live);
    const neurons of = load_neurons(j->q, o, live, gain);
    const size_t row = at->row, height = at->height;
    reading by = {0};
    if (read.y != NULL)
        by = load_reading(into.next, o, live);
    for (size_t i = 0; i < height; i++, sums += MSTC_COLS) {
        const size_t r = row + i;
        VI n = fire_vec(&of, current_vec(j, &a, c, sums, r, o, live, plain), gain);
        if (own.y != NULL)
            v_store_counts(own.y + row_at(own.index, r) * own.ld + o, n, live);
        n = collect_vec(stream.start, stream.x + row_at(stream.index, r) * stream.ld + o, worth, n, live);
        if (read.y != NULL)
            v_store_counts(read.y + row_at(read.index, r) * read.ld + o, read_vec(&by, n), live);
    }
}

ALWAYS void into_tile(const job *j, const place *at, const int32_t *sums, const int gain, const int plain)
{
    const size_t end = at->o + at->n;
    size_t o = at->o;
    for (; o + VW <= end; o += VW, sums += VW)
        into_column(j, at, sums, o, v_live(VW), gain, plain);
    if (o < end)
        into_column(j, at, sums, o, v_live(end - o), gain, plain);
}

static void finish_into(const job *j, const place *at, const int32_t *sums)
{
    if (is_plain(j))
        j->q->gain != NULL ? into_tile(j, at, sums, 1, 1) : into_tile(j, at, sums, 0, 1);
    else
        j->q->gain != NULL ? into_tile(j, at, sums, 1, 0) : into_tile(j, at, sums, 0, 0);
}

static void stream_columns(const mstc_input *in, size_t rows, const mstc_stream *x, const mstc_reader *next,
                           size_t o, VM live)
{
    const VI worth = in != NULL ? v_ints(x->worth + o, live) : v_trunc(v_set(0));
    reading by = {0};
    if (next != NULL)
        by = load_reading(next, o, live);
    for (size_t r = 0; r < rows; r++) {
        int32_t *at = x->x + row_at(x->index, r) * x->ld + o;
        VI sum;
        if (in != NULL)
            sum = collect_vec(x->start, at, worth, v_counts(in->x + row_at(in->index, r) * in->ld + o, live), live);
        else
            sum = v_ints(at, live);
        if (next != NULL)
            v_store_counts(next->y->y + row_at(next->y->index, r) * next->y->ld + o, read_vec(&by, sum), live);
    }
}

static void FN(stream)(const mstc_input *in, size_t rows, size_t n, const mstc_stream *x, const mstc_reader *next)
{
    for (size_t o = 0; o < n; o += VW)
        stream_columns(in, rows, x, next, o, v_live(n - o));
}

static void FN(stream_bytes)(const mstc_stream *x, size_t rows, size_t n, const mstc_planes *y)
{
    for (unsigned d = 0; d < y->digits; d++)
        for (size_t r = 0; r < rows; r++) {
            const int32_t *from = x->x + row_at(x->index, r) * x->ld;
            uint8_t *restrict to = y->y + d * y->apart + r * y->ld;
            for (size_t o = 0; o < n; o++)
                to[o] = (uint8_t)(from[o] >> (8 * d));
        }
}

#endif

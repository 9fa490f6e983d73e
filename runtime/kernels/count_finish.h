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
} job;

typedef struct place {
    size_t row, height, o, n; /* first row, rows; first output, outputs */
} place;

typedef void finish_fn(const job *j, const place *at, const int32_t *sums);

/* ---- neurons ------------------------------------------------------------------ */

/* The constants of VW neurons. */
typedef struct neurons {
    VF levels, shift, back, theta, gain, bias;
} neurons;

ALWAYS neurons load_neurons(const mstc_neuron *q, size_t o, VM live, const int gain)
{
    return (neurons){v_set(q->levels), v_set(q->shift), v_set(-q->back), v_load(q->theta + o, live),
                     gain ? v_load(q->gain + o, live) : v_set(0), gain ? v_load(q->bias + o, live) : v_set(0)};
}

/* The counts that a current makes. */
ALWAYS VI fire_vec(const neurons *q, VF x, const int gain)
{
    if (gain)
        x = v_add(v_mul(q->gain, x), q->bias);
    x = v_add(v_add(v_div(v_mul(x, q->levels), q->theta), q->shift), q->back);
    return v_trunc(v_min(v_max(x, v_set(0)), q->levels)); /* NaN: 0; within 0..levels truncating is floor */
}

/* ---- what is added --------------------------------------------------------------- */

/* Constants where they are inlined. WORTH: counts of one level. */
enum { NOTHING,
       FLOATS,
       COUNTS,
       WORTH };

ALWAYS int kind_of(const mstc_more *m)
{
    return m == NULL ? NOTHING : m->floats != NULL ? FLOATS
                             : m->levels == 1      ? WORTH
                                                   : COUNTS;
}

/* Columns from o on of row r. */
ALWAYS VF more_vec(const mstc_more *m, size_t r, size_t o, VM live, const int kind)
{
    const size_t at = row_at(m->index, r) * m->ld + o;
    if (kind == FLOATS)
        return v_load(m->floats + at, live);
    VF n = v_float(v_counts(m->counts + at, live));
    return v_mul(v_set(m->theta), kind == WORTH ? n : v_div(n, v_set(m->levels)));
}

/* ---- currents ----------------------------------------------------------------- */

typedef struct epilogue {
    mstc_affine a;
    mstc_more more;
} epilogue;

ALWAYS epilogue epilogue_of(const job *j, const int kind)
{
    return (epilogue){*j->a, kind != NOTHING ? *j->a->more : (mstc_more){0}};
}

/* The vector at row r and output o. */
ALWAYS VF current_vec(const epilogue *e, VF c, const int32_t *sums, size_t r, size_t o, VM live, const int kind)
{
    VF f = v_float(v_ints(sums, v_live(VW)));
    VF x = v_add(v_mul(c, f), v_load(e->a.b + r * e->a.b_step + o, live));
    return kind == NOTHING ? x : v_add(x, more_vec(&e->more, r, o, live, kind));
}

/* Of one vector of outputs, all rows. live is a constant where all outputs are there. */
ALWAYS void fire_column(const job *j, const place *at, const int32_t *sums, size_t o, VM live, uint8_t *const *to,
                        const int gain, const int kind)
{
    const epilogue e = epilogue_of(j, kind);
    const VF c = v_load(e.a.c + o, live);
    const neurons of = load_neurons(j->q, o, live, gain);
    const size_t height = at->height, row = at->row;
    for (size_t r = 0; r < height; r++) {
        VF x = current_vec(&e, c, sums + r * MSTC_COLS, row + r, o, live, kind);
        v_store_counts(to[r] + o, fire_vec(&of, x, gain), live);
    }
}

/* Two neighbouring vectors, which are stored as one. */
ALWAYS void fire_columns(const job *j, const place *at, const int32_t *sums, size_t o, uint8_t *const *to,
                         const int gain, const int kind)
{
    const epilogue e = epilogue_of(j, kind);
    const VM all = v_live(VW);
    const VF c0 = v_load(e.a.c + o, all), c1 = v_load(e.a.c + o + VW, all);
    const neurons of0 = load_neurons(j->q, o, all, gain), of1 = load_neurons(j->q, o + VW, all, gain);
    const size_t height = at->height, row = at->row;
    for (size_t r = 0; r < height; r++, sums += MSTC_COLS) {
        VF x0 = current_vec(&e, c0, sums, row + r, o, all, kind);
        VF x1 = current_vec(&e, c1, sums + VW, row + r, o + VW, all, kind);
        v_store_both(to[r] + o, fire_vec(&of0, x0, gain), fire_vec(&of1, x1, gain));
    }
}

ALWAYS void fire_tile(const job *j, const place *at, const int32_t *sums, const int gain, const int kind)
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
        fire_columns(j, at, sums, o, to, gain, kind);
    for (; o + VW <= end; o += VW, sums += VW)
        fire_column(j, at, sums, o, v_live(VW), to, gain, kind);
    if (o < end)
        fire_column(j, at, sums, o, v_live(end - o), to, gain, kind);
}

/* Two vectors of whole numbers within 0..levels. */
#ifndef V_STORE_WITHIN
ALWAYS VI v_within(VF z, VF levels)
{
    return v_trunc(v_min(v_max(z, v_set(0)), levels));
}
ALWAYS void v_store_within(uint8_t *y, VF z0, VF z1, VF levels)
{
    v_store_both(y, v_within(z0, levels), v_within(z1, levels));
}
#endif

ALWAYS void quick_tile(const job *j, const place *at, const int32_t *sums)
{
    const mstc_affine a = *j->a;
    const mstc_bytes y = *j->bytes;
    const size_t end = at->o + at->n, height = at->height, row = at->row;
    const VF levels = v_set(j->q->levels);
    const VM all = v_live(VW);
    size_t o = at->o;
    for (; o + 2 * VW <= end; o += 2 * VW, sums += 2 * VW) {
        const VF k0 = v_load(a.quick_k + o, all), k1 = v_load(a.quick_k + o + VW, all);
        const VF d0 = v_load(a.quick_d + o, all), d1 = v_load(a.quick_d + o + VW, all);
        for (size_t r = 0; r < height; r++) {
            const int32_t *s = sums + r * MSTC_COLS;
            VF z0 = v_add(v_mul(k0, v_float(v_ints(s, all))), d0);
            VF z1 = v_add(v_mul(k1, v_float(v_ints(s + VW, all))), d1);
            v_store_within(y.y + row_at(y.index, row + r) * y.ld + o, z0, z1, levels);
        }
    }
    for (; o < end; o += VW, sums += VW) {
        const VM live = v_live(end - o);
        const VF k = v_load(a.quick_k + o, live), d = v_load(a.quick_d + o, live);
        for (size_t r = 0; r < height; r++) {
            VF z = v_add(v_mul(k, v_float(v_ints(sums + r * MSTC_COLS, all))), d);
            VI n = v_trunc(v_min(v_max(z, v_set(0)), levels));
            v_store_counts(y.y + row_at(y.index, row + r) * y.ld + o, n, live);
        }
    }
}

static void finish_fire(const job *j, const place *at, const int32_t *sums)
{
    const int gain = j->q->gain != NULL;
    if (j->a->quick_k != NULL) {
        quick_tile(j, at, sums);
        return;
    }
    switch (kind_of(j->a->more)) {
    case NOTHING: gain ? fire_tile(j, at, sums, 1, NOTHING) : fire_tile(j, at, sums, 0, NOTHING); break;
    case FLOATS: gain ? fire_tile(j, at, sums, 1, FLOATS) : fire_tile(j, at, sums, 0, FLOATS); break;
    case COUNTS: gain ? fire_tile(j, at, sums, 1, COUNTS) : fire_tile(j, at, sums, 0, COUNTS); break;
    default: gain ? fire_tile(j, at, sums, 1, WORTH) : fire_tile(j, at, sums, 0, WORTH);
    }
}

ALWAYS void current_tile(const job *j, const place *at, const int32_t *sums, const int kind)
{
    const epilogue e = epilogue_of(j, kind);
    const mstc_floats y = *j->floats;
    const size_t end = at->o + at->n;
    for (size_t o = at->o; o < end; o += VW, sums += VW) {
        const VM live = v_live(end - o);
        const VF c = v_load(e.a.c + o, live);
        for (size_t r = 0; r < at->height; r++) {
            VF x = current_vec(&e, c, sums + r * MSTC_COLS, at->row + r, o, live, kind);
            v_store(y.y + (at->row + r) * y.ld + o, x, live);
        }
    }
}

static void finish_current(const job *j, const place *at, const int32_t *sums)
{
    switch (kind_of(j->a->more)) {
    case NOTHING: current_tile(j, at, sums, NOTHING); break;
    case FLOATS: current_tile(j, at, sums, FLOATS); break;
    case COUNTS: current_tile(j, at, sums, COUNTS); break;
    default: current_tile(j, at, sums, WORTH);
    }
}

/* ---- sums that are no layer's ------------------------------------------------------ */

typedef struct sum_job {
    mstc_more a, b;
    mstc_neuron q;
    mstc_bytes bytes;   /* y NULL: nothing fires */
    mstc_floats floats; /* y NULL: they are not kept */
} sum_job;

ALWAYS VF sum_vec(const sum_job *j, size_t r, size_t o, VM live, const int first, const int second)
{
    VF x = more_vec(&j->a, r, o, live, first);
    if (second != NOTHING)
        x = v_add(x, more_vec(&j->b, r, o, live, second));
    if (j->floats.y != NULL)
        v_store(j->floats.y + r * j->floats.ld + o, x, live);
    return x;
}

ALWAYS VI fire_sum(const mstc_neuron *q, VF x, size_t o, VM live)
{
    if (q->gain != NULL) {
        const neurons of = load_neurons(q, o, live, 1);
        return fire_vec(&of, x, 1);
    }
    const neurons of = load_neurons(q, o, live, 0);
    return fire_vec(&of, x, 0);
}

ALWAYS void sum_rows(const sum_job *all_rows, size_t rows, size_t n, const int first, const int second)
{
    const sum_job j = *all_rows;
    const VM all = v_live(VW);
    for (size_t r = 0; r < rows; r++) {
        uint8_t *to = j.bytes.y != NULL ? j.bytes.y + row_at(j.bytes.index, r) * j.bytes.ld : NULL;
        size_t o = 0;
        for (; o + 2 * VW <= n; o += 2 * VW) {
            VF x0 = sum_vec(&j, r, o, all, first, second), x1 = sum_vec(&j, r, o + VW, all, first, second);
            if (to != NULL)
                v_store_both(to + o, fire_sum(&j.q, x0, o, all), fire_sum(&j.q, x1, o + VW, all));
        }
        for (; o < n; o += VW) {
            const VM live = v_live(n - o);
            VF x = sum_vec(&j, r, o, live, first, second);
            if (to != NULL)
                v_store_counts(to + o, fire_sum(&j.q, x, o, live), live);
        }
    }
}

ALWAYS void sum_with(const sum_job *j, size_t rows, size_t n, const int first, const mstc_more *b)
{
    switch (kind_of(b)) {
    case NOTHING: sum_rows(j, rows, n, first, NOTHING); break;
    case FLOATS: sum_rows(j, rows, n, first, FLOATS); break;
    case COUNTS: sum_rows(j, rows, n, first, COUNTS); break;
    default: sum_rows(j, rows, n, first, WORTH);
    }
}

static void FN(sum)(const mstc_more *a, const mstc_more *b, size_t rows, size_t n, const mstc_neuron *q,
                    const mstc_bytes *y, const mstc_floats *keep)
{
    sum_job j = {.a = *a};
    if (b != NULL)
        j.b = *b;
    if (keep != NULL)
        j.floats = *keep;
    if (q != NULL) {
        j.q = *q;
        j.bytes = *y;
    }
    switch (kind_of(a)) {
    case FLOATS: sum_with(&j, rows, n, FLOATS, b); break;
    case COUNTS: sum_with(&j, rows, n, COUNTS, b); break;
    default: sum_with(&j, rows, n, WORTH, b);
    }
}

#endif

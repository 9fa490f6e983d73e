/* See stair_fn.h. */
#include "converter/passes/stair_fn.h"

#include <math.h>

#define SAME 1e-9      /* of places: two nodes that compute one jump */
#define TOLERANCE 1e-4 /* of constants that an exporter rounded to float32 */
#define ROUNDING 4e-7  /* of a value that is made of several */

static stair_fn no_fit(stair_ctx *c)
{
    c->fits = false;
    return (stair_fn){0};
}

static stair_fn make(stair_ctx *c, uint32_t n)
{
    stair_fn f = {.n = 0};
    if ((uint64_t)n + 1 > c->most - c->work)
        return no_fit(c);
    c->work += (uint64_t)n + 1;
    f.at = mst_arena_array(c->arena, (size_t)n + 1, sizeof *f.at);
    f.value = mst_arena_array(c->arena, (size_t)n + 1, sizeof *f.value);
    f.piece = mst_arena_array(c->arena, (size_t)n + 1, sizeof *f.piece);
    c->no_memory = c->no_memory || f.at == NULL || f.value == NULL || f.piece == NULL;
    c->fits = c->fits && !c->no_memory;
    return f;
}

stair_fn stair_identity(stair_ctx *c)
{
    stair_fn f = make(c, 0);
    if (c->fits)
        f.piece[0] = (stair_piece){.slope = 1};
    return f;
}

stair_fn stair_constant(stair_ctx *c, double value)
{
    stair_fn f = make(c, 0);
    if (c->fits)
        f.piece[0] = (stair_piece){.offset = value};
    return f;
}

static double on(const stair_piece *p, double x) { return p->slope * x + p->offset; }
static double left_of(const stair_fn *f, uint32_t piece) { return piece == 0 ? -(double)INFINITY : f->at[piece - 1]; }
static double right_of(const stair_fn *f, uint32_t piece) { return piece == f->n ? (double)INFINITY : f->at[piece]; }

/* The value that piece p runs to at x, which may be infinite. */
static double limit(const stair_piece *p, double x) { return p->slope == 0 ? p->offset : on(p, x); }

stair_fn stair_affine(stair_ctx *c, const stair_fn *f, double g, double h)
{
    stair_fn r = make(c, f->n);
    if (!c->fits)
        return r;
    r.n = f->n;
    for (uint32_t i = 0; i <= f->n; i++)
        r.piece[i] = (stair_piece){g * f->piece[i].slope, g * f->piece[i].offset + h, fabs(g) * f->piece[i].fuzz};
    for (uint32_t i = 0; i < f->n; i++) {
        r.at[i] = f->at[i];
        r.value[i] = g * f->value[i] + h;
    }
    return r;
}

/* ---- functions that change at some values only: y = what(piece of x) between crossings ---- */

/* How a function acts on values: it is straight between its special values. */
typedef struct action {
    mst_unary_fn fn; /* MST_UN_COUNT: a clip */
    double lo, hi;
    uint32_t levels; /* that a floor is followed to */
} action;

/* The value at x exactly, which may be a special one but for rounding. */
static double act(const action *a, double x)
{
    double near = round(2 * x) / 2;
    if (fabs(x - near) <= 1e-6)
        x = near;
    switch (a->fn) {
    case MST_UN_FLOOR: return floor(x);
    case MST_UN_CEIL: return ceil(x);
    case MST_UN_ROUND: return rint(x);
    case MST_UN_SIGN: return x > 0 ? 1 : x < 0 ? -1
                                               : 0;
    case MST_UN_ABS: return fabs(x);
    default: return fmin(fmax(x, a->lo), a->hi);
    }
}

/* What becomes of a piece whose values around mid are between two special values. */
static stair_piece act_piece(const action *a, const stair_piece *p, double mid)
{
    stair_piece none = {0};
    switch (a->fn) {
    case MST_UN_ABS: return mid < 0 ? (stair_piece){-p->slope, -p->offset, p->fuzz} : *p;
    case MST_UN_COUNT:
        none.offset = mid < a->lo ? a->lo : a->hi;
        return mid < a->lo || mid > a->hi ? none : *p;
    default: none.offset = act(a, mid); return none;
    }
}

static bool is_stair(const action *a)
{
    return a->fn == MST_UN_FLOOR || a->fn == MST_UN_CEIL || a->fn == MST_UN_ROUND;
}

/* Special values strictly between lo and hi, ascending, finite. */
static uint32_t special(const action *a, double lo, double hi, double *out)
{
    uint32_t n = 0;
    if (is_stair(a)) {
        double half = a->fn == MST_UN_ROUND ? 0.5 : 0;
        double from = fmax(ceil(lo - half) + half, half - a->levels), to = fmin(hi, half + a->levels);
        for (double v = from; v <= to && n <= 2 * a->levels; v++)
            if (v > lo && v < hi)
                out[n++] = v;
        return n;
    }
    double values[2] = {a->fn == MST_UN_COUNT ? a->lo : 0, a->hi};
    for (int k = 0; k < (a->fn == MST_UN_COUNT ? 2 : 1); k++)
        if (isfinite(values[k]) && values[k] > lo && values[k] < hi && (k == 0 || values[1] > values[0]))
            out[n++] = values[k];
    return n;
}

/* A floor beyond the levels that are followed: the line through the middle of its steps. */
static stair_piece far_piece(const action *a, const stair_piece *p)
{
    double down = a->fn == MST_UN_FLOOR ? -0.5 : a->fn == MST_UN_CEIL ? 0.5
                                                                      : 0;
    return (stair_piece){p->slope, p->offset + down, 0.5};
}

/* Piece number i of f, cut where its values pass special ones. */
static bool cut_piece(const action *a, const stair_fn *f, uint32_t i, stair_fn *r, double *cuts)
{
    const stair_piece *p = &f->piece[i];
    double x0 = left_of(f, i), x1 = right_of(f, i), v0 = limit(p, x0), v1 = limit(p, x1);
    double lo = fmin(v0, v1), hi = fmax(v0, v1);
    if (p->slope == 0 && p->fuzz == 0) {
        r->piece[r->n] = (stair_piece){.offset = act(a, p->offset)};
        return true;
    }
    uint32_t n = special(a, lo - p->fuzz, hi + p->fuzz, cuts);
    if (p->fuzz != 0 && (n != 0 || is_stair(a)))
        return false; /* where exactly is not known */
    bool far = is_stair(a);
    for (uint32_t k = 0; k <= n; k++) {
        uint32_t at = p->slope > 0 ? k : n - k; /* special values in the order of x */
        double below = at == 0 ? lo : cuts[at - 1], above = at == n ? hi : cuts[at], mid;
        if (isfinite(below) && isfinite(above))
            mid = (below + above) / 2;
        else
            mid = isfinite(below) ? below + 1 : isfinite(above) ? above - 1
                                                                : 0;
        bool beyond = far && (above - below > 1.5);
        r->piece[r->n] = beyond ? far_piece(a, p) : act_piece(a, p, mid);
        if (k < n) {
            double v = cuts[p->slope > 0 ? k : n - 1 - k];
            r->at[r->n] = (v - p->offset) / p->slope;
            r->value[r->n] = act(a, v);
            r->n++;
        }
    }
    return true;
}

static stair_fn apply(stair_ctx *c, const stair_fn *f, const action *a)
{
    if (!c->fits)
        return *f;
    double *cuts = mst_arena_array(c->arena, 2 * STAIR_LEVELS + 4, sizeof *cuts);
    uint32_t cap = f->n;
    for (uint32_t i = 0; i <= f->n; i++) {
        double v0 = limit(&f->piece[i], left_of(f, i)), v1 = limit(&f->piece[i], right_of(f, i));
        double span = fabs(v1 - v0);
        cap += is_stair(a) && !(span < 2 * a->levels) ? 2 * a->levels + 2 : is_stair(a) ? (uint32_t)span + 2
                                                                                        : 2;
    }
    stair_fn r = make(c, cap);
    if (cuts == NULL || !c->fits)
        return no_fit(c);
    for (uint32_t i = 0; i <= f->n; i++) {
        if (!cut_piece(a, f, i, &r, cuts))
            return no_fit(c);
        if (i < f->n) {
            r.at[r.n] = f->at[i];
            r.value[r.n] = act(a, f->value[i]);
            r.n++;
        }
    }
    return r;
}

stair_fn stair_clip(stair_ctx *c, const stair_fn *f, double lo, double hi)
{
    return apply(c, f, &(action){.fn = MST_UN_COUNT, .lo = lo, .hi = hi});
}

stair_fn stair_unary(stair_ctx *c, const stair_fn *f, mst_unary_fn fn)
{
    action a = {.fn = fn, .levels = c->levels};
    if (!is_stair(&a) && fn != MST_UN_SIGN && fn != MST_UN_ABS)
        return no_fit(c);
    return apply(c, f, &a);
}

/* ---- two functions of one variable ---- */

static bool same_place(double a, double b) { return fabs(a - b) <= SAME * fmax(1, fmax(fabs(a), fabs(b))); }

static stair_piece join(stair_ctx *c, const stair_piece *a, const stair_piece *b, mst_binary_fn fn)
{
    double sign = fn == MST_BIN_SUB ? -1 : 1;
    if (fn != MST_BIN_MUL)
        return (stair_piece){a->slope + sign * b->slope, a->offset + sign * b->offset, a->fuzz + b->fuzz};
    const stair_piece *k = a->slope == 0 && a->fuzz == 0 ? a : b, *x = k == a ? b : a;
    if (k->slope != 0 || k->fuzz != 0)
        c->fits = false;
    return (stair_piece){k->offset * x->slope, k->offset * x->offset, fabs(k->offset) * x->fuzz};
}

static double join_values(double a, double b, mst_binary_fn fn)
{
    return fn == MST_BIN_MUL ? a * b : fn == MST_BIN_SUB ? a - b
                                                         : a + b;
}

stair_fn stair_binary(stair_ctx *c, const stair_fn *a, const stair_fn *b, mst_binary_fn fn)
{
    if (!c->fits)
        return *a;
    if (fn == MST_BIN_MIN || fn == MST_BIN_MAX) { /* a + what b exceeds it by */
        double inf = (double)INFINITY;
        stair_fn more = stair_binary(c, b, a, MST_BIN_SUB);
        more = fn == MST_BIN_MIN ? stair_clip(c, &more, -inf, 0) : stair_clip(c, &more, 0, inf);
        return stair_binary(c, a, &more, MST_BIN_ADD);
    }
    if (fn != MST_BIN_ADD && fn != MST_BIN_SUB && fn != MST_BIN_MUL)
        return no_fit(c);
    stair_fn r = make(c, a->n + b->n);
    uint32_t i = 0, j = 0;
    while (c->fits) {
        const stair_piece *p = &a->piece[i], *q = &b->piece[j];
        r.piece[r.n] = join(c, p, q, fn);
        if (i == a->n && j == b->n)
            break;
        double x = fmin(right_of(a, i), right_of(b, j));
        bool of_a = i < a->n && same_place(a->at[i], x), of_b = j < b->n && same_place(b->at[j], x);
        r.at[r.n] = x;
        r.value[r.n++] = join_values(of_a ? a->value[i] : on(p, x), of_b ? b->value[j] : on(q, x), fn);
        i += of_a;
        j += of_b;
    }
    return r;
}

/* ---- what it is ---- */

static bool near(double a, double b, double scale) { return fabs(a - b) <= ROUNDING * scale; }

static double size_of(const stair_fn *f)
{
    double most = 1e-30;
    for (uint32_t i = 0; i < f->n; i++)
        most = fmax(most, fabs(f->value[i]));
    return most;
}

stair_fn stair_simplify(stair_ctx *c, const stair_fn *f)
{
    stair_fn r = make(c, f->n);
    double scale = size_of(f);
    if (!c->fits)
        return r;
    r.piece[0] = f->piece[0];
    for (uint32_t i = 0; i < f->n; i++) {
        const stair_piece *p = &r.piece[r.n], *q = &f->piece[i + 1];
        double x = f->at[i], steep = fmax(fabs(p->slope), fabs(q->slope));
        if (near(p->slope, q->slope, steep) && near(p->fuzz, q->fuzz, 1) && near(on(p, x), on(q, x), scale) &&
            near(on(p, x), f->value[i], scale))
            continue;
        r.at[r.n] = x;
        r.value[r.n] = f->value[i];
        r.piece[++r.n] = *q;
    }
    return r;
}

static bool flat(const stair_piece *p, double steep) { return p->fuzz == 0 && fabs(p->slope) <= 1e-6 * steep; }

/* A line that ends in plateaus. */
static bool classify_clip(const stair_fn *f, stair_shape *s)
{
    double steep = 0, inf = (double)INFINITY, scale = size_of(f), lo = -inf, hi = inf;
    const stair_piece *line = NULL;
    for (uint32_t i = 0; i <= f->n; i++)
        steep = fmax(steep, fabs(f->piece[i].slope));
    for (uint32_t i = 0; i <= f->n; i++) {
        if (f->piece[i].fuzz != 0 || (!flat(&f->piece[i], steep) && line != NULL))
            return false;
        if (!flat(&f->piece[i], steep))
            line = &f->piece[i];
    }
    if (line == NULL || f->n > 2)
        return false;
    for (uint32_t i = 0; i < f->n; i++) {
        double a = on(&f->piece[i], f->at[i]), b = on(&f->piece[i + 1], f->at[i]);
        if (!near(a, b, scale) || !near(a, f->value[i], scale))
            return false;
        bool before = &f->piece[i + 1] == line;
        *(before == (line->slope > 0) ? &lo : &hi) = a;
    }
    *s = (stair_shape){.slope = line->slope, .base = line->offset, .lo = lo, .hi = hi};
    s->kind = f->n == 0 ? STAIR_LINEAR : STAIR_CLIP;
    return true;
}

/* Which side each jump belongs to; false: no rule. */
static bool find_tie(const stair_fn *f, double q, stair_tie *tie)
{
    bool up = true, down = true, even = true;
    for (uint32_t i = 0; i < f->n; i++) {
        const stair_piece *p = &f->piece[i];
        double v = f->value[i];
        if (p[0].fuzz != 0 || p[1].fuzz != 0)
            continue;
        bool left = fabs(v - p[0].offset) <= TOLERANCE * fabs(q), right = fabs(v - p[1].offset) <= TOLERANCE * fabs(q);
        up = up && right;
        down = down && left;
        even = even && (left || right) && fabs(v / q / 2 - round(v / q / 2)) <= TOLERANCE;
    }
    *tie = up ? STAIR_UP : down ? STAIR_DOWN
                                : STAIR_EVEN;
    return up || down || even;
}

/* The line of a piece that was not followed runs through the middle of the steps. */
static bool goes_on(const stair_piece *p, double x, double middle, double q, double width)
{
    return fabs(p->slope * width / q - 1) <= TOLERANCE && fabs(p->fuzz / fabs(q) - 0.5) <= TOLERANCE &&
           fabs(on(p, x) - middle) <= TOLERANCE * fabs(q);
}

static bool classify_steps(const stair_fn *f, stair_shape *s)
{
    uint32_t first = f->n != 0 && f->piece[0].fuzz != 0, last = f->n - (f->n != 0 && f->piece[f->n].fuzz != 0);
    if (f->n == 0 || (first != 0) != (last != f->n) || last < first + 1)
        return false;
    bool open = first != 0;
    /* closed: jumps 0..n-1 between pieces 0..n; open: pieces 1..n-1 are followed, with the jumps between them */
    uint32_t jumps = open ? f->n - 2 : f->n, at0 = open ? 1 : 0;
    if (jumps < 1)
        return false;
    double q = (f->piece[last].offset - f->piece[first].offset) / jumps;
    double width = jumps > 1 ? (f->at[at0 + jumps - 1] - f->at[at0]) / (jumps - 1) : 0;
    if (!(fabs(q) > 0) || !isfinite(q) || (open && jumps < 2 * STAIR_LEVELS - 2))
        return false;
    for (uint32_t i = 0; i <= jumps; i++) {
        const stair_piece *p = &f->piece[first + i];
        if (p->slope != 0 || p->fuzz != 0 || fabs(p->offset - f->piece[first].offset - i * q) > TOLERANCE * fabs(q))
            return false;
    }
    for (uint32_t i = 1; i < jumps; i++)
        if (fabs(f->at[at0 + i] - f->at[at0] - i * width) > TOLERANCE * width)
            return false;
    if (open && (!goes_on(&f->piece[0], f->at[0], f->piece[1].offset - q / 2, q, width) ||
                 !goes_on(&f->piece[f->n], f->at[f->n - 1], f->piece[f->n - 1].offset + q / 2, q, width)))
        return false;
    *s = (stair_shape){.kind = STAIR_STEPS, .n = jumps, .width = width, .q = q, .open = open};
    s->first = f->at[at0];
    s->base = f->piece[first].offset;
    return find_tie(f, q, &s->tie);
}

stair_shape stair_classify(stair_ctx *c, const stair_fn *f)
{
    stair_shape s = {.kind = STAIR_OTHER};
    if (!c->fits)
        return s;
    stair_fn g = stair_simplify(c, f);
    if (!c->fits || classify_clip(&g, &s) || classify_steps(&g, &s))
        return s;
    s.kind = STAIR_OTHER;
    return s;
}

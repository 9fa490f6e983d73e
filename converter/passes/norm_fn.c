/* See norm_fn.h. */
#include "converter/passes/norm_fn.h"

#include <math.h>
#include <string.h>

#define RUNS 16 /* of a trial, at most */

/* Of a row: one value, or one for each channel. */
typedef struct row {
    uint32_t tensor, n;
    double *v;
} row;

static double apply_unary(int fn, double x)
{
    switch (fn) {
    case MST_UN_SQRT: return sqrt(x);
    case MST_UN_RECIPROCAL: return 1 / x;
    case MST_UN_NEG: return -x;
    default: return fabs(x);
    }
}

static double apply_binary(int fn, double a, double b)
{
    switch (fn) {
    case MST_BIN_ADD: return a + b;
    case MST_BIN_SUB: return a - b;
    case MST_BIN_MUL: return a * b;
    case MST_BIN_DIV: return a / b;
    case MST_BIN_MIN: return fmin(a, b);
    case MST_BIN_MAX: return fmax(a, b);
    default: return pow(a, b);
    }
}

/* An operand: a constant, or a row that was computed. */
typedef struct operand {
    const row *row; /* NULL: the constant */
    const mst_tensor *constant;
} operand;

static operand find_operand(const region *r, const row *rows, uint32_t n, uint32_t tensor)
{
    operand o = {.constant = edit_tensor(r->e, tensor)};
    for (uint32_t k = 0; k < n; k++)
        if (rows[k].tensor == tensor)
            o.row = &rows[k];
    return o;
}

static double at(const operand *o, size_t i)
{
    if (o->row != NULL)
        return o->row->v[o->row->n == 1 ? 0 : i];
    return mst_const_at(o->constant, mst_tensor_elements(o->constant) == 1 ? 0 : i);
}

static void run_node(const region *r, const mst_node *n, const row *rows, uint32_t done, row *y)
{
    operand in[3];
    double sum = 0;
    for (uint32_t k = 0; k < 3 && k < n->n_in; k++)
        in[k] = find_operand(r, rows, done, n->in[k]);
    for (uint32_t i = 0; n->op == MST_OP_REDUCE && i < r->channels; i++)
        sum += at(&in[0], i);
    for (uint32_t i = 0; i < y->n; i++) {
        double x = n->op == MST_OP_REDUCE ? sum : at(&in[0], i);
        switch (n->op) {
        case MST_OP_REDUCE: x = n->ip[MST_REDUCE_FN] == MST_RED_MEAN ? sum / r->channels : sum; break;
        case MST_OP_AFFINE: x = at(&in[1], i) * x + at(&in[2], i); break;
        case MST_OP_CLIP: x = fmin(fmax(x, (double)n->fp[MST_CLIP_LO]), (double)n->fp[MST_CLIP_HI]); break;
        case MST_OP_UNARY: x = apply_unary(n->ip[MST_UNARY_FN], x); break;
        case MST_OP_BINARY: x = apply_binary(n->ip[MST_BINARY_FN], x, at(&in[1], i)); break;
        default: break; /* movement */
        }
        y->v[i] = x;
    }
}

typedef struct trial {
    const region *r;
    row rows[NORM_NODES + 1];
} trial;

static mst_status begin_trial(trial *t, const region *r, mst_arena *arena)
{
    const size_t all = mst_tensor_elements(edit_tensor(r->e, r->out));
    t->r = r;
    for (uint32_t k = 0; k <= r->n; k++) {
        uint32_t tensor = k == 0 ? r->root : edit_node(r->e, r->node[r->n - k])->out;
        bool wide = k == 0 || mst_tensor_elements(edit_tensor(r->e, tensor)) == all;
        t->rows[k] = (row){tensor, wide ? r->channels : 1, mst_arena_array(arena, r->channels, sizeof(double))};
        if (t->rows[k].v == NULL)
            return edit_no_memory(r->e);
    }
    return MST_OK;
}

/* The result for the row x; lent until the next one. */
static const double *run(trial *t, const double *x)
{
    memcpy(t->rows[0].v, x, t->r->channels * sizeof *x);
    for (uint32_t k = 1; k <= t->r->n; k++)
        run_node(t->r, edit_node(t->r->e, t->r->node[t->r->n - k]), t->rows, k, &t->rows[k]);
    return t->rows[t->r->n].v;
}

/* Numbers between -1 and 1, of mean `mean` but for chance, times scale. */
static void fill(double *x, uint32_t n, uint64_t seed, double mean, double scale)
{
    for (uint32_t i = 0; i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        x[i] = scale * (mean + (double)(int64_t)seed * 0x1p-63);
    }
}

/* Mean (0 of an RMSNorm) and mean square beside it. */
static void moments(const norm *f, const double *x, uint32_t n, double *mean, double *var)
{
    double sum = 0, square = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += x[i];
    *mean = f->centered ? sum / n : 0;
    for (uint32_t i = 0; i < n; i++)
        square += (x[i] - *mean) * (x[i] - *mean);
    *var = square / n;
}

static bool same(const norm *f, const double *x, const double *y, uint32_t n)
{
    double mean, var;
    moments(f, x, n, &mean, &var);
    for (uint32_t i = 0; i < n; i++) {
        double expected = f->g[i] * (x[i] - mean) / sqrt(var + f->eps) + f->h[i];
        if (!(fabs(y[i] - expected) <= NORM_TOLERANCE * (fabs(expected) + fabs(f->g[i]) + fabs(f->h[i]))))
            return false;
    }
    return true;
}

/* h is what becomes of 0; g what it is far from 0, eps what it is close to it. */
static bool solve(trial *t, norm *f, double *x)
{
    const uint32_t n = t->r->channels;
    double mean, var;
    const double *y;
    fill(x, n, 1, 0, 0);
    memcpy(f->h, run(t, x), n * sizeof *x);
    for (uint32_t i = 0; i < n; i++)
        x[i] = 3;
    y = run(t, x);
    f->centered = true;
    for (uint32_t i = 0; i < n; i++)
        f->centered = f->centered && fabs(y[i] - f->h[i]) <= NORM_TOLERANCE * (1 + fabs(f->h[i]));
    fill(x, n, 2, 0.1, 1e6);
    moments(f, x, n, &mean, &var);
    y = run(t, x);
    for (uint32_t i = 0; i < n; i++)
        f->g[i] = (y[i] - f->h[i]) * sqrt(var) / (x[i] - mean);
    fill(x, n, 3, 0, 1e-8);
    moments(f, x, n, &mean, &var);
    y = run(t, x);
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        best = fabs(f->g[i] * (x[i] - mean)) > fabs(f->g[best] * (x[best] - mean)) ? i : best;
    double root = f->g[best] * (x[best] - mean) / (y[best] - f->h[best]);
    f->eps = root * root - var;
    if (!(f->eps > 1e-13 && f->eps < 1))
        return false;
    for (uint64_t k = 0; k < 4; k++) {
        fill(x, n, 10 + k, 0.3 * (double)k, pow(30, 1 - (double)k));
        if (!same(f, x, run(t, x), n))
            return false;
    }
    return true;
}

mst_status norm_solve(const region *r, mst_arena *arena, norm *f, bool *found)
{
    mst_arena own = {.alloc = arena->alloc};
    trial t;
    const uint64_t work = (uint64_t)RUNS * (r->n + 1) * r->channels;
    *found = false;
    if (*r->work < work)
        return MST_OK;
    *r->work -= work;
    double *x = mst_arena_array(&own, r->channels, sizeof *x);
    f->g = mst_arena_array(arena, r->channels, sizeof *f->g);
    f->h = mst_arena_array(arena, r->channels, sizeof *f->h);
    mst_status st = x != NULL && f->g != NULL && f->h != NULL ? begin_trial(&t, r, &own) : edit_no_memory(r->e);
    if (st == MST_OK)
        *found = solve(&t, f, x);
    mst_arena_release(&own);
    return st;
}

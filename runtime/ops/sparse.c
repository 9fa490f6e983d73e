/* Products by lists. A row takes a gather of n outputs for each input that is not zero, of weights in the first
 * cache, where an addition costs what it does in op_dense's tiles: faster by the share of zeros, but for the lists. */
#include "runtime/ops/sparse.h"

#include <string.h>

#include "runtime/ops/dense.h"
#include "runtime/ops/weights.h"

#define PANEL 6144u    /* weights that stay in the first cache, beside lists and sums */
#define ENTRIES 98304u /* of the lists of a group: the more rows, the fewer times all weights are read */
#define PARTS 8192u    /* of those lists */

/* Lists of each row's inputs, a chunk after the other: numbers count from the chunk's first. */
typedef struct lists {
    uint32_t *idx, *start;
    float *val;
    size_t rows, chunk, chunks; /* chunk: inputs */
} lists;

static size_t min_size(size_t a, size_t b) { return a < b ? a : b; }
static size_t parts_of(size_t n, size_t part) { return (n + part - 1) / part; }

/* The smallest chunks of any instruction set. */
#define LEAST_CHUNK (PANEL / MSTK_MOST_STRIP)

mst_status op_prepare_sparse(op_prep *c, op_node *op, size_t rows, size_t *at)
{
    op_weights *q = op->weights;
    size_t all = rows < ENTRIES / q->k ? rows * q->k : ENTRIES > q->k ? ENTRIES
                                                                      : q->k;
    size_t parts = parts_of(q->k, LEAST_CHUNK);
    parts = rows < PARTS / parts ? rows * parts : PARTS > parts ? PARTS
                                                                : parts;
    q->entries = all;
    q->parts = parts;
    MST_TRY(op_add_bytes(c->err, all + MSTK_SLACK, sizeof(uint32_t), &q->idx, at));
    MST_TRY(op_add_bytes(c->err, all + MSTK_SLACK, sizeof(float), &q->val, at));
    return op_add_bytes(c->err, parts + 1, sizeof(uint32_t), &q->start, at);
}

/* Of as many of the rows as there is room for. */
static size_t make_lists(const op_call *c, const float *x, size_t rows, lists *l)
{
    const op_weights *q = c->node->weights;
    size_t at = 0, part = 0;
    for (l->rows = 0; l->rows < rows && at + q->k <= q->entries && part + l->chunks <= q->parts; l->rows++, x += q->k)
        for (size_t i = 0; i < q->k; i += l->chunk) {
            l->start[part++] = (uint32_t)at;
            at += c->k->scan_f32(x + i, min_size(q->k - i, l->chunk), l->idx + at, l->val + at);
        }
    l->start[part] = (uint32_t)at;
    return at;
}

/* n outputs from `first` on, in one strip. */
static void run_strip(const op_call *c, const lists *l, size_t first, size_t n, float *y)
{
    const op_weights *q = c->node->weights;
    float *panel = op_scratch(c, q->panel);
    const float *bias = op_in(c, 2);
    for (size_t j = 0; j < l->chunks; j++) {
        size_t from = j * l->chunk, k = min_size(q->k - from, l->chunk);
        for (size_t i = 0; i < k; i++) {
            const float *w = op_weights_of(c, from + i, first, n, panel + i * n);
            if (w != panel + i * n)
                memcpy(panel + i * n, w, n * sizeof *w);
        }
        for (size_t r = 0; r < l->rows; r++) {
            float *to = y + r * q->ld + first;
            size_t at = l->start[r * l->chunks + j], end = l->start[r * l->chunks + j + 1];
            const mstk_list list = {l->idx + at, l->val + at, end - at};
            c->k->gather_f32(&list, panel, n, j != 0 ? to : bias != NULL ? bias + first
                                                                         : NULL,
                             to, n);
        }
    }
}

/* Strips of about the same width, each of whole vectors. */
static void run_strips(const op_call *c, const lists *l, float *y)
{
    const size_t n = c->node->weights->ld, vec = c->k->strip / MSTK_STRIP_VECS;
    size_t each = parts_of(parts_of(n, parts_of(n, c->k->strip)), vec) * vec;
    for (size_t o = 0; o < n; o += each)
        run_strip(c, l, o, min_size(n - o, each), y);
}

static void run_all_weights(const op_call *c, const float *x, size_t rows, float *y)
{
    static const size_t only[] = {0};
    const op_weights *q = c->node->weights;
    const mstk_rows in = {.x = x, .ld = q->k, .taps = only, .n_taps = 1, .k = q->k};
    op_dense(c, &in, rows, 0, q->ld, y, q->ld);
}

uint64_t op_sparse(const op_call *c, const float *x, size_t rows, float *y)
{
    const op_weights *q = c->node->weights;
    lists l = {.idx = op_scratch(c, q->idx), .start = op_scratch(c, q->start), .val = op_scratch(c, q->val)};
    uint64_t active = 0;
    l.chunk = PANEL / c->k->strip;
    l.chunks = parts_of(q->k, l.chunk);
    for (size_t r = 0; r < rows; r += l.rows) {
        size_t some = make_lists(c, x + r * q->k, rows - r, &l);
        if (some > l.rows * q->k / 4 * 3)
            run_all_weights(c, x + r * q->k, l.rows, y + r * q->ld);
        else
            run_strips(c, &l, y + r * q->ld);
        active += some;
    }
    return active;
}

/* Movement of spikes: chains of transposes, slices, joins and the like become one
 * table of copies of bits. Knows nothing of neurons and synapses. */
#include <string.h>

#include "runtime/block/block.h"

/* ---- maps ------------------------------------------------------------------ */

static bool is_moved(const blk_compiler *bc, uint32_t tensor) { return bc->values[tensor].kind == BLK_MOVED; }

static uint32_t data_inputs(const mst_node *n) { return n->op == MST_OP_CONCAT ? n->n_in : 1; }

uint32_t blk_move_base(const blk_compiler *bc, uint32_t tensor)
{
    if (!is_moved(bc, tensor))
        return tensor;
    const mst_node *n = &bc->g->nodes[bc->p->tensors[tensor].producer];
    uint32_t base = blk_move_base(bc, n->in[0]);
    for (uint32_t k = 1; k < data_inputs(n); k++)
        if (blk_move_base(bc, n->in[k]) != base)
            return MST_NONE;
    return base;
}

/* A map is made by going back along all ways to what is not moved. Graphs have some dozen nodes there; where joins
 * double the ways over and over, or a chain has no end, the step handler keeps time, memory and stack within bounds. */
#define MOST_MOVES 256

bool blk_may_move(blk_compiler *bc, const mst_node *n)
{
    uint32_t moves = 1;
    for (uint32_t k = 0; k < data_inputs(n); k++)
        moves += is_moved(bc, n->in[k]) ? bc->values[n->in[k]].moves : 0; /* at most 64 * MOST_MOVES */
    bc->values[n->out].moves = moves;
    return moves <= MOST_MOVES;
}

static mst_status map_alloc(blk_compiler *bc, size_t n, blk_map *m)
{
    const mst_allocator *a = bc->p->alloc;
    m->n = n;
    m->at = mst_alloc_array(a, n, sizeof *m->at);
    m->source = mst_alloc_array(a, n, sizeof *m->source);
    if (m->at != NULL && m->source != NULL)
        return MST_OK;
    blk_map_free(bc, m);
    return blk_no_memory(bc);
}

void blk_map_free(blk_compiler *bc, blk_map *m)
{
    mst_free_array(bc->p->alloc, m->at, m->n, sizeof *m->at);
    mst_free_array(bc->p->alloc, m->source, m->n, sizeof *m->source);
    m->at = NULL;
    m->source = NULL;
}

/* Index of a source in m, added if need be; BLK_MAX_SOURCES: too many. */
static uint32_t source_of(blk_map *m, uint32_t tensor)
{
    for (uint32_t i = 0; i < m->n_sources; i++)
        if (m->sources[i] == tensor)
            return i;
    if (m->n_sources == BLK_MAX_SOURCES)
        return BLK_MAX_SOURCES;
    m->sources[m->n_sources] = tensor;
    return m->n_sources++;
}

static void apply_gather(const exec_step *st, const blk_map *x, blk_map *y)
{
    const exec_gather *q = &st->u.gather;
    const int32_t *index = st->in[1].data;
    size_t to = 0;
    for (size_t o = 0; o < q->outer; o++)
        for (size_t i = 0; i < q->n_index; i++)
            for (size_t j = 0; j < q->inner; j++, to++) {
                size_t from = (o * q->axis + (size_t)index[i]) * q->inner + j;
                y->at[to] = x->at[from];
                y->source[to] = x->source[from];
            }
}

static void apply_part(const exec_copy *part, const blk_map *x, blk_map *y)
{
    const exec_nd *nd = &part->nd;
    uint32_t last = nd->rank - 1;
    size_t pos[MST_MAX_RANK] = {0};
    ptrdiff_t at[EXEC_ND_OPERANDS] = {part->in_at, part->out_at};
    do {
        for (size_t i = 0; i < nd->dims[last]; i++) {
            ptrdiff_t from = at[0] + (ptrdiff_t)i * nd->stride[0][last],
                      to = at[1] + (ptrdiff_t)i * nd->stride[1][last];
            y->at[to] = x->at[from];
            y->source[to] = x->source[from];
        }
    } while (exec_nd_next(nd, pos, at));
}

static mst_status map_of(blk_compiler *bc, uint32_t tensor, blk_map *m, bool *ok);

/* What input k brings to y. */
static void apply_node(const blk_compiler *bc, uint32_t node, uint32_t k, const blk_map *x, blk_map *y)
{
    mst_op op = bc->g->nodes[node].op;
    const exec_step *st = &bc->p->steps[node];
    if (op == MST_OP_RESHAPE || op == MST_OP_NEURON) { /* a neuron behind movement */
        memcpy(y->at, x->at, y->n * sizeof *y->at);
        memcpy(y->source, x->source, y->n * sizeof *y->source);
    } else if (op == MST_OP_GATHER) {
        apply_gather(st, x, y);
    } else {
        apply_part(&st->u.move.parts[k], x, y);
    }
}

/* y: the map of the output of a moving node, from those of its inputs. It takes memory behind the first of them:
 * along a chain, two maps exist at a time. */
static mst_status map_node(blk_compiler *bc, uint32_t node, blk_map *y, bool *ok)
{
    const mst_node *n = &bc->g->nodes[node];
    mst_status st = MST_OK;
    for (uint32_t k = 0; k < data_inputs(n) && *ok && st == MST_OK; k++) {
        blk_map x = {.n_sources = y->n_sources};
        memcpy(x.sources, y->sources, sizeof x.sources);
        MST_TRY(map_of(bc, n->in[k], &x, ok));
        y->n_sources = x.n_sources;
        memcpy(y->sources, x.sources, sizeof x.sources);
        if (k == 0)
            st = map_alloc(bc, mst_tensor_elements(&bc->g->tensors[n->out]), y);
        if (k == 0 && st == MST_OK)
            memset(y->at, 0xff, y->n * sizeof *y->at); /* what PAD leaves */
        if (*ok && st == MST_OK)
            apply_node(bc, node, k, &x, y);
        blk_map_free(bc, &x);
    }
    return st;
}

static mst_status map_of(blk_compiler *bc, uint32_t tensor, blk_map *m, bool *ok)
{
    if (is_moved(bc, tensor)) {
        mst_status st = map_node(bc, bc->p->tensors[tensor].producer, m, ok);
        if (st != MST_OK)
            blk_map_free(bc, m);
        return st;
    }
    MST_TRY(map_alloc(bc, mst_tensor_elements(&bc->g->tensors[tensor]), m));
    uint32_t source = source_of(m, tensor);
    *ok = *ok && source < BLK_MAX_SOURCES;
    for (size_t i = 0; i < m->n; i++) {
        m->at[i] = (uint32_t)i;
        m->source[i] = (uint8_t)source;
    }
    return MST_OK;
}

mst_status blk_map_make(blk_compiler *bc, uint32_t tensor, blk_map *map, bool *ok)
{
    *map = (blk_map){0};
    *ok = true;
    return map_of(bc, tensor, map, ok);
}

bool blk_map_is_same(const blk_compiler *bc, const blk_map *m, uint32_t tensor)
{
    if (m->n_sources != 1 || mst_tensor_elements(&bc->g->tensors[m->sources[0]]) != m->n ||
        blk_last_dim(&bc->g->tensors[m->sources[0]]) != blk_last_dim(&bc->g->tensors[tensor]))
        return false;
    for (size_t i = 0; i < m->n; i++)
        if (m->at[i] != i)
            return false;
    return true;
}

static bool is_piece(const uint32_t *to, size_t n, uint32_t piece)
{
    for (size_t i = 0; i < n; i++)
        if (to[i] == UINT32_MAX || (i % piece != 0 && to[i] != to[i - 1] + 1))
            return false;
    return true;
}

mst_status blk_map_pieces(blk_compiler *bc, const blk_map *map, uint32_t cols, uint32_t *piece, uint32_t **at)
{
    size_t n = map->n;
    *at = NULL;
    if (map->n_sources != 1 || mst_tensor_elements(&bc->g->tensors[map->sources[0]]) != n)
        return MST_OK;
    uint32_t *to = mst_alloc_array(bc->p->alloc, n, sizeof *to);
    if (to == NULL)
        return blk_no_memory(bc);
    memset(to, 0xff, n * sizeof *to);
    for (size_t i = 0; i < n; i++)
        if (map->at[i] != UINT32_MAX)
            to[map->at[i]] = (uint32_t)i;
    *piece = 64;
    while (*piece >= 8 && (cols % *piece != 0 || !is_piece(to, n, *piece)))
        *piece /= 2;
    if (*piece >= 8)
        *at = mst_arena_array(&bc->p->arena, n / *piece, sizeof **at);
    for (size_t i = 0; *at != NULL && i < n / *piece; i++)
        (*at)[i] = to[i * *piece];
    mst_free_array(bc->p->alloc, to, n, sizeof *to);
    return *piece >= 8 && *at == NULL ? blk_no_memory(bc) : MST_OK;
}

/* ---- tables of copies --------------------------------------------------------- */

/* Can the output be made of units of `unit` neighbouring columns (a divisor of both row lengths)? */
static bool unit_fits(const blk_map *m, const blk_bits *in, uint32_t cols, uint32_t unit)
{
    if (cols % unit != 0)
        return false;
    for (size_t i = 0; i < m->n; i += unit) {
        const blk_bits *b = &in[m->source[i]];
        if (m->at[i] != UINT32_MAX && (b->cols % unit != 0 || m->at[i] % unit != 0))
            return false;
        for (uint32_t j = 1; j < unit; j++)
            if (m->at[i + j] != (m->at[i] == UINT32_MAX ? UINT32_MAX : m->at[i] + j) ||
                m->source[i + j] != m->source[i])
                return false;
    }
    return true;
}

static bool rows_fit(const blk_map *m, const blk_bits *in, uint32_t cols)
{
    for (uint32_t k = 0; k < m->n_sources; k++)
        if (in[k].cols != cols)
            return false;
    return unit_fits(m, in, cols, cols);
}

/* Is each row of the output a column of the one input? Then row[j] is that of column j. */
static mst_status columns_table(blk_compiler *bc, const blk_map *m, const blk_bits *in, uint32_t cols,
                                blk_move *q)
{
    size_t rows = m->n / cols;
    q->from = NULL;
    if (m->n_sources != 1 || in->cols != rows || in->rows != cols)
        return MST_OK;
    uint32_t *row = mst_arena_array(&bc->p->arena, rows, sizeof *row);
    if (row == NULL)
        return blk_no_memory(bc);
    memset(row, 0xff, rows * sizeof *row);
    for (size_t i = 0; i < m->n; i++) {
        size_t from = m->at[i - i % cols]; /* the column, since its first element is in row 0 */
        if (from >= rows || m->at[i] != from + i % cols * rows)
            return MST_OK;
        row[from] = (uint32_t)(i / cols);
    }
    for (size_t j = 0; j < rows; j++)
        if (row[j] == UINT32_MAX)
            return MST_OK;
    q->from = row;
    q->unit = BLK_COLUMNS;
    return MST_OK;
}

static mst_status make_table(blk_compiler *bc, const blk_map *m, const blk_bits *in, uint32_t cols,
                             blk_move *q)
{
    static const uint32_t units[] = {64, 32, 16, 8, 1};
    size_t u = 0;
    bool rows = rows_fit(m, in, cols);
    while (!rows && !unit_fits(m, in, cols, units[u]))
        u++;
    uint32_t unit = rows ? cols : units[u];
    if (unit == 1) {
        MST_TRY(columns_table(bc, m, in, cols, q));
        if (q->from != NULL)
            return MST_OK;
    }
    size_t n = m->n / unit;
    uint32_t *from = mst_arena_array(&bc->p->arena, n, sizeof *from);
    uint8_t *source = m->n_sources > 1 ? mst_arena_array(&bc->p->arena, n, sizeof *source) : NULL;
    if (from == NULL || (m->n_sources > 1 && source == NULL))
        return blk_no_memory(bc);
    for (size_t i = 0; i < n; i++) {
        uint32_t at = m->at[i * unit], k = m->source[i * unit];
        from[i] = at;
        if (at != UINT32_MAX)
            from[i] =
                rows ? at / cols : (uint32_t)((at / in[k].cols * in[k].words * 64 + at % in[k].cols) / unit);
        if (source != NULL)
            source[i] = (uint8_t)k;
    }
    q->unit = rows ? 0 : unit;
    q->from = from;
    q->source = source;
    return MST_OK;
}

mst_status blk_move_bits(blk_compiler *bc, uint32_t tensor, const blk_map *map, const blk_bits *in,
                         blk_bits *out)
{
    blk_op *op;
    blk_bits *own = mst_arena_copy(&bc->p->arena, in, map->n_sources * sizeof *in);
    if (own == NULL)
        return blk_no_memory(bc);
    for (uint32_t k = 0; k < map->n_sources; k++)
        blk_use_buf(bc, in[k].buf);
    MST_TRY(blk_new_bits(bc, tensor, out));
    MST_TRY(blk_new_op(bc, BLK_MOVE, &op));
    op->out = *out;
    op->move.n_in = map->n_sources;
    op->move.in = own;
    return make_table(bc, map, in, out->cols, &op->move);
}

/* ---- running -------------------------------------------------------------------- */

static void move_rows(const blk_move *q, const uint64_t *const *in, const blk_bits *out, size_t r0, size_t r1,
                      uint64_t *to)
{
    size_t words = out->words;
    for (size_t r = r0; r < r1; r++) {
        const uint64_t *from = in[q->source != NULL ? q->source[r] : 0] + q->from[r] * words;
        for (size_t w = 0; w < words; w++)
            to[r * words + w] = q->from[r] != UINT32_MAX ? from[w] : 0;
    }
}

/* The unit at position `at` of packed rows; units do not cross words. */
static inline uint64_t unit_at(const uint64_t *in, uint32_t at, uint32_t unit)
{
    if (at == UINT32_MAX)
        return 0;
    uint64_t bit = (uint64_t)at * unit;
    uint64_t x = in[bit / 64] >> bit % 64;
    return unit == 64 ? x : x & (((uint64_t)1 << unit) - 1);
}

static inline __attribute__((always_inline)) void move_units(const blk_move *q, const uint64_t *const *in,
                                                             const blk_bits *out, size_t r0, size_t r1,
                                                             uint64_t *to, uint32_t unit)
{
    size_t per = out->cols / unit, i = r0 * per;
    for (size_t r = r0; r < r1; r++)
        for (size_t c = 0; c < out->words; c++) {
            uint64_t word = 0;
            size_t left = out->cols - c * 64, n = (left < 64 ? left : 64) / unit;
            for (size_t k = 0; k < n; k++, i++)
                word |= unit_at(in[q->source != NULL ? q->source[i] : 0], q->from[i], unit) << k * unit;
            to[r * out->words + c] = word;
        }
}

/* Bit j of a[i] becomes bit i of a[j], by halves: Hacker's Delight, 7-3. */
static void transpose64(uint64_t a[64])
{
    uint64_t m = 0xffffffffu;
    for (size_t j = 32; j != 0; j /= 2, m ^= m << j)
        for (size_t k = 0; k < 64; k = ((k | j) + 1) & ~j) {
            uint64_t t = (a[k] >> j ^ a[k | j]) & m;
            a[k] ^= t << j;
            a[k | j] ^= t;
        }
}

static void move_columns(const blk_move *q, const uint64_t *in, const blk_bits *out, size_t w0, size_t w1,
                         uint64_t *to)
{
    const blk_bits *b = &q->in[0];
    for (size_t w = w0; w < w1; w++)
        for (size_t c = 0; c < out->words; c++) {
            uint64_t a[64] = {0};
            size_t rows = b->rows - c * 64 < 64 ? b->rows - c * 64 : 64;
            size_t cols = b->cols - w * 64 < 64 ? b->cols - w * 64 : 64;
            for (size_t i = 0; i < rows; i++)
                a[i] = in[(c * 64 + i) * b->words + w];
            transpose64(a);
            for (size_t j = 0; j < cols; j++)
                to[q->from[w * 64 + j] * out->words + c] = a[j];
        }
}

void blk_run_move(const blk_job *job, unsigned part, unsigned thread)
{
    (void)thread;
    const blk_op *op = job->op;
    const blk_move *q = &op->move;
    size_t w0 = blk_split(q->in[0].words, part, job->parts),
           w1 = blk_split(q->in[0].words, part + 1, job->parts);
    size_t r0 = blk_split(op->out.rows, part, job->parts), r1 = blk_split(op->out.rows, part + 1, job->parts);
    const uint64_t *in[BLK_MAX_SOURCES];
    for (uint32_t t = 0; t < job->steps; t++) {
        uint64_t *to = blk_words(job->s, &op->out) + t * op->out.step;
        for (uint32_t k = 0; k < q->n_in; k++)
            in[k] = blk_words(job->s, &q->in[k]) + t * q->in[k].step;
        switch (q->unit) {
        case BLK_COLUMNS: move_columns(q, in[0], &op->out, w0, w1, to); break;
        case 0: move_rows(q, in, &op->out, r0, r1, to); break;
        case 64: move_units(q, in, &op->out, r0, r1, to, 64); break;
        case 32: move_units(q, in, &op->out, r0, r1, to, 32); break;
        case 16: move_units(q, in, &op->out, r0, r1, to, 16); break;
        case 8: move_units(q, in, &op->out, r0, r1, to, 8); break;
        default: move_units(q, in, &op->out, r0, r1, to, 1);
        }
    }
}

void blk_run_mask(const blk_job *job, unsigned part, unsigned thread)
{
    (void)thread;
    const blk_op *op = job->op;
    const mst_session *s = job->s;
    const exec_mask *q = &op->step->u.mask;
    size_t r0 = blk_split(op->out.rows, part, job->parts), r1 = blk_split(op->out.rows, part + 1, job->parts);
    for (uint32_t t = 0; t < job->steps; t++) {
        mstb_mask m = {s->p->seed, s->sample, s->time + t + 1, q->index, q->threshold};
        const uint64_t *in = blk_words(s, &op->in) + t * op->in.step;
        uint64_t *out = blk_words(s, &op->out) + t * op->out.step;
        for (size_t r = r0; r < r1; r++)
            s->p->block->k.mask(&m, (uint64_t)r * op->out.cols, op->out.cols, in + r * op->in.words,
                                out + r * op->out.words);
    }
}

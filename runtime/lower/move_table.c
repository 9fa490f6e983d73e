/* A map of movement as a table of copies of bits, in the largest units that it allows. */
#include <string.h>

#include "runtime/lower/lowering.h"

/* Can the output be made of units of `unit` neighbouring columns (a divisor of both row lengths)? */
static bool unit_fits(const low_map *m, const rt_value *in, uint32_t cols, uint32_t unit)
{
    if (cols % unit != 0)
        return false;
    for (size_t i = 0; i < m->n; i += unit) {
        const rt_value *b = &in[m->source[i]];
        if (m->at[i] != UINT32_MAX && (b->cols % unit != 0 || m->at[i] % unit != 0))
            return false;
        for (uint32_t j = 1; j < unit; j++)
            if (m->at[i + j] != (m->at[i] == UINT32_MAX ? UINT32_MAX : m->at[i] + j) ||
                m->source[i + j] != m->source[i])
                return false;
    }
    return true;
}

static bool rows_fit(const low_map *m, const rt_value *in, uint32_t cols)
{
    for (uint32_t k = 0; k < m->n_sources; k++)
        if (in[k].cols != cols)
            return false;
    return unit_fits(m, in, cols, cols);
}

/* Is each row of the output a column of the one input? Then row[j] is that of column j. */
static mst_status columns_table(lowering *lo, const low_map *m, const rt_value *in, uint32_t cols,
                                rt_move *q)
{
    size_t rows = m->n / cols;
    q->from = NULL;
    if (m->n_sources != 1 || in->cols != rows || in->rows != cols)
        return MST_OK;
    uint32_t *row = mst_arena_array(&lo->p->arena, rows, sizeof *row);
    if (row == NULL)
        return low_no_memory(lo);
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
    q->unit = RT_MOVE_COLUMNS;
    return MST_OK;
}

static mst_status make_table(lowering *lo, const low_map *m, const rt_value *in, uint32_t cols,
                             rt_move *q)
{
    static const uint32_t units[] = {64, 32, 16, 8, 1};
    size_t u = 0;
    bool rows = rows_fit(m, in, cols);
    while (!rows && !unit_fits(m, in, cols, units[u]))
        u++;
    uint32_t unit = rows ? cols : units[u];
    bool counts = in[0].form == MST_FORM_COUNT;
    if (unit == 1) {
        MST_TRY(columns_table(lo, m, in, cols, q));
        if (q->from != NULL)
            return MST_OK;
    }
    size_t n = m->n / unit;
    uint32_t *from = mst_arena_array(&lo->p->arena, n, sizeof *from);
    uint8_t *source = m->n_sources > 1 ? mst_arena_array(&lo->p->arena, n, sizeof *source) : NULL;
    if (from == NULL || (m->n_sources > 1 && source == NULL))
        return low_no_memory(lo);
    for (size_t i = 0; i < n; i++) {
        uint32_t at = m->at[i * unit], k = m->source[i * unit];
        from[i] = at;
        if (at != UINT32_MAX)
            from[i] = rows     ? at / cols
                      : counts ? at / unit
                               : (uint32_t)((at / in[k].cols * in[k].words * 64 + at % in[k].cols) / unit);
        if (source != NULL)
            source[i] = (uint8_t)k;
    }
    q->unit = rows ? 0 : unit;
    q->from = from;
    q->source = source;
    return MST_OK;
}

mst_status low_move_bits(lowering *lo, uint32_t tensor, const low_map *map, const rt_value *in,
                         rt_value *out)
{
    rt_op *op;
    rt_value *own = mst_arena_copy(&lo->p->arena, in, map->n_sources * sizeof *in);
    if (own == NULL)
        return low_no_memory(lo);
    for (uint32_t k = 0; k < map->n_sources; k++)
        low_use_buf(lo, in[k].buf);
    MST_TRY(low_new_bits(lo, tensor, out));
    MST_TRY(low_new_op(lo, RT_OP_MOVE, MST_NONE, &op));
    op->out = *out;
    op->move.n_in = map->n_sources;
    op->move.in = own;
    return make_table(lo, map, in, out->cols, &op->move);
}

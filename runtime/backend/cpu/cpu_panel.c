/* The weights of LINEAR and CONV as the block kernels read them: panels of 64 outputs of
 * float32, whatever the file has, or panels of int8 where integers are summed. */
#include <string.h>

#include "runtime/backend/cpu/cpu.h"
#include "runtime/core/checked.h"
#include "runtime/core/platform.h"

/* The weights of input i of a band: a row of the file's, for outputs lo..hi-1. */
typedef struct band_row {
    size_t row, lo, hi;
} band_row;

static band_row row_in_band(const rt_synapse *syn, size_t band, size_t i)
{
    size_t tap = i / cpu_band_channels(syn), channel = i % cpu_band_channels(syn),
           lo = (band * cpu_of(syn)->band_groups + channel / syn->group_in) * syn->group_out, hi = lo + syn->group_out;
    return (band_row){tap * syn->group_in + channel % syn->group_in, lo, hi < syn->out ? hi : syn->out};
}

/* ---- float32 --------------------------------------------------------------------- */

/* Row i of the weights, [out]; narrow ones widened to row. */
static const float *row_of(const lowering *lo, const rt_synapse *syn, const mst_tensor *w, size_t i, float *row)
{
    const op_weights *q = syn->node->weights;
    size_t at = i * syn->out;
    if (w->dtype == MST_F16)
        lo->p->k.widen_f16((const uint16_t *)w->data + at, row, syn->out);
    else if (w->dtype == MST_I8)
        lo->p->k.widen_i8((const int8_t *)w->data + at, q->scale, row, syn->out);
    else
        return (const float *)w->data + at;
    return row;
}

/* Weights times the input's theta: a spike's product rounds once, here instead of there. */
static void pack_floats(const lowering *lo, rt_synapse *syn, const mst_tensor *w, const float *b, float *row)
{
    size_t biases = cpu_of(syn)->blocks * cpu_of(syn)->k * MSTB_COLS;
    for (size_t i = 0; i < biases && cpu_of(syn)->band_groups > 1; i++)
        cpu_of(syn)->panels[i] = -0.0f;
    for (size_t band = 0; band < cpu_of(syn)->bands; band++)
        for (size_t i = 0; i < cpu_of(syn)->k; i++) {
            band_row at = row_in_band(syn, band, i);
            const float *from = row_of(lo, syn, w, at.row, row);
            for (size_t c = at.lo; c < at.hi; c++)
                cpu_of(syn)->panels[(c / MSTB_COLS * cpu_of(syn)->k + i) * MSTB_COLS + c % MSTB_COLS] =
                    syn->has_bits ? syn->bits.scale * from[c] : from[c];
        }
    if (b != NULL)
        memcpy(cpu_of(syn)->panels + biases, b, syn->out * sizeof *b);
}

/* *ok: there are so many bytes, and they are no longer free. */
static void take_room(const lowering *lo, size_t bytes, bool *ok)
{
    size_t *room = &((cpu_program *)lo->p->how)->panel_room;
    *ok = bytes <= *room;
    *room -= *ok ? bytes : 0;
}

static mst_status make_floats(lowering *lo, rt_synapse *syn, const mst_tensor *w, const float *b, bool *ok)
{
    size_t rows, floats;
    if (!mst_mul_size(cpu_of(syn)->blocks, cpu_of(syn)->k + 1, &rows) || !mst_mul_size(rows, MSTB_COLS, &floats) ||
        floats > SIZE_MAX / sizeof(float))
        return low_no_memory(lo);
    take_room(lo, floats * sizeof(float), ok);
    if (!*ok)
        return MST_OK;
    float *row = mst_arena_array(lo->tmp, w->dtype != MST_F32 ? syn->out : 0, sizeof *row);
    cpu_of(syn)->panels = mst_alloc_aligned(lo->p->alloc, floats * sizeof(float));
    cpu_of(syn)->panel_floats = floats;
    if (cpu_of(syn)->panels == NULL || (row == NULL && w->dtype != MST_F32))
        return low_no_memory(lo);
    pack_floats(lo, syn, w, b, row);
    return MST_OK;
}

/* ---- int8 ------------------------------------------------------------------------- */

static void pack_bytes(const rt_synapse *syn, const int8_t *w)
{
    for (size_t block = 0, strips; block < cpu_of(syn)->blocks; block += strips) {
        size_t first = block * MSTB_COLS;
        strips = cpu_strips_at(syn, block);
        uint8_t *to = cpu_of(syn)->panels8 + first * cpu_of(syn)->k;
        for (size_t i = 0; i < cpu_of(syn)->k; i++, to += strips * MSTB_COLS) {
            band_row at = row_in_band(syn, block / cpu_of(syn)->band_blocks, i);
            for (size_t c = 0; c < strips * MSTB_COLS; c++) {
                int value = first + c >= at.lo && first + c < at.hi ? w[at.row * syn->out + first + c] : 0;
                to[c / MSTB_COLS * MSTB_COLS + mstb_byte_of(c % MSTB_COLS)] =
                    (uint8_t)(value + mstb_bias_of(c % MSTB_COLS));
            }
        }
    }
}

static mst_status make_bytes(lowering *lo, rt_synapse *syn, const mst_tensor *w, const float *b, bool *ok)
{
    size_t cols = cpu_of(syn)->blocks * MSTB_COLS, bytes, total;
    if (!mst_mul_size(cols, cpu_of(syn)->k, &bytes) || !mst_add_size(bytes, 2 * cols * sizeof(float), &total))
        return low_no_memory(lo);
    take_room(lo, total, ok);
    if (!*ok)
        return MST_OK;
    cpu_of(syn)->panels8 = mst_alloc_aligned(lo->p->alloc, total);
    cpu_of(syn)->panel8_bytes = total;
    if (cpu_of(syn)->panels8 == NULL)
        return low_no_memory(lo);
    float *factors = (float *)(void *)(cpu_of(syn)->panels8 + bytes); /* a multiple of 64 bytes on */
    memcpy(factors, syn->node->weights->c, syn->out * sizeof *factors);
    if (b != NULL)
        memcpy(factors + cols, b, syn->out * sizeof *b);
    cpu_of(syn)->factors8 = factors;
    cpu_of(syn)->biases8 = factors + cols;
    pack_bytes(syn, w->data);
    return MST_OK;
}

/* ---- both ------------------------------------------------------------------------- */

/* The panels are what runs: the file's pages with the same weights go back to the system, which
 * reads them again if anybody looks at them. */
static void drop_pages(const mst_graph *g, const mst_tensor *w)
{
    size_t n = mst_tensor_elements(w) * mst_dtype_size(w->dtype);
    uintptr_t base = (uintptr_t)g->backing, at = (uintptr_t)w->data;
    if (g->backing_is_file && at >= base && at + n <= base + g->backing_size)
        sys_forget((void *)at, n);
}

#define PANEL_BASE ((size_t)16 << 20)

/* A panel has 64 columns where its layer may have one, so all take up to 64 times the weights. Layers that
 * share weights have panels of their own: a small file could ask for any number of large ones. */
size_t cpu_panel_room(const mst_graph *g)
{
    size_t room = PANEL_BASE, more;
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        const mst_tensor *t = &g->tensors[i];
        if (t->data != NULL && (!mst_mul_size(mst_tensor_elements(t), MSTB_COLS * sizeof(float), &more) ||
                                !mst_add_size(room, more, &room)))
            return SIZE_MAX;
    }
    return room;
}

mst_status cpu_pack_synapse(lowering *lo, rt_synapse *syn, bool *ok)
{
    const mst_node *n = &lo->g->nodes[syn->node->index];
    const mst_tensor *w = &lo->g->tensors[n->in[1]];
    const float *b = n->n_in > 2 && n->in[2] != MST_NONE ? lo->g->tensors[n->in[2]].data : NULL;
    MST_TRY(syn->node->weights->c != NULL ? make_bytes(lo, syn, w, b, ok) : make_floats(lo, syn, w, b, ok));
    if (*ok)
        drop_pages(lo->g, w);
    return MST_OK;
}

void cpu_free_panels(const mst_allocator *alloc, rt_synapse *syn)
{
    cpu_synapse *how = cpu_of(syn);
    if (how == NULL)
        return;
    mst_free_aligned(alloc, how->panels, how->panel_floats * sizeof(float));
    mst_free_aligned(alloc, how->panels8, how->panel8_bytes);
}

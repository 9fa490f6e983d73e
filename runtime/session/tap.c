/* Taps: what an operation has made, in whatever form it lies, shown to an observer. */
#include "runtime/session/tap.h"

void mst_session_tap(mst_session *s, mst_tap_fn fn, void *ctx)
{
    s->tap = fn;
    s->tap_ctx = ctx;
}

void rt_tap_static(const mst_session *s, const op_node *n)
{
    tapped how = {.data = rt_at(s, n->out)};
    mst_tap t = {
        .node = n->index, .layer = MST_NONE, .first = 1, .steps = 1, .form = MST_FORM_STATIC, .n = n->n, .how = &how};
    s->tap(s->tap_ctx, s, &t);
}

mst_tap rt_tap_of(const mst_session *s, const rt_op *op, uint32_t steps, tapped *how)
{
    const rt_fact *f = &s->p->facts[op->tensor];
    bool analog = op->out.form == MST_FORM_FLOAT && f->value.form == MST_FORM_FLOAT;
    *how = (tapped){.value = &op->out,
                    .data = rt_buf_at(s, op->out.buf),
                    .analog = analog ? rt_buf_at(s, op->out.buf) : NULL,
                    .counts = rt_is_count(f) && op->events != MST_NONE ? rt_buf_at(s, op->events) : NULL,
                    .piece_at = op->kind == RT_OP_LAYER ? op->fire.piece_at : NULL,
                    .piece = op->kind == RT_OP_LAYER ? op->fire.piece : 0};
    return (mst_tap){.node = f->producer,
                     .layer = f->layer,
                     .first = s->time + 1,
                     .steps = steps,
                     .form = op->out.form == MST_FORM_FLOAT ? f->value.form : op->out.form,
                     .n = op->out.rows * op->out.cols,
                     .how = how};
}

void rt_tap_op(const mst_session *s, const rt_op *op, uint32_t steps)
{
    tapped how;
    if (op->tensor == MST_NONE)
        return;
    mst_tap t = rt_tap_of(s, op, steps, &how);
    s->tap(s->tap_ctx, s, &t);
}

/* Where the stored elements from i on belong in the tensor, EIGHT of them at most: pieces are of 8, 16, 32
 * or 64, and rows of whole pieces. */
#define EIGHT 8

static size_t place_of(const tapped *how, size_t i)
{
    return how->piece_at != NULL ? how->piece_at[i / how->piece] + i % how->piece : i;
}

static bool is_bits(const tapped *how) { return how->value != NULL && how->value->form == MST_FORM_BITS; }
static bool is_bytes(const tapped *how) { return how->value != NULL && how->value->form == MST_FORM_COUNT; }

static size_t columns_of(const rt_value *v, size_t word)
{
    return v->cols - word * RT_COLS < RT_COLS ? v->cols - word * RT_COLS : RT_COLS;
}

void mst_tap_values(const mst_tap *t, uint32_t i, float *out)
{
    const tapped *how = t->how;
    const rt_value *v = how->value;
    i = i < t->steps ? i : 0;
    if (is_bytes(how)) {
        for (size_t k = 0; k < t->n; k++)
            out[place_of(how, k)] = v->scale * ((float)((const uint8_t *)how->data)[k] / (float)v->levels);
        return;
    }
    if (!is_bits(how)) {
        memcpy(out, (const float *)how->data + i * t->n, t->n * sizeof *out);
        return;
    }
    const uint64_t *words = (const uint64_t *)how->data + i * v->step;
    for (size_t r = 0; r < v->rows; r++)
        for (size_t w = 0; w < v->words; w++)
            for (size_t j = 0; j < columns_of(v, w); j += EIGHT) {
                float *to = out + place_of(how, r * v->cols + w * RT_COLS + j);
                for (size_t k = 0; k < EIGHT && j + k < columns_of(v, w); k++)
                    to[k] = (words[r * v->words + w] >> (j + k) & 1) != 0 ? v->scale : 0.0f;
            }
}

bool mst_tap_put(const mst_tap *t, uint32_t i, const float *values)
{
    float *to = ((const tapped *)t->how)->analog;
    if (to == NULL || i >= t->steps)
        return false;
    memcpy(to + i * t->n, values, t->n * sizeof *values);
    return true;
}

/* Bit j of a byte to byte j. */
static inline uint64_t spread(uint64_t byte)
{
    uint64_t low = (byte & 0x7f) * 0x02040810204081u & 0x0101010101010101u; /* bits 0..6 do not meet each other */
    return low | (byte >> 7) << 56;
}

/* How often each bit of a word is set over the steps: n[j], j < 64. Counted in binary, bit k of all
 * columns in one word, so that a step costs two or three operations for 64 neurons. */
static void count_word(const uint64_t *word, size_t apart, uint32_t steps, uint8_t n[64])
{
    enum { PLANES = 7 }; /* up to 127 steps */
    uint64_t plane[PLANES] = {0};
    _Static_assert(RT_MAX_STEPS < 1 << PLANES, "a block's spikes of a neuron fit the planes");
    for (uint32_t t = 0; t < steps; t++, word += apart) {
        uint64_t carry = *word;
        for (int k = 0; k < PLANES; k++) { /* no branches: where the carry ends is hard to guess */
            uint64_t both = plane[k] & carry;
            plane[k] ^= carry;
            carry = both;
        }
    }
    for (int b = 0; b < 8; b++) {
        uint64_t sum = 0;
        for (int k = 0; k < PLANES; k++)
            sum += spread(plane[k] >> 8 * b & 0xff) << k;
        for (int j = 0; j < 8; j++)
            n[8 * b + j] = (uint8_t)(sum >> 8 * j);
    }
}

static void count_bits(const mst_tap *t, uint32_t *count)
{
    const tapped *how = t->how;
    const rt_value *v = how->value;
    const uint64_t *words = how->data;
    uint8_t n[64];
    for (size_t r = 0; r < v->rows; r++)
        for (size_t w = 0; w < v->words; w++) {
            count_word(words + r * v->words + w, v->step, t->steps, n);
            for (size_t j = 0; j < columns_of(v, w); j += EIGHT) {
                uint32_t *to = count + place_of(how, r * v->cols + w * RT_COLS + j);
                for (size_t k = 0; k < EIGHT && j + k < columns_of(v, w); k++)
                    to[k] += n[j + k];
            }
        }
}

void mst_tap_count(const mst_tap *t, uint32_t *count)
{
    const tapped *how = t->how;
    if (is_bits(how)) {
        count_bits(t, count);
        return;
    }
    for (size_t k = 0; is_bytes(how) && k < t->n; k++)
        count[place_of(how, k)] += ((const uint8_t *)how->data)[k];
    for (uint32_t i = 0; !is_bytes(how) && i < t->steps; i++)
        for (size_t k = 0; k < t->n; k++)
            count[k] += how->counts != NULL ? how->counts[k] : ((const float *)how->data)[i * t->n + k] != 0.0f;
}

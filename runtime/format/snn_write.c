/* A graph as the bytes of snn.bin. The same graph gives the same bytes. Knows
 * nothing of files. */
#include <string.h>

#include "runtime/core/checked.h"
#include "runtime/format/snn.h"

#define MOST_SECTIONS (SNN_SECTION_END - 1u)
#define MOST_HEAD (SNN_HEADER_SIZE + MOST_SECTIONS * SNN_ENTRY_SIZE)

typedef struct writer {
    const mst_graph *g;
    mst_strings strings;
    mst_bytes meta, tensors, nodes, tune;
    size_t weights;    /* bytes of the section */
    uint32_t features; /* required */
    mst_crc32_table crc;
    mst_err *err;
} writer;

static size_t align_up(size_t n, size_t align)
{
    return (n + align - 1) & ~(align - 1);
}

static mst_status put_string(writer *w, mst_bytes *to, const char *text, const char *what)
{
    uint32_t offset;
    MST_TRY(mst_strings_add(&w->strings, text, what, &offset, w->err));
    mst_bytes_u32(to, offset);
    return MST_OK;
}

/* Is a way of running stored, or levels for it? */
static bool has_levels(const mst_graph *g)
{
    bool found = g->meta.run != MST_RULE_STEP || g->meta.thinning != MST_THIN_BINOMIAL;
    for (uint32_t i = 0; i < g->n_nodes && !found; i++)
        found = g->nodes[i].op == MST_OP_NEURON && g->nodes[i].ip[MST_NEURON_TOP] != 0;
    return found;
}

static bool has_even(const mst_graph *g)
{
    bool found = false;
    for (uint32_t i = 0; i < g->n_nodes && !found; i++)
        found = g->nodes[i].op == MST_OP_NEURON && g->nodes[i].ip[MST_NEURON_EVEN] != 0;
    return found;
}

static mst_status encode_meta(writer *w)
{
    const mst_graph *g = w->g;
    const mst_meta *m = &g->meta;
    mst_bytes *b = &w->meta;
    if (m->n_classes > SNN_MAX_CLASSES)
        return mst_fail(w->err, MST_ELIMIT, "%u class names, at most %u fit", (unsigned)m->n_classes, SNN_MAX_CLASSES);
    mst_bytes_u32(b, m->timesteps);
    mst_bytes_u32(b, g->input);
    mst_bytes_u32(b, g->output);
    mst_bytes_u32(b, m->n_norm);
    mst_bytes_u64(b, m->seed);
    mst_bytes_put(b, m->source_sha256, sizeof m->source_sha256);
    MST_TRY(put_string(w, b, m->source_name, "source name"));
    MST_TRY(put_string(w, b, m->producer, "producer"));
    mst_bytes_u32(b, m->n_classes);
    mst_bytes_u32(b, m->prepare.resize);
    mst_bytes_u32(b, m->prepare.crop_height);
    mst_bytes_u32(b, m->prepare.crop_width);
    mst_bytes_u32(b, m->prepare.frames);
    mst_bytes_u8(b, m->prepare.interpolation);
    mst_bytes_u8(b, m->prepare.split);
    mst_bytes_u8(b, m->prepare.present);
    mst_bytes_u8(b, m->run | (unsigned)m->thinning << 4);
    for (uint32_t i = 0; i < m->n_norm; i++)
        mst_bytes_f32(b, m->mean[i]);
    for (uint32_t i = 0; i < m->n_norm; i++)
        mst_bytes_f32(b, m->std[i]);
    for (uint32_t i = 0; i < m->n_classes; i++)
        MST_TRY(put_string(w, b, m->class_names[i], "class name"));
    return MST_OK;
}

static mst_status encode_tensors(writer *w)
{
    const mst_graph *g = w->g;
    mst_bytes *b = &w->tensors;
    mst_bytes_u32(b, g->n_tensors);
    mst_bytes_u32(b, 0);
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        const mst_tensor *t = &g->tensors[i];
        if (t->dtype == MST_F64)
            return mst_fail(w->err, MST_EINVAL, "tensor %u '%s': float64 is not stored",
                            (unsigned)i, t->name);
        MST_TRY(put_string(w, b, t->name, "name of a tensor"));
        if (t->dtype == MST_F16 || t->dtype == MST_I8)
            w->features |= SNN_NARROW;
        mst_bytes_u8(b, t->dtype);
        mst_bytes_u8(b, t->rank);
        mst_bytes_u16(b, t->data != NULL ? SNN_TENSOR_CONST : 0);
        for (uint32_t d = 0; d < t->rank; d++)
            mst_bytes_u32(b, t->dims[d]);
        if (t->data == NULL)
            continue;
        size_t bytes = mst_tensor_elements(t) * mst_dtype_size(t->dtype), end;
        if (!mst_add_size(w->weights, SNN_ALIGN - 1, &end) || !mst_add_size(end, bytes, &end))
            return mst_fail(w->err, MST_ELIMIT, "constants of more bytes than an address can count");
        size_t at = align_up(w->weights, mst_snn_align_of(bytes));
        mst_bytes_u64(b, at);
        w->weights = at + bytes;
    }
    return MST_OK;
}

static mst_status encode_nodes(writer *w)
{
    const mst_graph *g = w->g;
    mst_bytes *b = &w->nodes;
    mst_bytes_u32(b, g->n_nodes);
    mst_bytes_u32(b, 0);
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const mst_node *n = &g->nodes[i];
        const mst_op_info *info = mst_op_get(n->op);
        uint32_t ints = mst_snn_ints_of(n->op, w->features);
        mst_bytes_u16(b, n->op);
        mst_bytes_u16(b, n->mode);
        MST_TRY(put_string(w, b, n->name, "name of a node"));
        mst_bytes_u32(b, n->out);
        mst_bytes_u16(b, n->n_in);
        mst_bytes_u8(b, ints);
        mst_bytes_u8(b, info->n_fp);
        for (uint32_t k = 0; k < n->n_in; k++)
            mst_bytes_u32(b, n->in[k]);
        for (uint32_t k = 0; k < ints; k++)
            mst_bytes_u32(b, (uint32_t)n->ip[k]);
        for (uint32_t k = 0; k < info->n_fp; k++)
            mst_bytes_f32(b, n->fp[k]);
    }
    return MST_OK;
}

static void encode_tuning(writer *w)
{
    const mst_tuning *t = &w->g->tuning;
    mst_bytes *b = &w->tune;
    mst_bytes_u32(b, t->timesteps);
    mst_bytes_u32(b, t->readout_from);
    mst_bytes_u32(b, t->n_layers);
    mst_bytes_u32(b, 0);
    for (uint32_t i = 0; i < t->n_layers; i++) {
        mst_bytes_u32(b, t->layers[i].node);
        mst_bytes_u32(b, t->layers[i].axes);
        mst_bytes_u32(b, t->layers[i].n);
        for (uint32_t k = 0; k < t->layers[i].n; k++)
            mst_bytes_f32(b, t->layers[i].first[k]);
    }
}

/* Where bytes go: into sink, or (NULL) only into the checksum. */
typedef struct stream {
    const mst_snn_sink *sink;
    const mst_crc32_table *table;
    uint32_t crc;
    size_t at;
} stream;

static mst_status stream_put(stream *s, const void *p, size_t n, mst_err *err)
{
    if (n == 0)
        return MST_OK;
    s->at += n;
    if (s->sink != NULL)
        return s->sink->write(s->sink->ctx, p, n, err);
    s->crc = mst_crc32(s->table, s->crc, p, n);
    return MST_OK;
}

static mst_status stream_pad(stream *s, size_t align, mst_err *err)
{
    static const uint8_t zeros[SNN_ALIGN];
    return stream_put(s, zeros, align_up(s->at, align) - s->at, err);
}

/* The WEIGHTS section. Its start is aligned, so offsets in it and in the file align alike. */
static mst_status stream_weights(const mst_graph *g, stream *s, mst_err *err)
{
    for (uint32_t i = 0; i < g->n_tensors; i++) {
        const mst_tensor *t = &g->tensors[i];
        if (t->data == NULL)
            continue;
        size_t bytes = mst_tensor_elements(t) * mst_dtype_size(t->dtype);
        MST_TRY(stream_pad(s, mst_snn_align_of(bytes), err));
        MST_TRY(stream_put(s, t->data, bytes, err));
    }
    return MST_OK;
}

/* The last section is TUNE, which is only there where there is something in it. */
static uint32_t count_sections(const writer *w) { return MOST_SECTIONS - ((w->features & SNN_TUNED) != 0 ? 0 : 1); }

static mst_status encode_header(const writer *w, const mst_bytes *const *parts, uint8_t *head, size_t size)
{
    size_t at = size;
    memset(head, 0, size);
    for (uint32_t i = 0; i < count_sections(w); i++) {
        uint8_t *entry = head + SNN_HEADER_SIZE + i * SNN_ENTRY_SIZE;
        stream weights = {NULL, &w->crc, 0, 0};
        if (parts[i] == NULL)
            MST_TRY(stream_weights(w->g, &weights, w->err));
        size_t n = parts[i] != NULL ? parts[i]->n : w->weights;
        at = align_up(at, SNN_ALIGN);
        mst_set_u32(entry, i + 1);
        mst_set_u32(entry + 4, parts[i] != NULL ? mst_crc32(&w->crc, 0, parts[i]->p, n) : weights.crc);
        mst_set_u64(entry + 8, at);
        mst_set_u64(entry + 16, n);
        if (!mst_add_size(at, n, &at) || at > SIZE_MAX - SNN_ALIGN)
            return mst_fail(w->err, MST_ELIMIT, "a file of more bytes than an address can count");
    }
    memcpy(head, SNN_MAGIC, 8);
    head[8] = SNN_MAJOR;
    head[10] = SNN_MINOR;
    mst_set_u32(head + 12, count_sections(w));
    mst_set_u32(head + 16, w->features);
    mst_set_u32(head + 20, (w->g->meta.channels_last ? SNN_CHANNELS_LAST : 0) | SNN_TRAINED_ON(w->g->meta.trained_on));
    mst_set_u64(head + 24, at);
    uint32_t crc = mst_crc32(&w->crc, 0, head, SNN_HEADER_SIZE - 4);
    mst_set_u32(head + 60, mst_crc32(&w->crc, crc, head + SNN_HEADER_SIZE, size - SNN_HEADER_SIZE));
    return MST_OK;
}

static mst_status write_all(writer *w, const mst_snn_sink *sink)
{
    const mst_bytes *parts[MOST_SECTIONS] = {&w->meta, &w->strings.bytes, &w->tensors, &w->nodes, NULL, &w->tune};
    uint8_t head[MOST_HEAD];
    size_t size = SNN_HEADER_SIZE + count_sections(w) * SNN_ENTRY_SIZE;
    for (uint32_t i = 0; i < MOST_SECTIONS; i++)
        if (parts[i] != NULL && parts[i]->failed)
            return mst_fail(w->err, MST_ENOMEM, "out of memory: section %s", mst_snn_section_name(i + 1));
    MST_TRY(encode_header(w, parts, head, size));
    stream s = {sink, NULL, 0, 0};
    MST_TRY(stream_put(&s, head, size, w->err));
    for (uint32_t i = 0; i < count_sections(w); i++) {
        MST_TRY(stream_pad(&s, SNN_ALIGN, w->err));
        if (parts[i] != NULL)
            MST_TRY(stream_put(&s, parts[i]->p, parts[i]->n, w->err));
        else
            MST_TRY(stream_weights(w->g, &s, w->err));
    }
    return MST_OK;
}

static mst_status encode(writer *w, const mst_snn_sink *sink)
{
    const mst_graph *g = w->g;
    size_t max_strings = (size_t)g->n_tensors + g->n_nodes + g->meta.n_classes + 3;
    MST_TRY(mst_strings_init(&w->strings, g->arena.alloc, max_strings, w->err));
    MST_TRY(encode_meta(w));
    MST_TRY(encode_tensors(w));
    MST_TRY(encode_nodes(w));
    if ((w->features & SNN_TUNED) != 0)
        encode_tuning(w);
    return write_all(w, sink);
}

mst_status mst_snn_encode(const mst_graph *g, const mst_snn_sink *sink, mst_err *err)
{
    MST_TRY(mst_graph_validate(g, err));
    MST_TRY(mst_graph_check_values(g, err));
    const mst_allocator *a = g->arena.alloc;
    writer w = {.g = g, .meta.alloc = a, .tensors.alloc = a, .nodes.alloc = a, .tune.alloc = a, .err = err};
    w.features = (has_levels(g) ? SNN_LEVELS : 0) | (g->tuning.timesteps != 0 ? SNN_TUNED : 0) |
                 (MST_RESIZE_WIDTH(g->meta.prepare.resize) != 0 ? SNN_SQUEEZED : 0) |
                 (has_even(g) ? SNN_EVEN : 0);
    mst_crc32_init(&w.crc);
    mst_status st = encode(&w, sink);
    mst_strings_free(&w.strings);
    mst_bytes_free(&w.meta);
    mst_bytes_free(&w.tensors);
    mst_bytes_free(&w.nodes);
    mst_bytes_free(&w.tune);
    return st;
}

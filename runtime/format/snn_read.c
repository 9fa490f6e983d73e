/* The bytes of snn.bin as a graph. Everything is checked before it is used;
 * names and constants stay in the given bytes. Knows nothing of files. */
#include <string.h>

#include "runtime/core/checked.h"
#include "runtime/core/utf8.h"
#include "runtime/format/snn_sections.h"

#define TENSOR_FIXED 8u
#define NODE_FIXED 16u
#define TUNED_FIXED 12u

typedef struct reader {
    mst_graph *g;
    snn_cursor s[SNN_SECTION_END];
    uint32_t features;  /* required, all known */
    uint32_t optional;  /* features */
    size_t weights_end; /* of the constant before, in WEIGHTS */
    mst_err *err;
} reader;

static mst_status out_of_memory(const reader *r, const char *what)
{
    return mst_fail(r->err, MST_ENOMEM, "out of memory: %s", what);
}

/* A failure at the last n bytes taken from c. */
#define FAIL_AT(c, n, code, fmt, ...) \
    mst_fail(r->err, code, "section %s at offset %zu: " fmt, mst_snn_section_name((c)->id), \
             (c)->base + (c)->at - (n), __VA_ARGS__)

static mst_status check_strings(const reader *r)
{
    const snn_cursor *c = &r->s[SNN_STRINGS];
    if (c->n > SNN_MAX_STRINGS)
        return FAIL_AT(c, 0, MST_ELIMIT, "%zu bytes of text, at most %u", c->n, SNN_MAX_STRINGS);
    if (c->n == 0 || c->p[c->n - 1] != 0)
        return FAIL_AT(c, 0, MST_EFORMAT, "the last of %zu bytes is not a zero", c->n);
    size_t bad = mst_utf8_check(c->p, c->n);
    if (bad != c->n)
        return mst_fail(r->err, MST_EFORMAT, "section STRINGS at offset %zu: byte %02x is not UTF-8", c->base + bad,
                        c->p[bad]);
    for (size_t at = 0, n; at < c->n; at += n + 1) {
        n = strlen((const char *)c->p + at);
        if (n > SNN_MAX_STRING)
            return mst_fail(r->err, MST_ELIMIT, "section STRINGS at offset %zu: a text of %zu bytes, at most %u",
                            c->base + at, n, SNN_MAX_STRING);
    }
    return MST_OK;
}

/* The text that field p (the last n bytes taken from c start with it or hold it) refers to. */
static mst_status get_string(const reader *r, const snn_cursor *c, const uint8_t *p, const char **out)
{
    const snn_cursor *s = &r->s[SNN_STRINGS];
    uint32_t offset = mst_get_u32(p);
    if (offset >= s->n || (offset != 0 && s->p[offset - 1] != 0))
        return mst_fail(r->err, MST_EFORMAT, "section %s at offset %zu: string %u is not the start of a text",
                        mst_snn_section_name(c->id), c->base + (size_t)(p - c->p), (unsigned)offset);
    *out = (const char *)s->p + offset;
    return MST_OK;
}

/* Preprocessing, the last fields of META's fixed part; ranges are the validation's. */
static mst_status read_prepare(reader *r, const uint8_t *p)
{
    const snn_cursor *c = &r->s[SNN_META];
    if (mst_interpolation_name(p[16]) == NULL || mst_split_name(p[17]) == NULL || mst_present_name(p[18]) == NULL)
        return FAIL_AT(c, 4, MST_EVERSION, "unknown interpolation %u, split %u or presentation %u", p[16], p[17],
                       p[18]);
    if (MST_RESIZE_WIDTH(mst_get_u32(p)) != 0 && (r->features & SNN_SQUEEZED) == 0)
        return FAIL_AT(c, 18, MST_EFORMAT, "resize width %u without its feature",
                       (unsigned)MST_RESIZE_WIDTH(mst_get_u32(p)));
    r->g->meta.prepare = (mst_prepare){
        .resize = mst_get_u32(p),
        .crop_height = mst_get_u32(p + 4),
        .crop_width = mst_get_u32(p + 8),
        .frames = mst_get_u32(p + 12),
        .interpolation = (mst_interpolation)p[16],
        .split = (mst_split)p[17],
        .present = (mst_present)p[18],
    };
    return MST_OK;
}

/* How the model is run by default: the byte behind that. */
static mst_status read_run(reader *r, unsigned run)
{
    const snn_cursor *c = &r->s[SNN_META];
    if (run != 0 && (r->features & SNN_LEVELS) == 0)
        return FAIL_AT(c, 1, MST_EFORMAT, "reserved byte %u, expected 0", run);
    if (mst_run_rule_name((int)(run & 15)) == NULL || mst_thinning_name((int)(run >> 4)) == NULL)
        return FAIL_AT(c, 1, MST_EVERSION, "unknown mode %u or thinning %u", run & 15, run >> 4);
    r->g->meta.run = (mst_run_rule)(run & 15);
    r->g->meta.thinning = (mst_thinning)(run >> 4);
    return MST_OK;
}

static mst_status read_meta(reader *r)
{
    snn_cursor *c = &r->s[SNN_META];
    mst_meta *m = &r->g->meta;
    const uint8_t *p = snn_take(c, SNN_META_FIXED, "the fixed part", r->err);
    if (p == NULL)
        return MST_ECORRUPT;
    m->timesteps = mst_get_u32(p);
    r->g->input = mst_get_u32(p + 4);
    r->g->output = mst_get_u32(p + 8);
    m->n_norm = mst_get_u32(p + 12);
    m->seed = mst_get_u64(p + 16);
    memcpy(m->source_sha256, p + 24, sizeof m->source_sha256);
    MST_TRY(get_string(r, c, p + 56, &m->source_name));
    MST_TRY(get_string(r, c, p + 60, &m->producer));
    uint32_t n_classes = mst_get_u32(p + 64);
    if (m->n_norm > MST_MAX_CHANNELS || n_classes > SNN_MAX_CLASSES)
        return FAIL_AT(c, SNN_META_FIXED, MST_ELIMIT, "%u channels of mean and std and %u classes, at most %d and %u",
                       (unsigned)m->n_norm, (unsigned)n_classes, MST_MAX_CHANNELS, SNN_MAX_CLASSES);
    MST_TRY(read_prepare(r, p + 68));
    MST_TRY(read_run(r, p[87]));
    p = snn_take(c, 8 * (size_t)m->n_norm, "mean and std", r->err);
    if (p == NULL)
        return MST_ECORRUPT;
    for (uint32_t i = 0; i < m->n_norm; i++) {
        m->mean[i] = mst_get_f32(p + 4 * i);
        m->std[i] = mst_get_f32(p + 4 * (m->n_norm + i));
    }
    p = snn_take(c, 4 * (size_t)n_classes, "class names", r->err);
    if (p == NULL)
        return MST_ECORRUPT;
    if (n_classes != 0) {
        m->class_names = mst_arena_array(&r->g->arena, n_classes, sizeof *m->class_names);
        if (m->class_names == NULL)
            return out_of_memory(r, "class names");
    }
    m->n_classes = n_classes;
    for (uint32_t i = 0; i < n_classes; i++)
        MST_TRY(get_string(r, c, p + 4 * i, &m->class_names[i]));
    return snn_at_end(c, r->err);
}

/* The count before the records of TENSORS, NODES and TUNE; small: bytes that a record has at least. */
static mst_status read_count(reader *r, snn_cursor *c, uint32_t limit, size_t small, uint32_t *count)
{
    const uint8_t *p = snn_take(c, 8, "the count", r->err);
    if (p == NULL)
        return MST_ECORRUPT;
    *count = mst_get_u32(p);
    if (*count > limit)
        return FAIL_AT(c, 8, MST_ELIMIT, "%u records, at most %u", (unsigned)*count, (unsigned)limit);
    if (mst_get_u32(p + 4) != 0)
        return FAIL_AT(c, 4, MST_EFORMAT, "reserved field %u, expected 0", (unsigned)mst_get_u32(p + 4));
    if (*count > (c->n - c->at) / small)
        return FAIL_AT(c, 8, MST_ECORRUPT, "%u records do not fit into %zu bytes", (unsigned)*count, c->n - c->at);
    return MST_OK;
}

/* Where the values of constant t lie. */
static mst_status read_constant(reader *r, snn_cursor *c, mst_tensor *t)
{
    const snn_cursor *w = &r->s[SNN_WEIGHTS];
    const uint8_t *p = snn_take(c, 8, "the place of a constant", r->err);
    if (p == NULL)
        return MST_ECORRUPT;
    uint64_t offset = mst_get_u64(p);
    size_t bytes = mst_tensor_elements(t) * mst_dtype_size(t->dtype); /* at most 4 * MST_MAX_ELEMENTS */
    if (offset % mst_snn_align_of(bytes) != 0)
        return FAIL_AT(c, 8, MST_EFORMAT, "constant '%s' at %llu in WEIGHTS is not aligned to %zu", t->name,
                       (unsigned long long)offset, mst_snn_align_of(bytes));
    if (offset < r->weights_end)
        return FAIL_AT(c, 8, MST_EFORMAT, "constant '%s' at %llu in WEIGHTS overlaps the one before, to %zu", t->name,
                       (unsigned long long)offset, r->weights_end);
    if (offset > w->n || bytes > w->n - offset)
        return FAIL_AT(c, 8, MST_ECORRUPT, "constant '%s': %zu bytes at %llu in WEIGHTS, which has %zu", t->name,
                       bytes, (unsigned long long)offset, w->n);
    t->data = w->p + offset;
    r->weights_end = (size_t)offset + bytes;
    return MST_OK;
}

/* The types that the file's features allow. */
static bool is_stored_type(const reader *r, unsigned dtype)
{
    bool narrow = dtype == MST_F16 || dtype == MST_I8;
    return dtype == MST_F32 || dtype == MST_I32 || (narrow && (r->features & SNN_NARROW) != 0);
}

static mst_status read_tensor(reader *r, uint32_t id)
{
    snn_cursor *c = &r->s[SNN_TENSORS];
    mst_tensor *t = &r->g->tensors[id];
    const uint8_t *p = snn_take(c, TENSOR_FIXED, "a tensor", r->err);
    if (p == NULL)
        return MST_ECORRUPT;
    MST_TRY(get_string(r, c, p, &t->name));
    unsigned dtype = p[4], rank = p[5], flags = mst_get_u16(p + 6);
    if (!is_stored_type(r, dtype) || (flags & ~SNN_TENSOR_CONST) != 0)
        return FAIL_AT(c, TENSOR_FIXED, MST_EVERSION, "tensor %u '%s': unknown type %u or flags %04x", (unsigned)id,
                       t->name, dtype, flags);
    if (rank > MST_MAX_RANK)
        return FAIL_AT(c, TENSOR_FIXED, MST_ELIMIT, "tensor %u '%s': rank %u, at most %d", (unsigned)id, t->name,
                       rank, MST_MAX_RANK);
    t->dtype = (mst_dtype)dtype;
    t->rank = rank;
    p = snn_take(c, 4 * (size_t)rank, "dimensions", r->err);
    if (p == NULL)
        return MST_ECORRUPT;
    size_t n = 1;
    for (uint32_t d = 0; d < rank; d++) {
        t->dims[d] = mst_get_u32(p + 4 * d);
        if (t->dims[d] == 0)
            return FAIL_AT(c, 4 * (size_t)rank, MST_EFORMAT, "tensor %u '%s': dimension %u is 0", (unsigned)id,
                           t->name, (unsigned)d);
        if (!mst_mul_size(n, t->dims[d], &n) || n > MST_MAX_ELEMENTS)
            return FAIL_AT(c, 4 * (size_t)rank, MST_ELIMIT, "tensor %u '%s': more than %u elements", (unsigned)id,
                           t->name, MST_MAX_ELEMENTS);
    }
    return (flags & SNN_TENSOR_CONST) != 0 ? read_constant(r, c, t) : MST_OK;
}

static mst_status read_tensors(reader *r)
{
    snn_cursor *c = &r->s[SNN_TENSORS];
    uint32_t n;
    MST_TRY(read_count(r, c, MST_MAX_TENSORS, TENSOR_FIXED, &n));
    r->g->tensors = mst_alloc_array(r->g->arena.alloc, n, sizeof *r->g->tensors);
    if (r->g->tensors == NULL)
        return out_of_memory(r, "tensors");
    r->g->cap_tensors = r->g->n_tensors = n;
    for (uint32_t i = 0; i < n; i++)
        MST_TRY(read_tensor(r, i));
    return snn_at_end(c, r->err);
}

static mst_status read_node(reader *r, uint32_t id)
{
    snn_cursor *c = &r->s[SNN_NODES];
    mst_node *n = &r->g->nodes[id];
    const uint8_t *p = snn_take(c, NODE_FIXED, "a node", r->err);
    if (p == NULL)
        return MST_ECORRUPT;
    unsigned op = mst_get_u16(p), mode = mst_get_u16(p + 2), n_ip = p[14], n_fp = p[15];
    MST_TRY(get_string(r, c, p + 4, &n->name));
    if (op >= MST_OP_COUNT || mode != MST_MODE_STEP)
        return FAIL_AT(c, NODE_FIXED, MST_EVERSION, "node %u '%s': unknown operator %u or mode %u", (unsigned)id,
                       n->name, op, mode);
    const mst_op_info *info = mst_op_get((mst_op)op);
    uint32_t ints = mst_snn_ints_of((mst_op)op, r->features);
    if (n_ip > ints || n_fp > info->n_fp)
        return FAIL_AT(c, NODE_FIXED, MST_EVERSION,
                       "node %u '%s' (%s): %u + %u parameters, %u + %u are known with the file's features",
                       (unsigned)id, n->name, info->name, n_ip, n_fp, (unsigned)ints, (unsigned)info->n_fp);
    n->op = (mst_op)op;
    n->mode = MST_MODE_STEP;
    n->out = mst_get_u32(p + 8);
    n->n_in = mst_get_u16(p + 12);
    p = snn_take(c, 4 * ((size_t)n->n_in + n_ip + n_fp), "inputs and parameters", r->err);
    if (p == NULL)
        return MST_ECORRUPT;
    n->in = mst_arena_array(&r->g->arena, n->n_in, sizeof *n->in);
    if (n->in == NULL)
        return out_of_memory(r, "inputs of a node");
    for (uint32_t k = 0; k < n->n_in; k++, p += 4)
        n->in[k] = mst_get_u32(p);
    for (uint32_t k = 0; k < n_ip; k++, p += 4)
        n->ip[k] = (int32_t)mst_get_u32(p);
    for (uint32_t k = 0; k < n_fp; k++, p += 4)
        n->fp[k] = mst_get_f32(p);
    return MST_OK;
}

static mst_status read_nodes(reader *r)
{
    snn_cursor *c = &r->s[SNN_NODES];
    uint32_t n;
    MST_TRY(read_count(r, c, MST_MAX_NODES, NODE_FIXED, &n));
    r->g->nodes = mst_alloc_array(r->g->arena.alloc, n, sizeof *r->g->nodes);
    if (r->g->nodes == NULL)
        return out_of_memory(r, "nodes");
    r->g->cap_nodes = r->g->n_nodes = n;
    for (uint32_t i = 0; i < n; i++)
        MST_TRY(read_node(r, i));
    return snn_at_end(c, r->err);
}

static mst_status read_tuned(reader *r, mst_tuned *l)
{
    snn_cursor *c = &r->s[SNN_TUNE];
    const uint8_t *p = snn_take(c, TUNED_FIXED, "a tuned neuron", r->err);
    if (p == NULL)
        return MST_ECORRUPT;
    *l = (mst_tuned){.node = mst_get_u32(p), .axes = mst_get_u32(p + 4), .n = mst_get_u32(p + 8)};
    p = snn_take(c, sizeof(float) * (size_t)l->n, "values of v(0)", r->err);
    l->first = (const float *)(const void *)p; /* all before it are of 4 bytes, as the section's start is of 64 */
    return p != NULL ? MST_OK : MST_ECORRUPT;
}

static mst_status read_tuning(reader *r)
{
    snn_cursor *c = &r->s[SNN_TUNE];
    mst_tuning *t = &r->g->tuning;
    uint32_t n;
    if (c->p == NULL)
        return MST_OK;
    const uint8_t *p = snn_take(c, 8, "T and the step of the readout", r->err);
    if (p == NULL)
        return MST_ECORRUPT;
    t->timesteps = mst_get_u32(p);
    t->readout_from = mst_get_u32(p + 4);
    if (t->timesteps == 0)
        return FAIL_AT(c, 8, MST_EFORMAT, "timesteps %u, expected at least 1", (unsigned)t->timesteps);
    MST_TRY(read_count(r, c, MST_MAX_NODES, TUNED_FIXED, &n));
    mst_tuned *layers = mst_arena_array(&r->g->arena, n, sizeof *layers);
    if (layers == NULL)
        return out_of_memory(r, "tuned neurons");
    for (uint32_t i = 0; i < n; i++)
        MST_TRY(read_tuned(r, &layers[i]));
    t->layers = layers;
    t->n_layers = n;
    return snn_at_end(c, r->err);
}

static mst_status read_graph(reader *r)
{
    MST_TRY(check_strings(r));
    MST_TRY(read_meta(r));
    MST_TRY(read_tensors(r));
    MST_TRY(read_nodes(r));
    MST_TRY(read_tuning(r));
    mst_status st = mst_graph_validate(r->g, r->err);
    if (st == MST_OK)
        st = mst_graph_check_values(r->g, r->err);
    /* EINVAL blames the caller; here it is the file that makes no sense */
    return st == MST_EINVAL ? mst_fail_in(r->err, MST_EFORMAT, "not a valid graph: ") : st;
}

mst_status mst_graph_load_mem(const void *bytes, size_t n, const mst_allocator *alloc, mst_graph **out,
                              mst_err *err)
{
    if (bytes == NULL || (uintptr_t)bytes % SNN_ALIGN != 0)
        return mst_fail(err, MST_EINVAL, "the bytes of a snn.bin must be aligned to %u", SNN_ALIGN);
    reader r = {.err = err};
    MST_TRY(mst_snn_sections(bytes, n, r.s, &r.features, &r.optional, err));
    MST_TRY(mst_graph_create(alloc, &r.g, err));
    r.g->meta.channels_last = (r.optional & SNN_CHANNELS_LAST) != 0;
    r.g->meta.trained_on = SNN_TRAINED_ON_OF(r.optional);
    mst_status st = read_graph(&r);
    if (st != MST_OK) {
        mst_graph_destroy(r.g);
        return st;
    }
    *out = r.g;
    return MST_OK;
}

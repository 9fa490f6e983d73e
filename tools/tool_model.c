/* A model from the point of view of a command line. */
#include "tools/tool_model.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/format/snn.h"
#include "tools/policy_yaml.h"
#include "tools/tool_hash.h"
#include "tools/tool_term.h"

#define SAME_RATIO 1e-6

/* "q=0.5": site -1 for "all"; false if it is not of that form. */
static bool parse_mask(const char *text, int *site, double *ratio)
{
    char name[16];
    const char *value = mst_split_at(text, '=', name, sizeof name);
    if (value == NULL)
        return false;
    *site = strcmp(name, "all") == 0 ? -1 : mst_mask_site(name);
    if (*site < 0 && strcmp(name, "all") != 0)
        return false;
    return mst_parse_real(value, ratio) && *ratio >= 0 && *ratio < 1;
}

mst_status mst_masks_check(const mst_mask_choice *m, mst_err *err)
{
    int site;
    double ratio;
    char sites[MST_LIST_TEXT];
    mst_list_names(&mst_list_sites, sites, sizeof sites);
    if (m->none && m->masks.n != 0)
        return mst_fail(err, MST_EINVAL, "--mask and --no-mask exclude each other");
    for (size_t i = 0; i < m->masks.n; i++)
        if (!parse_mask(m->masks.values[i], &site, &ratio))
            return mst_fail(err, MST_EINVAL,
                            "--mask: expected SITE=RATIO with SITE all, %s and RATIO in [0,1), found '%s'",
                            sites, m->masks.values[i]);
    return MST_OK;
}

/* Set one site's masks; how many there were. */
static size_t set_site(mst_graph *g, int site, double ratio)
{
    size_t n = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        mst_node *node = &g->nodes[i];
        if (node->op == MST_OP_MASK && (site < 0 || node->ip[MST_MASK_SITE] == site)) {
            node->fp[MST_MASK_RATIO] = (float)ratio;
            n++;
        }
    }
    return n;
}

mst_status mst_masks_apply(const mst_mask_choice *m, mst_graph *g, mst_err *err)
{
    if (m->none)
        set_site(g, -1, 0.0);
    for (size_t i = 0; i < m->masks.n; i++) {
        int site = -1;
        double ratio = 0;
        if (parse_mask(m->masks.values[i], &site, &ratio) && set_site(g, site, ratio) == 0)
            return mst_fail(err, MST_EINVAL,
                            "--mask %s: the model has no mask there; convert it with a policy that has one",
                            m->masks.values[i]);
    }
    return MST_OK;
}

mst_status mst_common_check(const mst_common_opts *c, mst_err *err)
{
    MST_TRY(mst_masks_check(&c->masks, err));
    MST_TRY(mst_pick_check(&c->pick, err));
    return mst_prepare_check(&c->prepare, err);
}

/* A mapped model: its file, and what that was before anything was read of it. */
static struct {
    const char *path;
    int fd;
    struct stat then;
} mapped;

static mst_status watch(const char *path, mst_err *err)
{
    mapped.path = path;
    mapped.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (mapped.fd < 0 || fstat(mapped.fd, &mapped.then) != 0)
        return mst_fail(err, MST_EIO, "%s: cannot open it: %s", path, strerror(errno));
    return MST_OK;
}

mst_status mst_model_unchanged(mst_err *err)
{
    struct stat now;
    const struct stat *then = &mapped.then;
    if (mapped.path == NULL)
        return MST_OK;
    if (fstat(mapped.fd, &now) != 0)
        return mst_fail(err, MST_EIO, "%s: cannot look at it: %s", mapped.path, strerror(errno));
    if (now.st_size != then->st_size || now.st_mtim.tv_sec != then->st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != then->st_mtim.tv_nsec)
        return mst_fail(err, MST_ECORRUPT, "%s: the file was changed while it was run: there is no result",
                        mapped.path);
    return MST_OK;
}

mst_status mst_model_load(const char *path, const mst_common_opts *c, mst_graph **out, mst_err *err)
{
    MST_TRY(c->map ? watch(path, err) : MST_OK);
    MST_TRY(c->map ? mst_graph_load(path, NULL, out, err) : mst_graph_read(path, NULL, out, err));
    mst_status st = mst_masks_apply(&c->masks, *out, err);
    if (st == MST_OK)
        st = mst_prepare_apply(&c->prepare, *out, err);
    if (st != MST_OK) {
        mst_graph_destroy(*out);
        *out = NULL;
    }
    return st;
}

typedef struct model_file {
    FILE *f;
    const char *path;
    uint64_t bytes;
} model_file;

static mst_status put_bytes(void *ctx, const void *p, size_t n, mst_err *err)
{
    model_file *m = ctx;
    if (fwrite(p, 1, n, m->f) != n)
        return mst_fail(err, MST_EIO, "%s: cannot write: %s", m->path, strerror(errno));
    m->bytes += n;
    return MST_OK;
}

mst_status mst_model_write(const mst_graph *g, const char *path, uint64_t *bytes, mst_err *err)
{
    model_file m = {.path = path};
    MST_TRY(mst_paths_stream(path, &m.f, err));
    const mst_snn_sink sink = {put_bytes, &m};
    MST_TRY(mst_snn_encode(g, &sink, err));
    *bytes = m.bytes;
    return MST_OK;
}

static mst_status hash_bytes(void *ctx, const void *p, size_t n, mst_err *err)
{
    uint64_t *h = ctx;
    (void)err;
    *h = mst_hash(*h, p, n);
    return MST_OK;
}

mst_status mst_model_hash(const mst_graph *g, uint64_t *hash, mst_err *err)
{
    const mst_snn_sink sink = {hash_bytes, hash};
    *hash = MST_HASH_START;
    return mst_snn_encode(g, &sink, err);
}

bool mst_masks_differ(const mst_graph *g, char *text, size_t n)
{
    size_t layers[MST_SITE_COUNT] = {0}, used = 0;
    double ratio[MST_SITE_COUNT] = {0}, trained[MST_SITE_COUNT] = {0};
    int block[MST_SITE_COUNT] = {0};
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const mst_node *node = &g->nodes[i];
        if (node->op != MST_OP_MASK || node->fp[MST_MASK_TRAINED] < 0)
            continue;
        double r = (double)node->fp[MST_MASK_RATIO], t = (double)node->fp[MST_MASK_TRAINED];
        int site = node->ip[MST_MASK_SITE];
        if (fabs(r - t) <= SAME_RATIO || mst_site_name(site) == NULL)
            continue;
        if (layers[site]++ == 0) { /* the first layer of a site stands for it in the message */
            ratio[site] = r;
            trained[site] = t;
            block[site] = node->ip[MST_MASK_BLOCK];
        }
    }
    text[0] = '\0';
    for (int s = 0; s < MST_SITE_COUNT && used < n; s++)
        if (layers[s] != 0) {
            char place[32];
            bool one = layers[s] == 1 && block[s] >= 0;
            snprintf(place, sizeof place, one ? "in block %zu" : "%zu layers", one ? (size_t)block[s] : layers[s]);
            used += (size_t)snprintf(text + used, n - used, "%s%s %g (trained with %g, %s)", used != 0 ? ", " : "",
                                     mst_site_name(s), ratio[s], trained[s], place);
        }
    return used != 0;
}

bool mst_masks_drop(const mst_graph *g)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == MST_OP_MASK && g->nodes[i].fp[MST_MASK_RATIO] > 0)
            return true;
    return false;
}

bool mst_masks_misfit(const mst_graph *g, mst_run_mode mode, char *text, size_t n)
{
    bool counts = mode == MST_RUN_COUNT || mode == MST_RUN_RADIX, drops = mst_masks_drop(g);
    if (drops && mode == MST_RUN_SPIKING && g->meta.trained_on == MST_TRAINED_ON_LEVELS)
        snprintf(text, n,
                 "the weights were trained with masks of levels, which count and radix draw; step draws others");
    else if (drops && counts && g->meta.trained_on == MST_TRAINED_ON_STEPS)
        snprintf(text, n, "the weights were trained with masks of time steps, which step draws; %s draws others",
                 mst_run_mode_name(mode));
    else
        return false;
    return true;
}

const char **mst_model_kinds(const mst_program *p, mst_arena *arena)
{
    const mst_graph *g = mst_program_graph(p);
    size_t n = mst_program_layers(p);
    const char **kinds = mst_arena_array(arena, n != 0 ? n : 1, sizeof *kinds);
    uint32_t *producer = mst_graph_producers(g, arena);
    if (kinds == NULL || producer == NULL)
        return NULL;
    for (size_t k = 0; k < n; k++)
        kinds[k] = mst_graph_neuron_kind(g, producer, &g->nodes[mst_program_layer(p, k)->node]);
    return kinds;
}

uint64_t mst_model_parameters(const mst_graph *g)
{
    uint64_t n = 0, scales = 0;
    uint32_t last = MST_NONE;
    for (uint32_t i = 0; i < g->n_tensors; i++)
        if (g->tensors[i].data != NULL && g->tensors[i].dtype != MST_I32)
            n += mst_tensor_elements(&g->tensors[i]);
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const mst_node *node = &g->nodes[i];
        if (!mst_has_weight(node) || node->n_in < 4 || node->in[3] == MST_NONE || node->in[3] == last)
            continue;
        last = node->in[3];
        scales += mst_tensor_elements(&g->tensors[last]);
    }
    return n > scales ? n - scales : 0; /* nodes may share scales */
}

const char *mst_model_weights(const mst_graph *g)
{
    const char *found = "none";
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        if (!mst_has_weight(&g->nodes[i]))
            continue;
        const char *type = mst_dtype_name(g->tensors[g->nodes[i].in[1]].dtype);
        if (strcmp(found, "none") != 0 && strcmp(found, type) != 0)
            return "mixed";
        found = type;
    }
    return found;
}

uint64_t mst_model_bytes(const mst_graph *g)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < g->n_tensors; i++)
        if (g->tensors[i].data != NULL)
            n += mst_tensor_elements(&g->tensors[i]) * mst_dtype_size(g->tensors[i].dtype);
    return n;
}

/* Of a whole number of bytes each, little endian: 0 and -0 of floats, 0 of integers. */
static uint64_t zeros_of(const mst_tensor *t)
{
    const uint8_t *p = t->data;
    size_t item = mst_dtype_size(t->dtype), n = mst_tensor_elements(t);
    uint8_t sign = t->dtype == MST_I8 ? 0 : 0x80; /* of the last byte */
    uint64_t zeros = 0;
    for (size_t i = 0; i < n; i++, p += item) {
        unsigned any = p[item - 1] & ~sign & 0xff;
        for (size_t b = 0; b + 1 < item; b++)
            any |= p[b];
        zeros += any == 0;
    }
    return zeros;
}

double mst_model_sparsity(const mst_graph *g)
{
    uint64_t all = 0, zeros = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const mst_tensor *w = mst_has_weight(&g->nodes[i]) ? &g->tensors[g->nodes[i].in[1]] : NULL;
        if (w == NULL || w->data == NULL)
            continue;
        all += mst_tensor_elements(w);
        zeros += zeros_of(w);
    }
    return all != 0 ? (double)zeros / (double)all : 0;
}

void mst_model_shape_text(const mst_graph *g, char *out, size_t n)
{
    const mst_tensor *x = &g->tensors[g->input];
    size_t used = 0;
    out[0] = '\0';
    for (uint32_t d = 1; d < x->rank && used < n; d++)
        used += (size_t)snprintf(out + used, n - used, "%s%u", d > 1 ? "x" : "", x->dims[d]);
}

void mst_hash_text(const uint8_t sha256[32], char out[65])
{
    static const uint8_t unknown[32];
    out[0] = '\0';
    for (int i = 0; memcmp(sha256, unknown, sizeof unknown) != 0 && i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", sha256[i]);
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

void mst_steps_sort(mst_opt_uints *list)
{
    qsort(list->values, list->n, sizeof list->values[0], ascending);
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++)
        if (n == 0 || list->values[i] != list->values[n - 1])
            list->values[n++] = list->values[i];
    list->n = n;
}

void mst_steps_default(mst_opt_uints *list, uint32_t t)
{
    list->n = 0;
    for (uint32_t s = 1; s < t && list->n + 1 < MST_OPT_MAX_LIST; s *= 2)
        list->values[list->n++] = s;
    list->values[list->n++] = t;
}

void mst_model_warn_analog(const char *tool, const mst_graph *g)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == MST_OP_NEURON)
            return;
    mst_term_warn(tool, "no layer of this network spikes: it is an analog network, and spikes and energy say "
                        "nothing of it\n");
}

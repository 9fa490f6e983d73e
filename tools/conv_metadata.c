/* See conv_metadata.h. */
#include "tools/conv_metadata.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/conv_meta.h"
#include "tools/policy_yaml.h"
#include "tools/tool_term.h"

#define PREFIX "mst."

static const char *const keys[MST_N_META] = {
    [MST_META_MEAN] = "mean",
    [MST_META_STD] = "std",
    [MST_META_RESIZE] = "resize",
    [MST_META_INTERPOLATION] = "interpolation",
    [MST_META_FRAMES] = "frames",
    [MST_META_SPLIT] = "split",
    [MST_META_PRESENT] = "present",
    [MST_META_CLASSES] = "classes",
    [MST_META_LAYOUT] = "layout",
    [MST_META_LEVELS] = "levels",
    [MST_META_THETA_UNIT] = "theta_unit",
    [MST_META_POLICY] = "policy"};

void mst_metadata_free(mst_metadata *m)
{
    mst_policy_free(&m->policy);
    mst_arena_release(&m->arena);
}

/* As it comes: the network is made with it. */
static void note_layout(mst_metadata *m, const char *value)
{
    for (int k = MST_LAYOUT_FOUND + 1; k < MST_LAYOUT_COUNT; k++)
        if (strcmp(value, mst_layout_name(k)) == 0)
            m->layout = (mst_layout)k;
}

void mst_metadata_note(void *ctx, const char *key, const char *value)
{
    mst_metadata *m = ctx;
    if (strncmp(key, PREFIX, strlen(PREFIX)) != 0)
        return;
    for (int k = 0; k < MST_N_META; k++)
        if (strcmp(key + strlen(PREFIX), keys[k]) == 0) {
            m->value[k] = mst_arena_strdup(&m->arena, value);
            m->no_memory = m->no_memory || m->value[k] == NULL;
            if (k == MST_META_LAYOUT)
                note_layout(m, value);
            return;
        }
    if (!m->quiet)
        mst_term_warn("mstconv", "%s: metadata '%.64s' is not known: is this an older mstconv?\n", m->file, key);
}

static mst_status check_memory(const mst_metadata *m, mst_err *err)
{
    return m->no_memory ? mst_fail(err, MST_ENOMEM, "%s: out of memory for its metadata", m->file) : MST_OK;
}

/* The number at *text, which goes behind it and its comma. */
static bool next_level(const char **text, uint32_t *level)
{
    size_t digits = strspn(*text, "0123456789");
    if (digits == 0 || digits > 9 || ((*text)[digits] == ',' && (*text)[digits + 1] == '\0'))
        return false;
    *level = (uint32_t)strtoul(*text, NULL, 10);
    *text += digits + ((*text)[digits] == ',');
    return (*text)[0] == '\0' || (*text)[-1] == ',';
}

mst_status mst_metadata_check(const mst_metadata *m, mst_err *err)
{
    const char *layout = m->value[MST_META_LAYOUT], *unit = m->value[MST_META_THETA_UNIT];
    const char *levels = m->value[MST_META_LEVELS];
    MST_TRY(check_memory(m, err));
    if (layout != NULL && m->layout == MST_LAYOUT_FOUND)
        return mst_fail(err, MST_EFORMAT, "%s: metadata %slayout: expected nchw or nhwc, found '%.80s'", m->file,
                        PREFIX, layout);
    if (unit != NULL && strcmp(unit, "activation") != 0)
        return mst_fail(err, MST_EFORMAT, "%s: metadata %stheta_unit: expected activation (theta is the activation of "
                                          "all L levels), found '%.80s'",
                        m->file, PREFIX, unit);
    while (levels != NULL) {
        uint32_t level;
        if (!next_level(&levels, &level))
            return mst_fail(err, MST_EFORMAT,
                            "%s: metadata %slevels: expected whole numbers with commas between, found '%.80s'", m->file,
                            PREFIX, m->value[MST_META_LEVELS]);
        if (levels[0] == '\0')
            break;
    }
    return MST_OK;
}

static bool is_said(const char *levels, int found)
{
    uint32_t l = 0;
    while (levels[0] != '\0' && next_level(&levels, &l))
        if (l == (uint32_t)found)
            return true;
    return false;
}

void mst_metadata_warn_levels(const mst_metadata *m, const mst_graph *g)
{
    const char *said = m->value[MST_META_LEVELS];
    for (uint32_t i = 0; said != NULL && i < g->n_nodes; i++) {
        const mst_node *n = &g->nodes[i];
        if (n->op != MST_OP_NEURON || is_said(said, n->ip[MST_NEURON_LEVELS]))
            continue;
        mst_term_warn("mstconv", "%s: its metadata says L = %.40s, node '%s' has L = %d\n", m->file, said, n->name,
                      (int)n->ip[MST_NEURON_LEVELS]);
        return;
    }
}

static bool same_as_said(const char *said, const float *values, uint32_t n, float otherwise)
{
    mst_opt_reals reals = {0};
    if (said == NULL || !mst_parse_reals(said, &reals))
        return true; /* not for comparing */
    for (size_t c = 0; c < reals.n; c++) {
        float v = n == 0 ? otherwise : values[c < n ? c : n - 1];
        if (fabsf((float)reals.values[c] - v) > 1e-6f * fabsf(v))
            return false;
    }
    return true;
}

void mst_metadata_warn_norm(const mst_metadata *m, const char *tool, const mst_graph *g)
{
    const mst_meta *has = &g->meta;
    const char *mean = m->value[MST_META_MEAN], *std = m->value[MST_META_STD];
    if (same_as_said(mean, has->mean, has->n_norm, 0) && same_as_said(std, has->std, has->n_norm, 1))
        return;
    mst_term_warn(tool,
                  "%s: its metadata says mean %.100s and std %.100s, and the network has others: it sees other inputs "
                  "than in its training\n",
                  m->file, mean != NULL ? mean : "0", std != NULL ? std : "1");
}

static mst_status read_reals(const mst_metadata *m, mst_metadata_key k, mst_opt_reals *out, mst_err *err)
{
    if (m->value[k] != NULL && mst_parse_reals(m->value[k], out))
        return MST_OK;
    return mst_fail(err, MST_EFORMAT, "%s: metadata %s%s: expected numbers with commas between, one a channel, found "
                                      "'%.80s': give --mean and --std",
                    m->file, PREFIX, keys[k], m->value[k] != NULL ? m->value[k] : "");
}

static mst_status read_norm(mst_metadata *m, mst_prepare_opts *p, mst_err *err)
{
    if (p->mean.n != 0 || (m->value[MST_META_MEAN] == NULL && m->value[MST_META_STD] == NULL))
        return MST_OK;
    MST_TRY(read_reals(m, MST_META_MEAN, &p->mean, err));
    MST_TRY(read_reals(m, MST_META_STD, &p->std, err));
    m->taken[MST_META_MEAN] = m->taken[MST_META_STD] = true;
    return MST_OK;
}

static mst_status read_frames(mst_metadata *m, mst_prepare_opts *p, mst_err *err)
{
    const char *text = m->value[MST_META_FRAMES];
    if (p->frames.set || text == NULL)
        return MST_OK;
    size_t digits = strspn(text, "0123456789");
    p->frames.value = digits > 0 && digits <= 9 && text[digits] == '\0' ? strtoul(text, NULL, 10) : 0;
    if (p->frames.value == 0 || p->frames.value > MST_MAX_FRAMES)
        return mst_fail(err, MST_EFORMAT, "%s: metadata %s%s: expected 1 to %u, found '%.80s': give --frames", m->file,
                        PREFIX, keys[MST_META_FRAMES], MST_MAX_FRAMES, text);
    p->frames.set = m->taken[MST_META_FRAMES] = true;
    return MST_OK;
}

mst_status mst_metadata_prepare(mst_metadata *m, mst_prepare_opts *p, mst_err *err)
{
    const struct {
        mst_metadata_key key;
        const char **option;
    } texts[] = {{MST_META_RESIZE, &p->resize},
                 {MST_META_INTERPOLATION, &p->interpolation},
                 {MST_META_SPLIT, &p->split},
                 {MST_META_PRESENT, &p->present}};
    MST_TRY(check_memory(m, err));
    MST_TRY(read_norm(m, p, err));
    MST_TRY(read_frames(m, p, err));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (*texts[i].option == NULL && m->value[texts[i].key] != NULL) {
            *texts[i].option = m->value[texts[i].key];
            m->taken[texts[i].key] = true;
        }
    mst_status st = mst_prepare_check(p, err);
    return st == MST_OK ? st : mst_fail_in(err, st, "%s: metadata: ", m->file);
}

mst_status mst_metadata_classes(mst_metadata *m, mst_graph *g, mst_err *err)
{
    char where[300];
    if (g->meta.n_classes != 0 || m->value[MST_META_CLASSES] == NULL)
        return MST_OK;
    m->taken[MST_META_CLASSES] = true;
    snprintf(where, sizeof where, "%s: metadata %s%s", m->file, PREFIX, keys[MST_META_CLASSES]);
    return mst_meta_name_classes(g, m->value[MST_META_CLASSES], where, err);
}

static void take_trained(const mst_policy *from, mst_policy *to)
{
    bool said = from->n_trained != 0;
    to->n_trained = said ? from->n_trained : from->n_rules;
    memcpy(to->trained, said ? from->trained : from->rules, to->n_trained * sizeof *to->trained);
    if (to->trained_on == MST_TRAINED_ON_UNKNOWN)
        to->trained_on = from->trained_on;
}

mst_status mst_metadata_policy(mst_metadata *m, bool given, mst_policy *p, mst_err *err)
{
    char where[300];
    const char *text = m->value[MST_META_POLICY];
    MST_TRY(check_memory(m, err));
    if (text == NULL || (given && p->n_trained != 0))
        return MST_OK;
    m->taken[MST_META_POLICY] = true;
    snprintf(where, sizeof where, "%s: metadata %s%s", m->file, PREFIX, keys[MST_META_POLICY]);
    MST_TRY(mst_policy_parse(text, strlen(text), where, &m->policy, err));
    if (!given) {
        *p = m->policy;
        p->arena = (mst_arena){0}; /* its strings stay here */
    }
    take_trained(&m->policy, p);
    return MST_OK;
}

void mst_metadata_text(const mst_metadata *m, char *out, size_t n)
{
    size_t used = 0;
    out[0] = '\0';
    for (int k = 0; k < MST_N_META; k++)
        if (m->taken[k] && used < n)
            used += (size_t)snprintf(out + used, n - used, "%s%s", used != 0 ? ", " : "", keys[k]);
}

/* YAML events to mst_policy. A fixed schema, so nesting is bounded by it;
 * anchors, aliases and tags are refused, so nothing can grow on reading.
 */
#include "tools/policy_yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/tool_opts.h"
#include "tools/yaml_in.h"

#define READ_MAP(y, where, keys, ctx) mst_yaml_map(y, where, keys, sizeof(keys) / sizeof(keys)[0], ctx)

int mst_mask_site(const char *name)
{
    for (int site = 0; site < MST_SITE_COUNT; site++)
        if (mst_is_mask_site(site) && strcmp(mst_site_name(site), name) == 0)
            return site;
    return -1;
}

static bool site_row(size_t k, const char **cells)
{
    for (int site = 0; site < MST_SITE_COUNT; site++)
        if (mst_is_mask_site(site) && k-- == 0) {
            cells[0] = mst_site_name(site);
            return true;
        }
    return false;
}

const mst_list mst_list_sites = {"sites", 1, {"site"}, site_row};

/* ---- masks: and trained: have one shape and fill a list of rules ---- */

typedef struct rule_sink {
    mst_rule *rules;
    uint32_t *n;
} rule_sink;

static const mst_rule any_rule = {.site = -1, .stage = -1, .block_lo = -1, .block_hi = -1};

static mst_status add_rule(const mst_yaml_in *y, rule_sink *sink, const mst_rule *rule)
{
    if (*sink->n == MST_MAX_RULES)
        return mst_fail(y->err, MST_ELIMIT, "%s:%d: more than %d rules", y->file, rule->line,
                        MST_MAX_RULES);
    sink->rules[(*sink->n)++] = *rule;
    return MST_OK;
}

/* One override: fields that select, then one ratio or one a site. */
typedef struct override {
    mst_rule rule;
    bool has_block, has_ratio;
    bool has_site[MST_SITE_COUNT];
    double site_ratio[MST_SITE_COUNT]; /* -1: takes `ratio` */
    bool any_site, sites_have_ratios;
    int line;
} override;

/* A mapping of sites: each read with the site as arg. */
static mst_status read_site_map(mst_yaml_in *y, const char *where,
                                mst_status (*read)(mst_yaml_in *, const char *, int, void *), void *ctx)
{
    mst_yaml_key keys[MST_SITE_COUNT];
    size_t n = 0;
    for (int site = 0; site < MST_SITE_COUNT; site++)
        if (mst_is_mask_site(site))
            keys[n++] = (mst_yaml_key){mst_site_name(site), read, site, false};
    return mst_yaml_map(y, where, keys, n, ctx);
}

static mst_status read_site_name(const mst_yaml_in *y, const char *where, int *site)
{
    char names[MST_LIST_TEXT], expected[MST_LIST_TEXT + 8];
    mst_list_names(&mst_list_sites, names, sizeof names);
    snprintf(expected, sizeof expected, "one of %s", names);
    MST_TRY(mst_yaml_scalar(y, where, expected));
    *site = mst_mask_site(mst_yaml_text(y));
    return *site >= 0 ? MST_OK : mst_yaml_wrong(y, where, expected);
}

static mst_status mark_site(const mst_yaml_in *y, const char *where, override *o, int site)
{
    if (o->has_site[site])
        return mst_yaml_wrong(y, where, "each site once");
    o->has_site[site] = true;
    o->site_ratio[site] = -1;
    o->any_site = true;
    return MST_OK;
}

static mst_status read_override_site(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    int site;
    MST_TRY(read_site_name(y, where, &site));
    return mark_site(y, where, ctx, site);
}

static mst_status read_site_ratio(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    override *o = ctx;
    MST_TRY(mark_site(y, where, o, arg));
    o->sites_have_ratios = true;
    return mst_yaml_fraction(y, where, &o->site_ratio[arg]);
}

/* sites: a mapping of site: ratio, or a list of sites that share `ratio` */
static mst_status read_override_sites(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    if (y->event.type != YAML_SEQUENCE_START_EVENT)
        return read_site_map(y, where, read_site_ratio, ctx);
    for (;;) {
        int site;
        MST_TRY(mst_yaml_next(y));
        if (y->event.type == YAML_SEQUENCE_END_EVENT)
            return MST_OK;
        MST_TRY(read_site_name(y, where, &site));
        MST_TRY(mark_site(y, where, ctx, site));
    }
}

static mst_status read_override_stage(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    uint64_t v;
    MST_TRY(mst_yaml_uint(y, where, "a stage number, 0 or more", 65535, &v));
    ((override *)ctx)->rule.stage = (int)v;
    return MST_OK;
}

/* arg 0: block: N; 1: blocks: "LO-HI" */
static mst_status read_override_block(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    override *o = ctx;
    const char *expected = arg == 0 ? "a block number, 0 or more" : "a range of blocks, as in 0-4";
    uint64_t lo, hi;
    char text[32];
    MST_TRY(mst_yaml_scalar(y, where, expected));
    if (o->has_block)
        return mst_yaml_wrong(y, where, "block or blocks, not both");
    if (snprintf(text, sizeof text, "%s", mst_yaml_text(y)) >= (int)sizeof text)
        return mst_yaml_wrong(y, where, expected);
    char *dash = arg == 1 ? strchr(text, '-') : NULL;
    if (dash != NULL)
        *dash = '\0';
    if (!mst_parse_uint(text, &lo) || !mst_parse_uint(dash != NULL ? dash + 1 : text, &hi) || lo > hi ||
        hi > 65535)
        return mst_yaml_wrong(y, where, expected);
    o->has_block = true;
    o->rule.block_lo = (int)lo;
    o->rule.block_hi = (int)hi;
    return MST_OK;
}

static mst_status read_override_node(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    MST_TRY(mst_yaml_scalar(y, where, "an ONNX node name or pattern"));
    if (mst_yaml_text(y)[0] == '\0')
        return mst_yaml_wrong(y, where, "an ONNX node name or pattern");
    char *name = mst_arena_strdup(&((mst_policy *)y->user)->arena, mst_yaml_text(y));
    if (name == NULL)
        return mst_fail(y->err, MST_ENOMEM, "%s: out of memory", y->file);
    ((override *)ctx)->rule.node = name;
    return MST_OK;
}

static mst_status read_override_ratio(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    ((override *)ctx)->has_ratio = true;
    return mst_yaml_fraction(y, where, &((override *)ctx)->rule.ratio);
}

static mst_status add_override(const mst_yaml_in *y, const char *where, rule_sink *sink, const override *o)
{
    if (o->has_ratio == o->sites_have_ratios)
        return mst_fail(y->err, MST_EINVAL,
                        "%s:%d: %s: expected either 'ratio' or 'sites' with a ratio each, found %s",
                        y->file, o->line, where, o->has_ratio ? "both" : "neither");
    if (o->rule.stage < 0 && !o->has_block && o->rule.node == NULL)
        return mst_fail(y->err, MST_EINVAL,
                        "%s:%d: %s: expected one of stage, block, blocks or node, found none",
                        y->file, o->line, where);
    if (!o->any_site)
        return add_rule(y, sink, &o->rule);
    for (int site = 0; site < MST_SITE_COUNT; site++) {
        if (!o->has_site[site])
            continue;
        mst_rule rule = o->rule;
        rule.site = site;
        if (o->sites_have_ratios) {
            if (o->site_ratio[site] < 0)
                return mst_fail(y->err, MST_EINVAL, "%s:%d: %s: site '%s' has no ratio", y->file,
                                o->line, where, mst_site_name(site));
            rule.ratio = o->site_ratio[site];
        }
        MST_TRY(add_rule(y, sink, &rule));
    }
    return MST_OK;
}

static mst_status read_overrides(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    static const mst_yaml_key keys[] = {
        {"stage", read_override_stage, 0, false},  {"block", read_override_block, 0, false},
        {"blocks", read_override_block, 1, false}, {"node", read_override_node, 0, false},
        {"site", read_override_site, 0, false},    {"sites", read_override_sites, 0, false},
        {"ratio", read_override_ratio, 0, false},
    };
    if (y->event.type != YAML_SEQUENCE_START_EVENT)
        return mst_yaml_wrong(y, where, "a list (- key: value)");
    for (;;) {
        MST_TRY(mst_yaml_next(y));
        if (y->event.type == YAML_SEQUENCE_END_EVENT)
            return MST_OK;
        override o = {.rule = any_rule, .line = mst_yaml_line(y)};
        o.rule.line = o.line;
        MST_TRY(READ_MAP(y, where, keys, &o));
        MST_TRY(add_override(y, where, ctx, &o));
    }
}

static mst_status read_default(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    mst_rule rule = any_rule;
    rule.line = mst_yaml_line(y);
    MST_TRY(mst_yaml_fraction(y, where, &rule.ratio));
    return add_rule(y, ctx, &rule);
}

static mst_status read_one_site(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    mst_rule rule = any_rule;
    rule.site = arg;
    rule.line = mst_yaml_line(y);
    MST_TRY(mst_yaml_fraction(y, where, &rule.ratio));
    return add_rule(y, ctx, &rule);
}

static mst_status read_sites(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    return read_site_map(y, where, read_one_site, ctx);
}

static mst_status read_masks(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    static const mst_yaml_key keys[] = {
        {"default", read_default, 0, false},
        {"sites", read_sites, 0, false},
        {"overrides", read_overrides, 0, false},
    };
    mst_policy *p = ctx;
    rule_sink sink = {arg == 0 ? p->rules : p->trained, arg == 0 ? &p->n_rules : &p->n_trained};
    return READ_MAP(y, where, keys, &sink);
}

/* ---- the document ---- */

static mst_status read_version(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    (void)ctx;
    uint64_t v;
    MST_TRY(mst_yaml_uint(y, where, "1", UINT64_MAX, &v));
    return v == 1 ? MST_OK : mst_fail(y->err, MST_EVERSION, "%s:%d: version: expected 1, found %s",
                                      y->file, mst_yaml_line(y), mst_yaml_text(y));
}

static mst_status read_seed(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    mst_policy *p = ctx;
    p->has_seed = true;
    return mst_yaml_uint(y, where, "a whole number below 2^64", UINT64_MAX, &p->seed);
}

static mst_status read_timesteps(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    mst_policy *p = ctx;
    uint64_t v = 0;
    MST_TRY(mst_yaml_uint(y, where, "a whole number 1..65536", MST_MAX_TIMESTEPS, &v));
    if (v == 0)
        return mst_yaml_wrong(y, where, "a whole number 1..65536");
    p->has_timesteps = true;
    p->timesteps = (uint32_t)v;
    return MST_OK;
}

static mst_status read_shift(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    mst_policy *p = ctx;
    p->has_shift = true;
    return mst_yaml_fraction(y, where, &p->shift);
}

static mst_status read_neuron(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    static const mst_yaml_key keys[] = {{"shift", read_shift, 0, false}};
    return READ_MAP(y, where, keys, ctx);
}

static mst_status expect_event(mst_yaml_in *y, yaml_event_type_t type, const char *expected)
{
    MST_TRY(mst_yaml_next(y));
    return y->event.type == type ? MST_OK : mst_yaml_wrong(y, "policy", expected);
}

static mst_status read_document(mst_yaml_in *y)
{
    static const mst_yaml_key keys[] = {
        {"version", read_version, 0, true}, {"seed", read_seed, 0, false},
        {"timesteps", read_timesteps, 0, false},
        {"neuron", read_neuron, 0, false}, {"masks", read_masks, 0, false},
        {"trained", read_masks, 1, false},
    };
    MST_TRY(expect_event(y, YAML_STREAM_START_EVENT, "YAML"));
    MST_TRY(expect_event(y, YAML_DOCUMENT_START_EVENT, "a mapping that begins with 'version: 1'"));
    MST_TRY(mst_yaml_next(y));
    if (y->event.type != YAML_MAPPING_START_EVENT)
        return mst_yaml_wrong(y, "policy", "a mapping that begins with 'version: 1'");
    MST_TRY(READ_MAP(y, "policy", keys, y->user));
    MST_TRY(expect_event(y, YAML_DOCUMENT_END_EVENT, "the end"));
    return expect_event(y, YAML_STREAM_END_EVENT, "one document");
}

mst_status mst_policy_parse(const char *text, size_t n, const char *file, mst_policy *out, mst_err *err)
{
    memset(out, 0, sizeof *out);
    if (n > MST_POLICY_MAX_BYTES)
        return mst_fail(err, MST_ELIMIT, "%s: limit is %u bytes, found more", file, MST_POLICY_MAX_BYTES);
    mst_yaml_in y;
    mst_status st = mst_yaml_open(&y, text, n, file, out, err);
    if (st == MST_OK && (out->file = mst_arena_strdup(&out->arena, file)) == NULL)
        st = mst_fail(err, MST_ENOMEM, "%s: out of memory", file);
    if (st == MST_OK)
        st = read_document(&y);
    mst_yaml_close(&y);
    if (st != MST_OK)
        mst_policy_free(out);
    return st;
}

mst_status mst_policy_load(const char *path, mst_policy *out, mst_err *err)
{
    memset(out, 0, sizeof *out);
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return mst_fail(err, MST_EIO, "%s: %s", path, strerror(errno));
    char *text = mst_alloc(NULL, MST_POLICY_MAX_BYTES + 1);
    mst_status st;
    if (text == NULL) {
        st = mst_fail(err, MST_ENOMEM, "%s: out of memory", path);
    } else {
        size_t n = fread(text, 1, MST_POLICY_MAX_BYTES + 1, f);
        st = ferror(f) ? mst_fail(err, MST_EIO, "%s: %s", path, strerror(errno))
                       : mst_policy_parse(text, n, path, out, err);
    }
    mst_free(NULL, text, MST_POLICY_MAX_BYTES + 1);
    fclose(f);
    return st;
}

void mst_policy_free(mst_policy *p)
{
    mst_arena_release(&p->arena);
    memset(p, 0, sizeof *p);
}

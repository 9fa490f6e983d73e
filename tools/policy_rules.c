/* See policy_rules.h. Knows nothing of what the values do. */
#include "tools/policy_rules.h"

#include <string.h>

#include "tools/tool_opts.h"

mst_rule mst_rule_any(const mst_yaml_in *y)
{
    return (mst_rule){.site = -1, .stage = -1, .block_lo = -1, .block_hi = -1, .line = mst_yaml_line(y)};
}

mst_status mst_rules_add(const mst_yaml_in *y, const mst_rule_sink *sink, const mst_rule *rule)
{
    if (*sink->n == MST_MAX_RULES)
        return mst_fail(y->err, MST_ELIMIT, "%s:%d: more than %d rules", y->file, rule->line,
                        MST_MAX_RULES);
    sink->rules[(*sink->n)++] = *rule;
    return MST_OK;
}

/* One override: fields that select, then one value or one a site. */
typedef struct override {
    mst_rule_kind kind;
    mst_rule rule;
    bool has_block, has_value;
    bool has_site[MST_SITE_COUNT];
    mst_rule site_value[MST_SITE_COUNT]; /* of which only the value counts */
    bool any_site, sites_have_values;
} override;

static bool has_site(mst_rule_kind kind, int site) { return kind == MST_RULES_LEVELS || mst_is_mask_site(site); }

mst_status mst_rules_sites(mst_yaml_in *y, const char *where, mst_rule_kind kind,
                           mst_status (*read)(mst_yaml_in *, const char *, int, void *), void *ctx)
{
    mst_yaml_key keys[MST_SITE_COUNT];
    size_t n = 0;
    for (int site = 0; site < MST_SITE_COUNT; site++)
        if (has_site(kind, site))
            keys[n++] = (mst_yaml_key){mst_site_name(site), read, site, false};
    return mst_yaml_map(y, where, keys, n, ctx);
}

/* ---- values ---- */

static mst_status read_whole(const mst_yaml_in *y, const char *where, const char *expected, uint64_t max, int *out)
{
    uint64_t v = 0;
    MST_TRY(mst_yaml_uint(y, where, expected, max, &v));
    *out = (int)v;
    return v != 0 ? MST_OK : mst_yaml_wrong(y, where, expected);
}

mst_status mst_rules_levels(const mst_yaml_in *y, const char *where, int *out)
{
    return read_whole(y, where, "a whole number 1..255", MST_MAX_RUN_LEVELS, out);
}

mst_status mst_rules_bits(const mst_yaml_in *y, const char *where, int *out)
{
    int bits = 0;
    MST_TRY(read_whole(y, where, "a whole number 1..8", 8, &bits));
    *out = (1 << bits) - 1;
    return MST_OK;
}

static mst_status read_value(const mst_yaml_in *y, const char *where, mst_rule_kind kind, mst_rule *rule)
{
    return kind == MST_RULES_LEVELS ? mst_rules_levels(y, where, &rule->levels)
                                    : mst_yaml_fraction(y, where, &rule->ratio);
}

/* ---- fields of an override ---- */

static mst_status read_site_name(const mst_yaml_in *y, const char *where, mst_rule_kind kind, int *site)
{
    char expected[MST_LIST_TEXT] = "one of ";
    for (int k = 0, n = 0; k < MST_SITE_COUNT; k++)
        if (has_site(kind, k)) {
            strcat(expected, n++ != 0 ? ", " : ""); /* names of a table: they fit */
            strcat(expected, mst_site_name(k));
        }
    MST_TRY(mst_yaml_scalar(y, where, expected));
    for (*site = 0; *site < MST_SITE_COUNT; (*site)++)
        if (has_site(kind, *site) && strcmp(mst_site_name(*site), mst_yaml_text(y)) == 0)
            return MST_OK;
    return mst_yaml_wrong(y, where, expected);
}

static mst_status mark_site(const mst_yaml_in *y, const char *where, override *o, int site)
{
    if (o->has_site[site])
        return mst_yaml_wrong(y, where, "each site once");
    o->has_site[site] = true;
    o->site_value[site].line = 0; /* takes the override's value */
    o->any_site = true;
    return MST_OK;
}

static mst_status read_site(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    int site;
    MST_TRY(read_site_name(y, where, ((override *)ctx)->kind, &site));
    return mark_site(y, where, ctx, site);
}

static mst_status read_site_value(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    override *o = ctx;
    MST_TRY(mark_site(y, where, o, arg));
    o->sites_have_values = true;
    o->site_value[arg].line = mst_yaml_line(y);
    return read_value(y, where, o->kind, &o->site_value[arg]);
}

/* sites: a mapping of site: value, or a list of sites that share one */
static mst_status read_sites(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    if (y->event.type != YAML_SEQUENCE_START_EVENT)
        return mst_rules_sites(y, where, ((override *)ctx)->kind, read_site_value, ctx);
    for (;;) {
        MST_TRY(mst_yaml_next(y));
        if (y->event.type == YAML_SEQUENCE_END_EVENT)
            return MST_OK;
        MST_TRY(read_site(y, where, arg, ctx));
    }
}

static mst_status read_stage(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    uint64_t v;
    MST_TRY(mst_yaml_uint(y, where, "a stage number, 0 or more", 65535, &v));
    ((override *)ctx)->rule.stage = (int)v;
    return MST_OK;
}

/* arg 0: block: N; 1: blocks: "LO-HI" */
static mst_status read_block(mst_yaml_in *y, const char *where, int arg, void *ctx)
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

static mst_status read_node(mst_yaml_in *y, const char *where, int arg, void *ctx)
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

static mst_status read_ratio(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    ((override *)ctx)->has_value = true;
    return mst_yaml_fraction(y, where, &((override *)ctx)->rule.ratio);
}

/* arg 0: levels; 1: bits */
static mst_status read_override_levels(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    override *o = ctx;
    if (o->has_value)
        return mst_yaml_wrong(y, where, "levels or bits, not both");
    o->has_value = true;
    return arg == 0 ? mst_rules_levels(y, where, &o->rule.levels) : mst_rules_bits(y, where, &o->rule.levels);
}

/* ---- overrides ---- */

/* Has it a value, and does it say for which neurons? */
static mst_status check_override(const mst_yaml_in *y, const char *where, const override *o)
{
    const char *value = o->kind == MST_RULES_LEVELS ? "'levels' or 'bits' or 'sites' with levels each"
                                                    : "either 'ratio' or 'sites' with a ratio each";
    if (o->has_value == o->sites_have_values)
        return mst_fail(y->err, MST_EINVAL, "%s:%d: %s: expected %s, found %s", y->file, o->rule.line, where, value,
                        o->has_value ? "both" : "neither");
    /* sites alone have a key of their own beside overrides, where it is masks */
    bool site = o->kind == MST_RULES_LEVELS;
    if (o->rule.stage < 0 && !o->has_block && o->rule.node == NULL && !(site && o->any_site))
        return mst_fail(y->err, MST_EINVAL, "%s:%d: %s: expected one of stage, block, blocks%s, found none", y->file,
                        o->rule.line, where, site ? ", node, site or sites" : " or node");
    return MST_OK;
}

static mst_status add_override(const mst_yaml_in *y, const char *where, const mst_rule_sink *sink, const override *o)
{
    MST_TRY(check_override(y, where, o));
    if (!o->any_site)
        return mst_rules_add(y, sink, &o->rule);
    for (int site = 0; site < MST_SITE_COUNT; site++) {
        if (!o->has_site[site])
            continue;
        mst_rule rule = o->rule;
        rule.site = site;
        if (o->sites_have_values) {
            if (o->site_value[site].line == 0)
                return mst_fail(y->err, MST_EINVAL, "%s:%d: %s: site '%s' has no %s", y->file, rule.line, where,
                                mst_site_name(site), o->kind == MST_RULES_LEVELS ? "levels" : "ratio");
            rule.ratio = o->site_value[site].ratio;
            rule.levels = o->site_value[site].levels;
        }
        MST_TRY(mst_rules_add(y, sink, &rule));
    }
    return MST_OK;
}

mst_status mst_rules_overrides(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
#define SELECTORS \
    {"stage", read_stage, 0, false}, {"block", read_block, 0, false}, {"blocks", read_block, 1, false}, \
        {"node", read_node, 0, false}, {"site", read_site, 0, false}, { "sites", read_sites, 0, false }
    static const mst_yaml_key masks[] = {SELECTORS, {"ratio", read_ratio, 0, false}};
    static const mst_yaml_key levels[] = {
        SELECTORS, {"levels", read_override_levels, 0, false}, {"bits", read_override_levels, 1, false}};
    const mst_rule_sink *sink = ctx;
    if (y->event.type != YAML_SEQUENCE_START_EVENT)
        return mst_yaml_wrong(y, where, "a list (- key: value)");
    for (;;) {
        MST_TRY(mst_yaml_next(y));
        if (y->event.type == YAML_SEQUENCE_END_EVENT)
            return MST_OK;
        override o = {.kind = sink->kind, .rule = mst_rule_any(y)};
        if (sink->kind == MST_RULES_LEVELS)
            MST_TRY(MST_READ_MAP(y, where, levels, &o));
        else
            MST_TRY(MST_READ_MAP(y, where, masks, &o));
        MST_TRY(add_override(y, where, sink, &o));
    }
}

/* YAML events to mst_policy. A fixed schema, so nesting is bounded by it;
 * anchors, aliases and tags are refused, so nothing can grow on reading.
 */
#include "tools/policy_yaml.h"

#include <errno.h>
#include <string.h>

#include "tools/policy_rules.h"
#include "tools/tool_mode.h"

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

static bool trained_on_row(size_t k, const char **cells)
{
    cells[0] = mst_trained_on_name((int)k);
    return cells[0] != NULL;
}

static const mst_list mst_list_trained_on = {"what masks of a training drop", 1, {"kind"}, trained_on_row};

const mst_list mst_list_sites = {"sites", 1, {"site"}, site_row};

/* ---- masks: and trained: have one shape and fill a list of rules ---- */

static mst_status read_default(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    mst_rule rule = mst_rule_any(y);
    MST_TRY(mst_yaml_fraction(y, where, &rule.ratio));
    return mst_rules_add(y, ctx, &rule);
}

static mst_status read_one_site(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    mst_rule rule = mst_rule_any(y);
    rule.site = arg;
    MST_TRY(mst_yaml_fraction(y, where, &rule.ratio));
    return mst_rules_add(y, ctx, &rule);
}

static mst_status read_sites(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    return mst_rules_sites(y, where, MST_RULES_RATIO, read_one_site, ctx);
}

static mst_status read_masks(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    static const mst_yaml_key keys[] = {
        {"default", read_default, 0, false},
        {"sites", read_sites, 0, false},
        {"overrides", mst_rules_overrides, 0, false},
    };
    mst_policy *p = ctx;
    mst_rule_sink sink = {MST_RULES_RATIO, arg == 0 ? p->rules : p->trained, arg == 0 ? &p->n_rules : &p->n_trained};
    return MST_READ_MAP(y, where, keys, &sink);
}

/* ---- names ---- */

enum { NAME_RUN,
       NAME_THINNING,
       NAME_TRAINED_ON };

static mst_status read_name(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    static const struct {
        const mst_list *list;
        const char *(*name)(int);
    } kinds[] = {[NAME_RUN] = {&mst_list_modes, mst_run_rule_name},
                 [NAME_THINNING] = {&mst_list_thinnings, mst_thinning_name},
                 [NAME_TRAINED_ON] = {&mst_list_trained_on, mst_trained_on_name}};
    const mst_list *list = kinds[arg].list;
    const char *(*name)(int) = kinds[arg].name;
    char names[MST_LIST_TEXT], expected[MST_LIST_TEXT + 8];
    mst_policy *p = ctx;
    int k = 0;
    mst_list_names(list, names, sizeof names);
    snprintf(expected, sizeof expected, "one of %s", names);
    MST_TRY(mst_yaml_scalar(y, where, expected));
    while (name(k) != NULL && strcmp(name(k), mst_yaml_text(y)) != 0)
        k++;
    if (name(k) == NULL)
        return mst_yaml_wrong(y, where, expected);
    if (arg == NAME_TRAINED_ON) {
        p->trained_on = (mst_trained_on)k;
    } else if (arg == NAME_RUN) {
        p->has_run = true;
        p->run = (mst_run_rule)k;
    } else {
        p->has_thinning = true;
        p->thinning = (mst_thinning)k;
    }
    return MST_OK;
}

/* ---- run: ---- */

/* arg 0: levels; 1: bits */
static mst_status read_levels(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    mst_policy *p = ctx;
    if (p->levels != 0)
        return mst_yaml_wrong(y, where, "levels or bits, not both");
    return arg == 0 ? mst_rules_levels(y, where, &p->levels) : mst_rules_bits(y, where, &p->levels);
}

static mst_status read_level_overrides(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    mst_policy *p = ctx;
    mst_rule_sink sink = {MST_RULES_LEVELS, p->level_rules, &p->n_level_rules};
    return mst_rules_overrides(y, where, arg, &sink);
}

static mst_status read_run(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    static const mst_yaml_key keys[] = {
        {"mode", read_name, NAME_RUN, false},
        {"levels", read_levels, 0, false},
        {"bits", read_levels, 1, false},
        {"thinning", read_name, NAME_THINNING, false},
        {"overrides", read_level_overrides, 0, false},
    };
    return MST_READ_MAP(y, where, keys, ctx);
}

/* ---- the document ---- */

static mst_status read_version(mst_yaml_in *y, const char *where, int arg, void *ctx)
{
    (void)arg;
    (void)ctx;
    uint64_t v;
    MST_TRY(mst_yaml_uint(y, where, "1", UINT64_MAX, &v));
    return v == 1 ? MST_OK
                  : mst_fail(y->err, MST_EVERSION, "%s:%d: version: expected 1, found %s", y->file, mst_yaml_line(y),
                             mst_yaml_text(y));
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
    return MST_READ_MAP(y, where, keys, ctx);
}

static mst_status expect_event(mst_yaml_in *y, yaml_event_type_t type, const char *expected)
{
    MST_TRY(mst_yaml_next(y));
    return y->event.type == type ? MST_OK : mst_yaml_wrong(y, "policy", expected);
}

static mst_status read_document(mst_yaml_in *y)
{
    static const mst_yaml_key keys[] = {
        {"version", read_version, 0, true},
        {"seed", read_seed, 0, false},
        {"timesteps", read_timesteps, 0, false},
        {"neuron", read_neuron, 0, false},
        {"masks", read_masks, 0, false},
        {"trained", read_masks, 1, false},
        {"trained_on", read_name, NAME_TRAINED_ON, false},
        {"run", read_run, 0, false},
    };
    MST_TRY(expect_event(y, YAML_STREAM_START_EVENT, "YAML"));
    MST_TRY(expect_event(y, YAML_DOCUMENT_START_EVENT, "a mapping that begins with 'version: 1'"));
    MST_TRY(mst_yaml_next(y));
    if (y->event.type != YAML_MAPPING_START_EVENT)
        return mst_yaml_wrong(y, "policy", "a mapping that begins with 'version: 1'");
    MST_TRY(MST_READ_MAP(y, "policy", keys, y->user));
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

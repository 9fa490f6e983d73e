/* See conv_policy.h. */
#include "tools/conv_policy.h"

#include "tools/tool_output.h"

static json_t *json_int_if(bool known, int v) { return known ? json_integer(v) : json_null(); }

/* Fields that are not set are null. */
static json_t *json_rule(const mst_rule *r, bool levels)
{
    json_t *site = r->site >= 0 ? mst_json_text(mst_site_name(r->site)) : json_null();
    json_t *blocks = r->block_lo >= 0 ? json_pack("[i, i]", r->block_lo, r->block_hi) : json_null();
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "site", site, "stage",
                     json_int_if(r->stage >= 0, r->stage), "blocks", blocks, "node",
                     r->node != NULL ? mst_json_text(r->node) : json_null(), "value",
                     levels ? json_integer(r->levels) : mst_json_real(r->ratio));
}

static json_t *json_rules(const mst_rule *rules, uint32_t n, bool levels)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < n; i++)
        mst_json_append(&list, json_rule(&rules[i], levels));
    return list;
}

static json_t *json_name_if(bool known, const char *name) { return known ? mst_json_text(name) : json_null(); }

mst_status mst_policy_json(const mst_policy *p, const char *path, mst_err *err)
{
    json_t *policy = json_object(), *root = json_object();
    mst_json_set(&policy, "seed", mst_json_whole_if(p->has_seed, p->seed));
    mst_json_set(&policy, "timesteps", mst_json_whole_if(p->has_timesteps, p->timesteps));
    mst_json_set(&policy, "shift", mst_json_real_if(p->has_shift, p->shift));
    mst_json_set(&policy, "masks", json_rules(p->rules, p->n_rules, false));
    mst_json_set(&policy, "trained", json_rules(p->trained, p->n_trained, false));
    mst_json_set(&policy, "trained_on", json_name_if(p->trained_on != 0, mst_trained_on_name((int)p->trained_on)));
    mst_json_set(&policy, "mode", json_name_if(p->has_run, mst_run_rule_name((int)p->run)));
    mst_json_set(&policy, "thinning", json_name_if(p->has_thinning, mst_thinning_name((int)p->thinning)));
    mst_json_set(&policy, "levels", json_int_if(p->levels != 0, p->levels));
    mst_json_set(&policy, "level_rules", json_rules(p->level_rules, p->n_level_rules, true));
    mst_json_set(&root, "policy", policy);
    return mst_json_write("mstconv", root, path, err);
}

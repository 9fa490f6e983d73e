/* Random Spike Masking (MST paper, Section 3.4): gives each neuron the ratio that the policy
 * says and puts a MASK behind it. Masks that were in the model keep their ratio
 * unless a rule speaks of them. */
#include <fnmatch.h>
#include <string.h>

#include "converter/passes/passes.h"

/* How closely a rule names its neurons: the closest one that matches wins, of equals the last. */
static int closeness(const mst_rule *r)
{
    return r->node != NULL ? 8 : (r->block_lo >= 0 ? 4 : 0) + (r->stage >= 0 ? 2 : 0) + (r->site >= 0 ? 1 : 0);
}

static bool rule_matches(const mst_rule *r, const mst_node *n)
{
    int32_t block = n->ip[MST_NEURON_BLOCK];
    if (r->node != NULL && fnmatch(r->node, n->name, 0) != 0)
        return false;
    if (r->site >= 0 ? r->site != n->ip[MST_NEURON_SITE]
                     : r->node == NULL && !mst_is_mask_site(n->ip[MST_NEURON_SITE]))
        return false;
    if (r->stage >= 0 && r->stage != n->ip[MST_NEURON_STAGE])
        return false;
    return r->block_lo < 0 || (block >= r->block_lo && block <= r->block_hi);
}

/* The rule for neuron n; NULL: none speaks of it. Counts matches. */
static const mst_rule *find_rule(mst_rule *rules, uint32_t n_rules, const mst_node *n)
{
    const mst_rule *best = NULL;
    for (uint32_t i = 0; i < n_rules; i++) {
        if (!rule_matches(&rules[i], n))
            continue;
        rules[i].used++;
        if (best == NULL || closeness(&rules[i]) >= closeness(best))
            best = &rules[i];
    }
    return best;
}

/* The mask that reads this neuron, when there is one. */
static uint32_t mask_of(const mst_edit *e, uint32_t neuron)
{
    uint32_t user = edit_only_user(e, edit_node(e, neuron)->out);
    return user != MST_NONE && edit_node(e, user)->op == MST_OP_MASK ? user : MST_NONE;
}

static mst_status set_mask(mst_edit *e, uint32_t neuron, int32_t index, mst_policy *policy)
{
    const mst_node *n = edit_node(e, neuron);
    uint32_t mask = mask_of(e, neuron), out = n->out;
    const mst_rule *rule = find_rule(policy->rules, policy->n_rules, n);
    const mst_rule *trained = find_rule(policy->trained, policy->n_trained, n);
    if (mask == MST_NONE) {
        if ((rule == NULL || rule->ratio == 0) && (trained == NULL || trained->ratio == 0))
            return MST_OK;
        const mst_tensor *t = edit_tensor(e, out);
        MST_TRY(edit_add(e, MST_OP_MASK, n->name, 1, &out, t->rank, t->dims, &mask));
        edit_replace_but(e, out, edit_node(e, mask)->out, mask);
        edit_node(e, mask)->fp[MST_MASK_TRAINED] = -1;
        edit_node(e, mask)->fp[MST_MASK_RATIO] = trained != NULL ? (float)trained->ratio : 0;
    }
    mst_node *m = edit_node(e, mask);
    n = edit_node(e, neuron);
    m->ip[MST_MASK_SITE] = n->ip[MST_NEURON_SITE];
    m->ip[MST_MASK_STAGE] = n->ip[MST_NEURON_STAGE];
    m->ip[MST_MASK_BLOCK] = n->ip[MST_NEURON_BLOCK];
    m->ip[MST_MASK_INDEX] = index;
    if (rule != NULL)
        m->fp[MST_MASK_RATIO] = (float)rule->ratio;
    if (trained != NULL)
        m->fp[MST_MASK_TRAINED] = (float)trained->ratio;
    else if (policy->n_trained != 0 && m->fp[MST_MASK_TRAINED] == -1)
        m->fp[MST_MASK_TRAINED] = 0; /* the policy says what was masked in training, and not this */
    return MST_OK;
}

/* "q k attn mlp_fc1": the mask sites that this network has */
static const char *sites_of(mst_graph *g)
{
    char text[256] = "";
    for (int32_t site = 0; site < MST_SITE_COUNT; site++) {
        bool found = false;
        for (uint32_t i = 0; i < g->n_nodes && mst_is_mask_site(site) && !found; i++)
            found = g->nodes[i].op == MST_OP_NEURON && g->nodes[i].ip[MST_NEURON_SITE] == site;
        if (found && strlen(text) + 16 < sizeof text) {
            strcat(text, " ");
            strcat(text, mst_site_name(site));
        }
    }
    const char *s = mst_arena_strdup(&g->arena, text);
    return s != NULL ? s : "";
}

static mst_status check_used(mst_graph *g, const mst_policy *p, const mst_rule *rules, uint32_t n, mst_err *err)
{
    int32_t blocks = -1, stages = -1;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == MST_OP_NEURON) {
            blocks = blocks > g->nodes[i].ip[MST_NEURON_BLOCK] ? blocks : g->nodes[i].ip[MST_NEURON_BLOCK];
            stages = stages > g->nodes[i].ip[MST_NEURON_STAGE] ? stages : g->nodes[i].ip[MST_NEURON_STAGE];
        }
    for (uint32_t i = 0; i < n; i++)
        if (rules[i].used == 0)
            return mst_fail(err, MST_EINVAL,
                            "%s:%d: this rule matches no neuron of the model; it has sites:%s; stages 0..%d; blocks "
                            "0..%d; node names are listed by mstconv --dry-run",
                            p->file, rules[i].line, sites_of(g), (int)stages, (int)blocks);
    return MST_OK;
}

mst_status pass_mask(mst_graph *g, mst_policy *policy, mst_err *err)
{
    mst_policy none = {.file = ""};
    if (policy == NULL)
        policy = &none;
    mst_edit e;
    mst_status st = edit_begin(&e, g, err);
    int32_t index = 0; /* of the neuron: a mask's random numbers do not depend on which others exist */
    for (uint32_t i = 0, n = g->n_nodes; i < n && st == MST_OK; i++)
        if (edit_node(&e, i)->op == MST_OP_NEURON)
            st = set_mask(&e, i, index++, policy);
    st = edit_finish(&e, st);
    if (st == MST_OK)
        st = check_used(g, policy, policy->rules, policy->n_rules, err);
    if (st == MST_OK)
        st = check_used(g, policy, policy->trained, policy->n_trained, err);
    for (uint32_t i = 0; i < g->n_nodes && st == MST_OK && policy->has_shift; i++)
        if (g->nodes[i].op == MST_OP_NEURON)
            g->nodes[i].fp[MST_NEURON_SHIFT] = (float)policy->shift;
    if (policy->has_seed)
        g->meta.seed = policy->seed;
    if (policy->has_timesteps)
        g->meta.timesteps = policy->timesteps;
    return st;
}

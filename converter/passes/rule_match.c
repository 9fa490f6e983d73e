/* Which rule of a policy speaks of a neuron. Knows nothing of what it says. */
#include "converter/passes/rule_match.h"

#include <fnmatch.h>
#include <string.h>

/* How closely a rule names its neurons: the closest one that matches wins, of equals the last. */
static int closeness(const mst_rule *r)
{
    return r->node != NULL ? 8 : (r->block_lo >= 0 ? 4 : 0) + (r->stage >= 0 ? 2 : 0) + (r->site >= 0 ? 1 : 0);
}

static bool rule_matches(const rule_list *l, const mst_rule *r, const mst_node *n)
{
    int32_t block = n->ip[MST_NEURON_BLOCK];
    if (r->node != NULL && fnmatch(r->node, n->name, 0) != 0)
        return false;
    if (r->site >= 0 ? r->site != n->ip[MST_NEURON_SITE]
                     : r->node == NULL && l->masks && !mst_is_mask_site(n->ip[MST_NEURON_SITE]))
        return false;
    if (r->stage >= 0 && r->stage != n->ip[MST_NEURON_STAGE])
        return false;
    return r->block_lo < 0 || (block >= r->block_lo && block <= r->block_hi);
}

const mst_rule *rule_find(const rule_list *l, const mst_node *n)
{
    const mst_rule *best = NULL;
    for (uint32_t i = 0; i < l->n; i++) {
        mst_rule *r = &l->rules[i];
        if (!rule_matches(l, r, n))
            continue;
        r->used++;
        if (best == NULL || closeness(r) >= closeness(best))
            best = r;
    }
    return best;
}

/* "q k attn mlp_fc1": the sites that this network has, of those that the rules may speak of */
static const char *sites_of(mst_graph *g, const rule_list *l)
{
    char text[256] = "";
    for (int32_t site = 0; site < MST_SITE_COUNT; site++) {
        bool found = false;
        for (uint32_t i = 0; i < g->n_nodes && (!l->masks || mst_is_mask_site(site)) && !found; i++)
            found = g->nodes[i].op == MST_OP_NEURON && g->nodes[i].ip[MST_NEURON_SITE] == site;
        if (found && strlen(text) + 16 < sizeof text) {
            strcat(text, " ");
            strcat(text, mst_site_name(site));
        }
    }
    const char *s = mst_arena_strdup(&g->arena, text);
    return s != NULL ? s : "";
}

mst_status rule_check_used(mst_graph *g, const mst_policy *p, const rule_list *l, mst_err *err)
{
    int32_t blocks = -1, stages = -1;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == MST_OP_NEURON) {
            blocks = blocks > g->nodes[i].ip[MST_NEURON_BLOCK] ? blocks : g->nodes[i].ip[MST_NEURON_BLOCK];
            stages = stages > g->nodes[i].ip[MST_NEURON_STAGE] ? stages : g->nodes[i].ip[MST_NEURON_STAGE];
        }
    for (uint32_t i = 0; i < l->n; i++)
        if (l->rules[i].used == 0)
            return mst_fail(err, MST_EINVAL,
                            "%s:%d: this rule matches no neuron of the model; it has sites:%s; stages 0..%d; blocks "
                            "0..%d; node names are listed by mstconv --dry-run",
                            p->file, l->rules[i].line, sites_of(g, l), (int)stages, (int)blocks);
    return MST_OK;
}

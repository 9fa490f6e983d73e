/* Count and radix mode: how the model is run by default, and with how many levels of each neuron, as the
 * policy says (docs/EXECUTION.md, "Count and radix"). */
#include "converter/passes/rule_match.h"

static mst_status check_levels(const mst_graph *g, mst_err *err)
{
    for (uint32_t i = 0; i < g->n_nodes && g->meta.run != MST_RULE_STEP; i++) {
        const mst_node *n = &g->nodes[i];
        if (n->op == MST_OP_NEURON && mst_node_levels(n) > MST_MAX_RUN_LEVELS)
            return mst_fail(err, MST_EUNSUPPORTED,
                            "node '%s': its L is %d, and %s mode has at most %d levels: give it fewer (--levels N, or "
                            "'levels' in the policy's 'run')",
                            n->name, mst_node_levels(n), mst_run_rule_name((int)g->meta.run), MST_MAX_RUN_LEVELS);
    }
    return MST_OK;
}

mst_status pass_levels(mst_graph *g, mst_policy *policy, mst_err *err)
{
    if (policy == NULL)
        return MST_OK;
    const rule_list rules = {policy->level_rules, policy->n_level_rules, false};
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        mst_node *n = &g->nodes[i];
        const mst_rule *rule = n->op == MST_OP_NEURON ? rule_find(&rules, n) : NULL;
        if (n->op == MST_OP_NEURON && (rule != NULL || policy->levels != 0))
            n->ip[MST_NEURON_TOP] = rule != NULL ? rule->levels : policy->levels;
    }
    if (policy->has_run)
        g->meta.run = policy->run;
    if (policy->has_thinning)
        g->meta.thinning = policy->thinning;
    MST_TRY(rule_check_used(g, policy, &rules, err));
    return check_levels(g, err);
}

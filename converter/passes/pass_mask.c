/* Random Spike Masking (MST paper, Section 3.4): gives each neuron the ratio that the policy
 * says and puts a MASK behind it. Masks that were in the model keep their ratio
 * unless a rule speaks of them. */
#include "converter/passes/rule_match.h"

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
    const rule_list rules = {policy->rules, policy->n_rules, true}, were = {policy->trained, policy->n_trained, true};
    const mst_rule *rule = rule_find(&rules, n);
    const mst_rule *trained = rule_find(&were, n);
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
    for (uint32_t i = 0, n = g->n_nodes; i < n && st == MST_OK; i++)
        if (edit_node(&e, i)->op == MST_OP_MASK && edit_only_user(&e, edit_node(&e, i)->in[0]) != i)
            edit_node(&e, i)->ip[MST_MASK_INDEX] = index++; /* one of several of a neuron */
    st = edit_finish(&e, st);
    if (st == MST_OK)
        st = rule_check_used(g, policy, &(rule_list){policy->rules, policy->n_rules, true}, err);
    if (st == MST_OK)
        st = rule_check_used(g, policy, &(rule_list){policy->trained, policy->n_trained, true}, err);
    for (uint32_t i = 0; i < g->n_nodes && st == MST_OK && policy->has_shift; i++)
        if (g->nodes[i].op == MST_OP_NEURON) {
            g->nodes[i].fp[MST_NEURON_SHIFT] = (float)policy->shift;
            g->nodes[i].ip[MST_NEURON_EVEN] = g->nodes[i].ip[MST_NEURON_EVEN] != 0 && policy->shift == 0.5;
        }
    if (policy->trained_on != MST_TRAINED_ON_UNKNOWN)
        g->meta.trained_on = policy->trained_on;
    if (policy->has_seed)
        g->meta.seed = policy->seed;
    if (policy->has_timesteps)
        g->meta.timesteps = policy->timesteps;
    return st;
}

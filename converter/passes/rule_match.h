/* Rules of a policy and the neurons that they speak of. */
#ifndef MST_RULE_MATCH_H
#define MST_RULE_MATCH_H

#include "converter/passes/passes.h"

typedef struct rule_list {
    mst_rule *rules;
    uint32_t n;
    bool masks; /* a rule without site and node speaks of the sites that can be masked only */
} rule_list;

/* The rule for neuron n; NULL: none speaks of it. Counts matches. */
const mst_rule *rule_find(const rule_list *l, const mst_node *n);

/* EINVAL with file and line of a rule that matched no neuron. */
mst_status rule_check_used(mst_graph *g, const mst_policy *p, const rule_list *l, mst_err *err);

#endif

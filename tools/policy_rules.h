/* Rules of a policy file: which neurons, and the value for them. Private to its reader (policy_yaml.c).
 */
#ifndef MST_POLICY_RULES_H
#define MST_POLICY_RULES_H

#include "tools/policy_yaml.h"
#include "tools/yaml_in.h"

#define MST_READ_MAP(y, where, keys, ctx) mst_yaml_map(y, where, keys, sizeof(keys) / sizeof(keys)[0], ctx)

/* What a rule gives to the neurons that it selects. */
typedef enum mst_rule_kind {
    MST_RULES_RATIO, /* of a mask, in [0,1); only at the sites that can be masked */
    MST_RULES_LEVELS /* in count and radix mode, 1..255; at any site */
} mst_rule_kind;

/* Where rules go: a list of a policy. */
typedef struct mst_rule_sink {
    mst_rule_kind kind;
    mst_rule *rules;
    uint32_t *n;
} mst_rule_sink;

/* A rule that selects every neuron, at the current line. */
mst_rule mst_rule_any(const mst_yaml_in *y);
/* ELIMIT. */
mst_status mst_rules_add(const mst_yaml_in *y, const mst_rule_sink *sink, const mst_rule *rule);

/* Readers of values (mst_yaml_key.read). Overrides, a list: ctx is the mst_rule_sink. */
mst_status mst_rules_overrides(mst_yaml_in *y, const char *where, int arg, void *ctx);
/* A mapping of the kind's sites, each read with the site as arg. */
mst_status mst_rules_sites(mst_yaml_in *y, const char *where, mst_rule_kind kind,
                           mst_status (*read)(mst_yaml_in *, const char *, int, void *), void *ctx);
/* 1..255; or the levels of 1..8 bits. */
mst_status mst_rules_levels(const mst_yaml_in *y, const char *where, int *out);
mst_status mst_rules_bits(const mst_yaml_in *y, const char *where, int *out);

#endif

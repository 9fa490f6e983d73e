/* libFuzzer target of the policy parser. What parses must keep its promises. */
#include <stdint.h>
#include <stdlib.h>

#include "tools/policy_yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rules(const mst_rule *rules, uint32_t n, bool levels)
{
    for (uint32_t i = 0; i < n; i++) {
        const mst_rule *r = &rules[i];
        bool good = r->ratio >= 0 && r->ratio < 1 && r->block_lo <= r->block_hi && r->line > 0 &&
                    (r->site == -1 || mst_site_name(r->site) != NULL) &&
                    (levels ? r->levels >= 1 && r->levels <= MST_MAX_RUN_LEVELS : r->levels == 0);
        if (!good)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mst_policy p;
    mst_err err = {0};
    if (mst_policy_parse((const char *)data, size, "fuzz.yaml", &p, &err) != MST_OK) {
        if (err.text[0] == '\0')
            abort();
        return 0;
    }
    if (p.n_rules > MST_MAX_RULES || p.n_trained > MST_MAX_RULES || p.n_level_rules > MST_MAX_RULES)
        abort();
    if (p.levels < 0 || p.levels > MST_MAX_RUN_LEVELS || mst_run_rule_name((int)p.run) == NULL)
        abort();
    check_rules(p.rules, p.n_rules, false);
    check_rules(p.trained, p.n_trained, false);
    check_rules(p.level_rules, p.n_level_rules, true);
    mst_policy_free(&p);
    return 0;
}

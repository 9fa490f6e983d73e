/* The policy file: what it means, and where each mistake is reported. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "tools/policy_yaml.h"
#include "tests/support/run_tests.h"

static void parse_ok(const char *text, mst_policy *p)
{
    mst_err err = {0};
    ck_assert_msg(mst_policy_parse(text, strlen(text), "p.yaml", p, &err) == MST_OK, "%s", err.text);
}

static void assert_rule(const mst_rule *r, int site, int stage, int lo, int hi, double ratio)
{
    ck_assert_int_eq(r->site, site);
    ck_assert_int_eq(r->stage, stage);
    ck_assert_int_eq(r->block_lo, lo);
    ck_assert_int_eq(r->block_hi, hi);
    ck_assert(r->ratio == ratio);
}

START_TEST(everything)
{
    static const char text[] = "version: 1\n"
                               "seed: 18446744073709551615\n"
                               "timesteps: 32\n"
                               "neuron: {shift: 0.25}\n"
                               "masks:\n"
                               "  default: 0.1\n"
                               "  sites: {q: 0.5, conv: 0}\n"
                               "  overrides:\n"
                               "    - {stage: 1, site: q, ratio: 0.75}\n"
                               "    - {block: 3, ratio: 0.25}\n"
                               "    - blocks: 0-4\n"
                               "      sites: {k: 0.5, attn: 0.75}\n"
                               "    - blocks: 1-2\n"
                               "      sites: [q, mlp_fc1]\n"
                               "      ratio: 0.3\n"
                               "    - node: '/blocks.*/q'\n"
                               "      ratio: 0\n"
                               "trained:\n"
                               "  sites: {q: 0.5}\n"
                               "trained_on: steps\n"
                               "run:\n"
                               "  mode: radix\n"
                               "  bits: 4\n"
                               "  thinning: systematic\n"
                               "  overrides:\n"
                               "    - {stage: 3, levels: 7}\n"
                               "    - {site: v, bits: 8}\n"
                               "    - {blocks: 0-4, sites: {q: 1, other: 255}}\n"
                               "    - {block: 2, sites: [proj, av], levels: 12}\n"
                               "    - {node: '/head*', bits: 1}\n";
    mst_policy p;
    parse_ok(text, &p);
    ck_assert(p.has_seed && p.seed == UINT64_MAX && p.has_timesteps && p.timesteps == 32);
    ck_assert(p.has_shift && p.shift == 0.25);
    ck_assert_str_eq(p.file, "p.yaml");
    ck_assert_uint_eq(p.n_rules, 10);
    assert_rule(&p.rules[0], -1, -1, -1, -1, 0.1);
    assert_rule(&p.rules[1], MST_SITE_Q, -1, -1, -1, 0.5);
    assert_rule(&p.rules[2], MST_SITE_CONV, -1, -1, -1, 0);
    assert_rule(&p.rules[3], MST_SITE_Q, 1, -1, -1, 0.75);
    assert_rule(&p.rules[4], -1, -1, 3, 3, 0.25);
    assert_rule(&p.rules[5], MST_SITE_K, -1, 0, 4, 0.5);
    assert_rule(&p.rules[6], MST_SITE_ATTN, -1, 0, 4, 0.75);
    assert_rule(&p.rules[7], MST_SITE_Q, -1, 1, 2, 0.3);
    assert_rule(&p.rules[8], MST_SITE_MLP_FC1, -1, 1, 2, 0.3);
    assert_rule(&p.rules[9], -1, -1, -1, -1, 0);
    ck_assert_str_eq(p.rules[9].node, "/blocks.*/q");
    ck_assert_int_eq(p.rules[1].line, 7);
    ck_assert_int_eq(p.rules[4].line, 10);
    ck_assert_uint_eq(p.n_trained, 1);
    ck_assert_int_eq(p.trained_on, MST_TRAINED_ON_STEPS);
    assert_rule(&p.trained[0], MST_SITE_Q, -1, -1, -1, 0.5);
    ck_assert(p.has_run && p.run == MST_RULE_RADIX && p.has_thinning && p.thinning == MST_THIN_SYSTEMATIC);
    ck_assert_int_eq(p.levels, 15);
    static const struct {
        int site, stage, lo, hi, levels;
    } levels[] = {
        {-1, 3, -1, -1, 7},
        {MST_SITE_V, -1, -1, -1, 255},
        {MST_SITE_OTHER, -1, 0, 4, 255},
        {MST_SITE_Q, -1, 0, 4, 1},
        {MST_SITE_AV, -1, 2, 2, 12},
        {MST_SITE_PROJ, -1, 2, 2, 12},
        {-1, -1, -1, -1, 1},
    };
    ck_assert_uint_eq(p.n_level_rules, sizeof levels / sizeof levels[0]);
    for (size_t i = 0; i < p.n_level_rules; i++) {
        assert_rule(&p.level_rules[i], levels[i].site, levels[i].stage, levels[i].lo, levels[i].hi, 0);
        ck_assert_int_eq(p.level_rules[i].levels, levels[i].levels);
    }
    ck_assert_str_eq(p.level_rules[6].node, "/head*");
    ck_assert_int_eq(p.level_rules[0].line, 26);
    mst_policy_free(&p);
    parse_ok("{version: 1}", &p);
    ck_assert(p.n_rules == 0 && !p.has_seed && !p.has_timesteps && !p.has_shift);
    ck_assert(!p.has_run && !p.has_thinning && p.levels == 0 && p.n_level_rules == 0);
    mst_policy_free(&p);
    parse_ok("version: 1\nrun: {mode: step, levels: 255}\n", &p);
    ck_assert(p.has_run && p.run == MST_RULE_STEP && !p.has_thinning && p.levels == 255);
    mst_policy_free(&p);
}
END_TEST

typedef struct bad_case {
    const char *text;
    mst_status code;
    const char *says;
} bad_case;

static const bad_case bad_cases[] = {
    {"", MST_EINVAL, "p.yaml:1: policy: expected a mapping"},
    {"- 1\n", MST_EINVAL, "p.yaml:1: policy: expected a mapping"},
    {"seed: 1\n", MST_EINVAL, "expected key 'version'"},
    {"version: 2\n", MST_EVERSION, "p.yaml:1: version: expected 1, found 2"},
    {"version: one\n", MST_EINVAL, "p.yaml:1: policy.version: expected 1, found 'one'"},
    {"version: 1\nmask: {}\n", MST_EINVAL,
     "p.yaml:2: policy: unknown key 'mask', valid: version, seed, timesteps, neuron, masks, trained, "
     "trained_on, run"},
    {"version: 1\ntrained_on: spikes\n", MST_EINVAL,
     "p.yaml:2: policy.trained_on: expected one of unknown, activations, levels, steps, found 'spikes'"},
    {"version: 1\nseed: 1\nseed: 2\n", MST_EINVAL, "p.yaml:3: policy: key 'seed' again, first on line 2"},
    {"version: 1\nseed: -1\n", MST_EINVAL, "policy.seed: expected a whole number"},
    {"version: 1\nseed: 18446744073709551616\n", MST_EINVAL, "policy.seed"},
    {"version: 1\nseed: 1x\n", MST_EINVAL, "found '1x'"},
    {"version: 1\ntimesteps: 0\n", MST_EINVAL, "1..65536"},
    {"version: 1\ntimesteps: 65537\n", MST_EINVAL, "1..65536"},
    {"version: 1\nneuron: {shift: 1}\n", MST_EINVAL, "policy.neuron.shift: expected a number in [0,1), found '1'"},
    {"version: 1\nneuron: {leak: 1}\n", MST_EINVAL, "unknown key 'leak', valid: shift"},
    {"version: 1\nmasks: 0.5\n", MST_EINVAL, "policy.masks: expected a mapping (key: value), found '0.5'"},
    {"version: 1\nmasks: {default: 1.0}\n", MST_EINVAL, "expected a number in [0,1), found '1.0'"},
    {"version: 1\nmasks: {default: -0.1}\n", MST_EINVAL, "found '-0.1'"},
    {"version: 1\nmasks: {default: .nan}\n", MST_EINVAL, "found '.nan'"},
    {"version: 1\nmasks: {default: 0x0.8p0}\n", MST_EINVAL, "found '0x0.8p0'"},
    {"version: 1\nmasks: {default: ' 0.5'}\n", MST_EINVAL, "found ' 0.5'"},
    {"version: 1\nmasks: {default: [0.5]}\n", MST_EINVAL, "found 'a list'"},
    {"version: 1\nmasks:\n  sites: {v: 0.5}\n", MST_EINVAL,
     "p.yaml:3: policy.masks.sites: unknown key 'v', valid: q, k, attn, mlp_fc1, conv"},
    {"version: 1\nmasks:\n  sites: {q: 0.5, q: 0.5}\n", MST_EINVAL, "key 'q' again"},
    {"version: 1\nmasks:\n  overrides: {}\n", MST_EINVAL, "expected a list"},
    {"version: 1\nmasks:\n  overrides:\n    - {site: v, stage: 0, ratio: 0}\n", MST_EINVAL,
     "expected one of q, k, attn, mlp_fc1, conv, found 'v'"},
    {"version: 1\nmasks:\n  overrides:\n    - {site: q, ratio: 0}\n", MST_EINVAL,
     "p.yaml:4: policy.masks.overrides: expected one of stage, block, blocks or node"},
    {"version: 1\nmasks:\n  overrides:\n    - {stage: 1}\n", MST_EINVAL, "found neither"},
    {"version: 1\nmasks:\n  overrides:\n    - {stage: 1, ratio: 0, sites: {q: 0}}\n", MST_EINVAL, "found both"},
    {"version: 1\nmasks:\n  overrides:\n    - {stage: 1, site: k, sites: {q: 0}}\n", MST_EINVAL,
     "site 'k' has no ratio"},
    {"version: 1\nmasks:\n  overrides:\n    - {stage: 1, sites: [q, q], ratio: 0}\n", MST_EINVAL, "each site once"},
    {"version: 1\nmasks:\n  overrides:\n    - {block: 1, blocks: 1-2, ratio: 0}\n", MST_EINVAL, "not both"},
    {"version: 1\nmasks:\n  overrides:\n    - {blocks: 4-1, ratio: 0}\n", MST_EINVAL, "a range of blocks"},
    {"version: 1\nmasks:\n  overrides:\n    - {blocks: 1-, ratio: 0}\n", MST_EINVAL, "a range of blocks"},
    {"version: 1\nmasks:\n  overrides:\n    - {block: 1-2, ratio: 0}\n", MST_EINVAL, "a block number"},
    {"version: 1\nmasks:\n  overrides:\n    - {node: '', ratio: 0}\n", MST_EINVAL, "node name"},
    {"version: 1\nrun: count\n", MST_EINVAL, "policy.run: expected a mapping (key: value), found 'count'"},
    {"version: 1\nrun: {modes: count}\n", MST_EINVAL,
     "p.yaml:2: policy.run: unknown key 'modes', valid: mode, levels, bits, thinning, overrides"},
    {"version: 1\nrun: {mode: fast}\n", MST_EINVAL,
     "policy.run.mode: expected one of step, count, radix, found 'fast'"},
    {"version: 1\nrun: {mode: [step]}\n", MST_EINVAL, "policy.run.mode: expected one of step, count, radix"},
    {"version: 1\nrun: {thinning: count}\n", MST_EINVAL,
     "policy.run.thinning: expected one of binomial, systematic, found 'count'"},
    {"version: 1\nrun: {levels: 0}\n", MST_EINVAL, "policy.run.levels: expected a whole number 1..255, found '0'"},
    {"version: 1\nrun: {levels: 256}\n", MST_EINVAL, "expected a whole number 1..255, found '256'"},
    {"version: 1\nrun: {levels: 7.5}\n", MST_EINVAL, "expected a whole number 1..255, found '7.5'"},
    {"version: 1\nrun: {bits: 0}\n", MST_EINVAL, "policy.run.bits: expected a whole number 1..8, found '0'"},
    {"version: 1\nrun: {bits: 9}\n", MST_EINVAL, "expected a whole number 1..8, found '9'"},
    {"version: 1\nrun: {bits: 4, levels: 15}\n", MST_EINVAL, "policy.run.levels: expected levels or bits, not both"},
    {"version: 1\nrun: {overrides: {stage: 1}}\n", MST_EINVAL, "policy.run.overrides: expected a list"},
    {"version: 1\nrun:\n  overrides:\n    - {stage: 1, ratio: 0.5}\n", MST_EINVAL,
     "p.yaml:4: policy.run.overrides: unknown key 'ratio', valid: stage, block, blocks, node, site, sites, levels, "
     "bits"},
    {"version: 1\nmasks:\n  overrides:\n    - {stage: 1, levels: 5}\n", MST_EINVAL,
     "unknown key 'levels', valid: stage, block, blocks, node, site, sites, ratio"},
    {"version: 1\nrun:\n  overrides:\n    - {stage: 1}\n", MST_EINVAL,
     "p.yaml:4: policy.run.overrides: expected 'levels' or 'bits' or 'sites' with levels each, found neither"},
    {"version: 1\nrun:\n  overrides:\n    - {stage: 1, bits: 2, sites: {q: 3}}\n", MST_EINVAL, "found both"},
    {"version: 1\nrun:\n  overrides:\n    - {stage: 1, bits: 2, levels: 3}\n", MST_EINVAL, "levels or bits, not both"},
    {"version: 1\nrun:\n  overrides:\n    - {levels: 3}\n", MST_EINVAL,
     "expected one of stage, block, blocks, node, site or sites, found none"},
    {"version: 1\nrun:\n  overrides:\n    - {site: w, levels: 3}\n", MST_EINVAL,
     "expected one of other, q, k, v, attn, av, proj, mlp_fc1, mlp_fc2, conv, found 'w'"},
    {"version: 1\nrun:\n  overrides:\n    - {site: k, sites: {q: 3}}\n", MST_EINVAL, "site 'k' has no levels"},
    {"version: 1\nrun:\n  overrides:\n    - {stage: 1, levels: 256}\n", MST_EINVAL, "1..255, found '256'"},
    {"version: 1\nmasks: &a {}\n", MST_EFORMAT, "p.yaml:2: expected plain values, found an anchor"},
    {"version: 1\nmasks: *a\n", MST_EFORMAT, "p.yaml:2: expected plain values, found an alias"},
    {"version: !!int 1\n", MST_EFORMAT, "a tag"},
    {"version: 1\nmasks: \"\\0\"\n", MST_EFORMAT, "zero byte"},
    {"version: 1\n---\nversion: 1\n", MST_EINVAL, "expected one document, found 'a second document'"},
    {"version: 1\nseed: ]\n", MST_EFORMAT, "p.yaml:2: not YAML"},
    {"version: 1\nmasks: {\n", MST_EFORMAT, "not YAML"},
    {"version: \xff\n", MST_EFORMAT, "not YAML"},
    {"? [a]\n: 1\n", MST_EINVAL, "expected a key, found 'a list'"},
};

START_TEST(mistakes)
{
    const bad_case *c = &bad_cases[_i];
    mst_policy p;
    mst_err err = {0};
    mst_status st = mst_policy_parse(c->text, strlen(c->text), "p.yaml", &p, &err);
    ck_assert_msg(st == c->code, "status %d (%s) for:\n%s", (int)st, err.text, c->text);
    ck_assert_msg(strstr(err.text, c->says) != NULL, "'%s' does not say '%s'", err.text, c->says);
}
END_TEST

START_TEST(limits)
{
    size_t n = MST_POLICY_MAX_BYTES + 1;
    char *text = malloc(n);
    mst_policy p;
    mst_err err;
    memset(text, '[', n); /* depth: an error at the first level that the schema does not have */
    ck_assert_int_eq(mst_policy_parse(text, n - 1, "p", &p, &err), MST_EINVAL);
    ck_assert_int_eq(mst_policy_parse(text, n, "p", &p, &err), MST_ELIMIT);
    size_t used = (size_t)sprintf(text, "version: 1\nmasks:\n  overrides:\n");
    for (int i = 0; i < MST_MAX_RULES + 1; i++)
        used += (size_t)sprintf(text + used, "    - {block: %d, ratio: 0}\n", i);
    ck_assert_int_eq(mst_policy_parse(text, used, "p", &p, &err), MST_ELIMIT);
    ck_assert_ptr_nonnull(strstr(err.text, "p:260: more than 256 rules"));
    free(text);
    ck_assert_int_eq(mst_policy_load("/nonexistent/p.yaml", &p, &err), MST_EIO);
    ck_assert_int_eq(mst_policy_load("/tmp", &p, &err), MST_EIO);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("policy");
    TCase *t = tcase_create("policy");
    tcase_add_test(t, everything);
    tcase_add_loop_test(t, mistakes, 0, (int)(sizeof bad_cases / sizeof bad_cases[0]));
    tcase_add_test(t, limits);
    suite_add_tcase(s, t);
    return run_tests(s);
}

/* See run_energy.h. */
#include "tools/run_energy.h"

#include <string.h>

/* pJ in 45 nm, 0.9 V (Horowitz, "Computing's energy problem", ISSCC 2014): an addition; a multiplication and an
 * addition. int8: an 8-bit addition .03, a multiplication .2. The texts are for --list. */
static const struct {
    const char *name, *ac_text, *mac_text, *value_text, *state_text;
    double ac, mac;
    unsigned value_bits, state_bits;
} sets[] = {
    {"fp32", "0.9", "4.6", "32", "32", 0.9, 4.6, 32, 32},
    {"fp16", "0.4", "1.5", "16", "16", 0.4, 1.5, 16, 16},
    {"int8", "0.03", "0.23", "8", "32", 0.03, 0.23, 8, 32},
};
#define N_SETS (sizeof sets / sizeof sets[0])

static bool set_row(size_t k, const char **cells)
{
    if (k >= N_SETS)
        return false;
    cells[0] = sets[k].name;
    cells[1] = sets[k].ac_text;
    cells[2] = sets[k].mac_text;
    cells[3] = sets[k].value_text;
    cells[4] = sets[k].state_text;
    return true;
}

const mst_list mst_list_energy_sets = {
    "energy-sets", 5, {"set", "pJ an AC", "pJ a MAC", "bits of weights and activations", "bits of membranes"}, set_row};

mst_status mst_energy_find(const char *name, mst_energy *out, mst_err *err)
{
    char known[MST_LIST_TEXT];
    size_t k = 0;
    while (name != NULL && k < N_SETS && strcmp(sets[k].name, name) != 0)
        k++;
    if (k == N_SETS) {
        mst_list_names(&mst_list_energy_sets, known, sizeof known);
        return mst_fail(err, MST_EINVAL, "--energy-set: expected one of %s, found '%s'", known, name);
    }
    *out = (mst_energy){.set = sets[k].name,
                        .alpha = MST_DEFAULT_ALPHA,
                        .ac = sets[k].ac,
                        .mac = sets[k].mac,
                        .value_bits = sets[k].value_bits,
                        .state_bits = sets[k].state_bits};
    return MST_OK;
}

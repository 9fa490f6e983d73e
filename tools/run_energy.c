/* See run_energy.h. */
#include "tools/run_energy.h"

#include <inttypes.h>
#include <stdio.h>

static bool set_row(size_t k, const char **cells)
{
    static char text[4][24];
    const mst_energy_set *e = mst_energy_set_at(k);
    if (e == NULL)
        return false;
    snprintf(text[0], sizeof text[0], "%g", e->ac);
    snprintf(text[1], sizeof text[1], "%g", e->mac);
    snprintf(text[2], sizeof text[2], "%" PRIu64, e->value_bits);
    snprintf(text[3], sizeof text[3], "%" PRIu64, e->state_bits);
    cells[0] = e->name;
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++)
        cells[i + 1] = text[i];
    return true;
}

const mst_list mst_list_energy_sets = {
    "energy-sets", 5, {"set", "pJ an AC", "pJ a MAC", "bits of weights and activations", "bits of membranes"}, set_row};

mst_status mst_energy_find(const char *name, mst_energy *out, mst_err *err)
{
    size_t k = 0;
    MST_TRY(mst_list_take(&mst_list_energy_sets, "--energy-set", name, &k, err));
    *out = (mst_energy){.alpha = MST_DEFAULT_ALPHA, .set = *mst_energy_set_at(k)};
    return MST_OK;
}

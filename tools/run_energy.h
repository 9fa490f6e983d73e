/* What operations and memory cost: sets of named constants (docs/ENERGY.md). */
#ifndef MST_RUN_ENERGY_H
#define MST_RUN_ENERGY_H

#include "mst/energy.h"
#include "tools/tool_list.h"

/* Joules per spike in Eq. 10, P = spikes / 1 ms * alpha. The paper gives no value: alpha only
 * scales the figure, so powers compare between runs that use the same one. */
#define MST_DEFAULT_ALPHA 1e-12

typedef struct mst_energy {
    double alpha;       /* J per spike */
    mst_energy_set set; /* of mst_list_energy_sets; ac and mac may be what the user said */
} mst_energy;

extern const mst_list mst_list_energy_sets;
#define MST_ENERGY_OPTION(said) \
    { \
        "energy-set", 0, MST_OPT_STRING, &(said), "NAME", \
            "energies of operations on {energy-sets}, for the network and its ANN (docs/ENERGY.md; default: fp32)", 0, \
            0 \
    }

/* The set of that name; NULL: the first. EINVAL names those there are. */
mst_status mst_energy_find(const char *name, mst_energy *out, mst_err *err);

#endif

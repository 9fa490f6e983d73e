/* What operations and memory cost: sets of named constants (docs/ENERGY.md). */
#ifndef MST_RUN_ENERGY_H
#define MST_RUN_ENERGY_H

#include <stdint.h>

#include "mst/status.h"
#include "tools/tool_list.h"

/* Joules per spike in Eq. 10, P = spikes / 1 ms * alpha. The paper gives no value: alpha only
 * scales the figure, so powers compare between runs that use the same one. */
#define MST_DEFAULT_ALPHA 1e-12

/* pJ of 32 bits of an SRAM of 8 KB, and what a spike is on its way: an address of so many bits. */
#define MST_SRAM_WORD_PJ 5.0
#define MST_SRAM_WORD_BITS 32
#define MST_EVENT_BITS 32

typedef struct mst_energy {
    const char *set;                 /* of mst_list_energy_sets */
    double alpha;                    /* J per spike */
    double ac, mac;                  /* pJ: the set's, or what the user said */
    uint64_t value_bits, state_bits; /* of a weight or an ANN's activation; of a membrane */
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

/* What a run would cost in energy, and its ANN: named constants, and sums of them (docs/ENERGY.md). Knows nothing
 * of printing.
 */
#ifndef MST_RUN_ENERGY_H
#define MST_RUN_ENERGY_H

#include "tools/run_sim.h"
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
    unsigned value_bits, state_bits; /* of a weight or an ANN's activation; of a membrane */
} mst_energy;

extern const mst_list mst_list_energy_sets;

/* The set of that name; NULL: the first. EINVAL names those there are. */
mst_status mst_energy_find(const char *name, mst_energy *out, mst_err *err);

/* Operations and memory of one inference, pJ. */
typedef struct mst_cost {
    double operations;
    double memory, updates; /* reads and writes; what is done to neurons beside synaptic operations */
} mst_cost;

/* Per sample. */
typedef struct mst_figures {
    double n;
    double fired, spikes; /* before masks, after them */
    double sops, macs;
    double dense_pass, dense_run; /* of one pass; of all steps, static layers once */
    double power;                 /* W: Eq. 10 over the inference */
    double per_input;             /* spikes per synapse input; NaN without synapses */
    double neurons, state_updates;
    unsigned bits;              /* radix: K of the ANN to compare with; 0: none */
    mst_cost snn, ann, bit_ann; /* snn: of an ANN run, what the ANN costs */
    size_t silent;              /* layers that never fired */
    bool fires;                 /* any neuron did: without that nothing can be compared */
} mst_figures;

mst_figures mst_figures_of(const mst_sim_opts *o, const mst_sim_result *r, const mst_energy *e);
/* How many times the energy of the ANN: by operations alone, and by all; NaN where it cannot be said. */
double mst_energy_ratio(const mst_figures *x, const mst_cost *ann, bool all);

#endif

/* What is computed from the sums of a run: means over samples, rates, energy (docs/EXECUTION.md, "Counting";
 * docs/ENERGY.md). Knows nothing of printing.
 */
#ifndef MST_RUN_FIGURES_H
#define MST_RUN_FIGURES_H

#include "tools/run_about.h"

/* Per sample. */
typedef struct mst_figures {
    double fired, spikes; /* before masks, after them */
    double sops, macs;
    double dense_pass, dense_run; /* of one pass; of all steps, static layers once */
    double power;                 /* W: Eq. 10 over the inference */
    double per_input;             /* spikes per synapse input; NaN without synapses */
    double neurons, state_updates;
    unsigned bits;              /* radix: K of the ANN to compare with; 0: none */
    mst_cost snn, ann, bit_ann; /* snn: of an ANN run, what the ANN costs */
    bool fires;                 /* any neuron did: without that nothing can be compared */
} mst_figures;

/* Of what was counted in that many time steps (1 in the other modes than step). */
mst_figures mst_figures_of(const mst_run_about *a, const mst_counters *sum, uint64_t samples, double steps);
/* How many times the energy of the ANN: by operations alone, and by all; NaN where it cannot be said. */
double mst_energy_ratio(const mst_figures *x, const mst_cost *ann, bool all);
static inline double mst_cost_all(const mst_cost *c) { return c->operations + c->memory + c->updates; }
/* Share of all operations that are of analog inputs; NaN without any. */
double mst_figures_analog(const mst_figures *x);

/* One run of one or several of the same model on the same data. */
typedef struct mst_run_facts {
    mst_run_about about;
    mst_run_sums sums;
    const mst_versus *versus; /* its ANN on the same samples; NULL: it was not run */
    const char *isa;          /* of the kernels; NULL: of several machines */
    const char *predictions;  /* where those of each sample are; NULL: nowhere */
    uint64_t predicted;       /* a hash of them (run_rows.h) */
    unsigned threads;         /* that took part, whether each had its own samples or not */
} mst_run_facts;

void mst_run_facts_free(mst_run_facts *r);

/* Of the labelled samples, at entry k of --at, how many have the largest (one of the five largest) logit; NaN without
 * labels. */
double mst_run_top1(const mst_run_facts *r, size_t k);
double mst_run_top5(const mst_run_facts *r, size_t k);
/* Steps that a layer has to fire in: T; in count mode its levels, in radix their digits. */
double mst_run_slots(const mst_run_facts *r, size_t layer);
/* spikes / (neurons * slots), after the mask */
double mst_run_rate(const mst_run_facts *r, size_t layer);
/* Operations of the layers that feed it, for each synapse. NaN without synapses. */
double mst_run_input_events(const mst_run_facts *r, size_t layer);
/* Share of all neurons and their steps (slots) that did not fire; NaN without neurons. */
double mst_run_sparsity(const mst_run_facts *r);
/* Layers that never fired. */
size_t mst_run_silent(const mst_run_facts *r);
/* Steps from the input to the output: T; in count and radix mode a window for each of the neurons in sequence. */
double mst_run_latency(const mst_run_about *a);

#endif

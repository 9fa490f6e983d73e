/* What operations and memory cost (docs/ENERGY.md): named sets of constants, and what a run and its ANN cost by them.
 *
 *     const mst_energy_set *e = mst_energy_set_at(0);
 *     mst_work w = {.sops = .., .macs = .., .spikes = .., .fired = .., .neurons = .., .updates = ..,
 *                   .dense_ops = mst_program_dense_ops(p), .dense_static = mst_program_dense_ops_static(p)};
 *     mst_cost mine = mst_energy_of_run(e, &w), theirs = mst_energy_of_ann(e, &w);
 */
#ifndef MST_ENERGY_H
#define MST_ENERGY_H

#include <stdint.h>

#include "mst/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* pJ of 32 bits of an SRAM of 8 KB, and what a spike is on its way: an address of so many bits. */
#define MST_SRAM_WORD_PJ 5.0
#define MST_SRAM_WORD_BITS 32
#define MST_EVENT_BITS 32

typedef struct mst_energy_set {
    const char *name;                /* "fp32" */
    double ac, mac;                  /* pJ of an addition; of a multiplication and an addition */
    uint64_t value_bits, state_bits; /* of a weight or an ANN's activation; of a membrane */
} mst_energy_set;

/* Set k, the default first; NULL behind the last. Static. */
MST_API const mst_energy_set *mst_energy_set_at(size_t k);

/* What one inference did: sums of mst_session_counters over samples, divided by how many those are. */
typedef struct mst_work {
    double sops, macs, spikes, fired; /* fired: spikes before masks */
    double neurons;                   /* of all layers */
    double updates;                   /* of neurons: neurons times T; neurons in count and radix mode */
    double dense_ops, dense_static;   /* of the program, by the functions of these names */
} mst_work;

/* pJ of one inference. */
typedef struct mst_cost {
    double operations;
    double memory, updates; /* reads and writes; what is done to neurons beside synaptic operations */
} mst_cost;

MST_API mst_cost mst_energy_of_run(const mst_energy_set *e, const mst_work *w);
/* Of one pass of the ANN, which skips nothing. */
MST_API mst_cost mst_energy_of_ann(const mst_energy_set *e, const mst_work *w);
/* Of an ANN whose activations have that many bits: a multiplication is as many accumulates. */
MST_API mst_cost mst_energy_of_bit_ann(const mst_energy_set *e, const mst_work *w, unsigned bits);

#ifdef __cplusplus
}
#endif
#endif

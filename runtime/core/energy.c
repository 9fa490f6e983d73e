/* See mst/energy.h. Knows neither programs nor sessions. */
#include "mst/energy.h"

/* pJ in 45 nm, 0.9 V (Horowitz, "Computing's energy problem", ISSCC 2014): an addition; a multiplication and an
 * addition. int8: an 8-bit addition .03, a multiplication .2. */
static const mst_energy_set sets[] = {
    {"fp32", 0.9, 4.6, 32, 32},
    {"fp16", 0.4, 1.5, 16, 16},
    {"int8", 0.03, 0.23, 8, 32},
};

const mst_energy_set *mst_energy_set_at(size_t k)
{
    return k < sizeof sets / sizeof sets[0] ? &sets[k] : NULL;
}

/* pJ of n reads or writes of that many bits. */
static double memory_pj(double n, double bits)
{
    return n * bits / MST_SRAM_WORD_BITS * MST_SRAM_WORD_PJ;
}

/* A weight for each operation; membranes read and written; spikes written and read once as addresses. A neuron
 * adds its current at each update, and takes theta away for each spike. */
mst_cost mst_energy_of_run(const mst_energy_set *e, const mst_work *w)
{
    return (mst_cost){.operations = w->sops * e->ac + w->macs * e->mac,
                      .memory = memory_pj(w->sops + w->macs, (double)e->value_bits) +
                                memory_pj(2 * w->updates, (double)e->state_bits) +
                                memory_pj(2 * w->spikes, MST_EVENT_BITS),
                      .updates = (w->updates + w->fired) * e->ac};
}

/* A weight for each operation; activations written and read once. A neuron scales, then rounds. */
mst_cost mst_energy_of_ann(const mst_energy_set *e, const mst_work *w)
{
    return (mst_cost){.operations = w->dense_ops * e->mac,
                      .memory = memory_pj(w->dense_ops + 2 * w->neurons, (double)e->value_bits),
                      .updates = w->neurons * e->mac};
}

/* Activations of K bits, a multiplication done bit by bit: K accumulates. The image (once: the static part) is not
 * of K bits. */
mst_cost mst_energy_of_bit_ann(const mst_energy_set *e, const mst_work *w, unsigned bits)
{
    double once = w->dense_static;
    return (mst_cost){.operations = once * e->mac + (w->dense_ops - once) * bits * e->ac,
                      .memory = memory_pj(w->dense_ops, (double)e->value_bits) + memory_pj(2 * w->neurons, bits),
                      .updates = w->neurons * e->mac};
}

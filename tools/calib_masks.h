/* The ANN with the masks of a model file. */
#ifndef MST_CALIB_MASKS_H
#define MST_CALIB_MASKS_H

#include "mst/graph.h"

/* The first MASK of each NEURON's spikes, moved by nothing but RESHAPE: node -> node, MST_NONE: has none. In the arena;
 * NULL: out of memory. */
uint32_t *mst_masks_behind(const mst_graph *g, mst_arena *arena);

/* Does the file of g say that its weights were trained with a MASK that dropped something? */
bool mst_masks_trained(const mst_graph *g);

/* Put a MASK behind each NEURON of ann whose namesake in snn has one (the first, moved by nothing but RESHAPE), with
 * its ratio, or, where trained, the one that the weights were trained with (not known: none). Those that ann has itself
 * keep theirs. Float mode then takes their mean, which is the same whether the training dropped whole activations or
 * levels; drawn, where trained, they are as snn's own ANN draws them. EINVAL names the neuron that ann lacks; ENOMEM,
 * ELIMIT. */
mst_status mst_masks_give(mst_graph *ann, const mst_graph *snn, bool trained, mst_err *err);

#endif

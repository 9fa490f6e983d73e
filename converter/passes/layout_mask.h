/* Masks on their way up to the neuron that fires what they thin. Private to pass_layout.c. */
#ifndef MST_LAYOUT_MASK_H
#define MST_LAYOUT_MASK_H

#include "converter/passes/graph_edit.h"

/* Does an AFFINE map 0 to 0? */
bool layout_only_scales(const mst_edit *e, const mst_node *n);
/* Put a MASK in front of all movement and scales that it may stand before; of two in a row make one. */
mst_status layout_raise_mask(mst_edit *e, uint32_t mask);
/* INDEX of the masks that are left: 0, 1, .. */
void layout_number_masks(mst_graph *g);

#endif

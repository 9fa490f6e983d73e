/* Constants per channel, of AFFINE and NEURON. */
#ifndef MST_OPS_CHANNELS_H
#define MST_OPS_CHANNELS_H

#include "runtime/ops/op.h"

/* The shape [outer][channels][inner] of the node's input around axis, and
 * values[i]: the constants at inputs first..first+n-1, each of `channels`
 * values (NULL for an absent one). Where all of them are one number, the whole
 * tensor is one channel. ENOMEM. */
mst_status op_channels_of(op_prep *c, int32_t axis, uint32_t first, uint32_t n, op_channels *ch,
                          const float **values);

#endif

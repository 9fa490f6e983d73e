/* Constants per channel, of AFFINE and NEURON. */
#ifndef MST_EXEC_CHANNELS_H
#define MST_EXEC_CHANNELS_H

#include "runtime/exec/program.h"

/* The shape [outer][channels][inner] of the node's input around axis, and
 * values[i]: the constants at inputs first..first+n-1, each of `channels`
 * values (NULL for an absent one). Where all of them are one number, the whole
 * tensor is one channel. ENOMEM. */
mst_status exec_channels_of(exec_compiler *c, int32_t axis, uint32_t first, uint32_t n, exec_channels *ch,
                            const float **values);

#endif

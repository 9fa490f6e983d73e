/* The int8 kernels of the block schedule for any machine: the reference of the other sets. */
#define MSTB_SET scalar
#define MSTB_WIDTH 4
#include "runtime/kernels/block_int8_body.h"

/* The kernels for any machine: the reference that the other sets must equal. */
#define MSTK_SET scalar
#define MSTK_WIDTH 4
#include "runtime/kernels/kernels_body.h"

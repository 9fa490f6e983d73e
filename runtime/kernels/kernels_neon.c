/* The kernels for 64-bit ARM: scalar's, of which compilers make vectors of 128 bits there. So the set has a name. */
#if defined(__aarch64__)
#include "runtime/kernels/kernels.h"

const mst_kernels mst_kernels_neon = {.isa = "neon", .strip = MSTK_STRIP_VECS * 4};
#else
typedef int mstk_neon_is_for_arm; /* an empty file is not C */
#endif

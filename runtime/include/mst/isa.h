/* The instruction sets that kernels exist for. */
#ifndef MST_ISA_H
#define MST_ISA_H

#include <stdbool.h>
#include <stddef.h>

#include "mst/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Set k of this build, the plainest first: "scalar", "avx2", ...; NULL behind the last. *here (NULL
 * allowed): does this machine have it? */
MST_API const char *mst_isa_at(size_t k, bool *here);

#ifdef __cplusplus
}
#endif
#endif

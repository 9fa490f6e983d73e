/* The kernels on counts for AMX, with AVX-512 around its tiles (the Makefile gives this file its flags). */
#include "runtime/kernels/count_kernels.h"

#if MSTC_HAS_AMX
#define MSTC_SET amx
#define MSTC_GROUP 1048576u
#include "runtime/kernels/count_tiles.h"
#include "runtime/kernels/count_vec_avx512.h"
#include "runtime/kernels/count_pack_avx2.h"
#include "runtime/kernels/count_thin_avx512.h"

#include "runtime/kernels/count_body.h"
#endif

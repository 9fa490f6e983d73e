/* The kernels on counts for AMX, with AVX-512 around its tiles (the Makefile gives this file its flags). */
#if defined(__x86_64__)
#define MSTC_SET amx
#define MSTC_GROUP 1048576u
#include "runtime/kernels/count_tiles.h"
#include "runtime/kernels/count_vec_avx512.h"
#include "runtime/kernels/count_pack_avx2.h"
#include "runtime/kernels/count_thin_avx512.h"

#include "runtime/kernels/count_body.h"
#else
typedef int mstc_amx_is_for_x86; /* an empty file is not C */
#endif

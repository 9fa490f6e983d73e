/* Vectors of one float for count_body.h. */
#ifndef MST_COUNT_VEC_SCALAR_H
#define MST_COUNT_VEC_SCALAR_H

#include <stdbool.h>

#include "runtime/kernels/count_set.h"

#define VW 1
typedef float VF;
typedef int32_t VI;
typedef bool VM;

ALWAYS VF v_set(float x) { return x; }
ALWAYS VF v_add(VF a, VF b) { return a + b; }
ALWAYS VF v_mul(VF a, VF b) { return a * b; }
ALWAYS VF v_div(VF a, VF b) { return a / b; }
ALWAYS VF v_max(VF a, VF b) { return a > b ? a : b; } /* b where a is NaN */
ALWAYS VF v_min(VF a, VF b) { return a < b ? a : b; }
ALWAYS VM v_live(size_t n) { return n != 0; }
ALWAYS VF v_load(const float *x, VM live) { return live ? *x : 0; }
ALWAYS void v_store(float *y, VF x, VM live) { *y = live ? x : *y; }
ALWAYS VI v_ints(const int32_t *x, VM live) { return live ? *x : 0; }
ALWAYS VI v_counts(const uint8_t *x, VM live) { return live ? *x : 0; }
ALWAYS void v_store_counts(uint8_t *y, VI n, VM live) { *y = live ? (uint8_t)n : *y; }
ALWAYS void v_store_both(uint8_t *y, VI n0, VI n1) { y[0] = (uint8_t)n0, y[1] = (uint8_t)n1; }
ALWAYS VF v_float(VI x) { return (float)x; }
ALWAYS VI v_trunc(VF x) { return (int32_t)x; }

#endif

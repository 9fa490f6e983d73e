/* Writing one ONNX operator as several: a builder of nodes that are folded as they
 * are made, so that shapes are there to be asked. Private to onnx_fold.c and
 * onnx_expand*.c.
 *
 * Values are numbers. The first failure stays in b->st and makes all further calls
 * do nothing and return OX_NONE. Pointers to values do not outlast a call: the array
 * of values grows.
 */
#ifndef MST_ONNX_WRITE_H
#define MST_ONNX_WRITE_H

#include "converter/onnx/onnx_eval.h"

typedef struct ox_build {
    ox_ctx *c;
    const ox_node *n; /* what is written otherwise */
    /* infers and evaluates or expands a node, and appends it to the graph (onnx_fold.c) */
    mst_status (*fold)(ox_ctx *c, ox_node *n);
    mst_status st;
} ox_build;

/* ---- the table ---- */

typedef void ox_expand_fn(ox_build *b);
typedef struct ox_expansion {
    const char *domain, *name; /* domain: "" for ai.onnx */
    const char *full;          /* "domain.name", or name */
    uint32_t min_in, max_in;
    bool folds; /* constants are evaluated */
    ox_expand_fn *expand;
} ox_expansion;
const ox_expansion *ox_expansion_find(const char *domain, const char *name); /* NULL: none */
const ox_expansion *ox_expansion_named(const char *full);                    /* with its domain in front; NULL: none */

/* ---- what there is ---- */
uint32_t ob_in(const ox_build *b, uint32_t k); /* OX_NONE: absent */
/* A copy: a scalar of no type where id is OX_NONE. */
ox_value ob_value(const ox_build *b, uint32_t id);
bool ob_is_const(const ox_build *b, uint32_t id);
/* "node 'x' (Op): text" */
void ob_fail(ox_build *b, mst_status code, const char *text);

/* ---- constants ---- */
uint32_t ob_number(ox_build *b, uint32_t like, double v); /* a scalar of the type of like */
uint32_t ob_ints(ox_build *b, size_t n, const int64_t *v);
/* Zeros of the type of like, to be filled with ox_put_double(data, dtype, ..). */
uint32_t ob_zeros(ox_build *b, uint32_t like, uint32_t rank, const int64_t *dims, uint8_t **data);

/* Room in the graph for a table of n numbers; NULL: it failed. */
int64_t *ob_table(ox_build *b, int64_t n);

/* ---- nodes; each returns its output ---- */
uint32_t ob_node(ox_build *b, const char *op, uint32_t n_in, const uint32_t *in, uint32_t n_attr,
                 const ox_attr *attrs);
uint32_t ob_1(ox_build *b, const char *op, uint32_t x);
uint32_t ob_2(ox_build *b, const char *op, uint32_t x, uint32_t y);
uint32_t ob_scale(ox_build *b, uint32_t x, double factor); /* x itself for 1 */
uint32_t ob_shift(ox_build *b, uint32_t x, double addend); /* x itself for 0 */
uint32_t ob_cast(ox_build *b, uint32_t x, int dtype);      /* x itself where it has it */
uint32_t ob_clip(ox_build *b, uint32_t x, double lo, double hi);
uint32_t ob_reshape(ox_build *b, uint32_t x, uint32_t rank, const int64_t *dims);
uint32_t ob_transpose(ox_build *b, uint32_t x, const uint32_t *perm);
/* op over axes (bit mask), kept or not */
uint32_t ob_reduce(ox_build *b, const char *op, uint32_t x, uint32_t axes, bool keep);
uint32_t ob_gather(ox_build *b, uint32_t x, uint32_t axis, size_t n, const int64_t *index);
uint32_t ob_slice(ox_build *b, uint32_t x, uint32_t axis, int64_t start, int64_t count);
/* x with axis moved to the end, times the matrix w [in][out], moved back */
uint32_t ob_along(ox_build *b, uint32_t x, uint32_t axis, uint32_t w);

/* Output k of the operator is x (nothing if it is not wanted). */
void ob_return(ox_build *b, uint32_t k, uint32_t x);

static inline ox_attr ob_attr_int(const char *name, int64_t i)
{
    return (ox_attr){.name = name, .kind = OX_A_INT, .i = i};
}
static inline ox_attr ob_attr_float(const char *name, float f)
{
    return (ox_attr){.name = name, .kind = OX_A_FLOAT, .f = f};
}
static inline ox_attr ob_attr_ints(const char *name, size_t n, const int64_t *ints)
{
    return (ox_attr){.name = name, .kind = OX_A_INTS, .n = n, .ints = ints};
}

/* onnx_expand_mask.c: of a folded graph, does all that had minus infinity added go into a softmax? */
mst_status ox_check_infinite(const ox_graph *g, mst_err *err);

#endif

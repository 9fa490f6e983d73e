/* The pairs of QuantizeLinear and DequantizeLinear of a quantized model: what mstconv tells of them. */
#ifndef MST_CONV_PAIRS_H
#define MST_CONV_PAIRS_H

#include <jansson.h>
#include <stdio.h>

#include "mst/convert.h"
#include "tools/tool_list.h"

typedef struct mst_pairs {
    mst_arena arena;
    mst_pair *at;
    size_t n, cap;
} mst_pairs;

extern const mst_list mst_list_qdq; /* what may become of those that cannot be neurons */
bool mst_qdq_drops(const char *rule);

/* mst_import_opts.pair, with an mst_pairs: keeps a copy. */
mst_status mst_pairs_add(void *pairs, const mst_pair *pair, mst_err *err);
void mst_pairs_free(mst_pairs *p);

/* Nothing where there are none. */
mst_status mst_pairs_print(const mst_pairs *p, FILE *f, mst_err *err);
json_t *mst_pairs_json(const mst_pairs *p); /* null where there are none */
/* A line on stderr where pairs round in a network that runs step by step. */
void mst_pairs_warn(const mst_pairs *p, const mst_graph *g);

#endif

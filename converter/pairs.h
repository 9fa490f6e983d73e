/* The pairs of QuantizeLinear and DequantizeLinear of a model, from lowering to what the user is told. A pair is four
 * nodes of the graph: x/scale, round, bound, and for each DequantizeLinear what scales it back. Private to the
 * converter. */
#ifndef MST_PAIRS_H
#define MST_PAIRS_H

#include "mst/convert.h"

typedef struct qdq_pair {
    mst_pair told;
    uint32_t scale_in, round, bound; /* nodes of the lowered graph, for pass_qdq alone */
    bool one_scale;                  /* for all channels */
    bool passed;                     /* who read it reads its input */
} qdq_pair;

typedef struct qdq_pairs {
    mst_arena arena;
    qdq_pair *at;
    uint32_t n, cap;
} qdq_pairs;

/* In ip[] of UNARY, CLIP and NEURON, behind their parameters and so in no file: k is of pair k - 1, -k too, but of a
 * rounding that stays; 0 is of none. In BINARY not 0: the scale of an average that is rounded. */
#define QDQ_MARK (MST_MAX_IP - 1)
_Static_assert(MST_UNARY_IP_COUNT < QDQ_MARK && MST_CLIP_IP_COUNT <= QDQ_MARK && MST_NEURON_IP_COUNT <= QDQ_MARK,
               "the mark is behind the parameters");

/* In ip[] of a UNARY sign, too: 1 where it is the model's own Sign, a staircase; 0 where a condition is written with
 * it. */
#define SIGN_MARK (MST_MAX_IP - 2)

static inline int32_t qdq_mark(const mst_node *n)
{
    bool may = n->op == MST_OP_UNARY || n->op == MST_OP_CLIP || n->op == MST_OP_NEURON || n->op == MST_OP_BINARY;
    return may ? n->ip[QDQ_MARK] : 0;
}

#endif

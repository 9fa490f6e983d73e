/* What an attribution says in words, and what to do about it: the rules of docs/ACCURACY.md ("What it costs"). Knows
 * nothing of how it was measured.
 */
#ifndef MST_CALIB_ATTRIB_WORDS_H
#define MST_CALIB_ATTRIB_WORDS_H

#include "mst/attribute.h"

#define MST_FINDINGS 16

/* What is wrong, the most important first. */
typedef struct mst_finding {
    const char *kind;         /* "input", or the name of a cause */
    const char *layer;        /* where it is most; NULL: a block, or nowhere in particular */
    int block;                /* likewise; -1: none */
    mst_attrib_effect effect; /* what doing it is worth */
    const char *text, *advice;
} mst_finding;

typedef struct mst_words {
    mst_arena arena;
    const char *summary;
    mst_finding findings[MST_FINDINGS];
    size_t n;
} mst_words;

/* snn: the graph that ran, for its normalization, weights and tuning; onnx: the path of its ANN. ENOMEM. Release in any
 * case. */
mst_status mst_words_make(const mst_attrib_report *r, const mst_graph *snn, const char *onnx, mst_words *out,
                          mst_err *err);
void mst_words_free(mst_words *w);

/* " 1.25 points (standard error .40)", or of the logits' error where there are no labels; in the arena. */
const char *mst_effect_text(mst_arena *a, const mst_attrib_effect *e);
/* "a layer's name", "block 3", or "the logits". */
const char *mst_part_text(mst_arena *a, const mst_attrib_report *r, const mst_attrib_part *p);

#endif

/* What an attribution says in words, and what to do about it: the rules of docs/ACCURACY.md ("What it costs"). Knows
 * nothing of how it was measured.
 */
#ifndef MST_CALIB_ATTRIB_WORDS_H
#define MST_CALIB_ATTRIB_WORDS_H

#include "mst/attribute.h"

#define MST_FINDINGS 16

/* What is wrong, the most important first. */
typedef struct mst_finding {
    const char *kind;         /* "input", "ann", "ann-masks", or the name of a cause */
    const char *layer;        /* where it is most; NULL: a block, or nowhere in particular */
    int block;                /* likewise; -1: none */
    mst_attrib_effect effect; /* what doing it is worth */
    const char *text;
    const char *advice; /* NULL: what it would be worth is not certain */
} mst_finding;

typedef struct mst_words {
    mst_arena arena;
    const char *summary;
    mst_finding findings[MST_FINDINGS];
    size_t n;
    bool doubtful;                /* its ANN is not what was trained: nothing measured against it says what to do */
    const mst_attrib_part *worst; /* the layer whose own error costs most, of the report; NULL: none that matters */
} mst_words;

/* What the words are of. */
typedef struct mst_words_of {
    const mst_attrib_report *report;
    const mst_graph *snn; /* the graph that ran, for its normalization, weights, classes and tuning */
    const char *onnx;     /* path of its ANN */
    bool arrays;          /* samples are arrays: nobody normalizes those of float32 */
    bool lacks_masks;     /* the ANN has none, though the spiking network has */
} mst_words_of;

/* ENOMEM. Release in any case; the report must live on. */
mst_status mst_words_make(const mst_words_of *of, mst_words *out, mst_err *err);
void mst_words_free(mst_words *w);

/* A report and its words with the names of layers short (tool_names.h), for where tables have them so. */
typedef struct mst_words_brief {
    mst_arena arena;
    mst_attrib_report report; /* lent, but for the names */
    mst_words words;
} mst_words_brief;

/* ENOMEM. Release in any case; the report must live on. */
mst_status mst_words_brief_make(const mst_words_of *of, mst_words_brief *out, mst_err *err);
void mst_words_brief_free(mst_words_brief *b);

/* " 1.25 points (standard error .40)", or of the logits' error where there are no labels; in the arena. */
const char *mst_effect_text(mst_arena *a, const mst_attrib_effect *e);
/* "block 2 ('/blocks/blocks.3')": its number, and what the names of its layers begin with. */
const char *mst_block_text(mst_arena *a, const mst_attrib_report *r, int block);
/* "a layer's name", a block as above, or "the logits". */
const char *mst_part_text(mst_arena *a, const mst_attrib_report *r, const mst_attrib_part *p);

#endif

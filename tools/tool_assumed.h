/* What a result rests on, and a reader of its figures must know: how samples were prepared, which masks were drawn
 * against those of the training, what was seen of the data. Knows nothing of how anything was run.
 */
#ifndef MST_TOOL_ASSUMED_H
#define MST_TOOL_ASSUMED_H

#include "tools/tool_outcome.h"

/* Texts in an arena. */
typedef struct mst_assumed {
    const char *normalization; /* "(x/255 - mean)/std, mean .., std .." */
    const char *prepare;       /* "resize 256 bicubic, crop 224x224"; NULL: nothing */
    const char *masks;         /* "none", "as trained", "not those of the training: ..", "drawn; .." */
} mst_assumed;

/* Of g as it is run; real: on floats, which enter as they are. ENOMEM. */
mst_status mst_assumed_make(mst_assumed *a, const mst_graph *g, bool real, mst_arena *arena, mst_err *err);

/* Lines in front of a result; analog: share of operations that do not spike, NaN: not known. */
void mst_assumed_print(const mst_assumed *a, const mst_outcome *o, double analog, FILE *f);
/* "normalization", "prepare", "masks"; NULL: out of memory. */
json_t *mst_assumed_json(const mst_assumed *a);

#endif

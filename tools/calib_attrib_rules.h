/* Inside the words of an attribution: what its rules (calib_attrib_words.c) and its paragraph (calib_attrib_say.c)
 * share.
 */
#ifndef MST_CALIB_ATTRIB_RULES_H
#define MST_CALIB_ATTRIB_RULES_H

#include <math.h>

#include "tools/calib_attrib_words.h"

#define MST_LEAST_SHARE 0.05 /* of the logit error: causes below are not worth a sentence */
#define MST_LEAST_LOGIT 0.1  /* of the ANN's logits: an error below is not worth one either, unless it costs points */
#define MST_CERTAIN 2        /* standard errors */

static inline bool mst_certain(const mst_attrib_effect *e)
{
    return fabs(e->points) >= MST_CERTAIN * e->points_se && e->points != 0;
}

static inline bool mst_certain_loss(const mst_attrib_effect *e) { return mst_certain(e) && e->points > 0; }

static inline bool mst_matters(const mst_attrib_report *r, const mst_attrib_effect *e)
{
    return mst_certain_loss(e) || (r->loss.logit > MST_LEAST_LOGIT && e->logit > MST_LEAST_SHARE * r->loss.logit);
}

/* How much it matters: what is certain in points first, then by logits. */
static inline double mst_effect_weight(const mst_attrib_effect *e)
{
    return 1e3 * (mst_certain_loss(e) ? e->points : 0) + e->logit;
}

/* A text that is being put together; NULL once memory is out. */
const char *mst_words_join(mst_arena *a, const char *text, const char *more);
/* What it costs, or gains: of points that are not certain, not more than that. */
const char *mst_cost_text(mst_arena *a, const mst_attrib_effect *e);

/* The paragraph of what was found. NULL: out of memory. */
const char *mst_words_summary(mst_words *w, const mst_attrib_report *r);

#endif

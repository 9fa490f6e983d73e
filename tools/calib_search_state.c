/* See calib_search_state.h. */
#include "tools/calib_search_state.h"

#include <math.h>

#define LARGE 0.1  /* share of top-1 from which on a loss is not in proportion to divergence */
#define DOUBTS 2.0 /* standard errors by which a network's own top-1 may be beyond the budget */

double mst_search_cost(const mst_search_job *job, const mst_trial *t)
{
    return job->metric == MST_SEARCH_SPIKES ? t->spikes : t->energy;
}

void mst_search_set_all(const mst_search_work *s, const size_t *value)
{
    for (size_t k = 0; k < s->r->n_groups; k++)
        mst_search_set(s->job->graph, &s->job->opts, &s->r->groups[k], value[k]);
}

bool mst_search_is_attention(const mst_search_group *g)
{
    return g->site == MST_SITE_Q || g->site == MST_SITE_K || g->site == MST_SITE_ATTN;
}

double mst_search_belief(const mst_search_work *s, const mst_trial *t)
{
    return t->loss > LARGE ? t->loss : fmax(s->r->per_nat * t->kl, t->loss - DOUBTS * t->loss_se);
}

bool mst_search_hopes(const mst_search_work *s, const mst_trial *t, double budgets)
{
    return mst_search_belief(s, t) <= budgets * s->job->budget;
}

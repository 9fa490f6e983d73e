/* See tool_range.h. */
#include "tools/tool_range.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "tools/tool_term.h"

#define LOOKED_AT 8     /* samples */
#define MAX_PIXEL 255.0 /* of a byte */
#define NEAR 1e-3

typedef struct range {
    double lo, hi;
    bool whole; /* all values are whole numbers */
} range;

/* Of up to LOOKED_AT samples that can be read; those that cannot are for the run to tell of. False: of none. */
static bool look(const mst_data *data, const mst_pick *pick, range *out)
{
    uint32_t shape[3];
    mst_err err;
    *out = (range){DBL_MAX, -DBL_MAX, true};
    if (pick->n == 0 || mst_data_shape(data, pick->at[0], shape, &err) != MST_OK)
        return false;
    size_t n = (size_t)shape[0] * shape[1] * shape[2];
    float *x = mst_alloc_array(NULL, n, sizeof *x);
    for (size_t i = 0; x != NULL && i < pick->n && i < LOOKED_AT; i++) {
        int label;
        if (mst_data_get(data, pick->at[i], x, &label, &err) != MST_OK)
            continue;
        for (size_t k = 0; k < n; k++) {
            double v = (double)x[k];
            out->lo = fmin(out->lo, v);
            out->hi = fmax(out->hi, v);
            out->whole = out->whole && v == floor(v);
        }
    }
    mst_free(NULL, x, n * sizeof *x);
    return out->lo <= out->hi;
}

/* What (x/255 - mean)/std makes of pixels. */
static range expected(const mst_meta *m)
{
    range r = {DBL_MAX, -DBL_MAX, false};
    for (uint32_t c = 0; c < m->n_norm; c++) {
        r.lo = fmin(r.lo, (0 - (double)m->mean[c]) / (double)m->std[c]);
        r.hi = fmax(r.hi, (1 - (double)m->mean[c]) / (double)m->std[c]);
    }
    return r;
}

static bool is(const range *r, double lo, double hi) { return fabs(r->lo - lo) < NEAR && fabs(r->hi - hi) < NEAR; }

/* Arrays are taken as they are. True: they look as if nobody had normalized them, or otherwise than the model says. */
static bool raw(const mst_meta *m, const range *r)
{
    if (m->n_norm == 0)
        return r->lo >= 0 && r->hi > MAX_PIXEL / 8 && r->hi <= MAX_PIXEL && r->whole;
    range e = expected(m);
    double width = e.hi - e.lo;
    bool outside = r->lo < e.lo - width || r->hi > e.hi + width;
    bool unit = r->lo >= 0 && r->lo < r->hi && r->hi <= 1 && e.lo < 0 && e.hi > 1; /* x/255, and no more */
    bool signs = is(r, -1, 1) && !is(&e, -1, 1);                                   /* 2x/255 - 1 */
    return outside || unit || signs;
}

void mst_range_warn(const char *tool, const mst_graph *g, const mst_data *data, const mst_pick *pick)
{
    const mst_meta *m = &g->meta;
    bool real = mst_data_is_real(data);
    range r;
    if (m->prepare.frames != 0) /* counts of events, whatever they are */
        return;
    if (!real && m->n_norm == 0) {
        mst_term_warn(tool, "the model has no mean and std, so pixels go in as x/255: give those of its training with "
                            "--mean and --std (0 and 1 if it had none)\n");
        return;
    }
    if (!real || !look(data, pick, &r) || !raw(m, &r))
        return;
    mst_term_warn(tool, "samples have values from %g to %g, and arrays are taken as they are: ", r.lo,
                  r.hi);
    if (m->n_norm != 0) {
        range e = expected(m);
        fprintf(stderr, "the model's mean and std make %.3g to %.3g of pixels; normalize the arrays\n", e.lo, e.hi);
    } else {
        fprintf(stderr, "these look like bytes of pixels; divide and normalize them as the training did\n");
    }
}

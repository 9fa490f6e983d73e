/* See run_predictions.h. */
#include "tools/run_predictions.h"

#include <stdio.h>
#include <string.h>

#include "mst/alloc.h"
#include "tools/npz_out.h"
#include "tools/tool_paths.h"

struct mst_predictions {
    const char *path; /* lent */
    const mst_opt_uints *at;
    bool step;
    size_t classes;
    FILE *f;
    bool arrays; /* .npz */
    mst_npz_out npz;
    mst_npz_array_out *sample, *label, *said, *logits;
};

static mst_status add_arrays(mst_predictions *p, mst_err *err)
{
    const int64_t form = 1;
    const uint64_t dims[2] = {p->at->n, p->classes};
    mst_npz_array_out *made_by, *t;
    MST_TRY(mst_npz_add(&p->npz, "mstrun", "<i8", 8, 0, NULL, &made_by, err));
    MST_TRY(mst_npz_append(made_by, &form, 1, err));
    MST_TRY(mst_npz_add(&p->npz, "t", "<i8", 8, 0, NULL, &t, err));
    for (size_t k = 0; k < p->at->n; k++) {
        int64_t step = p->at->values[k];
        MST_TRY(mst_npz_append(t, &step, 1, err));
    }
    MST_TRY(mst_npz_add(&p->npz, "sample", "<i8", 8, 0, NULL, &p->sample, err));
    MST_TRY(mst_npz_add(&p->npz, "label", "<i8", 8, 0, NULL, &p->label, err));
    MST_TRY(mst_npz_add(&p->npz, "class", "<i8", 8, 1, dims, &p->said, err));
    return mst_npz_add(&p->npz, "logits", "<f4", 4, 2, dims, &p->logits, err);
}

bool mst_predictions_npz(const char *path)
{
    size_t n = strlen(path);
    return n > 4 && strcmp(path + n - 4, ".npz") == 0;
}

mst_status mst_predictions_open(const char *path, const mst_opt_uints *at, bool step, size_t classes,
                                mst_predictions **out, mst_err *err)
{
    mst_predictions *p = mst_alloc(NULL, sizeof *p);
    *out = p;
    if (p == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    *p = (mst_predictions){.path = path, .at = at, .step = step, .classes = classes};
    p->arrays = mst_predictions_npz(path);
    MST_TRY(mst_paths_stream(path, &p->f, err));
    if (p->arrays)
        return add_arrays(p, err);
    fputs("sample,label,t,class", p->f);
    for (size_t c = 0; c < classes; c++)
        fprintf(p->f, ",logit_%zu", c);
    fputc('\n', p->f);
    return MST_OK;
}

static mst_status add_rows(mst_predictions *p, const mst_row *row, mst_err *err)
{
    int64_t number = row->sample, known = row->label;
    MST_TRY(mst_npz_append(p->sample, &number, 1, err));
    MST_TRY(mst_npz_append(p->label, &known, 1, err));
    int64_t classes[MST_OPT_MAX_LIST];
    for (size_t k = 0; k < p->at->n; k++)
        classes[k] = row->said[k];
    MST_TRY(mst_npz_append(p->said, classes, 1, err));
    return mst_npz_append(p->logits, row->logits, 1, err);
}

mst_status mst_predictions_add(mst_predictions *p, const mst_row *row, mst_err *err)
{
    if (p->arrays)
        return add_rows(p, row, err);
    for (size_t k = 0; k < p->at->n; k++) {
        fprintf(p->f, "%u,", row->sample);
        if (row->label >= 0)
            fprintf(p->f, "%d", row->label);
        fputc(',', p->f);
        if (p->step)
            fprintf(p->f, "%u", p->at->values[k]);
        fprintf(p->f, ",%u", row->said[k]);
        for (size_t c = 0; c < p->classes; c++)
            fprintf(p->f, ",%.9g", (double)row->logits[k * p->classes + c]);
        fputc('\n', p->f);
    }
    return !ferror(p->f) ? MST_OK : mst_cannot_write(p->path, err);
}

mst_status mst_predictions_end(mst_predictions *p, mst_err *err)
{
    return p->arrays ? mst_npz_write(&p->npz, p->f, p->path, err) : MST_OK;
}

void mst_predictions_close(mst_predictions *p)
{
    if (p == NULL)
        return;
    mst_npz_out_free(&p->npz);
    mst_free(NULL, p, sizeof *p);
}

/* See calib_state.h. */
#include "tools/calib_state.h"

#include <stdlib.h>

#include "tools/tool_output.h"

#define LEAST_LINE 45 /* characters of a layer's 4 numbers and 19 sums, all of them 0 */

static json_t *lines_of(const mst_calib_sums *s)
{
    char *line = malloc(MST_CALIB_LINE);
    json_t *list = line != NULL ? json_array() : NULL;
    for (size_t i = 0; list != NULL && i < mst_calib_sums_lines(s); i++) {
        mst_calib_sums_line(s, i, line);
        mst_json_append(&list, json_string(line));
    }
    free(line);
    return list;
}

json_t *mst_calib_sums_json(const mst_calib_state *s)
{
    json_t *sums = mst_versus_counts_json(s->versus);
    mst_json_set(&sums, "lines", lines_of(s->sums));
    return sums;
}

json_t *mst_calib_state_json(const mst_calib_state *s)
{
    json_t *state = json_pack("{s:o, s:o, s:o, s:o}", "done", mst_json_whole(s->outcome->done), "sums",
                              mst_calib_sums_json(s), "ann", mst_versus_json(s->versus), "confusion",
                              mst_confusion_json(&s->versus->snn));
    mst_json_add(&state, mst_outcome_json(s->outcome));
    return state;
}

mst_status mst_calib_state_check(const json_t *from, size_t n_layers, size_t n_points, mst_err *err)
{
    const json_t *lines = json_object_get(json_object_get(from, "sums"), "lines");
    size_t n = json_array_size(lines), first = 1 + n_points;
    bool ok = n >= first && (n - first) / n_points == n_layers && (n - first) % n_points == 0;
    for (size_t i = first; ok && i < n; i++)
        ok = json_string_length(json_array_get(lines, i)) >= LEAST_LINE;
    return ok ? MST_OK
              : mst_fail(err, MST_EFORMAT, "'sums' is not that of %zu layers at %zu steps", n_layers, n_points);
}

static mst_status add_lines(mst_calib_sums *s, const json_t *lines, mst_err *err)
{
    size_t n = mst_calib_sums_lines(s);
    if (json_array_size(lines) != n)
        return mst_fail(err, MST_EFORMAT, "'sums' has %zu lines, expected %zu", json_array_size(lines), n);
    for (size_t i = 0; i < n; i++) {
        const char *line = json_string_value(json_array_get(lines, i));
        MST_TRY(mst_calib_sums_add(s, i, line != NULL ? line : "", err));
    }
    return MST_OK;
}

mst_status mst_calib_state_add(mst_calib_state *s, const json_t *from, mst_err *err)
{
    const json_t *sums = json_object_get(from, "sums");
    mst_versus *v = s->versus;
    size_t before = mst_calib_sums_samples(s->sums);
    MST_TRY(add_lines(s->sums, json_object_get(sums, "lines"), err));
    MST_TRY(mst_versus_take(v, json_object_get(from, "ann"), json_object_get(from, "confusion"), sums,
                            s->outcome->classes, err));
    if (v->samples != mst_calib_sums_samples(s->sums) || v->labelled != mst_calib_sums_labelled(s->sums))
        return mst_fail(err, MST_EFORMAT, "its sums are not whole");
    for (size_t i = 0; i < v->snn.cap; i++)
        if (v->snn.cells[i].samples != 0)
            mst_outcome_saw(s->outcome, (int)v->snn.cells[i].label);
    return mst_outcome_add(s->outcome, from, v->samples - before, err);
}

/* A hash table with open addressing: of 1,000 classes a million pairs may occur, of 50,000 samples 50,000 do. */
#include "tools/run_confusion.h"

#include <stdlib.h>
#include <string.h>

#include "mst/alloc.h"
#include "tools/tool_output.h"

#define FIRST_CAP 64

static mst_confusion_cell *find(const mst_confusion *c, uint32_t label, uint32_t said)
{
    uint64_t h = (((uint64_t)label << 32) | said) * 0x9e3779b97f4a7c15u;
    size_t i = (size_t)(h >> 32) & (c->cap - 1);
    while (c->cells[i].samples != 0 && (c->cells[i].label != label || c->cells[i].said != said))
        i = (i + 1) & (c->cap - 1);
    return &c->cells[i];
}

static bool grow(mst_confusion *c)
{
    mst_confusion more = {.n = c->n, .cap = c->cap != 0 ? 2 * c->cap : FIRST_CAP};
    more.cells = mst_alloc_array(NULL, more.cap, sizeof *more.cells);
    if (more.cells == NULL)
        return false;
    for (size_t i = 0; i < c->cap; i++)
        if (c->cells[i].samples != 0)
            *find(&more, c->cells[i].label, c->cells[i].said) = c->cells[i];
    mst_confusion_free(c);
    *c = more;
    return true;
}

mst_status mst_confusion_room(mst_confusion *c, mst_err *err)
{
    return 2 * c->n < c->cap || grow(c) ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory for the confusion matrix");
}

mst_status mst_confusion_add(mst_confusion *c, uint32_t label, uint32_t said, uint64_t samples, mst_err *err)
{
    MST_TRY(mst_confusion_room(c, err));
    mst_confusion_cell *cell = find(c, label, said);
    c->n += cell->samples == 0 && samples != 0;
    *cell = (mst_confusion_cell){label, said, cell->samples + samples};
    return MST_OK;
}

void mst_confusion_free(mst_confusion *c)
{
    mst_free_array(NULL, c->cells, c->cap, sizeof *c->cells);
    *c = (mst_confusion){0};
}

/* ---- JSON ---- */

static int by_classes(const void *a, const void *b)
{
    const mst_confusion_cell *x = a, *y = b;
    return x->label != y->label ? (x->label < y->label ? -1 : 1) : (x->said > y->said) - (x->said < y->said);
}

mst_confusion_cell *mst_confusion_sorted(const mst_confusion *c)
{
    mst_confusion_cell *list = mst_alloc_array(NULL, c->n, sizeof *list);
    size_t n = 0;
    for (size_t i = 0; list != NULL && i < c->cap; i++)
        if (c->cells[i].samples != 0)
            list[n++] = c->cells[i];
    if (list != NULL)
        qsort(list, n, sizeof *list, by_classes);
    return list;
}

json_t *mst_confusion_json(const mst_confusion *c)
{
    mst_confusion_cell *list = mst_confusion_sorted(c);
    json_t *out = list != NULL || c->n == 0 ? json_array() : NULL;
    for (size_t i = 0; out != NULL && i < c->n; i++)
        mst_json_append(&out, json_pack("[I, I, o]", (json_int_t)list[i].label, (json_int_t)list[i].said,
                                        mst_json_whole(list[i].samples)));
    mst_free_array(NULL, list, c->n, sizeof *list);
    return out;
}

mst_status mst_confusion_take(mst_confusion *c, const json_t *list, size_t classes, mst_err *err)
{
    bool ok = json_is_array(list);
    for (size_t i = 0; ok && i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i);
        uint64_t v[3];
        ok = json_array_size(row) == 3;
        for (size_t k = 0; k < 3 && ok; k++)
            ok = mst_json_take_whole(json_array_get(row, k), &v[k]);
        ok = ok && v[0] < classes && v[1] < classes && v[2] != 0;
        if (ok)
            MST_TRY(mst_confusion_add(c, (uint32_t)v[0], (uint32_t)v[1], v[2], err));
    }
    return ok ? MST_OK : mst_fail(err, MST_EFORMAT, "'confusion' is not of [label, class, samples]");
}

json_t *mst_confusion_classes(const mst_confusion *c, const char *const *names, size_t n)
{
    mst_confusion_cell *list = mst_confusion_sorted(c);
    json_t *out = list != NULL || c->n == 0 ? json_array() : NULL;
    for (size_t i = 0; out != NULL && i < c->n;) {
        uint32_t label = list[i].label;
        uint64_t all = 0, right = 0;
        for (; i < c->n && list[i].label == label; i++) {
            all += list[i].samples;
            right += list[i].said == label ? list[i].samples : 0;
        }
        mst_json_append(&out, json_pack("{s:I, s:o, s:o, s:o, s:o}", "class", (json_int_t)label, "name",
                                        label < n ? mst_json_text(names[label]) : json_null(), "samples",
                                        mst_json_whole(all), "right", mst_json_whole(right), "top1_percent",
                                        mst_json_real(100 * (double)right / (double)all)));
    }
    mst_free_array(NULL, list, c->n, sizeof *list);
    return out;
}

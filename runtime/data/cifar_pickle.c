/* What a batch of CIFAR's Python version must hold. */
#include "runtime/data/cifar_pickle.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/data/pickle.h"

static mst_status wrong(const mst_data_file *f, const char *key, const char *expected, mst_err *err)
{
    return mst_fail(err, MST_EFORMAT, "%s: pickle: '%s': expected %s", f->path, key, expected);
}

/* Dimension k of a shape; -1: it has another rank, or no number there. */
static int64_t dimension(const mst_pickle_items *shape, size_t k)
{
    return shape->n == 2 && shape->v[k].kind == MST_PICKLE_INT ? shape->v[k].number : -1;
}

static mst_status find_pixels(mst_cifar_pickle *p, const mst_data_file *f, const mst_pickle_value *batch,
                              mst_err *err)
{
    const mst_pickle_value *data = mst_pickle_get(batch, "data");
    if (data == NULL || data->kind != MST_PICKLE_ARRAY || !data->array->built)
        return wrong(f, "data", "an array of NumPy", err);
    const mst_pickle_array *a = data->array;
    int64_t n = dimension(a->shape, 0);
    if (a->type == NULL || strcmp(a->type, "u1") != 0 || a->fortran || n <= 0 || n > INT32_MAX ||
        dimension(a->shape, 1) != (int64_t)MST_CIFAR_PIXELS || a->bytes->n != (uint64_t)n * MST_CIFAR_PIXELS)
        return wrong(f, "data", "bytes [n,3072] in C order", err);
    p->n = (size_t)n;
    p->pixels = a->bytes->offset;
    return MST_OK;
}

static mst_status find_labels(mst_cifar_pickle *p, const mst_data_file *f, const mst_pickle_value *batch,
                              const char *key, int32_t **labels, mst_err *err)
{
    const mst_pickle_value *list = mst_pickle_get(batch, key);
    if (list == NULL || list->kind != MST_PICKLE_LIST || list->items->n != p->n)
        return wrong(f, key, "a list of as many labels as images", err);
    if ((*labels = mst_alloc_array(NULL, p->n, sizeof **labels)) == NULL)
        return mst_fail(err, MST_ENOMEM, "%s: no memory for %zu labels", f->path, p->n);
    for (size_t i = 0; i < p->n; i++) {
        const mst_pickle_value *v = &list->items->v[i];
        if (v->kind != MST_PICKLE_INT || v->number < 0 || v->number > INT32_MAX)
            return wrong(f, key, "labels from 0 on", err);
        (*labels)[i] = (int32_t)v->number;
    }
    return MST_OK;
}

/* The command that makes of whatever else is in the pickle what npz: reads. */
static mst_status with_conversion(const mst_data_file *f, const char *key, mst_status st, mst_err *err)
{
    if (err == NULL || st != MST_EFORMAT || strlen(f->path) > 100 || strcspn(f->path, "'\"\\$`") != strlen(f->path))
        return st;
    mst_err inner = *err;
    return mst_fail(err, st,
                    "%s; to convert what is a batch of CIFAR: python3 -c \"import pickle, numpy as np; f='%s'; "
                    "d=pickle.load(open(f, 'rb'), encoding='latin1'); np.savez(f+'.npz', x=np.reshape(d['data'], "
                    "(-1, 3, 32, 32)), "
                    "y=d['%s'])\"",
                    inner.text, f->path, key);
}

mst_status mst_cifar_pickle_read(mst_cifar_pickle *p, mst_data_file *f, const char *const *keys, size_t n_keys,
                                 mst_err *err)
{
    mst_arena arena = {0};
    mst_pickle_value batch;
    *p = (mst_cifar_pickle){0};
    mst_status st = mst_pickle_read(f, &arena, &batch, err);
    if (st == MST_OK)
        st = find_pixels(p, f, &batch, err);
    for (size_t k = 0; k < n_keys && st == MST_OK; k++)
        st = find_labels(p, f, &batch, keys[k], &p->labels[k], err);
    mst_arena_release(&arena);
    return with_conversion(f, keys[n_keys - 1], st, err);
}

void mst_cifar_pickle_free(mst_cifar_pickle *p)
{
    for (size_t k = 0; k < MST_CIFAR_MAX_LABELS; k++)
        mst_free_array(NULL, p->labels[k], p->n, sizeof *p->labels[k]);
    *p = (mst_cifar_pickle){0};
}

/* Input normalization and class names. */
#include "tools/conv_meta.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAX_CLASSES_FILE ((size_t)1 << 20)

bool mst_shape_parse(const char *text, uint32_t *dims, uint32_t *rank)
{
    *rank = 0;
    for (const char *at = text;; at++) {
        char item[16];
        uint64_t v;
        size_t n = strcspn(at, "x");
        if (n == 0 || n >= sizeof item || *rank == MST_MAX_RANK)
            return false;
        memcpy(item, at, n);
        item[n] = '\0';
        if (!mst_parse_uint(item, &v) || v == 0 || v > MST_MAX_ELEMENTS)
            return false;
        dims[(*rank)++] = (uint32_t)v;
        at += n;
        if (*at == '\0')
            return true;
    }
}

mst_status mst_meta_set_norm(mst_graph *g, const mst_opt_reals *mean, const mst_opt_reals *std, mst_err *err)
{
    const mst_tensor *x = &g->tensors[g->input];
    uint32_t channels = x->rank == 4 ? x->dims[1] : 1;
    if (mean->n != channels || channels > MST_MAX_CHANNELS)
        return mst_fail(err, MST_EINVAL,
                        "--mean and --std: expected %u numbers, one a channel of the input, found %zu",
                        channels, mean->n);
    for (uint32_t c = 0; c < channels; c++) {
        g->meta.mean[c] = (float)mean->values[c];
        g->meta.std[c] = (float)std->values[c];
    }
    g->meta.n_norm = channels;
    return MST_OK;
}

/* Cut text at every separator; names go into g's arena. where: in errors. */
static mst_status add_names(mst_graph *g, char *text, const char *separators, const char *where, mst_err *err)
{
    size_t classes = mst_tensor_elements(&g->tensors[g->output]), n = 0;
    const char **names = mst_arena_array(&g->arena, classes, sizeof *names);
    if (names == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for class names");
    char *rest = text, *one;
    while ((one = strsep(&rest, separators)) != NULL) {
        one[strcspn(one, "\r")] = '\0';
        if (one[0] == '\0' && rest == NULL)
            break; /* a file's last line end */
        if (one[0] == '\0')
            return mst_fail(err, MST_EINVAL, "%s: name %zu is empty", where, n + 1);
        if (n < classes && (names[n] = mst_arena_strdup(&g->arena, one)) == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory for class names");
        n++;
    }
    if (n != classes)
        return mst_fail(err, MST_EINVAL,
                        "%s: expected %zu names as the model has classes, found %zu", where,
                        classes, n);
    g->meta.class_names = names;
    g->meta.n_classes = (uint32_t)classes;
    return MST_OK;
}

static mst_status read_text(const char *path, char *text, size_t cap, mst_err *err)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return mst_fail(err, MST_EIO, "--classes %s: %s", path, strerror(errno));
    size_t n = fread(text, 1, cap, f);
    bool bad = ferror(f) != 0;
    int why = errno;
    fclose(f);
    if (bad)
        return mst_fail(err, MST_EIO, "--classes %s: %s", path, strerror(why));
    if (n == cap)
        return mst_fail(err, MST_ELIMIT, "--classes %s: limit is %zu bytes", path, cap - 1);
    if (memchr(text, '\0', n) != NULL)
        return mst_fail(err, MST_EFORMAT, "--classes %s: expected text, found a zero byte", path);
    text[n] = '\0';
    return MST_OK;
}

mst_status mst_meta_name_classes(mst_graph *g, const char *list, const char *where, mst_err *err)
{
    size_t size = strlen(list) + 1;
    char *copy = mst_alloc(NULL, size);
    if (copy == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for class names");
    memcpy(copy, list, size);
    mst_status st = add_names(g, copy, ",", where, err);
    mst_free(NULL, copy, size);
    return st;
}

static mst_status name_from_file(mst_graph *g, const char *path, const char *where, mst_err *err)
{
    const size_t cap = MAX_CLASSES_FILE + 1;
    char *text = mst_alloc(NULL, cap);
    if (text == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for class names");
    mst_status st = read_text(path, text, cap, err);
    if (st == MST_OK)
        st = add_names(g, text, "\n", where, err);
    mst_free(NULL, text, cap);
    return st;
}

mst_status mst_meta_set_classes(mst_graph *g, const char *text, mst_err *err)
{
    char where[256];
    snprintf(where, sizeof where, "--classes %s", text);
    return strchr(text, ',') != NULL ? mst_meta_name_classes(g, text, where, err)
                                     : name_from_file(g, text, where, err);
}

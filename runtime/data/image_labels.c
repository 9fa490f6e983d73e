/* Images of a folder, by a file of labels or as they lie there. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/data/image_list.h"
#include "runtime/data/label_lines.h"

#define NAMED "\"name label\" or \"name,label\", a path in the folder and a number or a class"
#define ALONE "a label alone as in the lines before"

/* A folder and the file of labels that says what is in it. */
typedef struct labelled {
    mst_image_list *list;
    const mst_data *d;
    const char *folder;
    uint32_t kept;            /* folder */
    char dir[MST_IMAGE_PATH]; /* of the line before, up to its last '/' */
    uint32_t dir_at;          /* where folder/dir is kept */
    bool dir_kept;
    mst_label_lines lines;
} labelled;

/* A name that stays inside the folder. */
static bool is_inside(const char *name)
{
    if (name[0] == '/' || name[0] == '\0')
        return false;
    for (const char *p = name; p != NULL; p = strchr(p, '/')) {
        p += *p == '/';
        if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == '\0'))
            return false;
    }
    return true;
}

/* The file of that name in the folder into out; a name may lack its suffix, as ids in tables do. */
static mst_status find(const labelled *s, char out[MST_IMAGE_PATH], mst_err *err)
{
    uint64_t size;
    char path[MST_IMAGE_PATH];
    const char *suffix = "";
    for (size_t k = 0; suffix != NULL; suffix = mst_image_suffix_at(k++)) {
        if (snprintf(path, sizeof path, "%s/%s%s", s->folder, s->lines.name, suffix) >= (int)sizeof path)
            return mst_fail(err, MST_ELIMIT, "%s/%s: the path is too long", s->folder, s->lines.name);
        if (mst_data_file_size(path, &size, NULL) == MST_OK) {
            memcpy(out, path + strlen(s->folder) + 1, strlen(path + strlen(s->folder)));
            return MST_OK;
        }
    }
    snprintf(path, sizeof path, "%s/%s", s->folder, s->lines.name);
    return mst_data_file_size(path, &size, err);
}

/* Names of one subfolder that follow each other share its text. */
static mst_status add_name(labelled *s, const char *name, int32_t label, mst_err *err)
{
    char path[MST_IMAGE_PATH];
    const char *slash = strrchr(name, '/');
    size_t n = slash != NULL ? (size_t)(slash - name) : 0;
    if (n == 0 || strlen(s->dir) != n || memcmp(s->dir, name, n) != 0) {
        memcpy(s->dir, name, n);
        s->dir[n] = '\0';
        s->dir_kept = false;
        return mst_image_list_add(s->list, s->kept, name, label, err);
    }
    if (!s->dir_kept) {
        if (snprintf(path, sizeof path, "%s/%s", s->folder, s->dir) >= (int)sizeof path)
            return mst_fail(err, MST_ELIMIT, "the path is too long");
        MST_TRY(mst_image_list_keep(s->list, path, &s->dir_at, err));
        s->dir_kept = true;
    }
    return mst_image_list_add(s->list, s->dir_at, slash + 1, label, err);
}

static mst_status add_named(labelled *s, mst_err *err)
{
    char name[MST_IMAGE_PATH];
    const mst_label_lines *l = &s->lines;
    if (l->name == NULL || !is_inside(l->name))
        return mst_label_lines_wrong(l, NAMED, err);
    mst_status st = find(s, name, err);
    if (st == MST_OK)
        st = add_name(s, name, l->label, err);
    return st == MST_OK ? st : mst_fail_in(err, st, "%s: offset %" PRIu64 ": ", l->path, l->offset);
}

/* Labels alone are of all images of the folder, in their order. */
static mst_status put_label(labelled *s, mst_err *err)
{
    const mst_label_lines *l = &s->lines;
    if (l->name != NULL)
        return mst_label_lines_wrong(l, ALONE, err);
    if (l->given > s->list->n)
        return mst_fail(err, MST_EINVAL,
                        "%s: offset %" PRIu64 ": expected %zu labels as there are images, found more", l->path,
                        l->offset, s->list->n);
    mst_image_list_label(s->list, l->given - 1, l->label);
    return MST_OK;
}

static mst_status read_lines(labelled *s, mst_err *err)
{
    mst_label_lines *l = &s->lines;
    bool got = true, named = true;
    MST_TRY(mst_image_list_keep(s->list, s->folder, &s->kept, err));
    while (got) {
        MST_TRY(mst_label_lines_next(l, s->d, NAMED, &got, err));
        if (!got)
            break;
        if (l->given == 1 && l->name == NULL) {
            named = false;
            MST_TRY(mst_image_list_folder(s->list, mst_arena_printf(&s->list->paths, "%s", s->folder), -1, err));
        }
        MST_TRY(named ? add_named(s, err) : put_label(s, err));
    }
    if (l->given == 0)
        return mst_fail(err, MST_EFORMAT, "%s: expected lines of %s, found none", l->path, NAMED);
    if (!named && l->given != s->list->n)
        return mst_fail(err, MST_EINVAL, "%s: expected %zu labels as there are images, found %zu", l->path,
                        s->list->n, l->given);
    return MST_OK;
}

static mst_status add_labelled(mst_image_list *list, const mst_data *d, const char *folder, const char *labels,
                               mst_err *err)
{
    uint64_t size;
    const char *inside = mst_arena_printf(&list->paths, "%s/%s", folder, labels);
    labelled *s = mst_alloc(NULL, sizeof *s);
    if (inside == NULL || s == NULL) {
        mst_free(NULL, s, sizeof *s);
        return mst_fail(err, MST_ENOMEM, "out of memory");
    }
    bool here =
        mst_data_file_size(labels, &size, NULL) != MST_OK && mst_data_file_size(inside, &size, NULL) == MST_OK;
    s->list = list;
    s->d = d;
    s->folder = folder;
    mst_status st = mst_label_lines_open(&s->lines, here ? inside : labels, err);
    if (st == MST_OK)
        st = read_lines(s, err);
    mst_label_lines_close(&s->lines);
    mst_free(NULL, s, sizeof *s);
    return st;
}

mst_status mst_image_list_read(mst_image_list *list, const mst_data *d, const char *path, const char *labels,
                               mst_err *err)
{
    uint64_t size;
    if (mst_data_is_dir(path))
        return labels != NULL ? add_labelled(list, d, path, labels, err) : mst_image_list_tree(list, d, path, err);
    MST_TRY(mst_data_file_size(path, &size, err));
    if (labels != NULL)
        return mst_fail(err, MST_EINVAL, "image:%s: expected no label file for a single image, found '%s'",
                        path,
                        labels);
    uint32_t none;
    MST_TRY(mst_image_list_keep(list, "", &none, err));
    return mst_image_list_add(list, none, path, -1, err);
}

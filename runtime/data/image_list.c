/* Folders of images and label files. */
#include "runtime/data/image_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/core/checked.h"

#define MAX_LABEL_FILE ((size_t)1 << 26)

/* ---- folders ---- */

typedef struct entries {
    struct dirent **p;
    int n;
} entries;

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_image_name(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');
    if (dot == NULL || e->d_name[0] == '.' || e->d_type == DT_DIR)
        return 0;
    return strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0 || strcasecmp(dot, ".png") == 0;
}

static int may_be_folder(const struct dirent *e)
{
    return e->d_name[0] != '.' && (e->d_type == DT_DIR || e->d_type == DT_LNK || e->d_type == DT_UNKNOWN);
}

static mst_status list_folder(const char *path, int (*filter)(const struct dirent *), entries *out,
                              mst_err *err)
{
    out->p = NULL;
    out->n = scandir(path, &out->p, filter, by_name);
    if (out->n >= 0)
        return MST_OK;
    out->n = 0;
    return mst_fail(err, errno == ENOMEM ? MST_ENOMEM : MST_EIO, "%s: %s", path, strerror(errno));
}

static void free_entries(entries *e)
{
    for (int i = 0; i < e->n; i++)
        free(e->p[i]);
    free(e->p);
    *e = (entries){0};
}

/* Subfolders only, in place. */
static mst_status keep_folders(mst_image_list *list, const char *path, entries *e, mst_err *err)
{
    int kept = 0;
    mst_status st = MST_OK;
    for (int i = 0; i < e->n; i++) {
        struct dirent *one = e->p[i];
        bool folder = one->d_type == DT_DIR;
        if (!folder && st == MST_OK) {
            const char *sub = mst_arena_printf(&list->texts, "%s/%s", path, one->d_name);
            st = sub != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory");
            folder = sub != NULL && mst_data_is_dir(sub);
        }
        if (folder)
            e->p[kept++] = one;
        else
            free(one);
    }
    e->n = kept;
    return st;
}

bool mst_image_list_any(const char *folder)
{
    entries files = {0}, subs = {0};
    bool any = list_folder(folder, is_image_name, &files, NULL) == MST_OK && files.n != 0;
    free_entries(&files);
    if (!any && list_folder(folder, may_be_folder, &subs, NULL) == MST_OK)
        for (int i = 0; i < subs.n && !any; i++) {
            char path[4096];
            bool fits = snprintf(path, sizeof path, "%s/%s", folder, subs.p[i]->d_name) < (int)sizeof path;
            any = fits && list_folder(path, is_image_name, &files, NULL) == MST_OK && files.n != 0;
            free_entries(&files);
        }
    free_entries(&subs);
    return any;
}

/* ---- items ---- */

static mst_status add(mst_image_list *list, const char *folder, const char *name, int32_t label, mst_err *err)
{
    if (list->n == list->room) {
        size_t room = list->room == 0 ? 1024 : 2 * list->room;
        mst_image_item *items = mst_alloc_array(NULL, room, sizeof *items);
        if (items == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory for %zu images", room);
        if (list->n != 0)
            memcpy(items, list->items, list->n * sizeof *items);
        mst_free_array(NULL, list->items, list->room, sizeof *items);
        list->items = items;
        list->room = room;
    }
    if (folder == NULL || name == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    list->items[list->n++] = (mst_image_item){folder, name, label};
    return MST_OK;
}

#define MAX_DEPTH 8 /* folders in each other: a link may lead back */

/* Files, then folders, each sorted: ImageFolder's order. */
static mst_status walk_folder(mst_image_list *list, const char *folder, int32_t label, unsigned depth,
                              mst_err *err)
{
    entries files, subs;
    if (folder == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    if (depth == MAX_DEPTH)
        return mst_fail(err, MST_ELIMIT, "%s: expected at most %d folders in each other", folder, MAX_DEPTH);
    MST_TRY(list_folder(folder, is_image_name, &files, err));
    mst_status st = MST_OK;
    for (int i = 0; i < files.n && st == MST_OK; i++)
        st = add(list, folder, mst_arena_strdup(&list->texts, files.p[i]->d_name), label, err);
    free_entries(&files);
    MST_TRY(st);
    MST_TRY(list_folder(folder, may_be_folder, &subs, err));
    st = keep_folders(list, folder, &subs, err);
    for (int i = 0; i < subs.n && st == MST_OK; i++)
        st = walk_folder(list, mst_arena_printf(&list->texts, "%s/%s", folder, subs.p[i]->d_name), label,
                         depth + 1, err);
    free_entries(&subs);
    return st;
}

static mst_status add_folder(mst_image_list *list, const char *folder, int32_t label, mst_err *err)
{
    size_t before = list->n;
    MST_TRY(walk_folder(list, folder, label, 0, err));
    return list->n != before ? MST_OK
                             : mst_fail(err, MST_EFORMAT,
                                        "%s: expected images (.jpg, .jpeg, .png), found none", folder);
}

/* Labels are places in the list of names, so a folder too few or too many shifts all that follow. */
static mst_status add_classes(mst_image_list *list, const mst_data *d, const char *path, const entries *subs,
                              mst_err *err)
{
    if (d->want.classes != 0 && (uint32_t)subs->n != d->want.classes)
        return mst_fail(err, MST_EINVAL,
                        "%s: class folders: expected %u as the model has classes, found %d (labels are their "
                        "places; a label file says them one by one)", path, d->want.classes, subs->n);
    for (int i = 0; i < subs->n; i++)
        MST_TRY(add_folder(list, mst_arena_printf(&list->texts, "%s/%s", path, subs->p[i]->d_name), i, err));
    return MST_OK;
}

static mst_status add_tree(mst_image_list *list, const mst_data *d, const char *path, mst_err *err)
{
    entries subs;
    MST_TRY(list_folder(path, may_be_folder, &subs, err));
    mst_status st = keep_folders(list, path, &subs, err);
    if (st == MST_OK)
        st = subs.n != 0 ? add_classes(list, d, path, &subs, err)
                         : add_folder(list, mst_arena_strdup(&list->texts, path), -1, err);
    free_entries(&subs);
    return st;
}

/* ---- label files ---- */

/* Digits and nothing else; false past an int32. */
static bool take_label(const char *text, int64_t *label)
{
    *label = 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || *label > INT32_MAX)
            return false;
        *label = *label * 10 + (*text - '0');
    }
    return true;
}

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

/* "name label" in place; the label is the last word, so names may have spaces. */
static mst_status add_line(mst_image_list *list, const mst_data *d, const char *folder,
                           const mst_image_file *f,
                           char *line, mst_err *err)
{
    int64_t label = -1;
    size_t offset = (size_t)((uint8_t *)line - f->bytes), n = strlen(line);
    while (n > 0 && strchr(" \t\r", line[n - 1]) != NULL)
        line[--n] = '\0';
    if (n == 0)
        return MST_OK;
    char *end = line + n;
    while (end > line && end[-1] != ' ' && end[-1] != '\t')
        end--;
    bool ok = end > line && take_label(end, &label);
    char found[101];
    snprintf(found, sizeof found, "%s", line);
    while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
        *--end = '\0';
    if (!ok || !is_inside(line))
        return mst_fail(err, MST_EFORMAT,
                        "%s: offset %zu: expected \"name label\", a path in the folder and a number, "
                        "found '%s'",
                        f->path, offset, found);
    MST_TRY(mst_data_check_label(d, f->path, list->n, offset, label, err));
    const char *path = mst_arena_printf(&list->texts, "%s/%s", folder, line);
    uint64_t size;
    if (path != NULL)
        MST_TRY(mst_data_file_size(path, &size, err));
    return add(list, "", path, (int32_t)label, err);
}

static mst_status add_labelled(mst_image_list *list, const mst_data *d, const char *folder,
                               const char *labels,
                               mst_err *err)
{
    mst_image_file f = {0};
    uint64_t size;
    const char *inside = mst_arena_printf(&list->texts, "%s/%s", folder, labels);
    if (inside == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    bool here = mst_data_file_size(labels, &size, NULL) != MST_OK &&
                mst_data_file_size(inside, &size, NULL) == MST_OK;
    MST_TRY(mst_image_file_read(&f, here ? inside : labels, MAX_LABEL_FILE, err));
    mst_status st = MST_OK;
    if (memchr(f.bytes, '\0', f.n) != NULL)
        st = mst_fail(err, MST_EFORMAT, "%s: offset %zu: expected text, found a zero byte", f.path,
                      strlen((char *)f.bytes));
    char *rest = (char *)f.bytes, *line;
    while (st == MST_OK && (line = strsep(&rest, "\n")) != NULL)
        st = add_line(list, d, folder, &f, line, err);
    if (st == MST_OK && list->n == 0)
        st = mst_fail(err, MST_EFORMAT, "%s: expected lines of \"name label\", found none", f.path);
    mst_image_file_free(&f);
    return st;
}

mst_status mst_image_list_read(mst_image_list *list, const mst_data *d, const char *path, const char *labels,
                               mst_err *err)
{
    uint64_t size;
    if (mst_data_is_dir(path))
        return labels != NULL ? add_labelled(list, d, path, labels, err) : add_tree(list, d, path, err);
    MST_TRY(mst_data_file_size(path, &size, err));
    if (labels != NULL)
        return mst_fail(err, MST_EINVAL, "image:%s: expected no label file for a single image, found '%s'",
                        path,
                        labels);
    return add(list, "", mst_arena_strdup(&list->texts, path), -1, err);
}

void mst_image_list_free(mst_image_list *list)
{
    mst_free_array(NULL, list->items, list->room, sizeof *list->items);
    mst_arena_release(&list->texts);
    *list = (mst_image_list){0};
}

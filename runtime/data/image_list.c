/* Folders of images. */
#include "runtime/data/image_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- folders ---- */

typedef struct entries {
    struct dirent **p;
    int n;
} entries;

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int may_be_file(const struct dirent *e)
{
    return e->d_name[0] != '.' && e->d_type != DT_DIR;
}

static int is_image_name(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');
    if (dot == NULL || !may_be_file(e))
        return 0;
    return mst_image_suffix(dot);
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
static void keep_folders(const char *path, entries *e)
{
    char sub[MST_IMAGE_PATH];
    int kept = 0;
    for (int i = 0; i < e->n; i++) {
        struct dirent *one = e->p[i];
        if (one->d_type == DT_DIR || (snprintf(sub, sizeof sub, "%s/%s", path, one->d_name) < (int)sizeof sub &&
                                      mst_data_is_dir(sub)))
            e->p[kept++] = one;
        else
            free(one);
    }
    e->n = kept;
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

/* ---- trees ---- */

#define MAX_DEPTH 8 /* folders in each other: a link may lead back */

static int by_path(const void *a, const void *b)
{
    return strcmp(*(void *const *)a, *(void *const *)b);
}

/* A folder and all in it, their paths in the list's arena. */
static mst_status find_folders(mst_image_list *list, char *folder, unsigned depth, mst_image_pointers *f,
                               mst_err *err)
{
    entries subs;
    if (folder == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    if (depth == MAX_DEPTH)
        return mst_fail(err, MST_ELIMIT, "%s: expected at most %d folders in each other", folder, MAX_DEPTH);
    MST_TRY(mst_image_pointers_add(f, folder, err));
    MST_TRY(list_folder(folder, may_be_folder, &subs, err));
    keep_folders(folder, &subs);
    mst_status st = MST_OK;
    for (int i = 0; i < subs.n && st == MST_OK; i++)
        st = find_folders(list, mst_arena_printf(&list->paths, "%s/%s", folder, subs.p[i]->d_name), depth + 1,
                          f, err);
    free_entries(&subs);
    return st;
}

/* No image by its name: counted, so that one that was meant as such is not missed in silence. */
static void pass_over(mst_image_list *list, const char *folder, const struct dirent *e)
{
    char path[MST_IMAGE_PATH];
    if (e->d_type != DT_REG && snprintf(path, sizeof path, "%s/%s", folder, e->d_name) < (int)sizeof path &&
        mst_data_is_dir(path))
        return; /* behind a link */
    if (list->passed_over++ == 0 && snprintf(path, sizeof path, "%s/%s", folder, e->d_name) < (int)sizeof path)
        memcpy(list->passed_name, path, strnlen(path, sizeof list->passed_name - 1));
}

static mst_status add_files(mst_image_list *list, const char *folder, int32_t label, mst_err *err)
{
    entries files;
    uint32_t kept;
    MST_TRY(mst_image_list_keep(list, folder, &kept, err));
    MST_TRY(list_folder(folder, may_be_file, &files, err));
    mst_status st = MST_OK;
    for (int i = 0; i < files.n && st == MST_OK; i++)
        if (is_image_name(files.p[i]))
            st = mst_image_list_add(list, kept, files.p[i]->d_name, label, err);
        else
            pass_over(list, folder, files.p[i]);
    free_entries(&files);
    return st;
}

/* ImageFolder's order: folders by their whole path, so that x-1 comes between x and x/y. */
static mst_status walk_folder(mst_image_list *list, char *folder, int32_t label, mst_err *err)
{
    mst_image_pointers f = {0};
    mst_status st = find_folders(list, folder, 0, &f, err);
    if (st == MST_OK)
        qsort(f.p, f.n, sizeof *f.p, by_path);
    for (size_t i = 0; i < f.n && st == MST_OK; i++)
        st = add_files(list, f.p[i], label, err);
    mst_image_pointers_free(&f);
    return st;
}

mst_status mst_image_list_folder(mst_image_list *list, char *folder, int32_t label, mst_err *err)
{
    size_t before = list->n;
    MST_TRY(walk_folder(list, folder, label, err));
    return list->n != before ? MST_OK
                             : mst_fail(err, MST_EFORMAT,
                                        "%s: expected images (.jpg, .png, .bmp, .ppm, .tif, .webp ..), found none",
                                        folder);
}

static mst_status add_classes(mst_image_list *list, const mst_data *d, const char *path, const entries *subs,
                              mst_err *err)
{
    const char **names = mst_arena_array(&list->paths, (size_t)subs->n, sizeof *names);
    int32_t *labels = mst_arena_array(&list->paths, (size_t)subs->n, sizeof *labels);
    if (names == NULL || labels == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    for (int i = 0; i < subs->n; i++)
        names[i] = subs->p[i]->d_name;
    MST_TRY(mst_data_folder_labels(d, path, names, (size_t)subs->n, labels, err));
    for (int i = 0; i < subs->n; i++)
        MST_TRY(mst_image_list_folder(list, mst_arena_printf(&list->paths, "%s/%s", path, names[i]), labels[i], err));
    return MST_OK;
}

mst_status mst_image_list_tree(mst_image_list *list, const mst_data *d, const char *path, mst_err *err)
{
    entries subs;
    MST_TRY(list_folder(path, may_be_folder, &subs, err));
    keep_folders(path, &subs);
    mst_status st = subs.n != 0 ? add_classes(list, d, path, &subs, err)
                                : mst_image_list_folder(list, mst_arena_printf(&list->paths, "%s", path), -1, err);
    free_entries(&subs);
    return st;
}

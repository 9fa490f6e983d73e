/* Folders of images and label files. */
#include "runtime/data/image_list.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
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

static mst_status add_folder(mst_image_list *list, char *folder, int32_t label, mst_err *err)
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
        MST_TRY(add_folder(list, mst_arena_printf(&list->paths, "%s/%s", path, names[i]), labels[i], err));
    return MST_OK;
}

static mst_status add_tree(mst_image_list *list, const mst_data *d, const char *path, mst_err *err)
{
    entries subs;
    MST_TRY(list_folder(path, may_be_folder, &subs, err));
    keep_folders(path, &subs);
    mst_status st = subs.n != 0 ? add_classes(list, d, path, &subs, err)
                                : add_folder(list, mst_arena_printf(&list->paths, "%s", path), -1, err);
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

/* A text that is read line by line. */
typedef struct lines {
    const char *path;
    FILE *f;
    uint64_t offset, next;     /* of the line, and of the one behind it */
    char line[MST_IMAGE_PATH]; /* without its end */
    char dir[MST_IMAGE_PATH];  /* of the line before, up to its last '/' */
    uint32_t dir_at;           /* where folder/dir is kept */
    bool dir_kept;
} lines;

static mst_status next_line(lines *l, bool *got, mst_err *err)
{
    size_t n = 0;
    int c;
    l->offset = l->next;
    while ((c = getc(l->f)) != EOF && c != '\n') {
        if (c == '\0')
            return mst_fail(err, MST_EFORMAT, "%s: offset %" PRIu64 ": expected text, found a zero byte", l->path,
                            l->offset + n);
        if (n == sizeof l->line - 1)
            return mst_fail(err, MST_EFORMAT,
                            "%s: offset %" PRIu64 ": expected a line of at most %zu bytes, found more", l->path,
                            l->offset, n);
        l->line[n++] = (char)c;
    }
    if (c == EOF && ferror(l->f))
        return mst_fail(err, MST_EIO, "%s: offset %" PRIu64 ": cannot be read: %s", l->path,
                        l->offset + n, strerror(errno));
    l->line[n] = '\0';
    l->next = l->offset + n + 1;
    *got = c != EOF || n != 0;
    return MST_OK;
}

/* Lines of one subfolder that follow each other share its text. */
static mst_status add_name(mst_image_list *list, const char *folder, uint32_t kept, lines *l, int32_t label,
                           mst_err *err)
{
    char path[MST_IMAGE_PATH];
    const char *slash = strrchr(l->line, '/');
    size_t n = slash != NULL ? (size_t)(slash - l->line) : 0;
    if (n == 0 || strlen(l->dir) != n || memcmp(l->dir, l->line, n) != 0) {
        memcpy(l->dir, l->line, n);
        l->dir[n] = '\0';
        l->dir_kept = false;
        return mst_image_list_add(list, kept, l->line, label, err);
    }
    if (!l->dir_kept) {
        if (snprintf(path, sizeof path, "%s/%s", folder, l->dir) >= (int)sizeof path)
            return mst_fail(err, MST_ELIMIT, "%s: offset %" PRIu64 ": the path is too long", l->path, l->offset);
        MST_TRY(mst_image_list_keep(list, path, &l->dir_at, err));
        l->dir_kept = true;
    }
    return mst_image_list_add(list, l->dir_at, slash + 1, label, err);
}

/* "name label" in place; the label is the last word, so names may have spaces. Empty lines are none. */
static mst_status add_line(mst_image_list *list, const mst_data *d, const char *folder, uint32_t kept,
                           lines *l, mst_err *err)
{
    int64_t label = -1;
    char *line = l->line, path[MST_IMAGE_PATH], found[101];
    size_t n = strlen(line);
    while (n > 0 && strchr(" \t\r", line[n - 1]) != NULL)
        line[--n] = '\0';
    if (n == 0)
        return MST_OK;
    char *end = line + n;
    while (end > line && end[-1] != ' ' && end[-1] != '\t')
        end--;
    bool ok = end > line && take_label(end, &label);
    snprintf(found, sizeof found, "%.100s", line);
    while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
        *--end = '\0';
    if (!ok || !is_inside(line))
        return mst_fail(err, MST_EFORMAT,
                        "%s: offset %" PRIu64
                        ": expected \"name label\", a path in the folder and a number, found '%s'",
                        l->path, l->offset, found);
    MST_TRY(mst_data_check_label(d, l->path, list->n, l->offset, label, err));
    MST_TRY(add_name(list, folder, kept, l, (int32_t)label, err));
    uint64_t size;
    int kept_label;
    mst_status st = mst_image_list_get(list, list->n - 1, path, &kept_label, err);
    if (st == MST_OK)
        st = mst_data_file_size(path, &size, err);
    return st == MST_OK ? st : mst_fail_in(err, st, "%s: offset %" PRIu64 ": ", l->path, l->offset);
}

static mst_status add_lines(mst_image_list *list, const mst_data *d, const char *folder, lines *l, mst_err *err)
{
    uint32_t kept;
    bool got = true;
    MST_TRY(mst_image_list_keep(list, folder, &kept, err));
    while (got) {
        MST_TRY(next_line(l, &got, err));
        if (got)
            MST_TRY(add_line(list, d, folder, kept, l, err));
    }
    if (list->n == 0)
        return mst_fail(err, MST_EFORMAT, "%s: expected lines of \"name label\", found none", l->path);
    return MST_OK;
}

static mst_status add_labelled(mst_image_list *list, const mst_data *d, const char *folder,
                               const char *labels, mst_err *err)
{
    uint64_t size;
    const char *inside = mst_arena_printf(&list->paths, "%s/%s", folder, labels);
    if (inside == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    bool here = mst_data_file_size(labels, &size, NULL) != MST_OK &&
                mst_data_file_size(inside, &size, NULL) == MST_OK;
    lines l = {.path = here ? inside : labels};
    MST_TRY(mst_data_file_size(l.path, &size, err));
    if ((l.f = fopen(l.path, "rb")) == NULL)
        return mst_fail(err, MST_EIO, "%s: %s", l.path, strerror(errno));
    mst_status st = add_lines(list, d, folder, &l, err);
    fclose(l.f);
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
    uint32_t none;
    MST_TRY(mst_image_list_keep(list, "", &none, err));
    return mst_image_list_add(list, none, path, -1, err);
}

/* Names in folders, sorted by bytes, and the growing list of samples. */
#include "runtime/data/events/event_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/grow.h"
#include "runtime/data/data_format.h"

#define MAX_NAMES ((size_t)1 << 22)

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Room for one more of size bytes in an array; the array moves. */
static mst_status grow(void **array, size_t n, size_t *room, size_t size, const char *path, mst_err *err)
{
    if (n < *room)
        return MST_OK;
    if (n >= MAX_NAMES)
        return mst_fail(err, MST_ELIMIT, "%s: limit is %zu recordings", path, MAX_NAMES);
    void *p = mst_grow(NULL, *array, n, room, 64, size);
    if (p == NULL)
        return mst_fail(err, MST_ENOMEM, "%s: no memory for a list of more than %zu", path, n);
    *array = p;
    return MST_OK;
}

/* Folders only, or files only: links are followed. */
static bool is_wanted(const char *folder, const char *name, const char *suffix, mst_event_set *set)
{
    if (name[0] == '.' || (suffix != NULL && !mst_data_ends_with(name, suffix)))
        return false;
    if (suffix != NULL)
        return true;
    const char *path = mst_arena_printf(&set->texts, "%s/%s", folder, name);
    return path != NULL && mst_data_is_dir(path);
}

mst_status mst_event_names_read(const char *folder, const char *suffix, mst_event_set *set,
                                mst_event_names *out, mst_err *err)
{
    *out = (mst_event_names){0};
    DIR *d = opendir(folder);
    if (d == NULL)
        return mst_fail(err, MST_EIO, "%s: %s", folder, strerror(errno));
    mst_status st = MST_OK;
    while (st == MST_OK) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (e == NULL) {
            if (errno != 0)
                st = mst_fail(err, MST_EIO, "%s: %s", folder, strerror(errno));
            break;
        }
        if (!is_wanted(folder, e->d_name, suffix, set))
            continue;
        const char *name = mst_arena_strdup(&set->texts, e->d_name);
        if (name == NULL)
            st = mst_fail(err, MST_ENOMEM, "out of memory");
        else
            st = grow((void **)&out->names, out->n, &out->room, sizeof *out->names, folder, err);
        if (st == MST_OK)
            out->names[out->n++] = name;
    }
    closedir(d);
    if (st != MST_OK)
        mst_event_names_free(out);
    else if (out->n != 0)
        qsort(out->names, out->n, sizeof *out->names, by_bytes);
    return st;
}

void mst_event_names_free(mst_event_names *names)
{
    mst_free_array(NULL, names->names, names->room, sizeof *names->names);
    *names = (mst_event_names){0};
}

mst_status mst_event_set_add(mst_event_set *set, const char *path, int32_t label, int64_t t_from,
                             int64_t t_to, mst_err *err)
{
    if (path == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    MST_TRY(grow((void **)&set->items, set->n, &set->room, sizeof *set->items, path, err));
    set->items[set->n++] = (mst_event_item){.path = path, .label = label, .t_from = t_from, .t_to = t_to};
    return MST_OK;
}

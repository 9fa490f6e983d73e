/* From a path to a list of samples: the layouts of folders. Knows no record of
 * any format.
 */
#include "runtime/data/events/event_set.h"

#include <stdio.h>
#include <string.h>

#include "runtime/data/data_format.h"
#include "runtime/data/events/event_list.h"

#define SPLITS 4u

static const char *join(mst_event_set *set, const char *folder, const char *name)
{
    size_t n = strlen(folder);
    return mst_arena_printf(&set->texts, "%s%s%s", folder, n > 0 && folder[n - 1] == '/' ? "" : "/", name);
}

/* The profile of a folder's recordings, from the first file in it that is one. */
static mst_status recognize(mst_event_set *set, const char *folder, mst_err *err)
{
    mst_event_names names = {0};
    const mst_event_profile *p;
    mst_status st = MST_OK;
    for (size_t k = 0; st == MST_OK && set->profile == NULL && (p = mst_event_profile_at(k)) != NULL; k++) {
        st = mst_event_names_read(folder, mst_event_profile_suffix(p), set, &names, err);
        const char *first = st == MST_OK && names.n != 0 ? join(set, folder, names.names[0]) : NULL;
        if (first != NULL)
            set->profile = mst_event_profile_sniff(first);
        mst_event_names_free(&names);
    }
    return st;
}

/* CIFAR10-DVS differs from other AEDAT 2.0 recordings in how its pictures are turned, and
 * nothing but its class names tells. */
static bool is_cifar10(const mst_event_names *c)
{
    static const char *const names[] = {"airplane", "automobile", "bird", "cat", "deer",
                                        "dog", "frog", "horse", "ship", "truck"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (i >= c->n || strcmp(c->names[i], names[i]) != 0)
            return false;
    return c->n == sizeof names / sizeof names[0];
}

static mst_status add_folder(mst_event_set *set, const char *folder, int32_t label, mst_err *err)
{
    mst_event_names files = {0};
    const char *suffix = mst_event_profile_suffix(set->profile);
    mst_status st = mst_event_names_read(folder, suffix, set, &files, err);
    if (st == MST_OK && files.n == 0)
        st = mst_fail(err, MST_EFORMAT, "%s: expected recordings (%s), found none", folder, suffix);
    for (size_t i = 0; i < files.n && st == MST_OK; i++)
        st = mst_event_set_add(set, join(set, folder, files.names[i]), label, 0, 0, err);
    mst_event_names_free(&files);
    return st;
}

/* The same of class folders, from the first that has one. */
static mst_status recognize_classes(mst_event_set *set, const char *folder, const mst_event_names *c,
                                    mst_err *err)
{
    mst_status st = MST_OK;
    for (size_t k = 0; k < c->n && st == MST_OK && set->profile == NULL; k++) {
        const char *sub = join(set, folder, c->names[k]);
        st = sub != NULL ? recognize(set, sub, err) : mst_fail(err, MST_ENOMEM, "out of memory");
    }
    return st;
}

static mst_status add_classes(mst_event_set *set, const char *folder, const mst_event_names *c, mst_err *err)
{
    mst_status st = MST_OK;
    for (size_t k = 0; k < c->n && st == MST_OK; k++) {
        const char *sub = join(set, folder, c->names[k]);
        st = sub != NULL ? add_folder(set, sub, (int32_t)k, err) : mst_fail(err, MST_ENOMEM, "out of memory");
    }
    if (st != MST_OK)
        return st;
    set->classes = mst_arena_array(&set->texts, c->n, sizeof *set->classes);
    if (set->classes == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    memcpy(set->classes, c->names, c->n * sizeof *set->classes);
    set->n_classes = c->n;
    return MST_OK;
}

static mst_status add_gestures(mst_event_set *set, const char *folder, mst_err *err)
{
    const char *list = join(set, folder, "trials_to_test.txt");
    if (list == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    if (mst_data_file_size(list, &(uint64_t){0}, NULL) == MST_OK)
        return mst_event_gesture_list(set, list, err);
    mst_event_names files = {0};
    mst_status st = mst_event_names_read(folder, ".aedat", set, &files, err);
    for (size_t i = 0; i < files.n && st == MST_OK; i++) {
        const char *path = join(set, folder, files.names[i]);
        st = path != NULL ? mst_event_gesture_add_labelled(set, path, err)
                          : mst_fail(err, MST_ENOMEM, "out of memory");
    }
    mst_event_names_free(&files);
    return st;
}

/* The recordings of a folder that are named by their labels: 0.npy, 10.npy. */
static mst_status add_named_by_labels(mst_event_set *set, const char *folder, mst_err *err)
{
    mst_event_names files = {0};
    mst_status st = mst_event_names_read(folder, ".npy", set, &files, err);
    for (size_t i = 0; i < files.n && st == MST_OK; i++) {
        int label = -1, end = -1;
        if (sscanf(files.names[i], "%5d.npy%n", &label, &end) != 1 || end < 0 || files.names[i][end] != '\0' ||
            label < 0)
            st = mst_fail(err, MST_EFORMAT, "%s/%s: expected a label for its name (0.npy), found '%s'", folder,
                          files.names[i], files.names[i]);
        else if ((st = mst_event_set_add(set, join(set, folder, files.names[i]), label, 0, 0, err)) == MST_OK)
            set->n_classes = (size_t)label >= set->n_classes ? (size_t)label + 1 : set->n_classes;
    }
    mst_event_names_free(&files);
    return st;
}

/* A folder for each user and light, or one of these. */
static mst_status add_tonic_gestures(mst_event_set *set, const char *folder, const mst_event_names *users,
                                     mst_err *err)
{
    mst_status st = users->n == 0 ? add_named_by_labels(set, folder, err) : MST_OK;
    for (size_t k = 0; k < users->n && st == MST_OK; k++) {
        const char *sub = join(set, folder, users->names[k]);
        st = sub != NULL ? add_named_by_labels(set, sub, err) : mst_fail(err, MST_ENOMEM, "out of memory");
    }
    return st;
}

/* The folder that this one stands for. */
static const char *find_split(mst_event_set *set, const char *folder)
{
    static const char *const splits[SPLITS] = {"Test", "test", "n-cars_test", "ibmGestureTest"};
    for (size_t i = 0; i < SPLITS; i++) {
        const char *path = join(set, folder, splits[i]);
        if (path != NULL && mst_data_is_dir(path))
            return path;
    }
    return folder;
}

/* What the recordings of a folder are, where that was not said. */
static mst_status recognize_folder(mst_event_set *set, const char *folder, const mst_event_names *sub, mst_err *err)
{
    if (set->profile != NULL)
        return MST_OK;
    MST_TRY(sub->n != 0 ? recognize_classes(set, folder, sub, err) : recognize(set, folder, err));
    if (set->profile == NULL)
        return mst_fail(err, MST_EFORMAT, "%s: expected %s, recognized none", folder,
                        sub->n != 0 ? "folders of event recordings" : "event recordings");
    if (set->profile == mst_event_profile_find("aedat2") && is_cifar10(sub))
        set->profile = mst_event_profile_find("cifar10dvs");
    return MST_OK;
}

static mst_status open_folder(mst_event_set *set, const char *folder, mst_err *err)
{
    mst_event_names sub = {0};
    folder = find_split(set, folder);
    bool given = set->profile != NULL;
    mst_status st = mst_event_names_read(folder, NULL, set, &sub, err);
    if (st == MST_OK)
        st = recognize_folder(set, folder, &sub, err);
    bool gestures = set->profile == mst_event_profile_find("dvsgesture") && (given || sub.n == 0);
    bool tonic = set->profile == mst_event_profile_find("tonicgesture");
    if (st == MST_OK)
        st = gestures     ? add_gestures(set, folder, err)
             : tonic      ? add_tonic_gestures(set, folder, &sub, err)
             : sub.n != 0 ? add_classes(set, folder, &sub, err)
                          : add_folder(set, folder, -1, err);
    mst_event_names_free(&sub);
    return st;
}

static mst_status open_file(mst_event_set *set, const char *path, mst_err *err)
{
    const mst_event_profile *gesture = mst_event_profile_find("dvsgesture");
    if (set->profile == gesture && mst_data_ends_with(path, ".txt"))
        return mst_event_gesture_list(set, path, err);
    if (set->profile == NULL && (set->profile = mst_event_profile_sniff(path)) == NULL)
        return mst_fail(err, MST_EFORMAT, "%s: expected an event recording, recognized none", path);
    if (set->profile != gesture)
        return mst_event_set_add(set, path, -1, 0, 0, err);
    return mst_event_gesture_add(set, path, mst_event_gesture_labels(set, path), err);
}

mst_status mst_event_set_open(const char *path, const mst_event_profile *profile, mst_event_set *set,
                              mst_err *err)
{
    *set = (mst_event_set){.profile = profile};
    uint64_t size;
    const char *copy = mst_arena_strdup(&set->texts, path);
    mst_status st = copy != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory");
    if (st == MST_OK && !mst_data_is_dir(path))
        st = mst_data_file_size(path, &size, err);
    if (st == MST_OK)
        st = mst_data_is_dir(path) ? open_folder(set, copy, err) : open_file(set, copy, err);
    if (st == MST_OK && set->n == 0)
        st = mst_fail(err, MST_EFORMAT, "%s: expected samples, found none", path);
    if (st != MST_OK)
        mst_event_set_close(set);
    return st;
}

bool mst_event_set_sniff(const char *path)
{
    mst_event_set set = {0};
    mst_event_names sub = {0};
    const char *folder = find_split(&set, path);
    if (mst_event_names_read(folder, NULL, &set, &sub, NULL) == MST_OK) {
        if (sub.n != 0)
            recognize_classes(&set, folder, &sub, NULL);
        else
            recognize(&set, folder, NULL);
    }
    bool found = set.profile != NULL;
    mst_event_names_free(&sub);
    mst_event_set_close(&set);
    return found;
}

void mst_event_set_close(mst_event_set *set)
{
    mst_free_array(NULL, set->items, set->room, sizeof *set->items);
    mst_arena_release(&set->texts);
    *set = (mst_event_set){0};
}

mst_status mst_event_set_sensor(mst_event_set *set, const uint16_t size[2], bool assumed, mst_err *err)
{
    set->profile = mst_event_profile_sized(set->profile, size[1], size[0], assumed, &set->texts);
    return set->profile != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory");
}

mst_status mst_event_set_stream(const mst_event_set *set, size_t i, mst_event_stream **out, mst_err *err)
{
    const mst_event_item *it = &set->items[i];
    return mst_event_open(it->path, set->profile, it->t_from, it->t_to, out, err);
}

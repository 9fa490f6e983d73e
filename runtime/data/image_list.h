/* Which image files a path stands for, and their labels. Opens none of them. Private
 * to runtime/data.
 */
#ifndef MST_IMAGE_LIST_H
#define MST_IMAGE_LIST_H

#include "mst/alloc.h"
#include "runtime/data/data_format.h"

typedef struct mst_image_item {
    const char *folder, *name; /* folder "": name is the whole path */
    int32_t label;             /* -1: none */
} mst_image_item;

typedef struct mst_image_list {
    mst_image_item *items;
    size_t n, room;
    mst_arena texts;
} mst_image_list;

/* Is there an image in this folder, or in its first subfolder that has any? */
bool mst_image_list_any(const char *folder);

/* List PATH, labels NULL where no file of them is given, into a zeroed list, which is to be freed
 * whatever this returns. Labels are checked against d's classes. EIO, EFORMAT (no images, an empty
 * class, a bad line), EINVAL, ELIMIT, ENOMEM. */
mst_status mst_image_list_read(mst_image_list *list, const mst_data *d, const char *path, const char *labels,
                               mst_err *err);
void mst_image_list_free(mst_image_list *list);

#endif

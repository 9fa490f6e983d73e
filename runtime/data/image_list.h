/* Which image files a path stands for, and their labels. Opens none of them. Private
 * to runtime/data.
 */
#ifndef MST_IMAGE_LIST_H
#define MST_IMAGE_LIST_H

#include "mst/alloc.h"
#include "runtime/data/data_format.h"

#define MST_IMAGE_PATH 8192u /* bytes of a path, its end included */

/* ImageNet's training set has 1.28 million of these, so they are small: texts are kept once for a folder,
 * without gaps, and are named by their place (page, byte) in the list's pages. */
typedef struct mst_image_item {
    uint32_t folder, name;
    int32_t label; /* -1: none */
} mst_image_item;

/* Pointers, to pages of the list among others: what they point to stays where it is when one is added. */
typedef struct mst_image_pointers {
    void **p;
    size_t n, room;
} mst_image_pointers;

/* Takes no ownership of `one`. ENOMEM. */
mst_status mst_image_pointers_add(mst_image_pointers *list, void *one, mst_err *err);
/* Frees the list, not what it points to. */
void mst_image_pointers_free(mst_image_pointers *list);

typedef struct mst_image_list {
    mst_image_pointers items, texts;
    size_t n;              /* items */
    size_t text_used;      /* of the last page of texts */
    mst_arena paths;       /* of folders on the way */
    size_t passed_over;    /* files of other names */
    char passed_name[256]; /* one of them, cut */
} mst_image_list;

/* Keep a text of at most MST_IMAGE_PATH bytes. ELIMIT, ENOMEM. */
mst_status mst_image_list_keep(mst_image_list *list, const char *text, uint32_t *at, mst_err *err);
/* One more item; folder is a text that was kept, "" for none. ELIMIT, ENOMEM. */
mst_status mst_image_list_add(mst_image_list *list, uint32_t folder, const char *name, int32_t label,
                              mst_err *err);
/* Item i's path and label. ELIMIT where it is too long. */
mst_status mst_image_list_get(const mst_image_list *list, size_t i, char path[MST_IMAGE_PATH], int *label,
                              mst_err *err);

/* All images in a folder, in ImageFolder's order. EFORMAT: there are none. */
mst_status mst_image_list_folder(mst_image_list *list, char *folder, int32_t label, mst_err *err);
/* Those of a folder of class folders, or of one without folders in it: no labels. */
mst_status mst_image_list_tree(mst_image_list *list, const mst_data *d, const char *path, mst_err *err);
/* Of item i. */
void mst_image_list_label(mst_image_list *list, size_t i, int32_t label);

/* Is there an image in this folder, or in its first subfolder that has any? */
bool mst_image_list_any(const char *folder);

/* List PATH, labels NULL where no file of them is given, into a zeroed list, which is to be freed
 * whatever this returns. Labels are checked against d's classes. EIO, EFORMAT (no images, an empty
 * class, a bad line), EINVAL, ELIMIT, ENOMEM. */
mst_status mst_image_list_read(mst_image_list *list, const mst_data *d, const char *path, const char *labels,
                               mst_err *err);
void mst_image_list_free(mst_image_list *list);

#endif

/* Millions of names and labels in little room. Knows nothing of folders on disk. */
#include <stdio.h>
#include <string.h>

#include "runtime/core/grow.h"
#include "runtime/data/image_list.h"

#define TEXT_PAGE ((size_t)1 << 16)
#define ITEMS_IN_PAGE ((size_t)1 << 12)
#define MAX_TEXT_PAGES ((size_t)1 << 16)

mst_status mst_image_pointers_add(mst_image_pointers *list, void *one, mst_err *err)
{
    void **p = mst_grow(NULL, list->p, list->n, &list->room, 16, sizeof *p);
    if (p == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for a list of images");
    list->p = p;
    list->p[list->n++] = one;
    return MST_OK;
}

void mst_image_pointers_free(mst_image_pointers *list)
{
    mst_free_array(NULL, list->p, list->room, sizeof *list->p);
    *list = (mst_image_pointers){0};
}

static mst_status add_page(mst_image_pointers *pages, size_t bytes, mst_err *err)
{
    void *page = mst_alloc(NULL, bytes);
    if (page == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for a list of images");
    mst_status st = mst_image_pointers_add(pages, page, err);
    if (st != MST_OK)
        mst_free(NULL, page, bytes);
    return st;
}

static void free_pages(mst_image_pointers *pages, size_t bytes)
{
    for (size_t i = 0; i < pages->n; i++)
        mst_free(NULL, pages->p[i], bytes);
    mst_image_pointers_free(pages);
}

mst_status mst_image_list_keep(mst_image_list *list, const char *text, uint32_t *at, mst_err *err)
{
    size_t n = strlen(text) + 1;
    if (n > MST_IMAGE_PATH)
        return mst_fail(err, MST_ELIMIT, "%.200s...: a path of %zu bytes: limit is %u", text, n - 1,
                        MST_IMAGE_PATH - 1);
    if (list->texts.n == 0 || n > TEXT_PAGE - list->text_used) {
        if (list->texts.n == MAX_TEXT_PAGES)
            return mst_fail(err, MST_ELIMIT, "%s: more than 4 GB of image names", text);
        MST_TRY(add_page(&list->texts, TEXT_PAGE, err));
        list->text_used = 0;
    }
    size_t page = list->texts.n - 1;
    memcpy((char *)list->texts.p[page] + list->text_used, text, n);
    *at = (uint32_t)(page * TEXT_PAGE + list->text_used);
    list->text_used += n;
    return MST_OK;
}

mst_status mst_image_list_add(mst_image_list *list, uint32_t folder, const char *name, int32_t label,
                              mst_err *err)
{
    mst_image_item it = {.folder = folder, .label = label};
    MST_TRY(mst_image_list_keep(list, name, &it.name, err));
    if (list->n == list->items.n * ITEMS_IN_PAGE)
        MST_TRY(add_page(&list->items, ITEMS_IN_PAGE * sizeof it, err));
    ((mst_image_item *)list->items.p[list->n / ITEMS_IN_PAGE])[list->n % ITEMS_IN_PAGE] = it;
    list->n++;
    return MST_OK;
}

static const char *text_at(const mst_image_list *list, uint32_t at)
{
    return (const char *)list->texts.p[at / TEXT_PAGE] + at % TEXT_PAGE;
}

void mst_image_list_label(mst_image_list *list, size_t i, int32_t label)
{
    ((mst_image_item *)list->items.p[i / ITEMS_IN_PAGE])[i % ITEMS_IN_PAGE].label = label;
}

mst_status mst_image_list_get(const mst_image_list *list, size_t i, char path[MST_IMAGE_PATH], int *label,
                              mst_err *err)
{
    const mst_image_item *it = (const mst_image_item *)list->items.p[i / ITEMS_IN_PAGE] + i % ITEMS_IN_PAGE;
    const char *folder = text_at(list, it->folder), *name = text_at(list, it->name);
    if (snprintf(path, MST_IMAGE_PATH, "%s%s%s", folder, folder[0] != '\0' ? "/" : "", name) >=
        (int)MST_IMAGE_PATH)
        return mst_fail(err, MST_ELIMIT, "%s/%s: the path is too long", folder, name);
    *label = it->label;
    return MST_OK;
}

void mst_image_list_free(mst_image_list *list)
{
    free_pages(&list->items, ITEMS_IN_PAGE * sizeof(mst_image_item));
    free_pages(&list->texts, TEXT_PAGE);
    mst_arena_release(&list->paths);
    *list = (mst_image_list){0};
}

/* How often samples of one class were taken for another: a matrix of which only what is not 0 is kept. */
#ifndef MST_RUN_CONFUSION_H
#define MST_RUN_CONFUSION_H

#include <jansson.h>
#include <stdint.h>

#include "mst/status.h"

typedef struct mst_confusion_cell {
    uint32_t label, said;
    uint64_t samples; /* 0: free */
} mst_confusion_cell;

/* Zero-initialised: none. */
typedef struct mst_confusion {
    mst_confusion_cell *cells; /* [cap], by a hash of both classes; cap a power of two */
    size_t n, cap;
} mst_confusion;

/* Then the next sample is added without fail. ENOMEM. */
mst_status mst_confusion_room(mst_confusion *c, mst_err *err);
mst_status mst_confusion_add(mst_confusion *c, uint32_t label, uint32_t said, uint64_t samples, mst_err *err);
void mst_confusion_free(mst_confusion *c);

/* The cells that are not 0, [c->n], ascending, to be freed (mst_free_array); NULL: none, or out of memory. */
mst_confusion_cell *mst_confusion_sorted(const mst_confusion *c);

/* [[label, said, samples], ..], ascending. NULL: out of memory. */
json_t *mst_confusion_json(const mst_confusion *c);
/* Add what that says; EFORMAT: not of that form, or of a class that there is not; ENOMEM. */
mst_status mst_confusion_take(mst_confusion *c, const json_t *list, size_t classes, mst_err *err);
/* [{"class", "name", "samples", "right", "top1_percent"}, ..] of the labels that there were; names: NULL, or of n
 * classes. NULL: out of memory. */
json_t *mst_confusion_classes(const mst_confusion *c, const char *const *names, size_t n);

#endif

/* CIFAR's Python version: a pickled dictionary with pixels and labels. Private to runtime/data. */
#ifndef MST_CIFAR_PICKLE_H
#define MST_CIFAR_PICKLE_H

#include "runtime/data/data_format.h"

#define MST_CIFAR_PIXELS ((size_t)3 * 32 * 32)
#define MST_CIFAR_MAX_LABELS 2u

typedef struct mst_cifar_pickle {
    size_t n;        /* samples; 0: nothing was read */
    uint64_t pixels; /* where in the file [n] images of [3,32,32] bytes begin */
    /* of each key of labels [n], as far as it was asked for */
    int32_t *labels[MST_CIFAR_MAX_LABELS];
} mst_cifar_pickle;

/* f, from its beginning, whose keys of labels are `keys` [n_keys]. To be freed whatever this returns. EFORMAT with
 * the command that makes an .npz of it, ECORRUPT, ELIMIT, ENOMEM. */
mst_status mst_cifar_pickle_read(mst_cifar_pickle *p, mst_data_file *f, const char *const *keys, size_t n_keys,
                                 mst_err *err);
void mst_cifar_pickle_free(mst_cifar_pickle *p); /* zero-initialised allowed */

#endif

/* What a data format provides and what all formats share. Private to
 * runtime/data; knows nothing of graphs.
 */
#ifndef MST_DATA_FORMAT_H
#define MST_DATA_FORMAT_H

#include <stdbool.h>
#include <zlib.h>

#include "mst/graph.h"
#include "runtime/data/image.h"
#include "mst/data.h"

/* No sample set in memory may be larger than this. */
#define MST_DATA_MAX_BYTES ((size_t)1 << 33)

typedef struct mst_data_reader {
    mst_data_kind kind;              /* "events" for all kinds of recordings */
    bool (*sniff)(const char *path); /* by content, or by name where the content says nothing */
    /* Fill d->state and d->count; labels is NULL where the user gave none. On failure
     * close is called with whatever state there is. */
    mst_status (*open)(mst_data *d, const char *path, const char *labels, mst_err *err);
    size_t (*count)(const mst_data *d);
    mst_status (*get)(const mst_data *d, size_t i, float *x, int *label, mst_err *err);
    void (*close)(mst_data *d);
    /* Shape [C,H,W] of sample i where there is no model; NULL: all have that of d->want. */
    mst_status (*shape)(const mst_data *d, size_t i, uint32_t shape[3], mst_err *err);
    mst_status (*label)(const mst_data *d, size_t i, int *label, mst_err *err);
    /* Path of sample i's own file; NULL: samples lie in one file. False: it does not fit. */
    bool (*name)(const mst_data *d, size_t i, char *out, size_t n);
} mst_data_reader;

/* Every format, in the order in which paths are recognized. */
#define MST_DATA_READERS(READER) \
    READER(idx) \
    READER(cifar10) \
    READER(cifar100) \
    READER(npy) \
    READER(npz) \
    READER(image) \
    READER(event)

#define MST_DATA_DECLARE(name) extern const mst_data_reader mst_data_##name;
MST_DATA_READERS(MST_DATA_DECLARE)
#undef MST_DATA_DECLARE

struct mst_data {
    const mst_data_reader *format;
    const char *kind;   /* format's name, or the profile's of event recordings */
    bool as_is;         /* no model: samples keep their shape, which a reader whose
                                         * samples all have the same puts into want */
    mst_data_want want; /* mean and std point into the arrays below */
    float mean[MST_MAX_CHANNELS], std[MST_MAX_CHANNELS];
    float *table;          /* [channels][256]: each byte normalized */
    size_t pixels;         /* channels * height * width */
    bool real;             /* samples are floats, which enter as they are */
    size_t passed_over;    /* files in its folders that are no samples */
    char passed_name[256]; /* of one of them, cut */
    void *state;           /* the format's own */
};

/* The class of that name; -1: none of the model's. At open only. */
int mst_data_class_of(const mst_data *d, const char *name);
/* Labels of class folders, names [n] in byte order, into labels [n]: by the model's names where all folders have
 * such, else their places. EINVAL where some have, or where the places are not as many as the model's classes; path
 * begins the line. */
mst_status mst_data_folder_labels(const mst_data *d, const char *path, const char *const *names, size_t n,
                                  int32_t *labels,
                                  mst_err *err);

/* At open: will samples of this shape do? Adopts the shape where there is no model. EINVAL names
 * path and offset, what: "images". */
mst_status mst_data_check_shape(mst_data *d, const uint32_t shape[3], const char *path, uint64_t offset,
                                mst_err *err);

/* A sample's bytes [C,H,W] as the model's input in x: fitted where the size is another, normalized. */
mst_status mst_data_put_planes(const mst_data *d, const uint8_t *bytes, const uint32_t shape[3],
                               const char *name, float *x, mst_err *err);
/* The same of an image, which may also be turned into grey or RGB. EINVAL where nothing says how to
 * fit it; name begins the error line. */
mst_status mst_data_put_image(const mst_data *d, const mst_image *im, const char *name, float *x,
                              mst_err *err);

/* A regular file that may be gzip. Reads are exact or fail with file, offset, expected and found. */
typedef struct mst_data_file {
    const char *path; /* lent */
    gzFile gz;
    uint64_t size;   /* on disk */
    uint64_t offset; /* in the unpacked bytes */
} mst_data_file;

/* Size of a regular file; EIO for anything else (folders, devices, pipes). */
mst_status mst_data_file_size(const char *path, uint64_t *size, mst_err *err);
bool mst_data_is_dir(const char *path);
bool mst_data_ends_with(const char *path, const char *suffix); /* behind at least one character */

mst_status mst_data_file_open(mst_data_file *f, const char *path, mst_err *err);
void mst_data_file_close(mst_data_file *f); /* zero-initialised allowed */
mst_status mst_data_file_read(mst_data_file *f, void *out, size_t n, const char *what, mst_err *err);
/* The same without keeping them. */
mst_status mst_data_file_pass(mst_data_file *f, uint64_t n, const char *what, mst_err *err);

/* Before allocating: may n more bytes be all that is left in this file? ECORRUPT, ELIMIT. */
mst_status mst_data_file_expect(const mst_data_file *f, uint64_t n, const char *what, mst_err *err);
/* Nothing may follow. ECORRUPT. */
mst_status mst_data_file_end(mst_data_file *f, mst_err *err);

/* First n bytes of a file, unpacked; false if it has fewer or cannot be read. */
bool mst_data_file_peek(const char *path, void *out, size_t n);

/* Label k of a file against the model's classes. EINVAL. */
mst_status mst_data_check_label(const mst_data *d, const char *path, size_t k, uint64_t offset, int64_t label,
                                mst_err *err);

#endif

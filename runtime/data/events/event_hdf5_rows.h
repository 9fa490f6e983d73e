/* Rows of integers out of HDF5 files, in a build with libhdf5: a data set of numbers, or of records of which
 * some fields are wanted. What a file claims is held against its size before anything is read; soft and external links,
 * data in other files, and chunks of more than 64 MB are refused. Private to runtime/data/events; knows no events.
 */
#ifndef MST_EVENT_HDF5_ROWS_H
#define MST_EVENT_HDF5_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mst/status.h"

#define MST_HDF5_MAX_FIELDS 4u

typedef struct mst_hdf5 {
    const char *path; /* lent */
    uint64_t size;    /* of the file */
    int64_t id;       /* libhdf5's; 0: closed */
} mst_hdf5;

typedef struct mst_hdf5_rows {
    uint64_t n;
    unsigned n_fields; /* int64s of a row in memory */
    int64_t set, type; /* libhdf5's, of the data set and of a row in memory; 0: closed */
} mst_hdf5_rows;

/* Which field of a row, below MST_HDF5_MAX_FIELDS, one of this name is; -1: none that is wanted. */
typedef int (*mst_hdf5_field)(const char *name);

/* path must live on. ECORRUPT. */
mst_status mst_hdf5_open(mst_hdf5 *f, const char *path, uint64_t size, mst_err *err);
void mst_hdf5_close(mst_hdf5 *f); /* behind its rows; zero-initialised allowed */

/* Is there a data set or a group of that name, "CD/events"? */
bool mst_hdf5_has(const mst_hdf5 *f, const char *name);
/* A data set of one dimension of integers, or, with `field`, of records: these need integers for fields 0..n_fields-1.
 * EFORMAT, EUNSUPPORTED (a filter that libhdf5 does not find, by name), ECORRUPT, ELIMIT. To be closed whatever this
 * returns. */
mst_status mst_hdf5_rows_open(const mst_hdf5 *f, const char *name, mst_hdf5_field field, unsigned n_fields,
                              mst_hdf5_rows *out, mst_err *err);
void mst_hdf5_rows_close(mst_hdf5_rows *r); /* zero-initialised allowed */
/* Rows at..at+n-1 into out [n][n_fields]; integers beyond an int64 become its ends. ECORRUPT. */
mst_status mst_hdf5_rows_read(const mst_hdf5 *f, const mst_hdf5_rows *r, uint64_t at, size_t n, int64_t *out,
                              mst_err *err);

/* One integer that is a data set of its own. ECORRUPT. */
mst_status mst_hdf5_number(const mst_hdf5 *f, const char *name, int64_t *out, mst_err *err);
/* A text among the file's attributes, cut to n - 1 bytes; false: there is none. */
bool mst_hdf5_text(const mst_hdf5 *f, const char *name, char *out, size_t n);

#endif

/* Python's pickles, as much of them as holds numbers, texts, lists, dictionaries and NumPy's arrays. Nothing is
 * executed: the only functions that may be named are those that NumPy makes an array with, and these make a value
 * here. Knows nothing of what the values mean. Private to runtime/data.
 */
#ifndef MST_PICKLE_H
#define MST_PICKLE_H

#include "mst/alloc.h"
#include "runtime/data/data_format.h"

typedef enum mst_pickle_kind {
    MST_PICKLE_NONE,
    MST_PICKLE_BOOL,
    MST_PICKLE_INT,
    MST_PICKLE_TEXT, /* of str or bytes */
    MST_PICKLE_LIST,
    MST_PICKLE_TUPLE,
    MST_PICKLE_DICT,
    MST_PICKLE_ARRAY,
    MST_PICKLE_DTYPE, /* the rest is on the way to these */
    MST_PICKLE_GLOBAL,
    MST_PICKLE_MARK,
} mst_pickle_kind;

typedef struct mst_pickle_text {
    const char *text; /* NULL: a long one, which stays in the file */
    uint64_t offset, n;
} mst_pickle_text;

typedef struct mst_pickle_items {
    struct mst_pickle_value *v; /* of a dictionary key, value, key, value, .. */
    size_t n, room;
} mst_pickle_items;

typedef struct mst_pickle_array {
    bool built;
    const char *type; /* as NumPy calls it: "u1" */
    const mst_pickle_items *shape;
    bool fortran;
    const mst_pickle_text *bytes;
} mst_pickle_array;

typedef struct mst_pickle_value {
    mst_pickle_kind kind;
    union {
        int64_t number;                 /* INT, BOOL, GLOBAL */
        const mst_pickle_text *text;    /* TEXT, DTYPE */
        mst_pickle_items *items;        /* LIST, TUPLE, DICT */
        struct mst_pickle_array *array; /* ARRAY */
    };
} mst_pickle_value;

/* Read the one value that f, from its beginning and no gzip file, holds, into *out; what it points to lies in a. Lists
 * may hold themselves. EFORMAT: what is no such value, or another pickle's; ECORRUPT, ELIMIT, ENOMEM. */
mst_status mst_pickle_read(mst_data_file *f, mst_arena *a, mst_pickle_value *out, mst_err *err);

/* The value of a key of text in a dictionary; NULL: none. */
const mst_pickle_value *mst_pickle_get(const mst_pickle_value *dict, const char *key);

/* Do the first two bytes begin a pickle of protocol 2 to 5? */
bool mst_pickle_sniff(const uint8_t head[2]);

#endif

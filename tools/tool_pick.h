/* Which samples of a data set a run takes, and in what order. Knows nothing of how they are run. */
#ifndef MST_TOOL_PICK_H
#define MST_TOOL_PICK_H

#include "mst/alloc.h"
#include "mst/data.h"
#include "tools/tool_opts.h"

#define MST_MAX_SHARDS 4096

typedef struct mst_pick_opts {
    mst_opt_uint limit, first, every, shuffle, per_class;
    const char *range, *list;
    const char *shard; /* "I/N" */
} mst_pick_opts;

/* In this order: a list or a range, every Kth of it, shuffled, so many of each class, so many of all. */
#define MST_PICK_OPTIONS(p) \
    {"limit", 'n', MST_OPT_UINT, &(p).limit, "N", \
     "only N samples: the first, or spread evenly where labels are in order (folders of classes)", 1, UINT32_MAX}, \
        {"first", 0, MST_OPT_UINT, &(p).first, "N", "only the first N samples, whatever their labels", 1, UINT32_MAX}, \
        {"samples", 0, MST_OPT_INPUT, &(p).list, "FILE", \
         "only the samples of a list: a number or a path (as it ends) a line", 0, 0}, \
        {"range", 0, MST_OPT_STRING, &(p).range, "A:B", "only samples A to B-1; either may be left out", 0, 0}, \
        {"every", 0, MST_OPT_UINT, &(p).every, "K", "only every Kth sample", 1, UINT32_MAX}, \
        {"shuffle", 0, MST_OPT_UINT, &(p).shuffle, "S", \
         "in an order drawn with seed S; --limit takes the first of it", 0, UINT64_MAX}, \
    { \
        "per-class", 0, MST_OPT_UINT, &(p).per_class, "N", "only the first N samples of each class", 1, UINT32_MAX \
    }

#define MST_SHARD_OPTION(p) \
    { \
        "shard", 0, MST_OPT_STRING, &(p).shard, "I/N", \
            "part I of N (I from 1) of the samples that the other options leave; --merge puts results together", 0, 0 \
    }

/* Indices of samples in the data set: masks are drawn by these, whatever else is taken. */
typedef struct mst_pick {
    mst_arena arena;
    uint32_t *at; /* [n] */
    size_t n;
    size_t selected;        /* before they were cut into shards */
    uint64_t hash;          /* of the numbers of these (tool_hash.h) */
    uint64_t shard, shards; /* part shard (from 1) of so many; 0 and 0: all */
    bool spread;            /* --limit found labels in order */
    const char *passed;     /* one of the files that are no samples; lent by the data set */
    size_t n_passed;
} mst_pick;

/* The texts; EINVAL is a usage error. */
mst_status mst_pick_check(const mst_pick_opts *o, mst_err *err);
/* Release in any case. EINVAL where nothing is left, or a list names what is not there. */
mst_status mst_pick_make(const mst_pick_opts *o, const mst_data *data, mst_pick *out, mst_err *err);
void mst_pick_free(mst_pick *p);

#endif

/* Strict reading of YAML through libyaml's events: mappings with known keys,
 * scalars, lists. Anchors, aliases and tags are refused, so nothing grows on
 * reading; the caller's schema bounds the nesting. Knows nothing of policies.
 */
#ifndef MST_YAML_IN_H
#define MST_YAML_IN_H

#include <stdbool.h>
#include <stdint.h>
#include <yaml.h>

#include "mst/status.h"

typedef struct mst_yaml_in {
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    bool has_event;
    const char *file; /* for messages */
    void *user;       /* the caller's */
    mst_err *err;
} mst_yaml_in;

typedef struct mst_yaml_key {
    const char *name;
    /* called at the value's first event */
    mst_status (*read)(mst_yaml_in *y, const char *where, int arg, void *ctx);
    int arg;
    bool required;
} mst_yaml_key;

/* n bytes of text, lent. Close whether it worked or not. ENOMEM. */
mst_status mst_yaml_open(mst_yaml_in *y, const char *text, size_t n, const char *file, void *user,
                         mst_err *err);
void mst_yaml_close(mst_yaml_in *y);

mst_status mst_yaml_next(mst_yaml_in *y);
int mst_yaml_line(const mst_yaml_in *y);
const char *mst_yaml_text(const mst_yaml_in *y); /* of a scalar; else what the event is */

/* "file:line: <where>: expected ..., found ..." */
mst_status mst_yaml_wrong(const mst_yaml_in *y, const char *where, const char *expected);

/* A mapping at its first event: each key at most once, others are errors that list the valid ones. */
mst_status mst_yaml_map(mst_yaml_in *y, const char *where, const mst_yaml_key *keys, size_t n, void *ctx);

/* The scalar at the current event. */
mst_status mst_yaml_scalar(const mst_yaml_in *y, const char *where, const char *expected);
mst_status mst_yaml_uint(const mst_yaml_in *y, const char *where, const char *expected, uint64_t max,
                         uint64_t *out);
mst_status mst_yaml_fraction(const mst_yaml_in *y, const char *where, double *out); /* in [0,1) */

#endif

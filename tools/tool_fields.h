/* Structs as JSON objects and back, by one table for both ways. Knows nothing of what they are. */
#ifndef MST_TOOL_FIELDS_H
#define MST_TOOL_FIELDS_H

#include <jansson.h>
#include <stdint.h>

#include "mst/alloc.h"

typedef enum mst_field_kind {
    MST_FIELD_TEXT,  /* const char *; NULL: null */
    MST_FIELD_BOOL,  /* bool */
    MST_FIELD_INT,   /* int64_t */
    MST_FIELD_WHOLE, /* uint64_t */
    MST_FIELD_SOME,  /* uint64_t; 0: null */
    MST_FIELD_REAL   /* double; NaN: null */
} mst_field_kind;

typedef struct mst_field {
    const char *key;
    mst_field_kind kind;
    size_t at; /* offset in the struct */
} mst_field;

/* Into the object *to, as mst_json_set. */
void mst_fields_set(json_t **to, const mst_field *f, size_t n, const void *from);
/* Out of one, texts into the arena. EFORMAT names the key that is missing or of another kind; ENOMEM. */
mst_status mst_fields_take(const json_t *from, const mst_field *f, size_t n, mst_arena *arena, void *to, mst_err *err);

#endif

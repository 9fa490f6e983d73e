/* See tool_fields.h. */
#include "tools/tool_fields.h"

#include <math.h>
#include <stdbool.h>

#include "tools/tool_output.h"

static json_t *value_of(const mst_field *f, const void *from)
{
    const void *p = (const char *)from + f->at;
    switch (f->kind) {
    case MST_FIELD_TEXT: return *(const char *const *)p != NULL ? mst_json_text(*(const char *const *)p) : json_null();
    case MST_FIELD_BOOL: return json_boolean(*(const bool *)p);
    case MST_FIELD_INT: return json_integer(*(const int64_t *)p);
    case MST_FIELD_WHOLE: return mst_json_whole(*(const uint64_t *)p);
    case MST_FIELD_SOME: return mst_json_whole_if(*(const uint64_t *)p != 0, *(const uint64_t *)p);
    case MST_FIELD_REAL: return mst_json_real(*(const double *)p);
    }
    return NULL;
}

void mst_fields_set(json_t **to, const mst_field *f, size_t n, const void *from)
{
    for (size_t i = 0; i < n; i++)
        mst_json_set(to, f[i].key, value_of(&f[i], from));
}

static mst_status take_value(const json_t *v, const mst_field *f, mst_arena *arena, void *p, mst_err *err)
{
    bool null = json_is_null(v), ok = false;
    switch (f->kind) {
    case MST_FIELD_TEXT:
        ok = null || json_is_string(v);
        *(const char **)p = json_is_string(v) ? mst_arena_strdup(arena, json_string_value(v)) : NULL;
        if (json_is_string(v) && *(const char **)p == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory");
        break;
    case MST_FIELD_BOOL:
        ok = json_is_boolean(v);
        *(bool *)p = json_is_true(v);
        break;
    case MST_FIELD_INT:
        ok = json_is_integer(v);
        *(int64_t *)p = json_integer_value(v);
        break;
    case MST_FIELD_WHOLE:
    case MST_FIELD_SOME:
        ok = mst_json_take_whole(v, p) || (f->kind == MST_FIELD_SOME && null);
        break;
    case MST_FIELD_REAL:
        ok = null || json_is_number(v);
        *(double *)p = null ? (double)NAN : json_number_value(v);
        break;
    }
    return ok ? MST_OK : mst_fail(err, MST_EFORMAT, "'%s' is %s", f->key, v == NULL ? "missing" : "of another kind");
}

mst_status mst_fields_take(const json_t *from, const mst_field *f, size_t n, mst_arena *arena, void *to, mst_err *err)
{
    for (size_t i = 0; i < n; i++)
        MST_TRY(take_value(json_object_get(from, f[i].key), &f[i], arena, (char *)to + f[i].at, err));
    return MST_OK;
}

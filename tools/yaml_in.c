/* YAML events, checked on the way in. */
#include "tools/yaml_in.h"

#include <stdio.h>
#include <string.h>

#include "tools/tool_opts.h"

#define MAX_KEYS 8

int mst_yaml_line(const mst_yaml_in *y)
{
    return (int)y->event.start_mark.line + 1;
}

const char *mst_yaml_text(const mst_yaml_in *y)
{
    switch (y->event.type) {
    case YAML_SCALAR_EVENT: return (const char *)y->event.data.scalar.value;
    case YAML_SEQUENCE_START_EVENT: return "a list";
    case YAML_MAPPING_START_EVENT: return "a mapping";
    case YAML_DOCUMENT_START_EVENT: return "a second document";
    default: return "the end";
    }
}

/* "file:line: in <where>: expected ..., found ..." */
mst_status mst_yaml_wrong(const mst_yaml_in *y, const char *where, const char *expected)
{
    return mst_fail(y->err, MST_EINVAL, "%s:%d: %s: expected %s, found '%.100s'", y->file, mst_yaml_line(y),
                    where, expected, mst_yaml_text(y));
}

static mst_status refuse_decorated(const mst_yaml_in *y)
{
    const yaml_event_t *e = &y->event;
    const yaml_char_t *anchor = NULL, *tag = NULL;
    if (e->type == YAML_SCALAR_EVENT) {
        anchor = e->data.scalar.anchor;
        tag = e->data.scalar.tag;
    } else if (e->type == YAML_SEQUENCE_START_EVENT) {
        anchor = e->data.sequence_start.anchor;
        tag = e->data.sequence_start.tag;
    } else if (e->type == YAML_MAPPING_START_EVENT) {
        anchor = e->data.mapping_start.anchor;
        tag = e->data.mapping_start.tag;
    }
    if (anchor != NULL || tag != NULL || e->type == YAML_ALIAS_EVENT)
        return mst_fail(y->err, MST_EFORMAT, "%s:%d: expected plain values, found %s", y->file,
                        mst_yaml_line(y), tag != NULL ? "a tag" : anchor != NULL ? "an anchor"
                                                                                 : "an alias");
    if (e->type == YAML_SCALAR_EVENT && strlen(mst_yaml_text(y)) != e->data.scalar.length)
        return mst_fail(y->err, MST_EFORMAT, "%s:%d: expected text, found a zero byte", y->file,
                        mst_yaml_line(y));
    return MST_OK;
}

mst_status mst_yaml_next(mst_yaml_in *y)
{
    if (y->has_event)
        yaml_event_delete(&y->event);
    y->has_event = false;
    if (!yaml_parser_parse(&y->parser, &y->event)) {
        if (y->parser.error == YAML_MEMORY_ERROR)
            return mst_fail(y->err, MST_ENOMEM, "%s: out of memory", y->file);
        if (y->parser.error == YAML_READER_ERROR) /* bytes that are no UTF-8 have an offset and no line */
            return mst_fail(y->err, MST_EFORMAT, "%s: offset %zu: not YAML: %s", y->file,
                            y->parser.problem_offset, y->parser.problem);
        return mst_fail(y->err, MST_EFORMAT, "%s:%zu: not YAML: %s", y->file,
                        y->parser.problem_mark.line + 1,
                        y->parser.problem != NULL ? y->parser.problem : "unknown problem");
    }
    y->has_event = true;
    return refuse_decorated(y);
}

/* ---- mappings with known keys ---- */

static mst_status unknown_key(const mst_yaml_in *y, const char *where, const mst_yaml_key *keys, size_t n)
{
    char valid[256] = "";
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(valid);
        snprintf(valid + used, sizeof valid - used, "%s%s", i != 0 ? ", " : "", keys[i].name);
    }
    return mst_fail(y->err, MST_EINVAL, "%s:%d: %s: unknown key '%.100s', valid: %s", y->file,
                    mst_yaml_line(y), where, mst_yaml_text(y), valid);
}

static mst_status check_required(const mst_yaml_in *y, const char *where, const mst_yaml_key *keys, size_t n,
                                 const int *seen)
{
    for (size_t k = 0; k < n; k++)
        if (keys[k].required && seen[k] == 0)
            return mst_fail(y->err, MST_EINVAL, "%s:%d: %s: expected key '%s', found none", y->file,
                            mst_yaml_line(y), where, keys[k].name);
    return MST_OK;
}

mst_status mst_yaml_map(mst_yaml_in *y, const char *where, const mst_yaml_key *keys, size_t n, void *ctx)
{
    int seen[MAX_KEYS] = {0}; /* the line of each key */
    if (y->event.type != YAML_MAPPING_START_EVENT)
        return mst_yaml_wrong(y, where, "a mapping (key: value)");
    for (;;) {
        MST_TRY(mst_yaml_next(y));
        if (y->event.type == YAML_MAPPING_END_EVENT)
            return check_required(y, where, keys, n, seen);
        if (y->event.type != YAML_SCALAR_EVENT)
            return mst_yaml_wrong(y, where, "a key");
        size_t k = 0;
        while (k < n && strcmp(keys[k].name, mst_yaml_text(y)) != 0)
            k++;
        if (k == n)
            return unknown_key(y, where, keys, n);
        if (seen[k] != 0)
            return mst_fail(y->err, MST_EINVAL, "%s:%d: %s: key '%s' again, first on line %d",
                            y->file, mst_yaml_line(y), where, keys[k].name, seen[k]);
        seen[k] = mst_yaml_line(y);
        MST_TRY(mst_yaml_next(y));
        char inner[64];
        snprintf(inner, sizeof inner, "%s.%s", where, keys[k].name);
        MST_TRY(keys[k].read(y, inner, keys[k].arg, ctx));
    }
}

/* ---- values ---- */

mst_status mst_yaml_scalar(const mst_yaml_in *y, const char *where, const char *expected)
{
    return y->event.type == YAML_SCALAR_EVENT ? MST_OK : mst_yaml_wrong(y, where, expected);
}

mst_status mst_yaml_uint(const mst_yaml_in *y, const char *where, const char *expected, uint64_t max,
                         uint64_t *out)
{
    MST_TRY(mst_yaml_scalar(y, where, expected));
    return mst_parse_uint(mst_yaml_text(y), out) && *out <= max ? MST_OK : mst_yaml_wrong(y, where, expected);
}

mst_status mst_yaml_fraction(const mst_yaml_in *y, const char *where, double *out)
{
    static const char expected[] = "a number in [0,1)";
    MST_TRY(mst_yaml_scalar(y, where, expected));
    return mst_parse_real(mst_yaml_text(y), out) && *out >= 0 && *out < 1 ? MST_OK : mst_yaml_wrong(y, where, expected);
}

mst_status mst_yaml_open(mst_yaml_in *y, const char *text, size_t n, const char *file, void *user,
                         mst_err *err)
{
    *y = (mst_yaml_in){.file = file, .user = user, .err = err};
    if (!yaml_parser_initialize(&y->parser))
        return mst_fail(err, MST_ENOMEM, "%s: out of memory", file);
    yaml_parser_set_input_string(&y->parser, (const unsigned char *)text, n);
    return MST_OK;
}

void mst_yaml_close(mst_yaml_in *y)
{
    if (y->has_event)
        yaml_event_delete(&y->event);
    yaml_parser_delete(&y->parser);
}

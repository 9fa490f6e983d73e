/* Parser of .npy headers: only what numpy writes, nothing is evaluated. */
#include "runtime/data/npy_header.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "runtime/core/bytes.h"

#define MAX_RECORD 4096u

/* A cursor over the dictionary's text; NUL-free, ends at end. */
typedef struct cursor {
    const char *base, *at, *end;
    size_t offset; /* of base in the file */
    const char *path;
} cursor;

static mst_status bad(const cursor *c, const char *expected, mst_err *err)
{
    size_t at = c->offset + (size_t)(c->at - c->base);
    if (c->at == c->end)
        return mst_fail(err, MST_EFORMAT, "%s: offset %zu: npy header: expected %s, found its end", c->path,
                        at, expected);
    if (*c->at < ' ' || *c->at > '~')
        return mst_fail(err, MST_EFORMAT, "%s: offset %zu: npy header: expected %s, found a byte 0x%02x", c->path,
                        at, expected, (uint8_t)*c->at);
    return mst_fail(err, MST_EFORMAT, "%s: offset %zu: npy header: expected %s, found '%c'", c->path, at,
                    expected, *c->at);
}

static void skip_space(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t'))
        c->at++;
}

static bool take(cursor *c, char ch)
{
    skip_space(c);
    if (c->at == c->end || *c->at != ch)
        return false;
    c->at++;
    return true;
}

static bool take_word(cursor *c, const char *word)
{
    size_t n = strlen(word);
    skip_space(c);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0)
        return false;
    c->at += n;
    return true;
}

static mst_status take_string(cursor *c, char *out, size_t cap, mst_err *err)
{
    skip_space(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"'))
        return bad(c, "a quoted string", err);
    char quote = *c->at++;
    size_t n = 0;
    for (; c->at < c->end && *c->at != quote; c->at++) {
        if (n + 1 >= cap || *c->at < 0x20 || *c->at == '\\')
            return bad(c, "a short plain string", err);
        out[n++] = *c->at;
    }
    if (c->at == c->end)
        return bad(c, "a closing quote", err);
    c->at++;
    out[n] = '\0';
    return MST_OK;
}

static mst_status take_shape(cursor *c, mst_npy_header *h, mst_err *err)
{
    if (!take(c, '('))
        return bad(c, "'('", err);
    h->rank = 0;
    while (!take(c, ')')) {
        uint64_t v = 0;
        const char *start = c->at;
        for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++)
            if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, (uint64_t)(*c->at - '0'), &v))
                return bad(c, "a dimension below 2^64", err);
        if (c->at == start)
            return bad(c, "a dimension", err);
        if (h->rank == MST_NPY_MAX_RANK)
            return bad(c, "at most 8 dimensions", err);
        h->dims[h->rank++] = v;
        if (!take(c, ',') && (c->at == c->end || *c->at != ')'))
            return bad(c, "',' or ')'", err);
    }
    return MST_OK;
}

/* "|V4" is what lies between fields. */
static mst_status set_field(cursor *c, const char *descr, mst_npy_header *h, mst_err *err)
{
    mst_npy_field *f = &h->fields[h->n_fields];
    uint32_t size = 0;
    if (strncmp(descr, "|V", 2) == 0)
        for (const char *p = descr + 2; *p >= '0' && *p <= '9' && size < MAX_RECORD; p++)
            size = size * 10 + (uint32_t)(*p - '0');
    else if (mst_npy_type_parse(descr, &f->type))
        size = f->type.size;
    if (size == 0 || size > MAX_RECORD - h->item_size)
        return mst_fail(err, MST_EUNSUPPORTED,
                        "%s: offset %zu: npy header: field '%s': expected a float, an integer or a bool, in a "
                        "record of at most %u bytes, found '%s'",
                        c->path, c->offset, f->name, MAX_RECORD, descr);
    f->offset = h->item_size;
    h->item_size += size;
    h->n_fields += descr[1] != 'V';
    return MST_OK;
}

/* [('t', '<i8'), ('x', '<u2'), ..] */
static mst_status take_fields(cursor *c, mst_npy_header *h, mst_err *err)
{
    char descr[16];
    snprintf(h->descr, sizeof h->descr, "records");
    while (!take(c, ']')) {
        if (h->n_fields == MST_NPY_MAX_FIELDS)
            return bad(c, "at most 16 fields", err);
        mst_npy_field *f = &h->fields[h->n_fields];
        if (!take(c, '('))
            return bad(c, "'('", err);
        MST_TRY(take_string(c, f->name, sizeof f->name, err));
        if (!take(c, ','))
            return bad(c, "','", err);
        MST_TRY(take_string(c, descr, sizeof descr, err));
        if (!take(c, ')'))
            return bad(c, "')'", err);
        MST_TRY(set_field(c, descr, h, err));
        if (!take(c, ',') && (c->at == c->end || *c->at != ']'))
            return bad(c, "',' or ']'", err);
    }
    if (h->n_fields == 0)
        return bad(c, "fields before it", err);
    return MST_OK;
}

static mst_status take_entry(cursor *c, mst_npy_header *h, unsigned *seen, mst_err *err)
{
    char key[16];
    unsigned bit;
    MST_TRY(take_string(c, key, sizeof key, err));
    if (!take(c, ':'))
        return bad(c, "':'", err);
    if (strcmp(key, "descr") == 0) {
        bit = 1;
        MST_TRY(take(c, '[') ? take_fields(c, h, err) : take_string(c, h->descr, sizeof h->descr, err));
    } else if (strcmp(key, "fortran_order") == 0) {
        bit = 2;
        h->fortran = take_word(c, "True");
        if (!h->fortran && !take_word(c, "False"))
            return bad(c, "True or False", err);
    } else if (strcmp(key, "shape") == 0) {
        bit = 4;
        MST_TRY(take_shape(c, h, err));
    } else {
        return mst_fail(err, MST_EFORMAT,
                        "%s: offset %zu: npy header: expected descr, fortran_order or shape, found '%s'",
                        c->path, c->offset, key);
    }
    if (*seen & bit)
        return mst_fail(err, MST_EFORMAT, "%s: offset %zu: npy header: '%s' twice", c->path, c->offset, key);
    *seen |= bit;
    return MST_OK;
}

static mst_status parse_dict(cursor *c, mst_npy_header *h, mst_err *err)
{
    unsigned seen = 0;
    if (!take(c, '{'))
        return bad(c, "'{'", err);
    while (!take(c, '}')) {
        MST_TRY(take_entry(c, h, &seen, err));
        if (!take(c, ',') && (c->at == c->end || *c->at != '}'))
            return bad(c, "',' or '}'", err);
    }
    skip_space(c);
    if (c->at != c->end)
        return bad(c, "only spaces behind '}'", err);
    if (seen != 7)
        return mst_fail(err, MST_EFORMAT,
                        "%s: offset %zu: npy header: expected descr, fortran_order and shape", c->path,
                        c->offset);
    return MST_OK;
}

mst_status mst_npy_parse(const uint8_t *bytes, size_t n, const char *path, mst_npy_header *h, mst_err *err)
{
    *h = (mst_npy_header){0};
    if (n < 10)
        return mst_fail(err, MST_EFORMAT, "%s: offset 0: expected the magic of an npy file, found %zu bytes", path, n);
    if (memcmp(bytes, "\x93NUMPY", 6) != 0)
        return mst_fail(err, MST_EFORMAT,
                        "%s: offset 0: expected the magic of an npy file (93 4e 55 4d), found %02x %02x %02x %02x",
                        path, bytes[0], bytes[1], bytes[2], bytes[3]);
    uint8_t major = bytes[6];
    if (major < 1 || major > 3)
        return mst_fail(err, MST_EVERSION, "%s: offset 6: npy version: expected 1 to 3, found %u", path,
                        major);
    size_t start = major == 1 ? 10 : 12;
    size_t len = mst_get_u16(bytes + 8);
    if (major > 1) {
        if (n < 12)
            return mst_fail(err, MST_ECORRUPT,
                            "%s: offset 8: npy header: expected 4 bytes of length, found 2", path);
        len = mst_get_u32(bytes + 8);
    }
    if (len > MST_NPY_MAX_HEADER - start)
        return mst_fail(err, MST_ELIMIT, "%s: offset 8: npy header: limit is %zu bytes, found %zu", path,
                        MST_NPY_MAX_HEADER - start, len);
    if (len > n - start)
        return mst_fail(err, MST_ECORRUPT, "%s: offset 8: npy header: expected %zu bytes, found %zu", path,
                        len, n - start);
    const char *text = (const char *)bytes + start;
    cursor c = {.base = text, .at = text, .end = text + len, .offset = start, .path = path};
    MST_TRY(parse_dict(&c, h, err));
    if (h->n_fields == 0 && !mst_npy_type_parse(h->descr, &h->type))
        return mst_fail(err, MST_EUNSUPPORTED,
                        "%s: offset %zu: npy descr: expected floats, integers or bools, as '<f4', '<i8' or '|u1', "
                        "found '%s'",
                        path, start, h->descr);
    if (h->n_fields == 0)
        h->item_size = h->type.size;
    h->size = start + len;
    return MST_OK;
}

void mst_npy_shape_text(const mst_npy_header *h, char *out, size_t n)
{
    size_t used = (size_t)snprintf(out, n, "(");
    for (uint32_t i = 0; i < h->rank && used < n; i++)
        used += (size_t)snprintf(out + used, n - used, "%s%" PRIu64, i != 0 ? ", " : "", h->dims[i]);
    if (used < n)
        snprintf(out + used, n - used, h->rank == 1 ? ",)" : ")");
}

/* Small files for the tests of event recordings. */
#ifndef EVENT_FILES_H
#define EVENT_FILES_H

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/data/events/event_stream.h"

#define MAX_FILE 65536

static char event_dir[64];

static inline void event_dir_make(void)
{
    strcpy(event_dir, "/tmp/mst-events-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(event_dir));
}

static inline void event_dir_remove(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", event_dir);
    ck_assert_int_eq(system(command), 0);
}

static inline const char *event_path(const char *name)
{
    static char paths[4][256];
    static int next;
    char *p = paths[next++ % 4];
    snprintf(p, sizeof paths[0], "%s/%s", event_dir, name);
    return p;
}

static inline const char *event_write(const char *name, const void *bytes, size_t n)
{
    const char *path = event_path(name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
    return path;
}

/* A committed recording; its bytes. */
static inline size_t event_fixture(const char *name, uint8_t bytes[MAX_FILE])
{
    char path[512];
    const char *root = getenv("MST_FIXTURES");
    snprintf(path, sizeof path, "%s/fixtures/events/%s", root != NULL ? root : "tests", name);
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s: not found", path);
    size_t n = fread(bytes, 1, MAX_FILE, f);
    fclose(f);
    ck_assert_uint_lt(n, MAX_FILE);
    return n;
}

/* All events of a file, up to cap; the status of opening and reading. */
static inline mst_status event_read(const char *path, const char *profile, mst_event *out, size_t cap,
                                    size_t *n, mst_err *err)
{
    mst_event_stream *s;
    *n = 0;
    err->text[0] = '\0';
    mst_status st = mst_event_open(path, mst_event_profile_find(profile), 0, 0, &s, err);
    for (size_t got = 1; st == MST_OK && got != 0 && *n < cap; *n += got) {
        got = 0;
        st = mst_event_next(s, out + *n, cap - *n < 7 ? cap - *n : 7, &got, err);
    }
    mst_event_close(s);
    return st;
}

static inline void event_le32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

static inline void event_be32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

#endif

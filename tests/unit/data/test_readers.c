/* Data readers: what they read is what was written, and each kind of damage
 * is one clear error.
 */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "mst/data.h"
#include "tests/support/run_tests.h"

static char dir[64];

static void set_up(void)
{
    strcpy(dir, "/tmp/mst-readers-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void tear_down(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

static const char *in_dir(const char *name)
{
    static char paths[4][256];
    static int next;
    char *p = paths[next++ % 4];
    snprintf(p, sizeof paths[0], "%s/%s", dir, name);
    return p;
}

static void write_bytes(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(in_dir(name), "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

static void write_gz(const char *name, const void *bytes, size_t n)
{
    gzFile f = gzopen(in_dir(name), "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(gzwrite(f, bytes, (unsigned)n), (int)n);
    ck_assert_int_eq(gzclose(f), Z_OK);
}

static void put_be(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* three images of 1x2x2 */
static size_t idx_images(uint8_t out[28])
{
    put_be(out, 0x803);
    put_be(out + 4, 3);
    put_be(out + 8, 2);
    put_be(out + 12, 2);
    for (int i = 0; i < 12; i++)
        out[16 + i] = (uint8_t)(20 * i);
    return 28;
}

static size_t idx_labels(uint8_t out[11])
{
    put_be(out, 0x801);
    put_be(out + 4, 3);
    memcpy(out + 8, "\x02\x00\x09", 3);
    return 11;
}

/* an .npy of version 1 with that dictionary and n bytes of values */
static size_t npy(uint8_t *out, const char *dict, const void *values, size_t n)
{
    size_t len = strlen(dict) + 1;
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (uint8_t)len;
    out[9] = (uint8_t)(len >> 8);
    memcpy(out + 10, dict, len - 1);
    out[10 + len - 1] = '\n';
    memcpy(out + 10 + len, values, n);
    return 10 + len + n;
}

static mst_data_want want(uint32_t channels, uint32_t side)
{
    return (mst_data_want){.channels = channels, .height = side, .width = side, .classes = 10};
}

static mst_data *open_ok(const char *spec, const mst_data_want *w)
{
    mst_data *d = NULL;
    mst_err err = {0};
    ck_assert_msg(mst_data_open(spec, w, &d, &err) == MST_OK, "%s", err.text);
    return d;
}

static void assert_fails(const char *spec, const mst_data_want *w, mst_status code, const char *text)
{
    mst_data *d = (mst_data *)1;
    mst_err err = {0};
    mst_status st = mst_data_open(spec, w, &d, &err);
    ck_assert_msg(st == code, "%s: status %d (%s), expected %d", spec, (int)st, err.text, (int)code);
    ck_assert_ptr_null(d);
    ck_assert_msg(strstr(err.text, text) != NULL, "'%s' does not say '%s'", err.text, text);
}

static const char *spec2(const char *format, const char *a, const char *b)
{
    static char spec[600];
    snprintf(spec, sizeof spec, "%s%s%s%s", format, in_dir(a), b != NULL ? "," : "",
             b != NULL ? in_dir(b) : "");
    return spec;
}

/* ---- idx ---- */

static void check_idx(const mst_data *d, bool labelled)
{
    float x[4];
    int label;
    ck_assert_str_eq(mst_data_format(d), "idx");
    ck_assert_uint_eq(mst_data_count(d), 3);
    ck_assert_int_eq(mst_data_get(d, 1, x, &label, NULL), MST_OK);
    for (int i = 0; i < 4; i++)
        ck_assert(x[i] == (float)(20 * (4 + i)) / 255.0f);
    ck_assert_int_eq(mst_data_get(d, 2, x, &label, NULL), MST_OK);
    ck_assert_int_eq(label, labelled ? 9 : -1);
    ck_assert_int_eq(mst_data_get(d, 3, x, &label, NULL), MST_EINVAL);
}

START_TEST(idx_reads)
{
    uint8_t images[28], labels[11];
    mst_data_want w = want(1, 2);
    write_bytes("i", images, idx_images(images));
    write_gz("i.gz", images, 28);
    write_bytes("l", labels, idx_labels(labels));
    write_gz("l.gz", labels, 11);
    const char *specs[][3] = {{"idx:", "i", "l"}, {"idx:", "i.gz", "l.gz"}, {"", "i", "l.gz"}, {"", "i.gz", NULL}};
    for (int i = 0; i < 4; i++) {
        mst_data *d = open_ok(spec2(specs[i][0], specs[i][1], specs[i][2]), &w);
        check_idx(d, specs[i][2] != NULL);
        mst_data_close(d);
    }
}
END_TEST

START_TEST(normalizes)
{
    uint8_t images[28];
    const float mean[1] = {0.25f}, std[1] = {0.5f};
    mst_data_want w = want(1, 2);
    w.n_norm = 1;
    w.mean = mean;
    w.std = std;
    write_bytes("i", images, idx_images(images));
    mst_data *d = open_ok(spec2("", "i", NULL), &w);
    float x[4];
    int label;
    ck_assert_int_eq(mst_data_get(d, 2, x, &label, NULL), MST_OK);
    for (int i = 0; i < 4; i++)
        ck_assert(x[i] == ((float)(20 * (8 + i)) / 255.0f - 0.25f) / 0.5f);
    mst_data_close(d);
    w.n_norm = 3;
    assert_fails(spec2("", "i", NULL), &w, MST_EINVAL, "expected 1 channels, found 3");
}
END_TEST

START_TEST(idx_refuses)
{
    uint8_t b[40], l[11];
    mst_data_want w = want(1, 2), rgb = want(3, 2), big = want(1, 28);
    idx_images(b);
    b[28] = 0;
    write_bytes("long", b, 29);
    write_bytes("short", b, 27);
    write_bytes("header", b, 15);
    write_gz("short.gz", b, 27);
    write_gz("long.gz", b, 29);
    write_bytes("good", b, 28);
    assert_fails(spec2("idx:", "long", NULL), &w, MST_ECORRUPT, "expects 12 bytes, found 13");
    assert_fails(spec2("idx:", "short", NULL), &w, MST_ECORRUPT, "expects 12 bytes, found 11");
    assert_fails(spec2("idx:", "header", NULL), &w, MST_ECORRUPT, "expected 12 bytes, found 11");
    assert_fails(spec2("idx:", "short.gz", NULL), &w, MST_ECORRUPT, "expected 12 bytes, found 11");
    assert_fails(spec2("idx:", "long.gz", NULL), &w, MST_ECORRUPT, "end of the file");
    assert_fails(spec2("idx:", "good", NULL), &rgb, MST_EINVAL,
                 "expected [3,2,2] as the model has it, found [1,2,2]");
    assert_fails(spec2("idx:", "good", NULL), &big, MST_EINVAL, "expected [1,28,28]");
    put_be(b + 4, 0);
    write_bytes("none", b, 16);
    assert_fails(spec2("idx:", "none", NULL), &w, MST_EFORMAT, "at least 1");
    put_be(b + 4, 0x40000000); /* a header that claims 4 GiB */
    write_bytes("lie", b, 28);
    write_gz("lie.gz", b, 28);
    assert_fails(spec2("idx:", "lie", NULL), &w, MST_ECORRUPT, "expects 4294967296 bytes, found 12");
    assert_fails(spec2("idx:", "lie.gz", NULL), &w, MST_ECORRUPT, "cannot hold");
    put_be(b + 4, 0xffffffff);
    write_bytes("limit", b, 28);
    assert_fails(spec2("idx:", "limit", NULL), &w, MST_ELIMIT, "limit");
    put_be(b, 0x903);
    write_bytes("magic", b, 28);
    assert_fails(spec2("idx:", "magic", NULL), &w, MST_EFORMAT, "expected 0x00000803, found 0x00000903");
    idx_labels(l);
    write_bytes("labels", l, 10);
    assert_fails(spec2("idx:", "good", "labels"), &w, MST_ECORRUPT, "expects 3 bytes, found 2");
    l[9] = 10;
    write_bytes("class", l, 11);
    assert_fails(spec2("idx:", "good", "class"), &w, MST_EINVAL,
                 "offset 9: label of sample 1: expected 0..9, found 10");
    put_be(l + 4, 2);
    write_bytes("fewer", l, 10);
    assert_fails(spec2("idx:", "good", "fewer"), &w, MST_EINVAL, "expected 3 as there are images, found 2");
    assert_fails(spec2("idx:", "good", "good"), &w, MST_EFORMAT, "expected 0x00000801");
}
END_TEST

START_TEST(gzip_is_checked)
{
    uint8_t images[28], packed[200];
    mst_data_want w = want(1, 2);
    write_gz("i.gz", images, idx_images(images));
    FILE *f = fopen(in_dir("i.gz"), "rb");
    size_t n = fread(packed, 1, sizeof packed, f);
    fclose(f);
    for (size_t cut = 0; cut < n; cut++) {
        mst_data *d = NULL;
        write_bytes("cut", packed, cut);
        ck_assert_int_ne(mst_data_open(spec2("idx:", "cut", NULL), &w, &d, NULL), MST_OK);
        ck_assert_ptr_null(d);
    }
    write_bytes("cut", packed, n - 1);
    assert_fails(spec2("idx:", "cut", NULL), &w, MST_ECORRUPT,
                 "cut: offset 28: end: expected the rest of the gzip data, found the end of the file");
    static uint8_t large[16 + 90000];
    idx_images(large);
    put_be(large + 4, 90000 / 4);
    write_gz("large", large, sizeof large - 5);
    assert_fails(spec2("idx:", "large", NULL), &w, MST_ECORRUPT, "images: expected 90000 bytes, found 89995");
    packed[n - 8] ^= 1; /* the CRC */
    write_bytes("crc", packed, n);
    assert_fails(spec2("idx:", "crc", NULL), &w, MST_ECORRUPT,
                 "crc: offset 0: magic: expected sound gzip data, found damage: incorrect data check");
}
END_TEST

/* ---- cifar10 ---- */

/* Samples are read when they are asked for, in any order; the file may have shrunk by then. */
START_TEST(any_order)
{
    static const size_t order[] = {2, 0, 1, 1, 2, 0};
    uint8_t file[28];
    mst_data_want w = want(1, 2);
    for (int packed = 0; packed < 2; packed++) {
        float x[4];
        int label;
        mst_err err = {0};
        if (packed)
            write_gz("x", file, idx_images(file));
        else
            write_bytes("x", file, idx_images(file));
        mst_data *d = open_ok(spec2("idx:", "x", NULL), &w);
        for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
            ck_assert_int_eq(mst_data_get(d, order[i], x, &label, NULL), MST_OK);
            ck_assert(x[0] == (float)(80 * order[i]) / 255.0f);
        }
        ck_assert_int_eq(truncate(in_dir("x"), packed ? 12 : 24), 0);
        ck_assert_int_eq(mst_data_get(d, 0, x, &label, &err), packed ? MST_ECORRUPT : MST_OK);
        ck_assert_int_eq(mst_data_get(d, 2, x, &label, &err), MST_ECORRUPT);
        ck_assert_ptr_nonnull(strstr(err.text, in_dir("x")));
        mst_data_close(d);
    }
}
END_TEST

START_TEST(cifar_reads_and_refuses)
{
    static uint8_t b[2 * 3073 + 1];
    mst_data_want w = want(3, 32), grey = want(1, 32);
    for (size_t i = 0; i < sizeof b; i++)
        b[i] = (uint8_t)(i * 7);
    b[0] = 3;
    b[3073] = 9;
    write_bytes("test_batch.bin", b, 2 * 3073);
    const char *specs[] = {"cifar10:", ""};
    for (int i = 0; i < 4; i++) { /* file and folder, named and recognized */
        mst_data *d = open_ok(spec2(specs[i % 2], i < 2 ? "test_batch.bin" : ".", NULL), &w);
        static float x[3072];
        int label;
        ck_assert_str_eq(mst_data_format(d), "cifar10");
        ck_assert_uint_eq(mst_data_count(d), 2);
        ck_assert_int_eq(mst_data_get(d, 1, x, &label, NULL), MST_OK);
        ck_assert_int_eq(label, 9);
        for (int k = 0; k < 3072; k++)
            ck_assert(x[k] == (float)b[3074 + k] / 255.0f);
        mst_data_close(d);
    }
    assert_fails(spec2("cifar10:", "test_batch.bin", NULL), &grey, MST_EINVAL, "found [3,32,32]");
    write_bytes("odd.bin", b, 2 * 3073 + 1);
    write_bytes("empty.bin", b, 0);
    write_gz("x.gz", b, 2 * 3073);
    assert_fails(spec2("cifar10:", "odd.bin", NULL), &w, MST_ECORRUPT, "found 6147 (2 records and 1 bytes)");
    assert_fails(spec2("cifar10:", "empty.bin", NULL), &w, MST_ECORRUPT, "found 0");
    assert_fails(spec2("cifar10:", "x.gz", NULL), &w, MST_EFORMAT, "gzip");
    assert_fails(spec2("cifar10:", "test_batch.bin", "odd.bin"), &w, MST_EINVAL, "no label file");
    b[3073] = 10;
    write_bytes("label.bin", b, 2 * 3073);
    assert_fails(spec2("cifar10:", "label.bin", NULL), &w, MST_ECORRUPT, "offset 3073: label of sample 1");
    w.classes = 3;
    assert_fails(spec2("cifar10:", "test_batch.bin", NULL), &w, MST_EINVAL, "expected 0..2, found 3");
    unlink(in_dir("test_batch.bin"));
    assert_fails(spec2("cifar10:", ".", NULL), &w, MST_EIO, "found none of the kind");
}
END_TEST

/* ---- npy ---- */

#define F4 "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 2, 2), }"

START_TEST(npy_reads)
{
    uint8_t b[400];
    const float values[8] = {0, -1.5f, 2, 3, 4, 5, 6, 7};
    const int64_t l8[2] = {9, 0};
    const int32_t l4[2] = {9, 0};
    const uint8_t l1[2] = {9, 0};
    mst_data_want w = want(1, 2);
    w.n_norm = 0;
    write_bytes("x", b, npy(b, F4, values, sizeof values));
    write_bytes("y8", b, npy(b, "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }", l8, sizeof l8));
    write_bytes("y4", b, npy(b, "{'shape': (2,), 'descr': '<i4', 'fortran_order': False}", l4, sizeof l4));
    write_bytes("y1", b, npy(b, "{\"descr\": '|u1', 'fortran_order': False, 'shape': (2,)}", l1, sizeof l1));
    const char *labels[] = {"y8", "y4", "y1", NULL};
    for (int i = 0; i < 4; i++) {
        mst_data *d = open_ok(spec2(i % 2 == 0 ? "npy:" : "", "x", labels[i]), &w);
        float x[4];
        int label;
        ck_assert_str_eq(mst_data_format(d), "npy");
        ck_assert_uint_eq(mst_data_count(d), 2);
        ck_assert_int_eq(mst_data_get(d, 0, x, &label, NULL), MST_OK);
        ck_assert(memcmp(x, values, sizeof x) == 0);
        ck_assert_int_eq(label, labels[i] != NULL ? 9 : -1);
        ck_assert_int_eq(mst_data_get(d, 1, x, &label, NULL), MST_OK);
        ck_assert(memcmp(x, values + 4, sizeof x) == 0);
        mst_data_close(d);
    }
}
END_TEST

typedef struct npy_case {
    const char *dict;
    mst_status code;
    const char *text;
} npy_case;

static const npy_case npy_cases[] = {
    {"{'descr': '<c8', 'fortran_order': False, 'shape': (2, 1, 2, 1), }", MST_EUNSUPPORTED, "found '<c8'"},
    {"{'descr': '<f8', 'fortran_order': True, 'shape': (2, 1, 2, 2), }", MST_ECORRUPT, "expects 64 bytes, found 32"},
    {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2, 1, 2, 2), }", MST_EFORMAT, "expected True or False"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (8,), }", MST_EINVAL, "found (8,)"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 2, 2), }", MST_EINVAL, "found (1, 2, 2, 2)"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1, 2, 2), }", MST_ECORRUPT,
     "expects 48 bytes, found 32"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 2, 2), }", MST_ECORRUPT,
     "expects 16 bytes, found 32"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 1, 2, 2), }", MST_ECORRUPT, "expects 0 bytes"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 1, 2, 2), }", MST_ELIMIT,
     "too large"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 1, 2, 2), }", MST_EFORMAT,
     "2^64"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", MST_EFORMAT, "8 dimensions"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 1, 2, 2), }", MST_EFORMAT, "a dimension"},
    {"{'descr': '<f4', 'fortran_order': False, }", MST_EFORMAT, "shape"},
    {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,1,2,2)}", MST_EFORMAT,
     "'descr' twice"},
    {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,1,2,2)}", MST_EINVAL, "found records"},
    {"{'descr': [('a', '<f4'), ], 'fortran_order': False, 'shape': (2,1,2,2)}", MST_EINVAL, "found records"},
    {"{'descr': [('a', '<f4') 'fortran_order': False, 'shape': (2,1,2,2)}", MST_EFORMAT, "',' or ']'"},
    {"{'descr': [('a')], 'fortran_order': False, 'shape': (2,1,2,2)}", MST_EFORMAT, "','"},
    {"{'descr': [], 'fortran_order': False, 'shape': (2,1,2,2)}", MST_EFORMAT, "fields before it"},
    {"{'descr': [('a', '<f3')], 'fortran_order': False, 'shape': (2,1,2,2)}", MST_EUNSUPPORTED, "found '<f3'"},
    {"{'descr': [('a', '|V0')], 'fortran_order': False, 'shape': (2,1,2,2)}", MST_EUNSUPPORTED, "found '|V0'"},
    {"{'descr': [('', '|V4096'), ('a', '<f4')], 'fortran_order': False, 'shape': (2,1,2,2)}", MST_EUNSUPPORTED,
     "4096 bytes"},
    {"{'descr': '<f4', 'fortran_order': 0, 'shape': (2,1,2,2)}", MST_EFORMAT, "False"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,1,2,2), 'more': 1}", MST_EFORMAT, "found 'more'"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,1,2,2)} x", MST_EFORMAT, "behind '}'"},
    {"{'descr': '|O', 'fortran_order': False, 'shape': (2,1,2,2)}", MST_EUNSUPPORTED, "found '|O'"},
    {"", MST_EFORMAT, "'{'"},
    {"{'descr': \x01}", MST_EFORMAT, "expected a quoted string, found a byte 0x01"},
};

START_TEST(npy_refuses)
{
    uint8_t b[400];
    const float values[8] = {0};
    mst_data_want w = want(1, 2);
    const npy_case *c = &npy_cases[_i];
    write_bytes("x", b, npy(b, c->dict, values, sizeof values));
    assert_fails(spec2("npy:", "x", NULL), &w, c->code, c->text);
}
END_TEST

START_TEST(npy_truncated)
{
    uint8_t b[400];
    const float values[8] = {0};
    mst_data_want w = want(1, 2);
    size_t n = npy(b, F4, values, sizeof values);
    for (size_t cut = 0; cut <= n + 1; cut++) {
        mst_data *d = NULL;
        write_bytes("x", b, cut);
        mst_status st = mst_data_open(spec2("npy:", "x", NULL), &w, &d, NULL);
        ck_assert_int_eq(st == MST_OK, cut == n);
        mst_data_close(d);
    }
}
END_TEST

START_TEST(npy_values_and_labels)
{
    uint8_t b[400];
    float values[8] = {0, 0, 0, 0, 0, 0, NAN, 0}, x[4];
    const int64_t bad[2] = {0, -1};
    const int32_t three[3] = {0, 0, 0};
    int label;
    mst_data_want w = want(1, 2);
    mst_err err;
    write_bytes("x", b, npy(b, F4, values, sizeof values));
    mst_data *d = open_ok(spec2("npy:", "x", NULL), &w);
    ck_assert_int_eq(mst_data_get(d, 0, x, &label, &err), MST_OK);
    ck_assert_int_eq(mst_data_get(d, 1, x, &label, &err), MST_ECORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "finite"));
    write_bytes("x", b, 90); /* shrinks behind the reader's back: overwritten in place */
    ck_assert_int_eq(mst_data_get(d, 1, x, &label, &err), MST_ECORRUPT);
    mst_data_close(d);
    write_bytes("x", b, npy(b, F4, values, sizeof values));
    write_bytes("bad", b, npy(b, "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }", bad, sizeof bad));
    write_bytes("three", b, npy(b, "{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }", three, sizeof three));
    assert_fails(spec2("npy:", "x", "bad"), &w, MST_EINVAL, "label of sample 1: expected 0..9, found -1");
    assert_fails(spec2("npy:", "x", "three"), &w, MST_EINVAL,
                 "expected (2,) as there are samples, found (3,)");
    assert_fails(spec2("npy:", "x", "x"), &w, MST_EINVAL, "expected integers (labels)");
}
END_TEST

/* ---- specs ---- */

START_TEST(specs)
{
    mst_data_want w = want(1, 2), none = {0};
    write_bytes("junk", "hello, world", 12);
    write_bytes("a,b", "hello", 5);
    assert_fails(spec2("png:", "junk", NULL), &w, MST_EINVAL,
                 "unknown format 'png', known: idx, cifar10, cifar100, npy, npz, image");
    assert_fails(spec2("", "junk", NULL), &w, MST_EINVAL, "not recognized");
    assert_fails(spec2("", "junk", NULL), &w, MST_EINVAL, "found the bytes");
    write_bytes("empty", "", 0);
    assert_fails(spec2("", "empty", NULL), &w, MST_EINVAL, "empty: format not recognized: expected a known one or "
                                                           "FORMAT:PATH, found an empty file; formats: idx, ");
    assert_fails(spec2("", "a,b", NULL), &w, MST_EINVAL, "a,b: format not recognized");
    assert_fails(spec2("", "missing", NULL), &w, MST_EIO, "missing");
    assert_fails(spec2("idx:", "missing", NULL), &w, MST_EIO, "No such file");
    assert_fails("idx:/dev/zero", &w, MST_EIO, "regular file");
    assert_fails("npy:/tmp", &w, MST_EIO, "a folder");
    assert_fails("idx:", &w, MST_EINVAL, "empty path");
    assert_fails("", &w, MST_EINVAL, "empty path");
    assert_fails(spec2("idx:", "junk", NULL), &none, MST_EINVAL, "not an image shape");
    mst_data_close(NULL);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("readers");
    TCase *t = tcase_create("readers");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, idx_reads);
    tcase_add_test(t, normalizes);
    tcase_add_test(t, idx_refuses);
    tcase_add_test(t, gzip_is_checked);
    tcase_add_test(t, any_order);
    tcase_add_test(t, cifar_reads_and_refuses);
    tcase_add_test(t, npy_reads);
    tcase_add_loop_test(t, npy_refuses, 0, (int)(sizeof npy_cases / sizeof npy_cases[0]));
    tcase_add_test(t, npy_truncated);
    tcase_add_test(t, npy_values_and_labels);
    tcase_add_test(t, specs);
    suite_add_tcase(s, t);
    return run_tests(s);
}

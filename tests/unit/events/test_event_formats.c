/* What is particular to each format of recordings: clocks that wrap, records that
 * are no events, header lines, limits; and the place that an error names.
 */
#include <inttypes.h>
#include <matio.h>

#include "tests/unit/events/event_files.h"
#include "tests/support/run_tests.h"

static mst_event events[256];
static mst_err err;
static size_t n_events;

static mst_status read_bytes(const char *profile, const void *bytes, size_t n)
{
    return event_read(event_write("recording", bytes, n), profile, events, 256, &n_events, &err);
}

static void expect_error(mst_status got, mst_status code, const char *part)
{
    ck_assert_msg(got == code, "status %d: %s", (int)got, err.text);
    ck_assert_msg(strstr(err.text, part) != NULL, "no '%s' in: %s", part, err.text);
}

static void put_atis(uint8_t *p, uint8_t x, uint8_t y, uint8_t polarity, uint32_t t)
{
    event_be32(p + 1, (uint32_t)polarity << 23 | t);
    p[0] = x;
    p[1] = y;
}

START_TEST(atis_names_the_event_outside)
{
    uint8_t b[50];
    for (uint32_t i = 0; i < 10; i++)
        put_atis(b + 5 * i, 33, 33, 1, 100 * i);
    ck_assert_int_eq(read_bytes("nmnist", b, 50), MST_OK);
    ck_assert_uint_eq(n_events, 10);
    b[35] = 200;
    expect_error(read_bytes("nmnist", b, 50), MST_ECORRUPT,
                 "offset 35: event 7: x: expected 0..33 (sensor 34x34), found 200");
    b[35] = 33;
    b[36] = 34;
    expect_error(read_bytes("nmnist", b, 50), MST_ECORRUPT,
                 "event 7: y: expected 0..33 (sensor 34x34), found 34");
}
END_TEST

/* 23 bits are 8.4 s; a late event of before the wrap keeps its time; carries add 2^13 us. */
START_TEST(atis_wraps)
{
    uint8_t b[30];
    put_atis(b, 1, 2, 0, 0x7ffff0);
    put_atis(b + 5, 1, 2, 0, 5);
    put_atis(b + 10, 1, 2, 0, 0x7fffff);
    put_atis(b + 15, 1, 2, 1, 6);
    put_atis(b + 20, 0, 240, 0, 6);
    put_atis(b + 25, 1, 2, 1, 7);
    ck_assert_msg(read_bytes("ncaltech101", b, 30) == MST_OK, "%s", err.text);
    const int64_t t[] = {0x7ffff0, 0x800005, 0x7fffff, 0x800006, 0x800007 + 8192};
    ck_assert_uint_eq(n_events, 5);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(events[i].t, t[i]);
}
END_TEST

START_TEST(dat_headers)
{
    uint8_t b[200] = {0};
    size_t n;
    const struct {
        const char *head;
        mst_status st;
        const char *part;
    } cases[] = {
        {"% Version 2\n%c%c", MST_OK, ""},
        {"%\n%c%c", MST_OK, ""},
        {"%Version 2\n% Width 50\n% Height 60\n%c%c", MST_OK, ""},
        {"% Version 1\n%c%c", MST_EVERSION, "offset 0: dat version: expected 2, found '1'"},
        {"% Version 2\n% Width 0\n%c%c", MST_ECORRUPT,
         "offset 12: header: Width: expected 1..16384, found '0'"},
        {"% Width 99999999999999999999\n%c%c", MST_ECORRUPT, "Width: expected 1..16384"},
        {"% Height 16384\n% Width 16384\n%c%c", MST_ELIMIT, "sensor of 16384x16384"},
        {"% Version 2", MST_ECORRUPT, "header line: expected its end"},
        {"% Version 2\n", MST_ECORRUPT, "event type and size: expected 2 bytes, found 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        n = strlen(cases[i].head);
        memcpy(b, cases[i].head, n);
        if (n > 4 && memcmp(b + n - 4, "%c%c", 4) == 0) {
            b[n - 4] = 0;
            b[n - 3] = 8;
            n -= 2;
        }
        expect_error(read_bytes("dat", b, n), cases[i].st, cases[i].part);
    }
    expect_error(read_bytes("dat", "% a\n\x0e\x08", 6), MST_EUNSUPPORTED,
                 "offset 4: expected event type 0 or 12");
    expect_error(read_bytes("dat", "% a\n\x0c\x10", 6), MST_EUNSUPPORTED, "found type 12 of 16");
}
END_TEST

START_TEST(dat_wraps)
{
    uint8_t b[4 + 2 + 24] = "% a\n\x00\x08";
    b[4] = 0;
    b[5] = 8;
    event_le32(b + 6, 0xfffffff0u);
    event_le32(b + 14, 0x10);
    event_le32(b + 22, 0x20);
    event_le32(b + 26, 1u << 28 | 239u << 14 | 303u);
    ck_assert_msg(read_bytes("dat", b, sizeof b) == MST_OK, "%s", err.text);
    ck_assert_uint_eq(n_events, 3);
    ck_assert_int_eq(events[1].t, 0x100000010);
    ck_assert_int_eq(events[2].t, 0x100000020);
    ck_assert_uint_eq(events[2].x, 303);
    ck_assert_uint_eq(events[2].y, 239);
    ck_assert_uint_eq(events[2].p, 1);
}
END_TEST

/* A first event whose address starts with '#' is no header line. */
START_TEST(aedat2_data_that_looks_like_a_header)
{
    uint8_t b[64] = "#!AER-DAT2.0\n# AEChip: a.b.Davis346red\n";
    size_t n = strlen((char *)b);
    event_be32(b + n, 0x23000000u | 5u << 12 | 1u << 11);
    event_be32(b + n + 4, 77);
    ck_assert_msg(read_bytes("aedat2", b, n + 8) == MST_OK, "%s", err.text);
    ck_assert_uint_eq(n_events, 1);
    ck_assert_int_eq(events[0].t, 77);
    ck_assert_uint_eq(events[0].x, 345 - 5);
    ck_assert_uint_eq(events[0].y, 259 - (0x23000000u >> 22));
    ck_assert_uint_eq(events[0].p, 1);
}
END_TEST

START_TEST(evt2_data_that_looks_like_a_header)
{
    uint8_t b[64] = "% evt 2.0\n";
    size_t n = strlen((char *)b);
    event_le32(b + n, 0x8a626325u); /* "%cb", and no control character before the next word */
    event_le32(b + n + 4, 1u << 28 | 5u << 11 | 7u);
    ck_assert_msg(read_bytes("evt2", b, n + 8) == MST_OK, "%s", err.text);
    ck_assert_uint_eq(n_events, 1);
    ck_assert_int_eq(events[0].t, 0xa626325ll << 6);
}
END_TEST

START_TEST(aedat2_headers)
{
    expect_error(read_bytes("aedat2", "#!AER-DAT3.1\n", 13), MST_EFORMAT, "found '#!AER-DAT3.1'");
    expect_error(read_bytes("aedat2", "AER-DAT2.0\n", 11), MST_EFORMAT,
                 "offset 0: expected '#!AER-DAT2.0', found the bytes 41 45 52 2d");
    const char *other = "#!AER-DAT2.0\r\n# AEChip: x.Cochlea\r\n";
    expect_error(read_bytes("aedat2", other, strlen(other)), MST_EUNSUPPORTED,
                 "offset 14: AEChip: expected DVS128, Davis128, 208, 240, 346 or 640, found 'x.Cochlea'");
    const char *plain = "#!AER-DAT2.0\r\n";
    mst_event_stream *s;
    const char *path = event_write("plain", plain, strlen(plain));
    ck_assert_int_eq(mst_event_open(path, mst_event_profile_find("dvsaction"), 0, 0, &s, NULL), MST_OK);
    ck_assert_uint_eq(mst_event_width(s), 346);
    mst_event_close(s);
    ck_assert_int_eq(mst_event_open(path, mst_event_profile_find("aedat2"), 0, 0, &s, NULL), MST_OK);
    ck_assert_uint_eq(mst_event_width(s), 128);
    mst_event_close(s);
}
END_TEST

START_TEST(dvs128_sync_edges_are_no_events)
{
    uint8_t b[64] = "#!AER-DAT2.0\n";
    size_t n = strlen((char *)b);
    event_be32(b + n, 0x8000);
    event_be32(b + n + 8, 3u << 8 | 9u << 1 | 1);
    ck_assert_int_eq(read_bytes("aedat2", b, n + 16), MST_OK);
    ck_assert_uint_eq(n_events, 1);
    ck_assert_uint_eq(events[0].x, 127 - 9);
    ck_assert_uint_eq(events[0].y, 127 - 3);
    ck_assert_uint_eq(events[0].p, 0);
}
END_TEST

/* Long lines are passed over in pieces; a header without an end is refused. */
START_TEST(header_limits)
{
    size_t n = (17u << 20);
    uint8_t *b = malloc(n);
    ck_assert_ptr_nonnull(b);
    memset(b, 'x', n);
    memcpy(b, "#!AER-DAT2.0\n#", 14);
    b[(1 << 20)] = '\n';
    memset(b + (1 << 20) + 1, 0, 8);
    ck_assert_int_eq(read_bytes("aedat2", b, (1 << 20) + 9), MST_OK);
    ck_assert_uint_eq(n_events, 1);
    b[(1 << 20)] = 'x';
    memset(b + (1 << 20) + 1, 'x', 8);
    expect_error(read_bytes("aedat2", b, n), MST_ELIMIT, "header: limit is");
    free(b);
}
END_TEST

START_TEST(evt2_headers)
{
    const struct {
        const char *head;
        mst_status st;
        const char *part;
    } cases[] = {
        {"% evt 3.0\n", MST_EUNSUPPORTED, "evt: expected 2.0, found '3.0'"},
        {"% format EVT21;height=720;width=1280\n", MST_EUNSUPPORTED, "format: expected EVT2, found 'EVT21;"},
        {"% endianness big\n", MST_EUNSUPPORTED, "endianness: expected little"},
        {"% evt 2.0\n% geometry 640\n", MST_ECORRUPT,
         "offset 10: header: geometry: expected 1..16384, found ''"},
        {"% format EVT2;width=1280;height=720\n% end\n", MST_OK, ""},
        {"% evt 2.0\r\n% end\r\n", MST_OK, ""},
        {"hello", MST_EFORMAT, "expected a header line"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        expect_error(read_bytes("evt2", cases[i].head, strlen(cases[i].head)), cases[i].st, cases[i].part);
}
END_TEST

/* Events before the first time word have no time; 28 bits of high time wrap. */
START_TEST(evt2_times)
{
    uint8_t b[64] = "% evt 2.0\n% end\n";
    size_t n = strlen((char *)b);
    const uint32_t words[] = {1u << 28 | 3u << 22, 0x8fffffffu, 1u << 28 | 63u << 22 | 5u << 11 | 7u,
                              0xe0000000u, 0x80000001u, 9u << 22};
    for (size_t i = 0; i < 6; i++)
        event_le32(b + n + 4 * i, words[i]);
    ck_assert_msg(read_bytes("evt2", b, n + 24) == MST_OK, "%s", err.text);
    ck_assert_uint_eq(n_events, 2);
    ck_assert_int_eq(events[0].t, 0x3ffffffffll);
    ck_assert_uint_eq(events[0].x, 5);
    ck_assert_uint_eq(events[0].y, 7);
    ck_assert_int_eq(events[1].t, (0x10000001ll << 6) + 9);
    event_le32(b + n + 20, 640u << 11);
    expect_error(read_bytes("evt2", b, n + 24), MST_ECORRUPT,
                 "offset 36: event 1: x: expected 0..639 (sensor 640x480), found 640");
}
END_TEST

static size_t aedat3(uint8_t *b, const char *head, uint16_t type, uint32_t size, uint32_t capacity,
                     uint32_t number)
{
    size_t n = strlen(head);
    memcpy(b, head, n);
    memset(b + n, 0, 28);
    b[n] = (uint8_t)type;
    event_le32(b + n + 4, size);
    event_le32(b + n + 8, 4);
    event_le32(b + n + 16, capacity);
    event_le32(b + n + 20, number);
    return n + 28;
}

#define HEAD3 "#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DAVIS240C\r\n#!END-HEADER\r\n"

/* Invalid events and places behind the last event of a packet are passed over. */
START_TEST(aedat3_packets)
{
    uint8_t b[512] = {0};
    size_t n = aedat3(b, HEAD3, 1, 8, 4, 3);
    const uint32_t words[] = {239u << 17 | 179u << 2 | 3, 5u << 17 | 0, 1u << 17 | 1, 0xffffffffu};
    for (uint32_t i = 0; i < 4; i++) {
        event_le32(b + n + 8 * i, words[i]);
        event_le32(b + n + 8 * i + 4, 100 + i);
    }
    ck_assert_msg(read_bytes("dvsgesture", b, n + 32) == MST_OK, "%s", err.text);
    ck_assert_uint_eq(n_events, 2);
    ck_assert_uint_eq(events[0].x, 239);
    ck_assert_uint_eq(events[0].y, 179);
    ck_assert_uint_eq(events[0].p, 1);
    ck_assert_int_eq(events[1].t, 102);
    event_le32(b + n + 16, 240u << 17 | 1);
    expect_error(read_bytes("dvsgesture", b, n + 32), MST_ECORRUPT, "event 1: x: expected 0..239");
    event_le32(b + n + 4, 0x80000000u);
    expect_error(read_bytes("dvsgesture", b, n + 32), MST_ECORRUPT, "event 0: time: expected 31 bits");
}
END_TEST

/* A packet of a type that no one reads, 0x2023, before one of events. */
START_TEST(aedat3_data_that_looks_like_a_header)
{
    uint8_t b[512] = {0};
    size_t n = aedat3(b, "#!AER-DAT3.1\r\n", 0x2023, 8, 0, 0);
    n += aedat3(b + n, "", 1, 8, 1, 1);
    event_le32(b + n, 5u << 17 | 1);
    event_le32(b + n + 4, 7);
    ck_assert_msg(read_bytes("dvsgesture", b, n + 8) == MST_OK, "%s", err.text);
    ck_assert_uint_eq(n_events, 1);
    ck_assert_uint_eq(events[0].x, 5);
}
END_TEST

START_TEST(aedat3_refusals)
{
    uint8_t b[512] = {0};
    const struct {
        const char *head;
        uint16_t type;
        uint32_t size, capacity, number;
        mst_status st;
        const char *part;
    } cases[] = {
        {HEAD3, 1, 8, 0, 0, MST_OK, ""},
        {HEAD3, 7, 0, 1000000, 9, MST_OK, ""},
        {"#!AER-DAT3.1\r\n", 1, 8, 0, 0, MST_OK, ""},
        {HEAD3, 1, 8, 0xffffffffu, 0, MST_ECORRUPT,
         "packet 0: expected 4294967295 events of 8 bytes, found 0"},
        {HEAD3, 1, 0xffffffffu, 0xffffffffu, 0, MST_ECORRUPT, "packet 0: expected 4294967295 events"},
        {HEAD3, 1, 8, 0, 1, MST_ECORRUPT, "found 1 of 0 events"},
        {HEAD3, 1, 4, 0, 0, MST_ECORRUPT, "events of 4 bytes"},
        {"#!AER-DAT3.0\r\n", 1, 8, 0, 0, MST_EVERSION, "expected 3.1, found '3.0'"},
        {"#!AER-DAT3.1\r\n#Format: SerializedTS\r\n", 1, 8, 0, 0, MST_EUNSUPPORTED, "expected RAW"},
        {"#!AER-DAT2.0\r\n", 1, 8, 0, 0, MST_EFORMAT, "expected '#!AER-DAT3.1'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t n = aedat3(b, cases[i].head, cases[i].type, cases[i].size, cases[i].capacity, cases[i].number);
        expect_error(read_bytes("dvsgesture", b, n), cases[i].st, cases[i].part);
    }
}
END_TEST

/* A .mat of double vectors; lengths 0 leave a variable out. */
static const char *make_mat(const size_t lengths[4], double *values, enum mat_ft version)
{
    static const char *const names[] = {"ts", "x", "y", "pol"};
    const char *path = event_path("made.mat");
    remove(path);
    mat_t *mat = Mat_CreateVer(path, NULL, version);
    ck_assert_ptr_nonnull(mat);
    for (int k = 0; k < 4; k++) {
        size_t dims[2] = {lengths[k], 1};
        if (lengths[k] == 0)
            continue;
        matvar_t *v = Mat_VarCreate(names[k], MAT_C_DOUBLE, MAT_T_DOUBLE, 2, dims, values + 4 * k, 0);
        ck_assert_int_eq(Mat_VarWrite(mat, v, MAT_COMPRESSION_ZLIB), 0);
        Mat_VarFree(v);
    }
    Mat_Close(mat);
    return path;
}

START_TEST(mat_variables)
{
    double v[16] = {10, 20, 30, 40, 0, 239, 1, 2, 0, 179, 3, 4, 0, 1, 1, 0};
    const size_t all[4] = {4, 4, 4, 4}, uneven[4] = {4, 4, 3, 4}, no_pol[4] = {4, 4, 4, 0};
    ck_assert_msg(event_read(make_mat(all, v, MAT_FT_MAT5), "asldvs", events, 256, &n_events, &err) == MST_OK,
                  "%s", err.text);
    ck_assert_uint_eq(n_events, 4);
    ck_assert_uint_eq(events[0].x, 239);
    ck_assert_uint_eq(events[1].x, 0);
    ck_assert_uint_eq(events[1].y, 0);
    expect_error(event_read(make_mat(uneven, v, MAT_FT_MAT5), "asldvs", events, 256, &n_events, &err),
                 MST_ECORRUPT, "variable 'y': expected 4 values as 'ts' has, found 3");
    expect_error(event_read(make_mat(no_pol, v, MAT_FT_MAT5), "asldvs", events, 256, &n_events, &err),
                 MST_EFORMAT, "variable 'pol': expected a vector, found none");
    expect_error(event_read(make_mat(all, v, MAT_FT_MAT73), "asldvs", events, 256, &n_events, &err),
                 MST_EUNSUPPORTED, "found version 7.3");
    v[6] = 240;
    expect_error(event_read(make_mat(all, v, MAT_FT_MAT5), "asldvs", events, 256, &n_events, &err),
                 MST_ECORRUPT, "event 2: x: expected an integer of 0..239, found 240");
    v[6] = 1.5;
    expect_error(event_read(make_mat(all, v, MAT_FT_MAT5), "asldvs", events, 256, &n_events, &err),
                 MST_ECORRUPT, "event 2: x: expected an integer of 0..239, found 1.5");
}
END_TEST

/* What libmatio would recurse into, or allocate, is refused before it sees it. */
START_TEST(mat_refusals)
{
    const char *path = event_path("cell.mat");
    mat_t *mat = Mat_CreateVer(path, NULL, MAT_FT_MAT5);
    size_t dims[2] = {1, 1};
    double one = 1;
    matvar_t *cell = Mat_VarCreate("ts", MAT_C_CELL, MAT_T_CELL, 2, dims, NULL, 0);
    Mat_VarSetCell(cell, 0, Mat_VarCreate(NULL, MAT_C_DOUBLE, MAT_T_DOUBLE, 2, dims, &one, 0));
    ck_assert_int_eq(Mat_VarWrite(mat, cell, MAT_COMPRESSION_NONE), 0);
    Mat_VarFree(cell);
    Mat_Close(mat);
    expect_error(event_read(path, "asldvs", events, 256, &n_events, &err), MST_EUNSUPPORTED,
                 "offset 128: variable: expected real numbers, found class 1");
    static uint8_t b[MAX_FILE];
    size_t n = event_fixture("asl.mat", b);
    event_le32(b + 160, 0x7fffffff); /* rows of the first variable */
    expect_error(read_bytes("asldvs", b, n), MST_ELIMIT,
                 "offset 128: variable of 2147483647 x 1 values: limit is");
    event_fixture("asl.mat", b);
    event_le32(b + 160, 79);
    expect_error(read_bytes("asldvs", b, n), MST_ECORRUPT, "bytes of its values: expected 632, found 640");
}
END_TEST

/* Rewinding gives the same again; a window gives what lies in it. */
START_TEST(rewind_and_window)
{
    static uint8_t b[MAX_FILE];
    static mst_event all[256], part[256];
    size_t n = event_fixture("gesture.aedat", b), got, k = 0;
    const char *path = event_write("gesture.aedat", b, n);
    const mst_event_profile *p = mst_event_profile_find("dvsgesture");
    mst_event_stream *s;
    ck_assert_int_eq(mst_event_open(path, p, 0, 0, &s, NULL), MST_OK);
    ck_assert_int_eq(mst_event_next(s, all, 256, &n, NULL), MST_OK);
    ck_assert_int_eq(mst_event_rewind(s, NULL), MST_OK);
    ck_assert_uint_eq(mst_event_given(s), 0);
    ck_assert_int_eq(mst_event_next(s, part, 256, &got, NULL), MST_OK);
    ck_assert_uint_eq(got, n);
    ck_assert_int_eq(memcmp(all, part, n * sizeof *all), 0);
    mst_event_close(s);
    int64_t from = all[20].t, to = all[60].t;
    ck_assert_int_eq(mst_event_open(path, p, from, to, &s, NULL), MST_OK);
    ck_assert_int_eq(mst_event_next(s, part, 256, &got, NULL), MST_OK);
    for (size_t i = 0; i < n; i++)
        if (all[i].t >= from && all[i].t < to)
            ck_assert_int_eq(memcmp(&all[i], &part[k++], sizeof *all), 0);
    ck_assert_uint_eq(k, got);
    ck_assert_uint_eq(mst_event_given(s), got);
    mst_event_close(s);
}
END_TEST

START_TEST(profiles)
{
    ck_assert_ptr_null(mst_event_profile_find("none"));
    ck_assert_str_eq(mst_event_profile_suffix(mst_event_profile_find("nmnist")), ".bin");
    for (size_t k = 0; mst_event_profile_at(k) != NULL; k++)
        ck_assert_ptr_eq(mst_event_profile_find(mst_event_profile_name(mst_event_profile_at(k))),
                         mst_event_profile_at(k));
    ck_assert_ptr_null(mst_event_profile_sniff(event_path("missing.bin")));
    ck_assert_ptr_null(mst_event_profile_sniff(event_write("a.raw", "hello", 5)));
    ck_assert_ptr_null(mst_event_profile_sniff(event_write("b.bin", "", 0)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("event formats");
    TCase *tc = tcase_create("formats");
    tcase_add_checked_fixture(tc, event_dir_make, event_dir_remove);
    tcase_add_test(tc, atis_names_the_event_outside);
    tcase_add_test(tc, atis_wraps);
    tcase_add_test(tc, dat_headers);
    tcase_add_test(tc, dat_wraps);
    tcase_add_test(tc, aedat2_data_that_looks_like_a_header);
    tcase_add_test(tc, evt2_data_that_looks_like_a_header);
    tcase_add_test(tc, aedat3_data_that_looks_like_a_header);
    tcase_add_test(tc, aedat2_headers);
    tcase_add_test(tc, dvs128_sync_edges_are_no_events);
    tcase_add_test(tc, header_limits);
    tcase_add_test(tc, evt2_headers);
    tcase_add_test(tc, evt2_times);
    tcase_add_test(tc, aedat3_packets);
    tcase_add_test(tc, aedat3_refusals);
    tcase_add_test(tc, mat_variables);
    tcase_add_test(tc, mat_refusals);
    tcase_add_test(tc, rewind_and_window);
    tcase_add_test(tc, profiles);
    suite_add_tcase(suite, tc);
    return run_tests(suite);
}

/* Damaged recordings: every truncation and every flipped bit of a small file of
 * each format is read or is one clear error, and nothing else.
 */
#include "tests/unit/events/event_files.h"
#include "tests/support/run_tests.h"

/* whole_cuts: shorter lengths that are whole recordings too, the ends of records, packets and
 * header lines. A cut .mat lacks a variable. */
typedef struct sample {
    const char *file, *profile;
    size_t events, whole_cuts;
} sample;

/* 90 records and 6 header lines; 120 and 7; ... */
static const sample samples[] = {
    {"dvs128.aedat", "cifar10dvs", 90, 89 + 6},
    {"davis346.aedat", "dvsaction", 92, 119 + 7},
    {"nmnist.bin", "nmnist", 100, 99},
    {"ncaltech101.bin", "ncaltech101", 100, 102},
    {"ncars.dat", "ncars", 100, 100},
    {"cd.dat", "dat", 100, 100},
    {"evt2.raw", "evt2", 100, 163 + 3},
    {"evt2-end.raw", "evt2", 100, 163 + 4},
    {"gesture.aedat", "dvsgesture", 100, 9 + 5},
    {"asl.mat", "asldvs", 80, 0},
    {"asl-zip.mat", "asldvs", 80, 0},
    {"tonic.npy", "npyevents", 100, 0},
    {"mixed.npy", "npyevents", 100, 0},
    {"sj.npz", "npzevents", 100, 0},
    {"sj-zip.npz", "npzevents", 100, 0},
};
#define N_SAMPLES (sizeof samples / sizeof samples[0])

static uint8_t bytes[MAX_FILE];
static mst_event events[1024];

static void check_error(const mst_err *err, mst_status st)
{
    ck_assert_int_eq(err->code, st);
    ck_assert_msg(strstr(err->text, event_dir) == err->text, "no file: %s", err->text);
    ck_assert_msg(strchr(err->text, '\n') == NULL, "two lines: %s", err->text);
    ck_assert_msg(strlen(err->text) > strlen(event_dir) + 12, "no text: %s", err->text);
}

START_TEST(whole)
{
    const sample *s = &samples[_i];
    mst_err err;
    size_t n = event_fixture(s->file, bytes), got;
    const char *path = event_write(s->file, bytes, n);
    ck_assert_msg(event_read(path, s->profile, events, 1024, &got, &err) == MST_OK, "%s", err.text);
    ck_assert_uint_eq(got, s->events);
}
END_TEST

START_TEST(truncated)
{
    const sample *s = &samples[_i];
    mst_err err;
    size_t n = event_fixture(s->file, bytes), got, whole_cuts = 0, last = 0;
    for (size_t cut = 0; cut < n; cut++) {
        const char *path = event_write(s->file, bytes, cut);
        mst_status st = event_read(path, s->profile, events, 1024, &got, &err);
        if (st != MST_OK) {
            check_error(&err, st);
            continue;
        }
        whole_cuts++;
        ck_assert_uint_le(got, s->events);
        ck_assert_uint_ge(got, last);
        last = got;
    }
    ck_assert_uint_eq(whole_cuts, s->whole_cuts);
}
END_TEST

START_TEST(flipped)
{
    const sample *s = &samples[_i];
    mst_err err;
    size_t n = event_fixture(s->file, bytes), got;
    for (size_t bit = 0; bit < 8 * n; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        const char *path = event_write(s->file, bytes, n);
        mst_status st = event_read(path, s->profile, events, 1024, &got, &err);
        if (st != MST_OK)
            check_error(&err, st);
        else
            ck_assert_uint_le(got, 1024);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}
END_TEST

/* Every format's file given to every other format's decoder. */
START_TEST(wrong_format)
{
    const sample *s = &samples[_i];
    mst_err err;
    size_t n = event_fixture(s->file, bytes), got;
    const char *path = event_write(s->file, bytes, n);
    for (size_t k = 0; k < N_SAMPLES; k++) {
        mst_status st = event_read(path, samples[k].profile, events, 1024, &got, &err);
        if (st != MST_OK)
            check_error(&err, st);
    }
}
END_TEST

START_TEST(no_recording)
{
    const char *profile = samples[_i].profile;
    mst_err err;
    size_t got;
    ck_assert_int_eq(event_read(event_path("missing"), profile, events, 1024, &got, &err), MST_EIO);
    check_error(&err, MST_EIO);
    ck_assert_int_eq(event_read(event_dir, profile, events, 1024, &got, &err), MST_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "found a folder"));
    ck_assert_int_eq(event_read(event_write("empty", "", 0), profile, events, 1024, &got, &err), MST_EFORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "found an empty file"));
    memset(bytes, 'x', 1000);
    mst_status st = event_read(event_write("letters", bytes, 1000), profile, events, 1024, &got, &err);
    ck_assert_int_eq(st, strcmp(samples[_i].file + strlen(samples[_i].file) - 4, ".bin") == 0 &&
                                 strcmp(profile, "nmnist") == 0
                             ? MST_ECORRUPT
                         : strcmp(profile, "ncaltech101") == 0 ? MST_OK
                                                               : MST_EFORMAT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("event damage");
    TCase *tc = tcase_create("damage");
    tcase_set_timeout(tc, 300);
    tcase_add_checked_fixture(tc, event_dir_make, event_dir_remove);
    tcase_add_loop_test(tc, whole, 0, (int)N_SAMPLES);
    tcase_add_loop_test(tc, truncated, 0, (int)N_SAMPLES);
    tcase_add_loop_test(tc, flipped, 0, (int)N_SAMPLES);
    tcase_add_loop_test(tc, wrong_format, 0, (int)N_SAMPLES);
    tcase_add_loop_test(tc, no_recording, 0, (int)N_SAMPLES);
    suite_add_tcase(suite, tc);
    return run_tests(suite);
}

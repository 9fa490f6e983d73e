/* From paths to samples: layouts of folders, labels, what is refused. */
#include "runtime/data/events/event_set.h"
#include "mst/data.h"
#include "tests/unit/events/event_files.h"
#include "tests/support/run_tests.h"

static uint8_t bytes[MAX_FILE];
static mst_event_set set;
static mst_err err;

static void folder(const char *name)
{
    ck_assert_int_eq(mkdir(event_path(name), 0700), 0);
}

static void copy(const char *fixture, const char *name)
{
    event_write(name, bytes, event_fixture(fixture, bytes));
}

static void text(const char *name, const char *s)
{
    event_write(name, s, strlen(s));
}

static mst_status open_set(const char *name, const char *profile)
{
    err.text[0] = '\0';
    return mst_event_set_open(name[0] == '\0' ? event_dir : event_path(name),
                              profile != NULL ? mst_event_profile_find(profile) : NULL, &set, &err);
}

static void expect_refusal(mst_status got, mst_status code, const char *part)
{
    ck_assert_msg(got == code, "status %d: %s", (int)got, err.text);
    ck_assert_msg(strstr(err.text, part) != NULL, "no '%s' in: %s", part, err.text);
    ck_assert_ptr_null(set.items);
}

static void check_item(size_t i, const char *end, int32_t label)
{
    const char *path = set.items[i].path;
    ck_assert_msg(strlen(path) > strlen(end) && strcmp(path + strlen(path) - strlen(end), end) == 0, "%s: %s",
                  path, end);
    ck_assert_int_eq(set.items[i].label, label);
    mst_event_stream *s;
    ck_assert_msg(mst_event_set_stream(&set, i, &s, &err) == MST_OK, "%s", err.text);
    mst_event_close(s);
}

START_TEST(class_folders)
{
    folder("1");
    folder("0");
    folder("10");
    folder(".hidden");
    copy("nmnist.bin", "1/b.bin");
    copy("nmnist.bin", "1/a.bin");
    copy("nmnist.bin", "0/c.bin");
    copy("nmnist.bin", "10/z.bin");
    text("0/notes.txt", "no recording");
    text("README", "nor this");
    ck_assert_msg(open_set("", NULL) == MST_OK, "%s", err.text);
    ck_assert_str_eq(mst_event_profile_name(set.profile), "nmnist");
    ck_assert_uint_eq(set.n, 4);
    check_item(0, "0/c.bin", 0);
    check_item(1, "1/a.bin", 1);
    check_item(2, "1/b.bin", 1);
    check_item(3, "10/z.bin", 2);
    ck_assert_uint_eq(set.n_classes, 3);
    ck_assert_str_eq(set.classes[2], "10");
    mst_event_set_close(&set);
    folder("2");
    expect_refusal(open_set("", NULL), MST_EFORMAT, "/2: expected recordings (.bin), found none");
}
END_TEST

START_TEST(split_folders)
{
    folder("Train");
    folder("Test");
    folder("Train/0");
    folder("Test/0");
    copy("ncars.dat", "Train/0/a.dat");
    copy("ncars.dat", "Test/0/b.dat");
    ck_assert_msg(open_set("", NULL) == MST_OK, "%s", err.text);
    ck_assert_uint_eq(set.n, 1);
    check_item(0, "Test/0/b.dat", 0);
    mst_event_set_close(&set);
    ck_assert_int_eq(open_set("Train/", NULL), MST_OK);
    check_item(0, "Train/0/a.dat", 0);
    ck_assert_str_eq(mst_event_profile_name(set.profile), "ncars");
    mst_event_set_close(&set);
}
END_TEST

/* The ten class names alone tell that AEDAT 2.0 files are CIFAR10-DVS's. */
START_TEST(cifar10dvs_by_its_classes)
{
    static const char *const names[] = {"airplane", "automobile", "bird", "cat", "deer",
                                        "dog", "frog", "horse", "ship", "truck"};
    char path[64];
    for (int i = 0; i < 10; i++) {
        folder(names[i]);
        snprintf(path, sizeof path, "%s/cifar10_%s_0.aedat", names[i], names[i]);
        copy("dvs128.aedat", path);
    }
    ck_assert_int_eq(open_set("", NULL), MST_OK);
    ck_assert_str_eq(mst_event_profile_name(set.profile), "cifar10dvs");
    mst_event_set_close(&set);
    ck_assert_int_eq(open_set("", "aedat2"), MST_OK);
    ck_assert_str_eq(mst_event_profile_name(set.profile), "aedat2");
    mst_event_set_close(&set);
    ck_assert_int_eq(open_set("cat", NULL), MST_OK);
    ck_assert_str_eq(mst_event_profile_name(set.profile), "aedat2");
    check_item(0, "cat/cifar10_cat_0.aedat", -1);
    ck_assert_uint_eq(set.n_classes, 0);
    mst_event_set_close(&set);
}
END_TEST

START_TEST(single_recordings)
{
    static const char *const files[][2] = {
        {"dvs128.aedat", "aedat2"},
        {"nmnist.bin", "nmnist"},
        {"cd.dat", "ncars"},
        {"evt2.raw", "evt2"},
        {"asl-zip.mat", "asldvs"},
        {"gesture.aedat", "dvsgesture"},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        copy(files[i][0], files[i][0]);
        ck_assert_msg(open_set(files[i][0], NULL) == MST_OK, "%s", err.text);
        ck_assert_str_eq(mst_event_profile_name(set.profile), files[i][1]);
        ck_assert_uint_eq(set.n, 1);
        check_item(0, files[i][0], -1);
        mst_event_set_close(&set);
    }
}
END_TEST

START_TEST(gesture_folder)
{
    copy("gesture.aedat", "user02.aedat");
    copy("gesture.aedat", "user01.aedat");
    copy("gesture_labels.csv", "user01_labels.csv");
    text("user02_labels.csv", "\xef\xbb\xbf"
                              "4,2147470000,2147480000\n\n5,2147480000,2147490000");
    ck_assert_msg(open_set("", NULL) == MST_OK, "%s", err.text);
    ck_assert_uint_eq(set.n, 5);
    check_item(0, "user01.aedat", 0);
    check_item(1, "user01.aedat", 10);
    check_item(3, "user02.aedat", 3);
    ck_assert_int_eq(set.items[4].t_to, 2147490000);
    ck_assert_uint_eq(set.n_classes, 11);
    mst_event_set_close(&set);
    text("trials_to_test.txt", "\xef\xbb\xbfuser02.aedat\r\n\r\n");
    text("trials_to_train.txt", "user01.aedat\n");
    ck_assert_int_eq(open_set("", NULL), MST_OK);
    ck_assert_uint_eq(set.n, 2);
    mst_event_set_close(&set);
    ck_assert_int_eq(open_set("trials_to_train.txt", "dvsgesture"), MST_OK);
    ck_assert_uint_eq(set.n, 3);
    mst_event_set_close(&set);
    text("trials_to_test.txt", "user02.aedat\nuser99.aedat\n");
    expect_refusal(open_set("", "dvsgesture"), MST_EIO, "trials_to_test.txt: line 2: ");
}
END_TEST

START_TEST(gesture_labels_refused)
{
    static const char *const cases[][2] = {
        {"class,start,end\n1,2\n", "line 2: expected class,start,end, found '1,2'"},
        {"1,2,x\n", "line 1: expected class,start,end"},
        {"1,99999999999999999999,3\n", "line 1: expected class,start,end"},
        {"0,2,3\n", "line 1: class: expected 1..100000, found 0"},
        {"class\n\n1,5,5\n", "line 3: end: expected a time behind the start 5, found 5"},
        {"class,start,end\n", "g_labels.csv: expected rows class,start,end, found none"},
        {"", "g_labels.csv: expected rows"},
    };
    copy("gesture.aedat", "g.aedat");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        text("g_labels.csv", cases[i][0]);
        expect_refusal(open_set("g.aedat", NULL), MST_EFORMAT, cases[i][1]);
    }
    static const char zeros[] = "class,start,end\n1,5,6\n\0\0\0";
    event_write("g_labels.csv", zeros, sizeof zeros - 1);
    expect_refusal(open_set("g.aedat", NULL), MST_EFORMAT, "g_labels.csv: offset 22: expected text, found a zero byte");
}
END_TEST

START_TEST(gesture_without_labels)
{
    copy("gesture.aedat", "a.aedat");
    copy("gesture.aedat", "b.aedat");
    text("a_labels.csv", "4,2147470000,2147480000\n2,1,2\n");
    expect_refusal(open_set("", NULL), MST_EFORMAT, "b.aedat: expected its labels beside it");
    text("list.txt", "a.aedat\nb.aedat\n");
    expect_refusal(open_set("list.txt", "dvsgesture"), MST_EFORMAT, "list.txt: line 2: ");
    const mst_data_want want = {.as_is = true};
    float *x = calloc(10 * 2 * 128 * 128, sizeof *x);
    mst_data *d;
    int label;
    ck_assert_msg(mst_data_open(event_path("a.aedat"), &want, &d, &err) == MST_OK, "%s", err.text);
    ck_assert_int_eq(mst_data_get(d, 0, x, &label, &err), MST_OK);
    ck_assert_int_eq(label, 3);
    ck_assert_int_eq(mst_data_get(d, 1, x, &label, &err), MST_ECORRUPT);
    ck_assert_msg(strstr(err.text, "a_labels.csv: line 2: ") != NULL, "%s", err.text);
    mst_data_close(d);
    free(x);
}
END_TEST

static void expect_opening(const char *path, const char *part)
{
    const mst_data_want want = {.as_is = true};
    mst_data *d = NULL;
    err.text[0] = '\0';
    mst_status st = mst_data_open(path, &want, &d, &err);
    float *x = calloc(10 * 2 * 240 * 180, sizeof *x);
    int label;
    if (st == MST_OK)
        st = mst_data_get(d, 0, x, &label, &err);
    ck_assert_int_ne(st, MST_OK);
    ck_assert_msg(strstr(err.text, part) != NULL, "no '%s' in: %s", part, err.text);
    mst_data_close(d);
    free(x);
}

/* What is damaged is recognized all the same, so that its own error is told. */
START_TEST(recognized_though_damaged)
{
    size_t n = event_fixture("nmnist.bin", bytes);
    event_write("cut.bin", bytes, n - 2);
    ck_assert_str_eq(mst_event_profile_name(mst_event_profile_sniff(event_path("cut.bin"))), "nmnist");
    expect_opening(event_path("cut.bin"), "expected 5 bytes, found 3");
    folder("set");
    folder("set/0");
    folder("set/1");
    event_write("set/1/a.bin", bytes, n);
    expect_opening(event_path("set"), "set/0: expected recordings (.bin), found none");
    for (size_t i = 0; i < 4000; i++)
        bytes[i] = (uint8_t)(i * 151 + i / 7 * 31);
    bytes[0] = 3;
    bytes[1] = 250;
    event_write("data_batch_1.bin", bytes, 4000);
    expect_opening(event_path("data_batch_1.bin"), "expected a multiple of 3073 bytes");
    event_write("train.bin", bytes, 4000);
    expect_opening(event_path("train.bin"), "format not recognized"); /* no label of CIFAR-100 */
    bytes[1] = 60;
    event_write("train.bin", bytes, 4000);
    expect_opening(event_path("train.bin"), "expected a multiple of 3074 bytes");
}
END_TEST

START_TEST(nothing_there)
{
    expect_refusal(open_set("missing", NULL), MST_EIO, "missing: No such file");
    expect_refusal(open_set("", NULL), MST_EFORMAT, "expected event recordings, recognized none");
    expect_refusal(open_set("", "nmnist"), MST_EFORMAT, "expected recordings (.bin), found none");
    folder("a");
    text("a/x.bin", "what is this, in 25 bytes");
    expect_refusal(open_set("", NULL), MST_EFORMAT, "expected folders of event recordings, recognized none");
    text("x.txt", "text");
    expect_refusal(open_set("x.txt", NULL), MST_EFORMAT, "expected an event recording, recognized none");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("event set");
    TCase *tc = tcase_create("set");
    tcase_add_checked_fixture(tc, event_dir_make, event_dir_remove);
    tcase_add_test(tc, class_folders);
    tcase_add_test(tc, split_folders);
    tcase_add_test(tc, cifar10dvs_by_its_classes);
    tcase_add_test(tc, single_recordings);
    tcase_add_test(tc, gesture_folder);
    tcase_add_test(tc, gesture_labels_refused);
    tcase_add_test(tc, gesture_without_labels);
    tcase_add_test(tc, recognized_though_damaged);
    tcase_add_test(tc, nothing_there);
    suite_add_tcase(suite, tc);
    return run_tests(suite);
}

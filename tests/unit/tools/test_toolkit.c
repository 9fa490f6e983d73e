/* What the tools share: numbers, steps, masks, shapes, threads, files, tables. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/sample_graphs.h"
#include "runtime/data/data_want.h"
#include "tools/conv_meta.h"
#include "tools/tool_model.h"
#include "tools/tool_output.h"
#include "tools/tool_parallel.h"
#include "tools/tool_paths.h"
#include "tools/tool_table.h"
#include "tests/support/run_tests.h"

START_TEST(numbers)
{
    uint64_t u;
    double d;
    ck_assert(mst_parse_uint("0", &u) && u == 0);
    ck_assert(mst_parse_uint("0x10", &u) && u == 16);
    ck_assert(mst_parse_uint("18446744073709551615", &u) && u == UINT64_MAX);
    const char *bad_uint[] = {"", "-1", "+1", " 1", "1 ", "1.0", "0x", "18446744073709551616", "a"};
    for (size_t i = 0; i < sizeof bad_uint / sizeof bad_uint[0]; i++)
        ck_assert_msg(!mst_parse_uint(bad_uint[i], &u), "'%s'", bad_uint[i]);
    ck_assert(mst_parse_real("-1.5e-3", &d) && d == -1.5e-3);
    ck_assert(mst_parse_real(".5", &d) && d == 0.5);
    const char *bad_real[] = {"", " 1", "1 ", "nan", "inf", "-inf", "1e999", "0x1p3", "1,5", "--1", "."};
    for (size_t i = 0; i < sizeof bad_real / sizeof bad_real[0]; i++)
        ck_assert_msg(!mst_parse_real(bad_real[i], &d), "'%s'", bad_real[i]);
}
END_TEST

START_TEST(steps)
{
    mst_opt_uints list = {5, {8, 1, 8, 4, 1}};
    mst_steps_sort(&list);
    ck_assert(list.n == 3 && list.values[0] == 1 && list.values[1] == 4 && list.values[2] == 8);
    mst_steps_default(&list, 1);
    ck_assert(list.n == 1 && list.values[0] == 1);
    mst_steps_default(&list, 64);
    ck_assert(list.n == 7 && list.values[6] == 64 && list.values[5] == 32);
    mst_steps_default(&list, 65536);
    ck_assert(list.n == 17 && list.values[16] == 65536);
    mst_steps_default(&list, 100);
    ck_assert(list.n == 8 && list.values[6] == 64 && list.values[7] == 100);
}
END_TEST

START_TEST(shapes)
{
    uint32_t dims[MST_MAX_RANK], rank;
    ck_assert(mst_shape_parse("3x32x16", dims, &rank) && rank == 3);
    ck_assert(dims[0] == 3 && dims[1] == 32 && dims[2] == 16);
    const char *bad[] = {"", "x", "3x", "x3", "3xx3", "0x3", "3X3", "-1x3", "1x1x1x1x1x1x1x1x1",
                         "99999999999x1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!mst_shape_parse(bad[i], dims, &rank), "'%s'", bad[i]);
}
END_TEST

/* ---- masks ---- */

/* sample_every_op with its masks' figures set by hand: how many there are */
static size_t set_masks(mst_graph *g, int site, float ratio, float trained)
{
    size_t n = 0;
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == MST_OP_MASK) {
            g->nodes[i].ip[MST_MASK_SITE] = site;
            g->nodes[i].fp[MST_MASK_RATIO] = ratio;
            g->nodes[i].fp[MST_MASK_TRAINED] = trained;
            n++;
        }
    return n;
}

static float first_ratio(const mst_graph *g)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (g->nodes[i].op == MST_OP_MASK)
            return g->nodes[i].fp[MST_MASK_RATIO];
    return -1;
}

START_TEST(masks)
{
    mst_graph *g = NULL;
    mst_err err = {0};
    char text[300];
    ck_assert_int_eq(sample_every_op(NULL, &g, &err), MST_OK);
    ck_assert_uint_ge(set_masks(g, MST_SITE_Q, 0.5f, 0.5f), 1);
    ck_assert(!mst_masks_differ(g, text, sizeof text));
    mst_mask_choice keep = {0}, none = {.none = true}, q = {.masks = {2, {"all=0.1", "q=0.75"}}},
                    k = {.masks = {1, {"k=0.5"}}};
    ck_assert_int_eq(mst_masks_check(&keep, &err), MST_OK);
    ck_assert_int_eq(mst_masks_check(&q, &err), MST_OK);
    ck_assert_int_eq(mst_masks_apply(&keep, g, &err), MST_OK);
    ck_assert(first_ratio(g) == 0.5f);
    ck_assert_int_eq(mst_masks_apply(&q, g, &err), MST_OK);
    ck_assert(first_ratio(g) == 0.75f);
    ck_assert(mst_masks_differ(g, text, sizeof text));
    ck_assert_ptr_nonnull(strstr(text, "q 0.75 (trained with 0.5"));
    ck_assert_int_eq(mst_masks_apply(&none, g, &err), MST_OK);
    ck_assert(first_ratio(g) == 0.0f && mst_masks_differ(g, text, sizeof text));
    ck_assert_int_eq(mst_masks_apply(&k, g, &err), MST_EINVAL);
    set_masks(g, MST_SITE_Q, 0.5f, -1.0f); /* not known what they were trained with */
    ck_assert(!mst_masks_differ(g, text, sizeof text));
    mst_graph_destroy(g);
    const char *bad[] = {"q", "q=", "=0.5", "q=1", "q=-0.1", "v=0.5", "q=x", "averylongsitename=0.5"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mst_mask_choice m = {.masks = {1, {bad[i]}}};
        ck_assert_msg(mst_masks_check(&m, &err) == MST_EINVAL, "'%s'", bad[i]);
    }
    q.none = true;
    ck_assert_int_eq(mst_masks_check(&q, &err), MST_EINVAL);
}
END_TEST

START_TEST(meta)
{
    mst_graph *g = NULL;
    mst_err err = {0};
    ck_assert_int_eq(sample_tiny(NULL, &g, &err), MST_OK); /* [1,1,2,2] -> [1,2] */
    mst_opt_reals mean = {1, {0.5}}, std = {1, {0.25}}, three = {3, {1, 1, 1}};
    ck_assert_int_eq(mst_meta_set_norm(g, &three, &three, &err), MST_EINVAL);
    ck_assert_int_eq(mst_meta_set_norm(g, &mean, &std, &err), MST_OK);
    ck_assert(g->meta.n_norm == 1 && g->meta.mean[0] == 0.5f && g->meta.std[0] == 0.25f);
    ck_assert_int_eq(mst_meta_set_classes(g, "a,b,c", &err), MST_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "expected 2 names as the model has classes, found 3"));
    ck_assert_int_eq(mst_meta_set_classes(g, "a,", &err), MST_EINVAL);
    ck_assert_int_eq(mst_meta_set_classes(g, ",a", &err), MST_EINVAL);
    ck_assert_int_eq(mst_meta_set_classes(g, "/nonexistent", &err), MST_EIO);
    ck_assert_int_eq(mst_meta_set_classes(g, "cat,dog", &err), MST_OK);
    ck_assert(g->meta.n_classes == 2 && strcmp(g->meta.class_names[1], "dog") == 0);
    char path[] = "/tmp/mst-classes-XXXXXX";
    int fd = mkstemp(path);
    ck_assert(fd >= 0 && write(fd, "one two\r\nthree\n", 15) == 15);
    close(fd);
    ck_assert_int_eq(mst_meta_set_classes(g, path, &err), MST_OK);
    ck_assert_str_eq(g->meta.class_names[0], "one two");
    ck_assert_str_eq(g->meta.class_names[1], "three");
    unlink(path);
    mst_data_want want;
    ck_assert_int_eq(mst_data_want_of(g, &want, &err), MST_OK);
    ck_assert(want.channels == 1 && want.height == 2 && want.width == 2 && want.classes == 2 &&
              want.n_norm == 1);
    mst_graph_destroy(g);
}
END_TEST

/* ---- threads ---- */

typedef struct counting {
    size_t fail_work, fail_commit; /* sample, SIZE_MAX: none */
    size_t committed;
    double sum; /* of terms that do not add up the same in another order */
    double term[8];
} counting;

static mst_status work(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    counting *c = ctx;
    if (i % 3 == 0)
        usleep(200);
    c->term[worker] = 1.0 / (double)(i + 1);
    return i >= c->fail_work ? mst_fail(err, MST_EIO, "work %zu", i) : MST_OK;
}

static mst_status commit(void *ctx, unsigned worker, size_t i, mst_err *err)
{
    counting *c = ctx;
    ck_assert_uint_eq(i, c->committed);
    if (i == c->fail_commit)
        return mst_fail(err, MST_ENOMEM, "commit %zu", i);
    c->committed++;
    c->sum += c->term[worker];
    return MST_OK;
}

START_TEST(parallel)
{
    double sum = 0;
    mst_err err;
    for (unsigned threads = 1; threads <= 8; threads++) {
        counting c = {.fail_work = SIZE_MAX, .fail_commit = SIZE_MAX};
        mst_parallel job = {.n = 300, .threads = threads, .ctx = &c, .work = work, .commit = commit};
        ck_assert_int_eq(mst_parallel_run(&job, &err), MST_OK);
        ck_assert_uint_eq(c.committed, 300);
        ck_assert(threads == 1 || c.sum == sum);
        sum = c.sum;
        c = (counting){.fail_work = 37, .fail_commit = SIZE_MAX}; /* 37 and all behind it fail: 37 is told */
        ck_assert_int_eq(mst_parallel_run(&job, &err), MST_EIO);
        ck_assert_str_eq(err.text, "work 37");
        ck_assert_uint_eq(c.committed, 37);
        c = (counting){.fail_work = SIZE_MAX, .fail_commit = 11};
        ck_assert_int_eq(mst_parallel_run(&job, &err), MST_ENOMEM);
        ck_assert_str_eq(err.text, "commit 11");
    }
    counting c = {0};
    mst_parallel none = {.n = 0, .threads = 2, .ctx = &c, .work = work, .commit = commit};
    ck_assert_int_eq(mst_parallel_run(&none, &err), MST_OK);
    none.threads = 0;
    ck_assert_int_eq(mst_parallel_run(&none, &err), MST_EINVAL);
}
END_TEST

/* ---- output ---- */

START_TEST(files_appear_whole)
{
    char dir[] = "/tmp/mst-out-XXXXXX", path[64], found[2048] = "";
    FILE *f;
    mst_err err;
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/f", dir);
    for (int commit = 1; commit >= 0; commit--) { /* the second is given up */
        ck_assert(mst_paths_output("-o", path, MST_PATH_JSON, &err) == MST_OK && mst_paths_check(&err) == MST_OK &&
                  mst_paths_open(&err) == MST_OK);
        ck_assert_int_eq(access(path, F_OK) == 0, !commit);
        ck_assert_int_eq(mst_json_write("mst", json_pack("{s:i}", "n", commit), path, &err), MST_OK);
        ck_assert_int_eq(access(path, F_OK) == 0, !commit);
        if (commit)
            ck_assert_int_eq(mst_paths_commit(&err), MST_OK);
        mst_paths_discard();
    }
    f = fopen(path, "r");
    ck_assert_uint_gt(fread(found, 1, sizeof found - 1, f), 0);
    fclose(f);
    ck_assert_msg(strncmp(found, "{\n \"tool\": \"mst\",\n \"schema\": ", 26) == 0, "%s", found);
    ck_assert_ptr_nonnull(strstr(found, " \"n\": 1\n}\n"));
    unlink(path);
    ck_assert_int_eq(rmdir(dir), 0); /* no temporary file is left */
    ck_assert_int_eq(mst_paths_output("-o", path, MST_PATH_JSON, &err), MST_OK);
    ck_assert_int_eq(mst_paths_check(&err), MST_EIO);
    mst_paths_discard();
}
END_TEST

START_TEST(json_takes_anything)
{
    json_t *text = mst_json_text("a\xff\xfe z\xc3\xa9"), *nan = mst_json_real(NAN),
           *big = mst_json_whole(UINT64_MAX);
    ck_assert_str_eq(json_string_value(text), "a?? z??");
    ck_assert(json_is_null(nan) && json_is_real(big));
    json_t *list = json_array();
    mst_json_append(&list, json_true());
    ck_assert_uint_eq(json_array_size(list), 1);
    mst_json_append(&list, NULL);
    ck_assert_ptr_null(list);
    mst_json_append(&list, json_true());
    ck_assert_ptr_null(list);
    json_decref(text);
    json_decref(nan);
    json_decref(big);
}
END_TEST

START_TEST(table)
{
    static const char *const heads[] = {"name", ">n", "note"};
    char buffer[400] = "";
    mst_table t;
    mst_err err;
    FILE *f = fmemopen(buffer, sizeof buffer, "w");
    mst_table_begin(&t, 3, heads);
    for (int i = 0; i < 200; i++) { /* more than it starts with room for */
        mst_table_cell(&t, "%s", i == 0 ? "\xc3\xa9\033[2J" : "b");
        mst_table_real(&t, i == 0 ? 12.345 : NAN, 1);
        mst_table_cell(&t, "%d", i);
    }
    ck_assert_int_eq(mst_table_end(&t, f, &err), MST_OK);
    fclose(f);
    ck_assert_msg(strncmp(buffer, "name      n  note\n\xc3\xa9?[2J  12.3  0\nb         -  1\n", 49) == 0,
                  "%s", buffer);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("toolkit");
    TCase *t = tcase_create("toolkit");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, numbers);
    tcase_add_test(t, steps);
    tcase_add_test(t, shapes);
    tcase_add_test(t, masks);
    tcase_add_test(t, meta);
    tcase_add_test(t, parallel);
    tcase_add_test(t, files_appear_whole);
    tcase_add_test(t, json_takes_anything);
    tcase_add_test(t, table);
    suite_add_tcase(s, t);
    return run_tests(s);
}

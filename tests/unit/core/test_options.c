/* Option structs of callers that are older or newer than the library; each public one is read by that rule. */
#include <check.h>
#include <stddef.h>
#include <string.h>

#include "mst/calibrate.h"
#include "mst/convert.h"
#include "mst/data.h"
#include "mst/facts.h"
#include "runtime/core/options.h"
#include "tests/support/run_tests.h"
#include "tests/support/sample_graphs.h"

typedef struct thing { /* as the library has it */
    size_t size;
    int a, b;
    const char *name;
} thing;

typedef struct later_thing { /* as a newer caller has it */
    thing known;
    char more[24];
} later_thing;

static mst_status take(thing *own, const void *theirs, mst_err *err)
{
    *own = (thing){0};
    *err = (mst_err){0};
    return MST_TAKE_OPTS(thing, own, (const thing *)theirs, b, name, err);
}

START_TEST(sizes)
{
    thing own, full = {sizeof full, 1, 2, "n"};
    mst_err err;
    ck_assert_int_eq(take(&own, &full, &err), MST_OK);
    ck_assert(own.size == sizeof own && own.a == 1 && own.b == 2 && own.name == full.name);
    full.size = 0; /* the first release ended with b */
    ck_assert_int_eq(take(&own, &full, &err), MST_OK);
    ck_assert(own.a == 1 && own.b == 2 && own.name == NULL);
    full.size = offsetof(thing, b);
    ck_assert_int_eq(take(&own, &full, &err), MST_OK);
    ck_assert(own.a == 1 && own.b == 0 && own.name == NULL && own.size == sizeof own);
    for (full.size = 1; full.size < sizeof(size_t); full.size++) {
        ck_assert_int_eq(take(&own, &full, &err), MST_EINVAL);
        ck_assert_ptr_nonnull(strstr(err.text, "thing: its size is said to be"));
    }
}
END_TEST

START_TEST(newer_callers)
{
    later_thing later = {.known = {sizeof later, 1, 2, "n"}};
    thing own;
    mst_err err;
    ck_assert_int_eq(take(&own, &later, &err), MST_OK);
    ck_assert(own.a == 1 && own.b == 2 && own.name == later.known.name && own.size == sizeof own);
    for (size_t i = 0; i < sizeof later.more; i++) {
        later.more[i] = 1;
        ck_assert_int_eq(take(&own, &later, &err), MST_EINVAL);
        ck_assert_ptr_nonnull(strstr(err.text, "does not know is set"));
        later.more[i] = 0;
    }
}
END_TEST

static void refused(mst_status st, const mst_err *err, const char *name)
{
    ck_assert_int_eq(st, MST_EINVAL);
    ck_assert_msg(strncmp(err->text, name, strlen(name)) == 0, "'%s' does not begin with %s", err->text, name);
}

/* Every struct that the headers say carries its size: a size of 3 bytes is nonsense. */
START_TEST(all_structs)
{
    mst_graph *g = NULL;
    mst_program *p = NULL;
    mst_calib *c = NULL;
    mst_data *d = NULL;
    mst_report r = {0};
    mst_err err = {0};
    ck_assert_int_eq(sample_tiny(NULL, &g, &err), MST_OK);
    refused(mst_program_create(g, &(mst_run_opts){.size = 3}, &p, &err), &err, "mst_run_opts: ");
    refused(mst_onnx_import("none", &(mst_import_opts){.size = 3}, &g, &err), &err, "mst_import_opts: ");
    refused(mst_convert(g, &(mst_convert_opts){.size = 3}, &r, &err), &err, "mst_convert_opts: ");
    mst_policy policy = {.size = sizeof policy + 8};
    refused(mst_convert(g, &(mst_convert_opts){.policy = &policy}, &r, &err), &err, "mst_policy: ");
    refused(mst_calib_create(NULL, NULL, &(mst_calib_opts){.size = 3}, &c, &err), &err, "mst_calib_opts: ");
    refused(mst_data_open("none", &(mst_data_want){.size = 3}, &d, &err), &err, "mst_data_want: ");
    mst_graph_destroy(g);
}
END_TEST

/* A caller that knows a shorter mst_run_opts: what lies behind it in memory is not read. */
START_TEST(older_caller_of_program_create)
{
    mst_graph *g = NULL;
    mst_program *p = NULL;
    mst_err err = {0};
    ck_assert_int_eq(sample_tiny(NULL, &g, &err), MST_OK);
    mst_run_opts opts = {.size = offsetof(mst_run_opts, frames), .frames = 3};
    ck_assert_int_eq(mst_program_create(g, &opts, &p, &err), MST_OK);
    ck_assert_uint_eq(mst_program_input_size(p), 4);
    mst_program_destroy(p);
    opts.size = sizeof opts;
    ck_assert_int_eq(mst_program_create(g, &opts, &p, &err), MST_OK);
    ck_assert_uint_eq(mst_program_input_size(p), 12);
    mst_program_destroy(p);
    mst_graph_destroy(g);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *tc = tcase_create("options");
    tcase_add_test(tc, sizes);
    tcase_add_test(tc, newer_callers);
    tcase_add_test(tc, all_structs);
    tcase_add_test(tc, older_caller_of_program_create);
    suite_add_tcase(suite, tc);
    return run_tests(suite);
}

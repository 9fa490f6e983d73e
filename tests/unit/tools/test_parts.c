/* Parts that are put together where memory ends: no result without where it comes from. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/run_tests.h"
#include "tools/tool_output.h"
#include "tools/tool_parts.h"

static long left = -1; /* allocations of JSON that succeed; -1: all */

static void *allocate(size_t n)
{
    if (left == 0)
        return NULL;
    left -= left > 0;
    return malloc(n);
}

static char folder[] = "/tmp/mst-parts-XXXXXX", paths[2][64];

static void write_part(int i)
{
    snprintf(paths[i], sizeof paths[i], "%s/%d.json", folder, i + 1);
    FILE *f = fopen(paths[i], "w");
    ck_assert_ptr_nonnull(f);
    fprintf(f,
            "{\"tool\": \"mstrun\", \"schema\": %d, \"provenance\": {\"version\": \"%s\"}, \"sums\": {}, "
            "\"shard\": {\"index\": %d, \"of\": 2}}",
            MST_JSON_SCHEMA, MST_VERSION, i + 1);
    fclose(f);
}

/* Of the second part: after it `*ctx` allocations more succeed. */
static mst_status add(void *ctx, json_t *root, size_t number, mst_err *err)
{
    (void)root, (void)err;
    if (number == 1)
        left = *(long *)ctx;
    return MST_OK;
}

START_TEST(memory_ends)
{
    const char *const names[] = {paths[0], paths[1]};
    mst_err err;
    mst_status st = MST_ENOMEM;
    long n;
    json_set_alloc_funcs(allocate, free);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    write_part(0);
    write_part(1);
    for (n = 0; st != MST_OK; n++) {
        json_t *from = NULL;
        ck_assert_int_lt(n, 1000);
        st = mst_parts_add(names, 2, "mstrun", add, &n, &from, &err);
        left = -1;
        ck_assert_msg(st == MST_OK ? json_array_size(from) == 2 : st == MST_ENOMEM, "%ld more: status %d, %zu parts", n,
                      (int)st, json_array_size(from));
        ck_assert_msg(st == MST_OK || strstr(err.text, paths[1]) != NULL, "%s", err.text);
        json_decref(from);
    }
    ck_assert_int_gt(n, 4);
    unlink(paths[0]);
    unlink(paths[1]);
    rmdir(folder);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("parts");
    TCase *t = tcase_create("parts");
    tcase_add_test(t, memory_ends);
    suite_add_tcase(s, t);
    return run_tests(s);
}

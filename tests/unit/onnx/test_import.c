/* Import of .onnx files: fixtures, rare parts of the format, hostile files,
 * every truncation, bit flips, external data, running out of memory.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "converter/onnx/onnx_graph.h"
#include "tests/support/onnx_graph_check.h"
#include "tests/support/run_tests.h"
#include "tests/support/test_alloc.h"

#define FIXTURES "tests/fixtures/onnx/"
#define GOOD "tests/golden/onnx-good/"
#define BAD "tests/golden/onnx-bad/"

static void load(const char *path, ox_graph *g)
{
    mst_err err = {0};
    mst_status st = ox_load(path, NULL, g, &err);
    ck_assert_msg(st == MST_OK, "%s: %s", path, err.text);
    const char *bad = onnx_graph_check(g);
    ck_assert_msg(bad == NULL, "%s: %s", path, bad);
}

static unsigned char *read_bytes(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s", path);
    ck_assert_int_eq(fseek(f, 0, SEEK_END), 0);
    *n = (size_t)ftell(f);
    rewind(f);
    unsigned char *bytes = malloc(*n + 1);
    ck_assert_uint_eq(fread(bytes, 1, *n, f), *n);
    fclose(f);
    return bytes;
}

static const ox_node *find_node(const ox_graph *g, const char *op)
{
    for (uint32_t i = 0; i < g->n_nodes; i++)
        if (strcmp(g->nodes[i].op, op) == 0)
            return &g->nodes[i];
    ck_abort_msg("no node %s", op);
    return NULL;
}

static const ox_value *find_value(const ox_graph *g, const char *name)
{
    for (uint32_t i = 0; i < g->n_values; i++)
        if (strcmp(g->values[i].name, name) == 0)
            return &g->values[i];
    ck_abort_msg("no value %s", name);
    return NULL;
}

static const char *code_name(mst_status st)
{
    static const char *const names[] = {"OK", "EINVAL", "ENOMEM", "EIO", "EFORMAT",
                                        "ECORRUPT", "EVERSION", "EUNSUPPORTED", "ELIMIT"};
    return names[st];
}

/* ---- what must load ---- */

static const char *const fixtures[] = {"resnet18-ts", "resnet18-tsdyn", "resnet18-dynamo",
                                       "vgg16-ts", "vgg16-tsdyn", "vgg16-dynamo",
                                       "swin-ts", "swin-tsdyn", "swin-dynamo",
                                       "swin_pub-ts", "swin_pub-tsdyn", "swin_pub-dynamo",
                                       "ext-data", "local-functions", "swin-masked-ts",
                                       "swin_pub_bn-tsdyn", "swin-functions"};

START_TEST(fixture_loads)
{
    char path[256];
    ox_graph g;
    snprintf(path, sizeof path, FIXTURES "%s.onnx", fixtures[_i]);
    load(path, &g);
    ck_assert_uint_eq(g.n_inputs, 1);
    ck_assert_uint_eq(g.n_outputs, 1);
    ck_assert_uint_gt(g.n_nodes, 5);
    const ox_value *in = &g.values[g.inputs[0]];
    ck_assert_uint_eq(in->rank, 4);
    ck_assert_int_eq(in->dims[1], 3);
    ck_assert_int_eq(in->dtype, OX_FLOAT);
    for (uint32_t i = 0; i < g.n_nodes; i++)
        ck_assert_str_ne(g.nodes[i].op, "Constant");
    ox_graph_free(&g);
    ox_graph_free(NULL);
}
END_TEST

START_TEST(functions_are_inlined)
{
    ox_graph g;
    int floors = 0, nested = 0;
    bool seen[2] = {false, false};
    load(FIXTURES "local-functions.onnx", &g);
    for (uint32_t i = 0; i < g.n_nodes; i++) {
        ck_assert_str_eq(g.nodes[i].domain, "");
        floors += strcmp(g.nodes[i].op, "Floor") == 0;
        const char *slash = strchr(g.nodes[i].name, '/');
        nested += slash != NULL && strchr(slash + 1, '/') != NULL;
    }
    for (uint32_t i = 0; i < g.n_values; i++) {
        const ox_value *v = &g.values[i];
        if (v->data != NULL && v->rank == 0 && v->dtype == OX_FLOAT) {
            float x = *(const float *)v->data;
            seen[0] = seen[0] || x == 16.0f; /* @levels through two calls, and through one */
            seen[1] = seen[1] || x == 8.0f;
        }
    }
    ck_assert_int_eq(floors, 2);
    ck_assert_int_gt(nested, 0);
    ck_assert(seen[0] && seen[1]);
    ox_graph_free(&g);
}
END_TEST

START_TEST(external_data_is_read)
{
    ox_graph g;
    size_t n;
    unsigned char *bytes = read_bytes(FIXTURES "ext-data.bin", &n);
    load(FIXTURES "ext-data.onnx", &g);
    int found = 0;
    for (uint32_t i = 0; i < g.n_values; i++) {
        const ox_value *v = &g.values[i];
        if (v->data == NULL || v->rank != 4)
            continue;
        size_t size = 4;
        for (uint32_t k = 0; k < 4; k++)
            size *= (size_t)v->dims[k];
        found += memmem(bytes, n, v->data, size) != NULL;
    }
    ck_assert_int_eq(found, 2); /* the weights of both convolutions */
    ox_graph_free(&g);

    mst_err err;
    free(bytes);
    bytes = read_bytes(FIXTURES "ext-data.onnx", &n);
    ck_assert_int_eq(ox_load_mem(bytes, n, NULL, NULL, &g, &err), MST_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "external data is not allowed"));
    free(bytes);
}
END_TEST

static const char *const good[] = {"unordered", "initializer-as-input", "unnamed",
                                   "symbolic", "newer-fields", "typed",
                                   "constants", "attributes", "fn-pass-through",
                                   "fn-optional", "fn-default", "fn-name-clash",
                                   "fn-default-given", "fn-argument-left-out", "fn-overload",
                                   "fn-unused"};

START_TEST(good_file_loads)
{
    char path[256];
    ox_graph g;
    snprintf(path, sizeof path, GOOD "%s.onnx", good[_i]);
    load(path, &g);
    ck_assert_uint_eq(g.n_inputs, 1);
    for (uint32_t i = 0; i < g.n_values; i++)
        for (uint32_t k = 0; k < i; k++)
            ck_assert_str_ne(g.values[i].name, g.values[k].name);
    ox_graph_free(&g);
}
END_TEST

START_TEST(order_and_names)
{
    ox_graph g;
    load(GOOD "unordered.onnx", &g);
    ck_assert_str_eq(g.nodes[0].name, "first");
    ck_assert_str_eq(g.nodes[1].name, "second");
    ck_assert_str_eq(g.nodes[2].name, "third");
    ck_assert_int_eq(g.opset, 17);
    ck_assert_str_eq(g.producer, "golden");
    ox_graph_free(&g);

    load(GOOD "unnamed.onnx", &g);
    ck_assert_str_eq(g.nodes[0].name, "Relu#0");
    ck_assert_str_eq(g.nodes[1].name, "Abs#1");
    ox_graph_free(&g);

    load(GOOD "symbolic.onnx", &g);
    const ox_value *in = &g.values[g.inputs[0]];
    ck_assert(in->has_shape && in->rank == 3 && in->dims[0] == -1 && in->dims[1] == 3 && in->dims[2] == -1);
    ox_graph_free(&g);

    load(GOOD "initializer-as-input.onnx", &g);
    ck_assert_str_eq(g.values[g.inputs[0]].name, "x");
    ck_assert_ptr_nonnull(find_value(&g, "w")->data);
    ox_graph_free(&g);
}
END_TEST

#define AS(type, v, i) (((const type *)(v)->data)[i])

START_TEST(typed_fields)
{
    ox_graph g;
    load(GOOD "typed.onnx", &g);
    ck_assert(AS(float, find_value(&g, "f32"), 0) == 1.5f && AS(float, find_value(&g, "f32"), 1) == -2.0f);
    ck_assert(AS(double, find_value(&g, "f64"), 0) == 0.25);
    ck_assert_int_eq(AS(int64_t, find_value(&g, "i64"), 0), -3);
    ck_assert_int_eq(AS(int32_t, find_value(&g, "i32"), 0), -7);
    ck_assert_int_eq(AS(int8_t, find_value(&g, "i8"), 0), -128);
    ck_assert_int_eq(AS(int8_t, find_value(&g, "i8"), 1), 127);
    ck_assert_uint_eq(AS(uint8_t, find_value(&g, "u8"), 0), 255);
    ck_assert_uint_eq(AS(uint16_t, find_value(&g, "f16"), 0), 0x3c00);
    ck_assert_uint_eq(AS(uint32_t, find_value(&g, "u32"), 0), UINT32_MAX);
    ck_assert(AS(uint64_t, find_value(&g, "u64"), 0) == 1ull << 63);
    ck_assert_uint_eq(AS(uint8_t, find_value(&g, "bool"), 0), 0);
    ck_assert_uint_eq(AS(uint8_t, find_value(&g, "bool"), 1), 1);
    ck_assert_ptr_nonnull(find_value(&g, "none")->data);
    ck_assert_int_eq(find_value(&g, "text")->dtype, OX_STRING);
    ck_assert_ptr_null(find_value(&g, "text")->data);
    ox_graph_free(&g);
}
END_TEST

START_TEST(constants_are_values)
{
    ox_graph g;
    load(GOOD "constants.onnx", &g);
    ck_assert_uint_eq(g.n_nodes, 2); /* Relu, and the Constant of a string */
    ck_assert(find_value(&g, "c0")->rank == 0 && AS(float, find_value(&g, "c0"), 0) == 0.5f);
    ck_assert(find_value(&g, "c1")->rank == 0 && AS(int64_t, find_value(&g, "c1"), 0) == -2);
    ck_assert(find_value(&g, "c2")->dims[0] == 2 && AS(float, find_value(&g, "c2"), 1) == 2.0f);
    ck_assert(find_value(&g, "c3")->dims[0] == 2 && AS(int64_t, find_value(&g, "c3"), 1) == 4);
    ck_assert(find_value(&g, "c4")->dims[0] == 1 && AS(float, find_value(&g, "c4"), 0) == 9.0f);
    ck_assert(AS(float, find_value(&g, "c6"), 0) == 8.0f); /* no type field, as the oldest files */
    ck_assert_ptr_null(find_value(&g, "c5")->data);
    ox_graph_free(&g);
}
END_TEST

START_TEST(attributes_by_name)
{
    ox_graph g;
    int64_t ints[4] = {0};
    load(GOOD "attributes.onnx", &g);
    const ox_node *n = find_node(&g, "Op");
    ck_assert_int_eq(ox_attr_int(n, "i", 7), -1);
    ck_assert_int_eq(ox_attr_int(n, "absent", 7), 7);
    ck_assert_int_eq(ox_attr_int(n, "f", 7), 7);
    ck_assert(ox_attr_float(n, "f", 0) == 0.5f && ox_attr_float(n, "i", 0) == -1.0f);
    ck_assert(ox_attr_float(n, "absent", 2.0f) == 2.0f);
    ck_assert_str_eq(ox_attr_string(n, "s", ""), "text");
    ck_assert_str_eq(ox_attr_string(n, "i", "other"), "other");
    ck_assert_int_eq(ox_attr_ints(n, "ints", ints, 4), 2);
    ck_assert(ints[0] == 1 && ints[1] == 2);
    ck_assert_int_eq(ox_attr_ints(n, "absent", ints, 4), -1);
    ck_assert_int_eq(ox_attr_ints(n, "ints", ints, 1), -2);
    ck_assert_int_eq(ox_attr_ints(n, "i", ints, 4), -2);
    ck_assert_int_eq(ox_attr_find(n, "t")->kind, OX_A_TENSOR);
    ck_assert_int_eq(ox_attr_find(n, "g")->kind, OX_A_OTHER);
    const ox_attr *strings = ox_attr_find(n, "strings");
    ck_assert_int_eq(strings->kind, OX_A_STRINGS);
    ck_assert_uint_eq(strings->n, 1);
    ck_assert_str_eq(strings->strings[0], "a");
    ck_assert_uint_eq(ox_dtype_size(OX_BFLOAT16), 2);
    ck_assert_uint_eq(ox_dtype_size(-1), 0);
    ck_assert_str_eq(ox_dtype_name(1000), "unknown");
    ck_assert_str_eq(ox_dtype_name(OX_DOUBLE), "float64");
    ox_graph_free(&g);
}
END_TEST

START_TEST(function_details)
{
    ox_graph g;
    load(GOOD "fn-pass-through.onnx", &g);
    ck_assert_str_eq(g.nodes[0].op, "Identity");
    ox_graph_free(&g);
    load(GOOD "fn-optional.onnx", &g);
    ck_assert_str_eq(g.nodes[0].name, "call/clip");
    ck_assert(g.nodes[0].n_in == 2 && g.nodes[0].in[1] == OX_NONE);
    ox_graph_free(&g);
    load(GOOD "fn-default.onnx", &g);
    ck_assert(ox_attr_float(&g.nodes[0], "alpha", 1.0f) == 0.25f);
    ox_graph_free(&g);
    load(GOOD "fn-default-given.onnx", &g);
    ck_assert(ox_attr_float(&g.nodes[0], "alpha", 1.0f) == 2.0f);
    ox_graph_free(&g);
    load(GOOD "fn-argument-left-out.onnx", &g);
    ck_assert_uint_eq(g.nodes[0].n_attr, 0);
    ox_graph_free(&g);
    load(GOOD "fn-overload.onnx", &g);
    ck_assert_str_eq(g.nodes[0].op, "Abs");
    ox_graph_free(&g);
}
END_TEST

START_TEST(digest_of_the_file)
{
    static const uint8_t nothing[32];
    ox_graph a, b;
    size_t n;
    mst_err err;
    unsigned char *bytes = read_bytes(GOOD "unnamed.onnx", &n);
    load(GOOD "unnamed.onnx", &a);
    ck_assert_int_eq(ox_load_mem(bytes, n, NULL, NULL, &b, &err), MST_OK);
    ck_assert_mem_eq(a.sha256, b.sha256, 32);
    ck_assert_mem_ne(a.sha256, nothing, 32);
    ox_graph_free(&a);
    ox_graph_free(&b);
    free(bytes);
}
END_TEST

/* ---- what must be refused ---- */

/* expected.txt: file, code and a part of the message, separated by tabs. */
START_TEST(bad_files_are_refused)
{
    char line[512], path[600], found[1200];
    int files = 0;
    FILE *f = fopen(BAD "expected.txt", "r");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f) != NULL) {
        char *name = strtok(line, "\t\n"), *code = strtok(NULL, "\t\n"), *text = strtok(NULL, "\t\n");
        ck_assert_ptr_nonnull(text);
        ox_graph g;
        mst_err err = {0};
        snprintf(path, sizeof path, BAD "%s", name);
        mst_status st = ox_load(path, NULL, &g, &err);
        snprintf(found, sizeof found, "%s %s", code_name(st), err.text);
        ck_assert_msg(strcmp(code_name(st), code) == 0 && strstr(err.text, text) != NULL,
                      "%s: expected %s '%s', found %s", name, code, text, found);
        ck_assert_msg(strncmp(err.text, path, strlen(path)) == 0, "%s does not start its message", name);
        ck_assert_int_eq(err.code, st);
        ck_assert_uint_eq(g.n_values, 0);
        ck_assert_int_eq(ox_load(path, NULL, &g, NULL), st);
        files++;
    }
    fclose(f);
    ck_assert_int_gt(files, 50);
}
END_TEST

START_TEST(paths_are_refused)
{
    ox_graph g;
    mst_err err;
    ck_assert_int_eq(ox_load("no/such/file.onnx", NULL, &g, &err), MST_EIO);
    ck_assert_int_eq(ox_load("tests", NULL, &g, &err), MST_EIO);
    ck_assert_int_eq(ox_load("/dev/zero", NULL, &g, &err), MST_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "not a regular file"));
}
END_TEST

/* A copy of the external data fixture whose data file is a link to the real one. */
START_TEST(links_are_not_followed)
{
    char dir[] = "/tmp/mst-import-XXXXXX", path[256], target[4200], here[4000];
    size_t n;
    ox_graph g;
    mst_err err = {0};
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_ptr_nonnull(getcwd(here, sizeof here));
    unsigned char *bytes = read_bytes(FIXTURES "ext-data.onnx", &n);
    snprintf(target, sizeof target, "%s/" FIXTURES "ext-data.bin", here);
    snprintf(path, sizeof path, "%s/ext-data.bin", dir);
    ck_assert_int_eq(symlink(target, path), 0);
    mst_status st = ox_load_mem(bytes, n, dir, NULL, &g, &err);
    unlink(path);
    rmdir(dir);
    ck_assert_int_eq(st, MST_ECORRUPT);
    ck_assert_msg(strstr(err.text, "symbolic links") != NULL, "%s", err.text);
    free(bytes);
}
END_TEST

/* ---- limits: small files that would unpack to something huge ---- */

/* ir_version 8, then count copies of unit inside field 7 (the graph). */
static void check_flood(const char *unit, size_t size, size_t count, const char *text)
{
    size_t n = size * count, at = 0;
    unsigned char *bytes = malloc(n + 16);
    memcpy(bytes, "\x08\x08\x3a", 3);
    at = 3;
    for (size_t v = n;; v >>= 7) {
        bytes[at++] = (unsigned char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        if (v <= 0x7f)
            break;
    }
    for (size_t i = 0; i < count; i++, at += size)
        memcpy(bytes + at, unit, size);
    ox_graph g;
    mst_err err = {0};
    ck_assert_int_eq(ox_load_mem(bytes, at, NULL, NULL, &g, &err), MST_ELIMIT);
    ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
    free(bytes);
}

START_TEST(floods_are_refused)
{
    check_flood("\x0a\x00", 2, 2000000, "more than 200000 nodes");             /* empty nodes */
    check_flood("\x2a\x00", 2, 2000000, "unpacking would take more than");     /* empty initializers */
    check_flood("\x6a\x00", 2, 10000000, "more than");                         /* empty value_info */
    check_flood("\xf2\x07\x00", 3, 8000000, "unpacking would take more than"); /* unknown fields */
}
END_TEST

/* ---- damage ---- */

static void try_bytes(const unsigned char *bytes, size_t n)
{
    ox_graph g;
    mst_err err = {0};
    unsigned char *copy =
        malloc(n != 0 ? n : 1); /* exact size: reads past the end are seen by the sanitizer */
    memcpy(copy, bytes, n);
    mst_status st = ox_load_mem(copy, n, FIXTURES, NULL, &g, &err);
    if (st == MST_OK)
        ck_assert_ptr_null(onnx_graph_check(&g));
    else
        ck_assert_msg(err.code == st && err.text[0] != '\0' && st != MST_EINVAL && st != MST_ENOMEM, "%s",
                      err.text);
    ox_graph_free(&g);
    free(copy);
}

static const char *const small[] = {
    FIXTURES "local-functions.onnx", FIXTURES "ext-data.onnx", GOOD "typed.onnx",
    GOOD "attributes.onnx", GOOD "fn-default.onnx", GOOD "fn-name-clash.onnx"};

START_TEST(every_truncation)
{
    size_t n;
    unsigned char *bytes = read_bytes(small[_i], &n);
    for (size_t k = 0; k <= n; k++)
        try_bytes(bytes, k);
    free(bytes);
}
END_TEST

START_TEST(every_byte_changed)
{
    size_t n;
    unsigned char *bytes = read_bytes(small[_i], &n);
    for (size_t k = 0; k < n; k++) {
        unsigned char was = bytes[k];
        static const unsigned char change[] = {0x01, 0x80, 0xff};
        for (size_t j = 0; j < sizeof change; j++) {
            bytes[k] = was ^ change[j];
            try_bytes(bytes, n);
        }
        bytes[k] = was;
    }
    free(bytes);
}
END_TEST

/* ---- out of memory ---- */

START_TEST(every_allocation_fails)
{
    for (size_t fail_at = 1;; fail_at++) {
        test_alloc f = {.fail_at = fail_at};
        const mst_allocator a = test_allocator(&f);
        ox_graph g;
        mst_err err = {0};
        mst_status st = ox_load(small[_i], &a, &g, &err);
        if (st == MST_OK) {
            ck_assert_uint_lt(f.calls, fail_at);
            ox_graph_free(&g);
            ck_assert_uint_eq(f.bytes, 0);
            ck_assert_uint_gt(fail_at, 10);
            return;
        }
        ck_assert_msg(st == MST_ENOMEM, "allocation %zu: %s", fail_at, err.text);
        ck_assert_uint_eq(f.bytes, 0);
    }
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

int main(void)
{
    Suite *s = suite_create("onnx import");
    TCase *good_case = tcase_create("loads"), *bad_case = tcase_create("refuses");
    tcase_set_timeout(good_case, 300);
    tcase_set_timeout(bad_case, 300);
    tcase_add_loop_test(good_case, fixture_loads, 0, COUNT(fixtures));
    tcase_add_loop_test(good_case, good_file_loads, 0, COUNT(good));
    tcase_add_test(good_case, functions_are_inlined);
    tcase_add_test(good_case, external_data_is_read);
    tcase_add_test(good_case, order_and_names);
    tcase_add_test(good_case, typed_fields);
    tcase_add_test(good_case, constants_are_values);
    tcase_add_test(good_case, attributes_by_name);
    tcase_add_test(good_case, function_details);
    tcase_add_test(good_case, digest_of_the_file);
    tcase_add_test(bad_case, bad_files_are_refused);
    tcase_add_test(bad_case, paths_are_refused);
    tcase_add_test(bad_case, links_are_not_followed);
    tcase_add_test(bad_case, floods_are_refused);
    tcase_add_loop_test(bad_case, every_truncation, 0, COUNT(small));
    tcase_add_loop_test(bad_case, every_byte_changed, 0, COUNT(small));
    tcase_add_loop_test(bad_case, every_allocation_fails, 0, COUNT(small));
    suite_add_tcase(s, good_case);
    suite_add_tcase(s, bad_case);
    return run_tests(s);
}

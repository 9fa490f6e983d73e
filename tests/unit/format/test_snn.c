/* snn.bin: what is saved loads again, and nothing damaged does. */
#include <check.h>
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/core/utf8.h"
#include "tests/support/sample_graphs.h"
#include "tests/support/snn_memory.h"
#include "tests/support/run_tests.h"
#include "tests/support/test_alloc.h"

static void assert_ok(mst_status st, const mst_err *err)
{
    ck_assert_msg(st == MST_OK, "status %d: %s", (int)st, err->text);
}

static void assert_same_graph(const mst_graph *a, const mst_graph *b)
{
    ck_assert_uint_eq(a->n_tensors, b->n_tensors);
    ck_assert_uint_eq(a->n_nodes, b->n_nodes);
    ck_assert_uint_eq(a->input, b->input);
    ck_assert_uint_eq(a->output, b->output);
    for (uint32_t i = 0; i < a->n_tensors; i++) {
        const mst_tensor *s = &a->tensors[i], *t = &b->tensors[i];
        ck_assert_str_eq(s->name, t->name);
        ck_assert(s->dtype == t->dtype && s->rank == t->rank && memcmp(s->dims, t->dims, sizeof s->dims) == 0);
        ck_assert((s->data == NULL) == (t->data == NULL));
        size_t bytes = mst_tensor_elements(s) * mst_dtype_size(s->dtype);
        if (s->data != NULL)
            ck_assert(memcmp(s->data, t->data, bytes) == 0);
        if (t->data != NULL)
            ck_assert_uint_eq((uintptr_t)t->data % (bytes >= SNN_BIG ? 64u : 16u), 0);
    }
    for (uint32_t i = 0; i < a->n_nodes; i++) {
        const mst_node *s = &a->nodes[i], *t = &b->nodes[i];
        ck_assert_str_eq(s->name, t->name);
        ck_assert(s->op == t->op && s->mode == t->mode && s->n_in == t->n_in && s->out == t->out);
        ck_assert(memcmp(s->in, t->in, s->n_in * sizeof *s->in) == 0);
        ck_assert(memcmp(s->ip, t->ip, sizeof s->ip) == 0 && memcmp(s->fp, t->fp, sizeof s->fp) == 0);
    }
    const mst_meta *m = &a->meta, *k = &b->meta;
    ck_assert(m->timesteps == k->timesteps && m->seed == k->seed && m->n_norm == k->n_norm);
    ck_assert(memcmp(m->mean, k->mean, sizeof m->mean) == 0 && memcmp(m->std, k->std, sizeof m->std) == 0);
    ck_assert(memcmp(&m->prepare, &k->prepare, sizeof m->prepare) == 0);
    ck_assert(m->run == k->run && m->thinning == k->thinning);
    ck_assert(memcmp(m->source_sha256, k->source_sha256, 32) == 0);
    ck_assert_str_eq(m->source_name, k->source_name);
    ck_assert_str_eq(m->producer, k->producer);
    ck_assert_uint_eq(m->n_classes, k->n_classes);
    for (uint32_t i = 0; i < m->n_classes; i++)
        ck_assert_str_eq(m->class_names[i], k->class_names[i]);
    const mst_tuning *u = &a->tuning, *v = &b->tuning;
    ck_assert(u->timesteps == v->timesteps && u->readout_from == v->readout_from && u->n_layers == v->n_layers);
    for (uint32_t i = 0; i < u->n_layers; i++) {
        const mst_tuned *s = &u->layers[i], *t = &v->layers[i];
        ck_assert(s->node == t->node && s->axes == t->axes && s->n == t->n);
        ck_assert(memcmp(s->first, t->first, s->n * sizeof *s->first) == 0);
    }
}

/* g through memory and back; the second encoding has the same bytes. Destroys g. */
static void round_trip(mst_graph *g)
{
    mst_err err = {0};
    mst_graph *h = NULL;
    uint8_t *bytes, *again;
    size_t n, n_again;
    assert_ok(snn_to_memory(g, &bytes, &n, &err), &err);
    assert_ok(mst_graph_load_mem(bytes, n, NULL, &h, &err), &err);
    assert_same_graph(g, h);
    assert_ok(snn_to_memory(h, &again, &n_again, &err), &err);
    ck_assert_uint_eq(n, n_again);
    ck_assert(memcmp(bytes, again, n) == 0);
    mst_graph_destroy(h);
    mst_graph_destroy(g);
    free(bytes);
    free(again);
}

START_TEST(test_crc_known_answers)
{
    mst_crc32_table table;
    mst_crc32_init(&table);
    ck_assert_uint_eq(mst_crc32(&table, 0, "", 0), 0);
    ck_assert_uint_eq(mst_crc32(&table, 0, "123456789", 9), 0xcbf43926u);
    const char *text = "The quick brown fox jumps over the lazy dog";
    ck_assert_uint_eq(mst_crc32(&table, 0, text, strlen(text)), 0x414fa339u);
    for (size_t cut = 0; cut <= strlen(text); cut++) {
        uint32_t crc = mst_crc32(&table, 0, text, cut);
        ck_assert_uint_eq(mst_crc32(&table, crc, text + cut, strlen(text) - cut), 0x414fa339u);
    }
}
END_TEST

START_TEST(test_utf8)
{
    static const struct {
        const char *text;
        size_t n, good;
    } cases[] = {
        {"abc", 3, 3},
        {"a\0b", 3, 3},
        {"\xce\xb8", 2, 2},
        {"\xe2\x82\xac", 3, 3},
        {"\xf0\x9f\xa6\x8a", 4, 4},
        {"\xf4\x8f\xbf\xbf", 4, 4},
        {"\x80", 1, 0},
        {"ab\xff", 3, 2},
        {"\xc0\x80", 2, 0},
        {"\xc1\xbf", 2, 0},
        {"\xe0\x9f\xbf", 3, 0},
        {"\xed\xa0\x80", 3, 0},
        {"\xf0\x8f\xbf\xbf", 4, 0},
        {"\xf4\x90\x80\x80", 4, 0},
        {"\xf5\x80\x80\x80", 4, 0},
        {"x\xe2\x82", 3, 1},
        {"\xe2\x28\xa1", 3, 0},
        {"\xe2\x82\x28", 3, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_uint_eq(mst_utf8_check((const uint8_t *)cases[i].text, cases[i].n), cases[i].good);
}
END_TEST

START_TEST(test_every_op_round_trip)
{
    mst_err err = {0};
    mst_graph *g = NULL;
    assert_ok(sample_every_op(NULL, &g, &err), &err);
    bool seen[MST_OP_COUNT] = {false};
    for (uint32_t i = 0; i < g->n_nodes; i++)
        seen[g->nodes[i].op] = true;
    for (int op = 0; op < MST_OP_COUNT; op++)
        ck_assert_msg(seen[op], "the sample has no %s", mst_op_get((mst_op)op)->name);
    round_trip(g);
}
END_TEST

START_TEST(test_random_round_trip)
{
    mst_err err = {0};
    mst_graph *g = NULL;
    assert_ok(sample_random(NULL, (uint64_t)_i, &g, &err), &err);
    round_trip(g);
}
END_TEST

static uint32_t required_of(const mst_graph *g)
{
    mst_err err = {0};
    uint8_t *bytes;
    size_t n;
    assert_ok(snn_to_memory(g, &bytes, &n, &err), &err);
    uint32_t required = mst_get_u32(bytes + 16);
    free(bytes);
    return required;
}

/* Levels and a way of running set their feature bit, each by itself; without them the bit is not there. So does the
 * even level, another. */
START_TEST(test_run_round_trip)
{
    for (int k = 0, even = 0; k < 5; k += even, even = 1 - even) {
        mst_err err = {0};
        mst_graph *g = NULL;
        assert_ok(sample_tiny(NULL, &g, &err), &err);
        ck_assert(g->nodes[2].op == MST_OP_NEURON &&
                  mst_node_levels(&g->nodes[2]) == g->nodes[2].ip[MST_NEURON_LEVELS]);
        g->meta.run = k == 1 ? MST_RULE_COUNT : k == 2 ? MST_RULE_RADIX
                                                       : MST_RULE_STEP;
        g->meta.thinning = k == 3 ? MST_THIN_SYSTEMATIC : MST_THIN_BINOMIAL;
        g->nodes[2].ip[MST_NEURON_TOP] = k == 4 ? 255 : 0;
        ck_assert_int_eq(mst_node_levels(&g->nodes[2]), k == 4 ? 255 : g->nodes[2].ip[MST_NEURON_LEVELS]);
        g->nodes[2].fp[MST_NEURON_SHIFT] = 0.5f;
        g->nodes[2].ip[MST_NEURON_EVEN] = even;
        ck_assert_uint_eq(required_of(g), (k == 0 ? 0 : SNN_LEVELS) | (even != 0 ? SNN_EVEN : 0));
        round_trip(g);
    }
}
END_TEST

START_TEST(test_overhead)
{
    /* 400 constants of 1,250 weights: names, tables and padding stay below 5 % */
    mst_err err = {0};
    mst_graph *g = NULL;
    assert_ok(mst_graph_create(NULL, &g, &err), &err);
    const uint32_t x_dims[] = {1, 25}, w_dims[] = {25, 50}, y_dims[] = {1, 50};
    float *w = calloc(25 * 50, sizeof *w);
    uint32_t x, weight, y = 0;
    ck_assert_ptr_nonnull(w);
    assert_ok(mst_graph_add_tensor(g, "x", MST_F32, 2, x_dims, NULL, &x, &err), &err);
    for (int i = 0; i < 400; i++) {
        char name[64];
        snprintf(name, sizeof name, "/blocks/blocks.%d/attention/query/MatMul", i);
        assert_ok(mst_graph_add_tensor(g, name, MST_F32, 2, w_dims, w, &weight, &err), &err);
        assert_ok(mst_graph_add_tensor(g, name, MST_F32, 2, y_dims, NULL, &y, &err), &err);
        assert_ok(mst_graph_add_node(g, MST_OP_LINEAR, name, 2, (uint32_t[]){x, weight}, y, NULL, &err), &err);
    }
    g->input = x;
    g->output = y;
    uint8_t *bytes;
    size_t n;
    assert_ok(snn_to_memory(g, &bytes, &n, &err), &err);
    ck_assert_uint_lt(n, 400 * 1250 * 4 * 105 / 100);
    free(bytes);
    free(w);
    mst_graph_destroy(g);
}
END_TEST

/* Load a copy that ends where an out-of-bounds read would be seen. */
static mst_status load_copy(const uint8_t *bytes, size_t n, mst_err *err)
{
    void *copy;
    ck_assert_int_eq(posix_memalign(&copy, SNN_ALIGN, n != 0 ? n : 1), 0);
    memcpy(copy, bytes, n);
    mst_graph *g = NULL;
    mst_status st = mst_graph_load_mem(copy, n, NULL, &g, err);
    if (st == MST_OK)
        mst_graph_destroy(g);
    free(copy);
    return st;
}

static void sample_bytes(uint8_t **bytes, size_t *n)
{
    mst_err err = {0};
    mst_graph *g = NULL;
    assert_ok(sample_tiny(NULL, &g, &err), &err);
    assert_ok(snn_to_memory(g, bytes, n, &err), &err);
    mst_graph_destroy(g);
}

START_TEST(test_every_truncation)
{
    uint8_t *bytes;
    size_t n;
    mst_err err = {0};
    sample_bytes(&bytes, &n);
    for (size_t cut = 0; cut < n; cut++) {
        mst_status st = load_copy(bytes, cut, &err);
        ck_assert_msg(st == (cut == 0 ? MST_EFORMAT : MST_ECORRUPT), "%zu bytes: status %d", cut, (int)st);
    }
    assert_ok(load_copy(bytes, n, &err), &err);
    bytes = realloc(bytes, n + 1);
    ck_assert_ptr_nonnull(bytes);
    bytes[n] = 0;
    ck_assert_int_eq(load_copy(bytes, n + 1, &err), MST_ECORRUPT);
    free(bytes);
}
END_TEST

START_TEST(test_every_flip)
{
    uint8_t *bytes;
    size_t n;
    mst_err err = {0};
    sample_bytes(&bytes, &n);
    for (size_t at = 0; at < n; at++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[at] ^= (uint8_t)(1 << bit);
            ck_assert_msg(load_copy(bytes, n, &err) != MST_OK, "byte %zu bit %d", at, bit);
            bytes[at] ^= (uint8_t)(1 << bit);
        }
    free(bytes);
}
END_TEST

/* The same with right checksums: errors or other valid graphs, never a crash. */
START_TEST(test_every_byte_changed_with_checksums_fixed)
{
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    uint8_t *bytes;
    size_t n;
    mst_err err = {0};
    sample_bytes(&bytes, &n);
    uint8_t *copy = snn_block(n);
    size_t by_sum = 0;
    for (size_t at = 0; at < n; at++)
        for (size_t v = 0; v < sizeof values; v++) {
            memcpy(copy, bytes, n);
            copy[at] = values[v];
            snn_fix_checksums(copy, n);
            mst_status st = load_copy(copy, n, &err);
            ck_assert_msg(st != MST_ENOMEM && st != MST_EINVAL, "byte %zu = %02x: %s", at, values[v], err.text);
            by_sum += st != MST_OK && strstr(err.text, "checksum") != NULL;
        }
    /* the fields are what is judged: a checksum only where its own place or that of a section is wrong */
    ck_assert_msg(by_sum < n / 4, "%zu of %zu files refused by their checksum", by_sum, n * sizeof values);
    free(copy);
    free(bytes);
}
END_TEST

START_TEST(test_out_of_memory)
{
    mst_err err = {0};
    test_alloc q = {0};
    const mst_allocator a = test_allocator(&q);
    mst_graph *g = NULL, *h = NULL;
    uint8_t *bytes, *again;
    size_t n, n_again;
    assert_ok(sample_every_op(&a, &g, &err), &err);
    assert_ok(snn_to_memory(g, &bytes, &n, &err), &err);
    size_t own = q.blocks, k = 0;
    mst_status st = MST_ENOMEM;
    for (k = 0; st == MST_ENOMEM; k++) {
        q.fail_from = q.calls + k + 1;
        st = mst_graph_load_mem(bytes, n, &a, &h, &err);
        ck_assert_msg(q.blocks == own || st == MST_OK, "load leaks after %zu allocations", k);
    }
    assert_ok(st, &err);
    ck_assert_uint_gt(k, 4);
    ck_assert_uint_lt(q.largest, 16 * n); /* nothing out of proportion to the file */
    mst_graph_destroy(h);
    st = MST_ENOMEM;
    for (k = 0; st == MST_ENOMEM; k++) {
        q.fail_from = q.calls + k + 1;
        st = snn_to_memory(g, &again, &n_again, &err);
        ck_assert_msg(q.blocks == own, "save leaks after %zu allocations", k);
    }
    assert_ok(st, &err);
    ck_assert(n == n_again && memcmp(bytes, again, n) == 0);
    mst_graph_destroy(g);
    ck_assert_uint_eq(q.blocks, 0);
    free(bytes);
    free(again);
}
END_TEST

START_TEST(test_refused_graphs)
{
    mst_err err = {0};
    mst_graph *g = NULL;
    uint8_t *bytes;
    size_t n;
    assert_ok(sample_tiny(NULL, &g, &err), &err);
    const char *name = g->nodes[0].name;
    char longest[SNN_MAX_STRING + 2];
    memset(longest, 'x', sizeof longest);
    longest[SNN_MAX_STRING + 1] = '\0';
    g->nodes[0].name = longest;
    ck_assert_int_eq(snn_to_memory(g, &bytes, &n, &err), MST_ELIMIT);
    g->nodes[0].name = "\xff";
    ck_assert_int_eq(snn_to_memory(g, &bytes, &n, &err), MST_EINVAL);
    g->nodes[0].name = name;
    uint32_t theta = g->nodes[2].in[1], one[1] = {1};
    const double wide = 0.75;
    g->tensors[theta] = (mst_tensor){"theta", MST_F64, 1, {one[0]}, &wide};
    ck_assert_int_eq(snn_to_memory(g, &bytes, &n, &err), MST_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "float64"));
    const float bad = -1;
    g->tensors[theta] = (mst_tensor){"theta", MST_F32, 1, {one[0]}, &bad};
    ck_assert_int_eq(snn_to_memory(g, &bytes, &n, &err), MST_EINVAL);
    mst_graph_destroy(g);
    ck_assert_int_eq(mst_graph_load_mem(NULL, 0, NULL, &g, &err), MST_EINVAL);
}
END_TEST

/* ---- files --------------------------------------------------------------- */

static char folder[32];

static void make_folder(void)
{
    strcpy(folder, "/tmp/test_snn-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static size_t count_files(void)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    ck_assert_ptr_nonnull(d);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static const char *in_folder(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

START_TEST(test_file_round_trip)
{
    mst_err err = {0};
    mst_graph *g = NULL, *h = NULL;
    make_folder();
    assert_ok(sample_every_op(NULL, &g, &err), &err);
    const char *path = in_folder("m.bin");
    assert_ok(mst_graph_save(g, path, &err), &err);
    assert_ok(mst_graph_save(g, path, &err), &err); /* over the old one */
    ck_assert_uint_eq(count_files(), 1);
    assert_ok(mst_graph_load(path, NULL, &h, &err), &err);
    ck_assert_ptr_nonnull(h->backing);
    assert_same_graph(g, h);
#ifdef _WIN32
    ck_assert_int_eq(mst_graph_save(h, path, &err), MST_EIO); /* it is mapped */
    ck_assert_uint_eq(count_files(), 1);
#else
    assert_ok(mst_graph_save(h, path, &err), &err); /* while it is mapped */
#endif
    assert_same_graph(g, h);
    mst_graph_destroy(h);
    mst_graph_destroy(g);
    unlink(path);
    rmdir(folder);
}
END_TEST

START_TEST(test_file_errors)
{
    mst_err err = {0};
    mst_graph *g = NULL, *h = NULL;
    make_folder();
    assert_ok(sample_tiny(NULL, &g, &err), &err);
    ck_assert_int_eq(mst_graph_load(in_folder("none"), NULL, &h, &err), MST_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "none: "));
    ck_assert_int_eq(mst_graph_load(folder, NULL, &h, &err), MST_EIO);
    ck_assert_int_eq(mst_graph_save(g, folder, &err), MST_EIO);
    ck_assert_int_eq(mst_graph_save(g, in_folder("no/such"), &err), MST_EIO);
#ifndef _WIN32
    ck_assert_int_eq(mkfifo(in_folder("fifo"), 0600), 0);
    ck_assert_int_eq(mst_graph_load(in_folder("fifo"), NULL, &h, &err), MST_EIO);
    ck_assert_int_eq(mst_graph_save(g, in_folder("fifo"), &err), MST_EIO);
    unlink(in_folder("fifo"));
#endif
    FILE *f = fopen(in_folder("empty"), "w");
    ck_assert_ptr_nonnull(f);
    fclose(f);
    ck_assert_int_eq(mst_graph_load(in_folder("empty"), NULL, &h, &err), MST_EFORMAT);
    unlink(in_folder("empty"));
    g->meta.timesteps = 0; /* does not validate: nothing stays behind */
    ck_assert_int_eq(mst_graph_save(g, in_folder("m.bin"), &err), MST_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "m.bin: "));
    ck_assert_uint_eq(count_files(), 0);
    mst_graph_destroy(g);
    rmdir(folder);
}
END_TEST

/* ---- golden files, made by tests/golden/make_snn.py ---------------------- */

static mst_status status_of_name(const char *name)
{
    static const struct {
        const char *name;
        mst_status st;
    } table[] = {
        {"EFORMAT-", MST_EFORMAT},
        {"ECORRUPT-", MST_ECORRUPT},
        {"EVERSION-", MST_EVERSION},
        {"ELIMIT-", MST_ELIMIT},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strncmp(name, table[i].name, strlen(table[i].name)) == 0)
            return table[i].st;
    return MST_OK;
}

/* Each file of a folder gives the status that its name says; returns how many there are. */
static size_t replay(const char *where)
{
    size_t n = 0;
    DIR *d = opendir(where);
    ck_assert_msg(d != NULL, "%s: run the tests in the repository's root", where);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        if (e->d_name[0] == '.')
            continue;
        char path[512];
        mst_err err = {0};
        mst_graph *g = NULL;
        snprintf(path, sizeof path, "%s/%s", where, e->d_name);
        mst_status st = mst_graph_load(path, NULL, &g, &err);
        ck_assert_msg(st == status_of_name(e->d_name), "%s: status %d, %s", path, (int)st, err.text);
        if (st == MST_OK)
            mst_graph_destroy(g);
        else
            ck_assert_msg(strncmp(err.text, path, strlen(path)) == 0, "%s: text '%s'", path, err.text);
        n++;
    }
    closedir(d);
    return n;
}

START_TEST(test_golden_good)
{
    ck_assert_uint_ge(replay("tests/golden/snn-good"), 9);
}
END_TEST

START_TEST(test_golden_bad)
{
    ck_assert_uint_ge(replay("tests/golden/snn-bad"), 90);
}
END_TEST

/* The bytes written by version 1.0 for the sample are written still. */
START_TEST(test_golden_bytes)
{
    mst_err err = {0};
    mst_graph *g = NULL;
    uint8_t *now, *then;
    size_t n, n_then;
    assert_ok(sample_every_op(NULL, &g, &err), &err);
    assert_ok(snn_to_memory(g, &now, &n, &err), &err);
    assert_ok(snn_read_file("tests/golden/snn-good/c-every-op.bin", &then, &n_then, &err), &err);
    ck_assert_uint_eq(n, n_then);
    ck_assert(memcmp(now, then, n) == 0);
    mst_graph_destroy(g);
    free(now);
    free(then);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("snn.bin");
    TCase *memory = tcase_create("memory"), *files = tcase_create("files");
    tcase_set_timeout(memory, 120);
    tcase_add_test(memory, test_crc_known_answers);
    tcase_add_test(memory, test_utf8);
    tcase_add_test(memory, test_every_op_round_trip);
    tcase_add_loop_test(memory, test_random_round_trip, 0, 100);
    tcase_add_test(memory, test_run_round_trip);
    tcase_add_test(memory, test_overhead);
    tcase_add_test(memory, test_every_truncation);
    tcase_add_test(memory, test_every_flip);
    tcase_add_test(memory, test_every_byte_changed_with_checksums_fixed);
    tcase_add_test(memory, test_out_of_memory);
    tcase_add_test(memory, test_refused_graphs);
    tcase_add_test(files, test_file_round_trip);
    tcase_add_test(files, test_file_errors);
    tcase_add_test(files, test_golden_good);
    tcase_add_test(files, test_golden_bad);
    tcase_add_test(files, test_golden_bytes);
    suite_add_tcase(suite, memory);
    suite_add_tcase(suite, files);
    return run_tests(suite);
}

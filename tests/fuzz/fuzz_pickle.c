/* libFuzzer target of the reader of pickles, and of what is made of a batch of CIFAR: a file as it is. Values that are
 * read must be there, however lists and dictionaries hold each other. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/data/cifar_pickle.h"
#include "runtime/data/pickle.h"
#include "tests/support/memory_file.h"

#define MAX_DEPTH 20 /* lists may hold themselves */
#define MAX_ITEMS 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t sink;

static void walk(const mst_pickle_value *v, int depth)
{
    switch (v->kind) {
    case MST_PICKLE_TEXT:
        sink = v->text->n + (v->text->text != NULL ? strlen(v->text->text) : 0);
        break;
    case MST_PICKLE_LIST:
    case MST_PICKLE_TUPLE:
    case MST_PICKLE_DICT:
        for (size_t i = 0; i < v->items->n && i < MAX_ITEMS && depth < MAX_DEPTH; i++)
            if (i < 3 || depth < 3)
                walk(&v->items->v[i], depth + 1);
        break;
    case MST_PICKLE_ARRAY:
        if (v->array->built)
            sink = v->array->bytes->n + v->array->shape->n;
        break;
    case MST_PICKLE_MARK: abort();
    default: break;
    }
}

static void read_value(mst_data_file *f)
{
    mst_arena arena = {0};
    mst_pickle_value v;
    mst_err err = {0};
    if (mst_pickle_read(f, &arena, &v, &err) == MST_OK) {
        walk(&v, 0);
        const mst_pickle_value *data = mst_pickle_get(&v, "data");
        if (data != NULL)
            walk(data, 0);
    } else if (err.text[0] == '\0') {
        abort();
    }
    mst_arena_release(&arena);
}

static void read_batch(mst_data_file *f, size_t size)
{
    static const char *const keys[] = {"fine_labels", "labels"};
    mst_cifar_pickle p;
    mst_err err = {0};
    mst_status st = mst_cifar_pickle_read(&p, f, keys + size % 2, 2 - size % 2, &err);
    if (st == MST_OK && (p.n == 0 || p.pixels + p.n * MST_CIFAR_PIXELS > size || p.labels[0][p.n - 1] < 0))
        abort();
    if (st != MST_OK && err.text[0] == '\0')
        abort();
    mst_cifar_pickle_free(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    bool packed = size > 0 && data[0] == 0x1f; /* by gzip: not for these */
    int fd = !packed ? memory_file(data, size, path) : -1;
    for (int how = 0; how < 2 && fd >= 0; how++) {
        mst_data_file f = {0};
        if (mst_data_file_open(&f, path, NULL) == MST_OK)
            how == 0 ? read_value(&f) : read_batch(&f, size);
        mst_data_file_close(&f);
    }
    if (fd >= 0)
        close(fd);
    return 0;
}

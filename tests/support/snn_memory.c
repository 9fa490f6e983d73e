/* snn.bin in memory, for tests. */
#include "tests/support/snn_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct memory {
    uint8_t *p;
    size_t n, cap;
} memory;

uint8_t *snn_block(size_t n)
{
    uint8_t *p = aligned_alloc(SNN_ALIGN, (n / SNN_ALIGN + 1) * SNN_ALIGN);
    if (p == NULL)
        abort();
    return p;
}

static mst_status memory_write(void *ctx, const void *p, size_t n, mst_err *err)
{
    (void)err;
    memory *m = ctx;
    if (m->n + n > m->cap) {
        m->cap = 2 * (m->n + n);
        uint8_t *grown = snn_block(m->cap);
        if (m->n != 0)
            memcpy(grown, m->p, m->n);
        free(m->p);
        m->p = grown;
    }
    memcpy(m->p + m->n, p, n);
    m->n += n;
    return MST_OK;
}

mst_status snn_to_memory(const mst_graph *g, uint8_t **bytes, size_t *n, mst_err *err)
{
    memory m = {0};
    const mst_snn_sink sink = {memory_write, &m};
    mst_status st = mst_snn_encode(g, &sink, err);
    if (st != MST_OK) {
        free(m.p);
        return st;
    }
    *bytes = m.p;
    *n = m.n;
    return MST_OK;
}

mst_status snn_read_file(const char *path, uint8_t **bytes, size_t *n, mst_err *err)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return mst_fail(err, MST_EIO, "%s: cannot open it", path);
    memory m = {0};
    uint8_t part[4096];
    size_t got;
    while ((got = fread(part, 1, sizeof part, f)) != 0)
        memory_write(&m, part, got, err);
    fclose(f);
    *bytes = m.p != NULL ? m.p : snn_block(0);
    *n = m.n;
    return MST_OK;
}

void snn_fix_checksums(uint8_t *bytes, size_t n)
{
    if (n < SNN_HEADER_SIZE)
        return;
    mst_crc32_table table;
    mst_crc32_init(&table);
    size_t sections = mst_get_u32(bytes + 12);
    if (sections > SNN_MAX_SECTIONS || n - SNN_HEADER_SIZE < sections * SNN_ENTRY_SIZE)
        return;
    for (size_t i = 0; i < sections; i++) {
        uint8_t *entry = bytes + SNN_HEADER_SIZE + i * SNN_ENTRY_SIZE;
        uint64_t offset = mst_get_u64(entry + 8), length = mst_get_u64(entry + 16);
        if (offset <= n && length <= n - offset)
            mst_set_u32(entry + 4, mst_crc32(&table, 0, bytes + offset, (size_t)length));
    }
    uint32_t crc = mst_crc32(&table, 0, bytes, SNN_HEADER_SIZE - 4);
    mst_set_u32(bytes + 60, mst_crc32(&table, crc, bytes + SNN_HEADER_SIZE, sections * SNN_ENTRY_SIZE));
}

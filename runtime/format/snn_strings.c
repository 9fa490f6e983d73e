/* The writer's string table: each text once, in the order of first use. Knows
 * nothing of graphs. */
#include <string.h>

#include "runtime/core/checked.h"
#include "runtime/core/utf8.h"
#include "runtime/format/snn.h"

mst_status mst_strings_init(mst_strings *s, const mst_allocator *alloc, size_t max, mst_err *err)
{
    memset(s, 0, sizeof *s);
    s->bytes.alloc = alloc;
    size_t n_slots = 16;
    while (n_slots / 2 < max && n_slots < SIZE_MAX / 4)
        n_slots *= 2;
    s->slots = mst_alloc_array(alloc, n_slots, sizeof *s->slots);
    if (s->slots == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory: a table of %zu strings", max);
    s->n_slots = n_slots;
    uint32_t zero;
    return mst_strings_add(s, "", "the empty string", &zero, err);
}

static size_t hash_text(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3u;
    return (size_t)(h ^ h >> 32);
}

mst_status mst_strings_add(mst_strings *s, const char *text, const char *what, uint32_t *offset, mst_err *err)
{
    if (text == NULL)
        text = "";
    size_t mask = s->n_slots - 1, at = hash_text(text) & mask;
    for (; s->slots[at] != 0; at = (at + 1) & mask)
        if (strcmp((const char *)s->bytes.p + s->slots[at] - 1, text) == 0) {
            *offset = s->slots[at] - 1;
            return MST_OK;
        }
    size_t n = strlen(text);
    if (n > SNN_MAX_STRING)
        return mst_fail(err, MST_ELIMIT, "%s: a text of %zu bytes, at most %u fit", what, n, SNN_MAX_STRING);
    if (mst_utf8_check((const uint8_t *)text, n) != n)
        return mst_fail(err, MST_EINVAL, "%s: text that is not UTF-8", what);
    if (s->bytes.n + n + 1 > SNN_MAX_STRINGS)
        return mst_fail(err, MST_ELIMIT, "%s: more than %u bytes of text in one graph", what, SNN_MAX_STRINGS);
    size_t start = s->bytes.n;
    mst_bytes_put(&s->bytes, text, n + 1);
    if (s->bytes.failed)
        return mst_fail(err, MST_ENOMEM, "out of memory: %zu bytes of text", start + n + 1);
    s->slots[at] = (uint32_t)start + 1;
    *offset = (uint32_t)start;
    return MST_OK;
}

void mst_strings_free(mst_strings *s)
{
    mst_bytes_free(&s->bytes);
    mst_free_array(s->bytes.alloc, s->slots, s->n_slots, sizeof *s->slots);
    s->slots = NULL;
}

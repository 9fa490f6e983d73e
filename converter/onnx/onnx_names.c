/* A hash map of (scope, name) to a number. Knows nothing of ONNX. */
#include <string.h>

#include "converter/onnx/onnx_import.h"

static uint64_t hash(const ox_names *m, uint32_t scope, const char *name)
{
    uint64_t h = m->seed ^ (scope * 0x9e3779b97f4a7c15ull);
    for (; *name != '\0'; name++)
        h = (h ^ (unsigned char)*name) * 0x100000001b3ull;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93ull;
    return h ^ (h >> 32);
}

/* Where (scope, name) is or would be put. There is always a free slot. */
static ox_name *slot_of(const ox_names *m, uint32_t scope, const char *name)
{
    size_t at = (size_t)hash(m, scope, name) & (m->cap - 1);
    while (m->slots[at].name != NULL && (m->slots[at].scope != scope || strcmp(m->slots[at].name, name) != 0))
        at = (at + 1) & (m->cap - 1);
    return &m->slots[at];
}

ox_name *ox_names_find(const ox_names *m, uint32_t scope, const char *name)
{
    if (m->cap == 0)
        return NULL;
    ox_name *s = slot_of(m, scope, name);
    return s->name != NULL ? s : NULL;
}

static bool grow(ox_names *m)
{
    ox_names bigger = *m;
    bigger.cap = m->cap == 0 ? 256 : 2 * m->cap;
    bigger.slots = mst_alloc_array(m->alloc, bigger.cap, sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return false;
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].name != NULL)
            *slot_of(&bigger, m->slots[i].scope, m->slots[i].name) = m->slots[i];
    mst_free_array(m->alloc, m->slots, m->cap, sizeof *m->slots);
    *m = bigger;
    return true;
}

ox_name *ox_names_add(ox_names *m, uint32_t scope, const char *name, uint32_t id)
{
    if (m->n >= m->cap / 2 && !grow(m))
        return NULL;
    ox_name *s = slot_of(m, scope, name);
    *s = (ox_name){.name = name, .scope = scope, .id = id};
    m->n++;
    return s;
}

void ox_names_free(ox_names *m)
{
    mst_free_array(m->alloc, m->slots, m->cap, sizeof *m->slots);
    m->slots = NULL;
    m->n = m->cap = 0;
}

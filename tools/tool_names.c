/* See tool_names.h. */
#include "tools/tool_names.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Bytes of the last "/part" that all names of nodes end with; 0: there is none. */
static size_t common_end(const char *const *names, size_t n)
{
    const char *first = NULL;
    size_t nodes = 0;
    for (size_t k = 0; k < n; k++) {
        const char *end = strrchr(names[k], '/');
        if (names[k][0] != '/')
            continue;
        if (end == names[k] || (first != NULL && strcmp(end, first) != 0))
            return 0;
        first = end;
        nodes++;
    }
    return nodes > 1 ? strlen(first) : 0;
}

static void shorten(const char *name, size_t drop, char *out)
{
    size_t n = strlen(name) - drop, used = 0;
    for (size_t i = 0; i < n;) {
        size_t part = 0;
        while (i + part < n && name[i + part] != '/')
            part++;
        size_t next = i + part + 1;
        bool repeated =
            part != 0 && next + part < n && memcmp(name + i, name + next, part) == 0 && name[next + part] == '.';
        if (part != 0 && !repeated) {
            if (used != 0)
                out[used++] = '/';
            memcpy(out + used, name + i, part);
            used += part;
        }
        i = next;
    }
    out[used] = '\0';
}

const char **mst_short_names(const char *const *names, size_t n, mst_arena *arena)
{
    size_t drop = common_end(names, n);
    const char **out = mst_arena_array(arena, n + 1, sizeof *out);
    for (size_t k = 0; out != NULL && k < n; k++) {
        out[k] = names[k];
        if (names[k][0] != '/')
            continue;
        char *name = mst_arena_alloc(arena, strlen(names[k]) + 1);
        if (name == NULL)
            return NULL;
        shorten(names[k], drop, name);
        if (name[0] != '\0')
            out[k] = name;
    }
    return out;
}

static size_t place_of(const char *name, const char *const *names, size_t n)
{
    for (size_t k = 0; names != NULL && k < n; k++)
        if (strcmp(names[k], name) == 0)
            return k;
    return SIZE_MAX;
}

size_t mst_layer_called(const mst_program *p, const char *name)
{
    mst_arena tmp = {0};
    size_t n = mst_program_layers(p);
    const char **names = mst_arena_array(&tmp, n + 1, sizeof *names);
    for (size_t k = 0; names != NULL && k < n; k++)
        names[k] = mst_program_layer(p, k)->name;
    size_t found = place_of(name, names, n);
    if (found == SIZE_MAX && names != NULL)
        found = place_of(name, mst_short_names(names, n, &tmp), n);
    mst_arena_release(&tmp);
    return found;
}

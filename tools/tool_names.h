/* Names of layers as people read and write them. */
#ifndef MST_TOOL_NAMES_H
#define MST_TOOL_NAMES_H

#include "mst/session.h"

/* "/blocks/blocks.0/q_if/Floor" as "blocks.0/q_if": exporters repeat what a module stands in, and all names may have
 * the last part in common. Of those alone that begin with a slash, as names of nodes do: others stay as they are.
 * names [n]; the result [n] is in the arena; NULL: out of memory. */
const char **mst_short_names(const char *const *names, size_t n, mst_arena *arena);

/* The first layer that is called so, in whole, or else in short; SIZE_MAX: none. */
size_t mst_layer_called(const mst_program *p, const char *name);

#endif

/* What the parts of the importer share; private to converter/onnx/onnx_*.c that
 * decode. The only header that shows protobuf structs.
 */
#ifndef MST_ONNX_IMPORT_H
#define MST_ONNX_IMPORT_H

#include "converter/onnx/onnx_graph.h"
#include "converter/onnx/onnx_guard.h"
#include "onnx.pb-c.h"

#define OX_MIN_IR 3
#define OX_MAX_IR 14                 /* newer than what the opsets need: PyPI's onnx writes it by default */
#define OX_MAX_ATTRS 256u            /* of one node */
#define OX_MAX_EXTERNAL (1ull << 31) /* bytes read from external files, all tensors together */
/* Nodes, inputs and names looked at, those of inlined functions each time: bounds the time
 * that calls of calls of functions can cost. */
#define OX_MAX_WORK (64u * OX_MAX_NODES)

/* onnx_names.c: a map of (scope, name) to a number. Names are lent. */
typedef struct ox_name {
    const char *name; /* NULL: free slot */
    uint32_t scope, id;
    bool pending; /* output of a function body that no node has made yet */
} ox_name;
typedef struct ox_names {
    const mst_allocator *alloc;
    ox_name *slots;
    size_t n, cap; /* cap: 0 or a power of two */
    uint64_t seed; /* taken from the file's digest, so that a file can hardly be made to collide */
} ox_names;
ox_name *ox_names_find(const ox_names *m, uint32_t scope, const char *name); /* NULL: absent */
/* Add a name that is not there; NULL when out of memory. */
ox_name *ox_names_add(ox_names *m, uint32_t scope, const char *name, uint32_t id);
void ox_names_free(ox_names *m);

/* Scopes of the map; each function call gets one of its own after these. */
enum { OX_SCOPE_GRAPH,
       OX_SCOPE_UNIQUE,
       OX_SCOPE_FUNCTIONS,
       OX_SCOPE_NODES, /* names of nodes, inlined ones, too */
       OX_SCOPE_FIRST_CALL };

typedef struct ox_import {
    ox_graph *g;
    mst_err *err;
    const mst_allocator *alloc;
    const char *dir; /* of external data; NULL: none allowed */
    ox_watch watch;
    const Onnx__ModelProto *model;
    ox_pool *pool;
    ox_names names;
    uint32_t visited; /* nodes, calls and constants, those of inlined functions each time */
    size_t work, external;
    size_t asked; /* bytes of the last request to the arena */
    uint32_t n_scopes;
} ox_import;

/* The graph's own body, or one call of a function. */
typedef struct ox_scope {
    uint32_t id, depth;
    const char *prefix; /* of names of nodes and values: "" or "call/" */
    const Onnx__FunctionProto *fn;
    const ox_attr *args; /* what ref_attr_name refers to */
    uint32_t n_args;
    const struct ox_scope *parent;
} ox_scope;

/* ---- onnx_store.c ---- */

/* Memory of the graph: zeroed; NULL leaves the request in c->asked. */
void *ox_new(ox_import *c, size_t n, size_t size);
/* A full array of n elements in one of twice the room, which goes into *cap. NULL: ox_no_memory. */
void *ox_grow(ox_import *c, const void *p, uint32_t n, uint32_t *cap, size_t size);
/* The error after a NULL of the arena: ENOMEM, or ELIMIT when its limit is reached. */
mst_status ox_no_memory(ox_import *c);
mst_status ox_charge(ox_import *c, size_t work);
const char *ox_text(const char *s);   /* "" for NULL */
const char *ox_domain(const char *s); /* the same, and "" for "ai.onnx" */

/* A new value with a name unique in the graph; its id in *id. */
mst_status ox_value_new(ox_import *c, const char *prefix, const char *name, uint32_t *id);

/* ---- onnx_decode.c ---- */
mst_status ox_decode_model(ox_import *c);

/* ---- onnx_decode_tensor.c ---- */
mst_status ox_decode_tensor(ox_import *c, const Onnx__TensorProto *t, ox_value *v);

/* ---- onnx_decode_node.c ---- */

/* One attribute in scope s; *present is false for a reference to an argument that was not given. */
mst_status ox_decode_attr(ox_import *c, const ox_scope *s, const Onnx__AttributeProto *p, ox_attr *out,
                          bool *present);
/* All nodes of a body: declare what they make, then resolve what they take. */
mst_status ox_decode_body(ox_import *c, const ox_scope *s, size_t n, Onnx__NodeProto **nodes);
/* Append a node whose fields are filled in. */
mst_status ox_emit(ox_import *c, const ox_node *node);

/* ---- onnx_inline.c ---- */
mst_status ox_register_functions(ox_import *c);
/* The function that p calls into *fn; NULL: an operator. */
mst_status ox_find_function(ox_import *c, const Onnx__NodeProto *p, const Onnx__FunctionProto **fn);
/* Emit the body of fn in place of the call. */
mst_status ox_inline_call(ox_import *c, const ox_scope *s, const Onnx__FunctionProto *fn,
                          const ox_node *call);

/* ---- onnx_external.c ---- */
mst_status ox_read_external(ox_import *c, const Onnx__TensorProto *t, size_t bytes, void **out);

/* ---- onnx_order.c: nodes into topological order, kept where it is one ---- */
mst_status ox_sort_nodes(ox_graph *g, const mst_allocator *alloc, mst_err *err);

#endif

/* The ONNX graph as the converter reads it: decoded, names resolved, functions
 * inlined. Private to the converter; knows nothing of protobuf or of spikes.
 */
#ifndef MST_ONNX_GRAPH_H
#define MST_ONNX_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mst/alloc.h"
#include "mst/graph.h"

/* TensorProto.DataType */
typedef enum ox_dtype {
    OX_UNDEFINED = 0,
    OX_FLOAT = 1,
    OX_UINT8 = 2,
    OX_INT8 = 3,
    OX_UINT16 = 4,
    OX_INT16 = 5,
    OX_INT32 = 6,
    OX_INT64 = 7,
    OX_STRING = 8,
    OX_BOOL = 9,
    OX_FLOAT16 = 10,
    OX_DOUBLE = 11,
    OX_UINT32 = 12,
    OX_UINT64 = 13,
    OX_BFLOAT16 = 16
} ox_dtype;
size_t ox_dtype_size(int dtype);      /* 0: not supported */
const char *ox_dtype_name(int dtype); /* "float32" */

#define OX_NONE UINT32_MAX

/* A value: graph input, initializer, or node output. */
typedef struct ox_value {
    const char *name;
    int dtype;      /* ox_dtype; OX_UNDEFINED until inferred */
    bool has_shape; /* rank and dims known and concrete (after fold: always) */
    uint32_t rank;
    int64_t dims[MST_MAX_RANK]; /* graph inputs before folding: -1 = symbolic */
    const void *data;           /* constant: row-major, dtype's own layout (bool: 1 byte); NULL: not constant */
} ox_value;

/* What the file says of a value that a node makes. */
typedef struct ox_declared {
    uint32_t value;
    int dtype;      /* OX_UNDEFINED: nothing */
    bool has_shape; /* of graph outputs alone */
    uint32_t rank;
    int64_t dims[MST_MAX_RANK]; /* -1: symbolic */
} ox_declared;

/* A value in which minus infinity became a large negative number, and the node that the file has for it. */
typedef struct ox_masked {
    uint32_t value;
    const char *node, *op;
} ox_masked;

typedef enum ox_attr_kind { OX_A_INT,
                            OX_A_FLOAT,
                            OX_A_STRING,
                            OX_A_INTS,
                            OX_A_FLOATS,
                            OX_A_STRINGS,
                            OX_A_TENSOR,
                            OX_A_OTHER } ox_attr_kind;
typedef struct ox_attr {
    const char *name;
    ox_attr_kind kind;
    int64_t i;
    float f;
    const char *s;
    size_t n; /* of ints, floats, strings, or the string's length */
    const int64_t *ints;
    const float *floats;
    const char *const *strings;
    ox_value tensor; /* OX_A_TENSOR: dtype, dims, data */
} ox_attr;

typedef struct ox_node {
    const char *name;   /* never empty: "op_type#index" where the file has none */
    const char *op;     /* op_type */
    const char *domain; /* "" for ai.onnx */
    uint32_t n_in, n_out, n_attr;
    uint32_t *in;  /* value ids; OX_NONE: absent */
    uint32_t *out; /* OX_NONE: not wanted */
    ox_attr *attrs;
    bool dead; /* folded away */
} ox_node;

typedef struct ox_graph {
    mst_arena arena; /* owns everything below */
    int64_t opset;   /* of ai.onnx */
    ox_value *values;
    uint32_t n_values, cap_values;
    ox_node *nodes; /* topological order (checked by the importer) */
    uint32_t n_nodes, cap_nodes;
    uint32_t *inputs, n_inputs; /* without initializers */
    int64_t batch;              /* that the model was exported for and that folding bound to 1; 0: none */
    uint32_t *outputs, n_outputs;
    ox_masked *masked; /* made by folding */
    uint32_t n_masked, cap_masked;
    ox_declared *declared;
    uint32_t n_declared;
    uint32_t n_renamed; /* nodes that had the name of another; the first of them */
    const char *renamed, *renamed_to;
    const char *producer;
    struct ox_entry {
        const char *key, *value;
    } * metadata; /* of the model */
    uint32_t n_metadata;
    uint8_t sha256[32]; /* of the .onnx file */
} ox_graph;

/* limits on what a model may ask for (stated in docs/FORMAT.md's sibling, docs/ONNX.md) */
#define OX_MAX_FILE (1u << 31)
#define OX_MAX_NODES 200000u
#define OX_MAX_VALUES (1u << 20)
#define OX_MIN_OPSET 9
#define OX_MAX_OPSET 28  /* its rules as of onnx 1.23 */
#define OX_MAX_DEPTH 64u /* nesting of messages in the file */
#define OX_MAX_FUNCTION_DEPTH 16u
#define OX_MAX_ELEMENTS (1u << 30)

/* onnx_import.c: guard, decode, external data, inline functions. Frees every protobuf
 * struct before it returns. ox_graph_free releases (NULL-safe). */
mst_status ox_load(const char *path, const mst_allocator *alloc, ox_graph *out, mst_err *err);
/* Who is told of each file of external data, by its path, once it is read. */
typedef struct ox_watch {
    void (*read)(void *ctx, const char *path); /* NULL: no one */
    void *ctx;
} ox_watch;
mst_status ox_load_watched(const char *path, const mst_allocator *alloc, ox_watch watch, ox_graph *out, mst_err *err);
/* the same from memory; dir: folder for external data, NULL: none allowed (fuzzing) */
mst_status ox_load_mem(const uint8_t *bytes, size_t n, const char *dir, const mst_allocator *alloc, ox_graph *out,
                       mst_err *err);
void ox_graph_free(ox_graph *g);

/* onnx_attr.c: attributes with defaults */
const ox_attr *ox_attr_find(const ox_node *n, const char *name);
int64_t ox_attr_int(const ox_node *n, const char *name, int64_t fallback);
float ox_attr_float(const ox_node *n, const char *name, float fallback);
const char *ox_attr_string(const ox_node *n, const char *name, const char *fallback);
/* ints of at most MST_MAX_RANK*2 into out; returns count, -1 if absent,
 * -2 if it is there but is not a list of ints or has more than cap */
int ox_attr_ints(const ox_node *n, const char *name, int64_t *out, size_t cap);

/* What was done otherwise than the model says, told one line each. */
typedef struct ox_notes {
    void (*tell)(void *ctx, const char *text); /* NULL: no one */
    void *ctx;
} ox_notes;
void ox_note(const ox_notes *notes, const char *fmt, ...) MST_PRINTF(2, 3);

/* onnx_head.c: outputs become what softmax, argmax and top-k behind them read; of a folded graph those, too, that are
 * written out, or stand behind numbers that only folding knows */
mst_status ox_cut_heads(ox_graph *g, const ox_notes *notes, mst_err *err);

/* onnx_fold.c: bind symbolic dimensions (batch = 1), infer every shape and dtype in
 * one walk, evaluate what is constant. Afterwards each live node's outputs have shapes, nodes whose
 * outputs are all constant are dead, and no live node computes shapes. */
mst_status ox_fold(ox_graph *g, const uint32_t *input_dims, uint32_t input_rank, mst_err *err);
/* Nodes that no output needs are dead. */
mst_status ox_mark_dead(ox_graph *g, mst_err *err);

#endif

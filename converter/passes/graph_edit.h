/* Editing a graph: who makes and who uses each tensor, kept up to date while a
 * pass rewires nodes. Private to the converter. */
#ifndef MST_GRAPH_EDIT_H
#define MST_GRAPH_EDIT_H

#include "mst/graph.h"

typedef struct edit_edge {
    uint32_t node, slot, prev, next; /* a use of a tensor: input slot of a node */
} edit_edge;

/* Nodes may be added in any order; edit_finish sorts them. Node indices stay
 * valid until then. */
typedef struct mst_edit {
    mst_graph *g;
    mst_arena arena;
    uint32_t *producer; /* [tensors] node, MST_NONE */
    uint32_t *head;     /* [tensors] first edge, MST_NONE */
    uint32_t *uses;     /* [tensors] number of edges, plus one for the graph's output */
    uint32_t cap_tensors;
    uint32_t **edges; /* [nodes] edge of each input slot */
    bool *dead;       /* [nodes] */
    uint32_t cap_nodes;
    edit_edge *edge;
    uint32_t n_edges, cap_edges;
    mst_err *err;
} mst_edit;

mst_status edit_begin(mst_edit *e, mst_graph *g, mst_err *err);
/* Close an edit whose result so far is st: on success drop what nothing uses and
 * sort; release in any case. Returns st, or the failure of its own work. */
mst_status edit_finish(mst_edit *e, mst_status st);

mst_node *edit_node(const mst_edit *e, uint32_t node);
mst_tensor *edit_tensor(const mst_edit *e, uint32_t tensor);
/* Is this node there (not MST_NONE), and of this kind? */
bool edit_is(const mst_edit *e, uint32_t node, mst_op op);
/* The node that makes input k of a node; MST_NONE for constants and the input. */
uint32_t edit_maker(const mst_edit *e, uint32_t node, uint32_t k);
/* The only user of a tensor (and not the graph's output); MST_NONE otherwise. */
uint32_t edit_only_user(const mst_edit *e, uint32_t tensor);

void edit_set_input(mst_edit *e, uint32_t node, uint32_t slot, uint32_t tensor);
/* Let every user of tensor from use tensor to instead. */
void edit_replace(mst_edit *e, uint32_t from, uint32_t to);
/* The same, except for one node. */
void edit_replace_but(mst_edit *e, uint32_t from, uint32_t to, uint32_t but);
void edit_kill(mst_edit *e, uint32_t node);

/* A new node with a fresh float32 output of the given shape. */
mst_status edit_add(mst_edit *e, mst_op op, const char *name, uint32_t n_in, const uint32_t *in, uint32_t rank,
                    const uint32_t *dims, uint32_t *node);
/* Give a node other inputs (their number may change). */
mst_status edit_reinput(mst_edit *e, uint32_t node, uint32_t n_in, const uint32_t *in);
/* A TRANSPOSE that reads a TRANSPOSE: let it read the first one's input, permuted by both. */
void edit_join_transposes(mst_edit *e, uint32_t second, uint32_t first);
/* The axis of shape `to` that holds the same channels as `axis` of shape `from`, one
 * being a reshape of the other; -1: they are mixed. */
int32_t edit_reshape_axis(const mst_tensor *from, const mst_tensor *to, int32_t axis);
/* A float64 constant: of any shape, to be filled in; [n], values copied. */
mst_status edit_new_const(mst_edit *e, uint32_t rank, const uint32_t *dims, double **data, uint32_t *tensor);
mst_status edit_const(mst_edit *e, uint32_t n, const double *values, uint32_t *tensor);

mst_status edit_no_memory(mst_edit *e);

/* for (uint32_t k = e->head[t]; k != MST_NONE; k = e->edge[k].next) */

#endif

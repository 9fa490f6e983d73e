/* Private to runtime/lower and to back ends: turning a graph into a program.
 *
 * At compile time only, values are expressions (rt_expr) as long as nothing needs them, so that
 * residual streams are never stored; movement of spikes is put off and joined in the same way. */
#ifndef MST_LOWER_LOWERING_H
#define MST_LOWER_LOWERING_H

#include "runtime/lower/program.h"

typedef struct lowering lowering;

/* What lowering asks of a back end. */
typedef struct low_target {
    /* Layers that it runs itself; the nodes of all others run by their operators' functions. */
    bool (*fuses)(mst_form source, rt_rule rule);
    /* Decide how to run syn, whose node, shape and input bits are known; *ok false: not at all. */
    mst_status (*plan_synapse)(lowering *lo, rt_synapse *syn, bool *ok);
    /* Pack its weights; its input is known. */
    mst_status (*pack_synapse)(lowering *lo, rt_synapse *syn, bool *ok);
    /* More that it wants to know of a layer with neurons, on op->how; or NULL. */
    mst_status (*plan_neurons)(lowering *lo, rt_op *op);
    /* May op run together with the operation before it, and what that was joined to? */
    bool (*joins)(const rt_op *op, const rt_op *before);
    /* Time steps of a block, where the caller has not chosen. Not asked in count and radix mode, which have one. */
    mst_status (*choose_steps)(lowering *lo, uint32_t *steps);
    /* Scratch memory of a layer for p->steps steps. */
    size_t (*layer_scratch)(const mst_program *p, const rt_expr *e);
} low_target;

typedef enum low_kind { LOW_STATIC,
                        LOW_BITS,
                        LOW_MOVED,
                        LOW_EXPR,
                        LOW_FLOAT } low_kind;

/* What a tensor is at compile time. MOVED: the node's output is its input moved; not yet done. */
typedef struct low_value {
    low_kind kind;
    uint32_t readers; /* inputs of nodes that run each step, and the graph's output */
    rt_value bits;    /* BITS; also cached for MOVED and EXPR where it exists (has_bits) */
    bool has_bits, has_buf, has_events;
    rt_expr *expr;
    uint32_t buf;    /* FLOAT; also cached where it exists (has_buf) */
    uint32_t events; /* buffer of what its elements are made of (has_events) */
    uint32_t moves;  /* MOVED: nodes on all ways back to what is not moved */
} low_value;

struct lowering {
    mst_program *p;
    const mst_graph *g;
    const low_target *target; /* NULL: every node runs by its operator's function */
    uint32_t steps;           /* of a block; 0: as the back end chooses */
    mst_arena *tmp;
    mst_err *err;
    low_value *values;
};

/* ---- stages, in their order (session/program.c calls them) -------------------------------- */

bool low_has_int8(const mst_graph *g); /* weights of it, anywhere */
/* What is known of tensors; p->facts, n_layers. EUNSUPPORTED, ENOMEM. */
mst_status low_note_facts(lowering *lo);
/* p->nodes, layers, dense, dense_static: every node by its operator. */
mst_status low_prepare_nodes(lowering *lo);
/* Memory of the input and of static nodes; p->bytes. */
mst_status low_place_static(lowering *lo);
/* The SYNAPSE nodes that feed each layer, and their dense_in. */
mst_status low_feed_layers(lowering *lo);
/* p->ops and their buffers; adds to p->bytes. */
mst_status low_make_ops(lowering *lo);
/* p->sums and the meters that they are made of; p->ops are known. ELIMIT. */
mst_status low_note_reach(lowering *lo);

/* The memory of p->ops, and of states (place_ops.c). */
mst_status low_place_ops(lowering *lo);

/* ---- new operations, buffers, expressions (emit.c) --------------------------------------------- */

mst_status low_no_memory(lowering *lo);
/* A buffer of bytes per time step, first written by the next operation. */
mst_status low_new_buf(lowering *lo, size_t bytes, uint32_t *buf);
void low_use_buf(lowering *lo, uint32_t buf);                    /* by the next operation */
void low_use_expr(lowering *lo, const rt_expr *e);               /* all that it reads, likewise */
void low_keep_expr(lowering *lo, const rt_expr *e, uint32_t op); /* the same, by operation op */
mst_status low_new_op(lowering *lo, rt_op_kind kind, uint32_t tensor, rt_op **op);
/* Without terms, but with room for them. */
mst_status low_new_expr(lowering *lo, uint32_t tensor, uint32_t room, rt_expr **e);
/* An operation that computes e; its output buffer has just been made. */
mst_status low_new_layer(lowering *lo, uint32_t tensor, const rt_expr *e, rt_op **op);
/* The tensor's values as bits, as floats, in a buffer of their own. */
mst_status low_new_bits(lowering *lo, uint32_t tensor, rt_value *bits); /* or as counts */
mst_status low_new_floats(lowering *lo, uint32_t tensor, rt_value *out);

/* ---- values and their forms (value_forms.c) ------------------------------------------------ */

/* The tensor as bits (or counts), as an expression, as floats in a buffer; bits fail with *ok
 * false where the tensor has no such form. */
mst_status low_as_bits(lowering *lo, uint32_t tensor, rt_value *bits, bool *ok);
mst_status low_as_expr(lowering *lo, uint32_t tensor, bool last, rt_expr **expr); /* last: nothing is added */
mst_status low_as_float(lowering *lo, uint32_t tensor, uint32_t *buf);
/* What its elements are made of, as numbers; its fact says that it has them. */
mst_status low_as_events(lowering *lo, uint32_t tensor, uint32_t *buf);
/* *out = e + t, for tensor; e, the expression of `of`, may belong to others and stays as it is. */
mst_status low_add_term(lowering *lo, uint32_t tensor, uint32_t of, const rt_expr *e, const rt_term *t,
                        rt_expr **out);
/* The tensor is e, or, where it is read twice and costly, floats made from it now. */
mst_status low_set_expr(lowering *lo, uint32_t tensor, rt_expr *e);
/* Run the node by its operator's function, step by step, on float buffers. */
mst_status low_fall_back(lowering *lo, uint32_t node);

/* ---- movement (move_map.c, move_table.c) ---------------------------------------------------- */

/* Where each element of a moved tensor comes from. */
typedef struct low_map {
    uint32_t n_sources, sources[RT_MAX_SOURCES]; /* tensors that are not moved */
    size_t n;
    uint32_t *at;    /* [n] element of its source; UINT32_MAX: zero */
    uint8_t *source; /* [n] */
} low_map;
mst_status low_map_make(lowering *lo, uint32_t tensor, low_map *map, bool *ok);
void low_map_free(lowering *lo, low_map *map);
/* One source, same elements, rows of the same length: tensor is its source by another name. */
bool low_map_is_same(const lowering *lo, const low_map *map, uint32_t tensor);
/* The output of n may be MOVED: it is not too far from its sources. Notes how far. */
bool low_may_move(lowering *lo, const mst_node *n);
/* The source one moves of, without making the map; MST_NONE: more than one. */
uint32_t low_move_base(const lowering *lo, uint32_t tensor);
/* Of a map that only permutes: where each piece of neighbours of the source goes; at most 64, at
 * least 8 elements a piece, a divisor of cols. *at NULL: not possible. */
mst_status low_map_pieces(lowering *lo, const low_map *map, uint32_t cols, uint32_t *piece, uint32_t **at);
/* in: [map->n_sources] */
mst_status low_move_bits(lowering *lo, uint32_t tensor, const low_map *map, const rt_value *in, rt_value *out);

/* ---- nodes ------------------------------------------------------------------------------------ */

/* A layer that reads nothing that changes but the lists of its input. */
bool low_only_lists(const rt_op *op);
/* The newest operation, a LAYER, runs together with those before it if the back end would. */
void low_join_group(lowering *lo);
void low_keep_groups(lowering *lo); /* what groups read and write, as long as they run; once all are known */
/* *order: the nodes that run each step, so that layers of the same input are neighbours. */
mst_status low_node_order(lowering *lo, const uint32_t **order, uint32_t *n);
mst_status low_compile_affine(lowering *lo, uint32_t node);
mst_status low_compile_neuron(lowering *lo, uint32_t node);
mst_status low_make_synapse(lowering *lo, uint32_t node, rt_expr **expr); /* *expr NULL: not possible */
mst_status low_make_product(lowering *lo, uint32_t node, rt_expr **expr);
/* Let e's rows go where map puts them in tensor. *ok false: not possible. */
mst_status low_product_to(lowering *lo, uint32_t tensor, const low_map *map, rt_expr *e, bool *ok);

#endif

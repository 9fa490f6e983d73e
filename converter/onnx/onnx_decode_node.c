/* Nodes and attributes of one body: the graph's own, or a function's at one of
 * its calls. Must not know where a scope came from.
 */
#include <string.h>

#include "converter/onnx/onnx_import.h"

/* The type field, or for the oldest files what is there. */
static int attr_type(const Onnx__AttributeProto *p)
{
    if (p->has_type && p->type != ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED)
        return (int)p->type;
    if (p->has_f)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    if (p->has_i)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    if (p->has_s)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
    if (p->t != NULL)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
    if (p->n_floats != 0)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
    if (p->n_ints != 0)
        return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
    return ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED;
}

/* A copy in the arena of an array that may be empty. */
static mst_status copy(ox_import *c, const void *p, size_t n, size_t size, const void **out)
{
    char *q = ox_new(c, n, size);
    if (q == NULL)
        return ox_no_memory(c);
    if (n != 0)
        memcpy(q, p, n * size);
    *out = q;
    return MST_OK;
}

static mst_status copy_string(ox_import *c, const ProtobufCBinaryData *p, const char **out)
{
    char *s = ox_new(c, 1, p->len + 1); /* ends in a zero */
    if (s == NULL)
        return ox_no_memory(c);
    if (p->len != 0)
        memcpy(s, p->data, p->len);
    *out = s;
    return MST_OK;
}

static mst_status decode_attr_value(ox_import *c, const Onnx__AttributeProto *p, ox_attr *a)
{
    const void *block = NULL;
    switch (attr_type(p)) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT: a->kind = OX_A_INT, a->i = p->i; break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT: a->kind = OX_A_FLOAT, a->f = p->f; break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        a->kind = OX_A_INTS, a->n = p->n_ints;
        MST_TRY(copy(c, p->ints, p->n_ints, sizeof *p->ints, &block));
        a->ints = block;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        a->kind = OX_A_FLOATS, a->n = p->n_floats;
        MST_TRY(copy(c, p->floats, p->n_floats, sizeof *p->floats, &block));
        a->floats = block;
        break;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        a->kind = OX_A_STRING, a->n = p->s.len;
        return copy_string(c, &p->s, &a->s);
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS: {
        a->kind = OX_A_STRINGS, a->n = p->n_strings;
        const char **list = ox_new(c, p->n_strings + 1, sizeof *list);
        if (list == NULL)
            return ox_no_memory(c);
        for (size_t i = 0; i < p->n_strings; i++)
            MST_TRY(copy_string(c, &p->strings[i], &list[i]));
        a->strings = list;
        break;
    }
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        a->kind = OX_A_TENSOR;
        if (p->t == NULL)
            return mst_fail(c->err, MST_ECORRUPT, "a tensor attribute without a tensor");
        return ox_decode_tensor(c, p->t, &a->tensor);
    default: a->kind = OX_A_OTHER; break; /* graphs: refused by who needs them */
    }
    return MST_OK;
}

/* A reference takes the value of the call's argument, under its own name. */
static bool find_argument(const ox_scope *s, const char *ref, ox_attr *out)
{
    for (uint32_t i = 0; i < s->n_args; i++) {
        if (strcmp(s->args[i].name, ref) != 0)
            continue;
        *out = s->args[i];
        return true;
    }
    return false;
}

mst_status ox_decode_attr(ox_import *c, const ox_scope *s, const Onnx__AttributeProto *p, ox_attr *out,
                          bool *present)
{
    ox_attr a = {0};
    *present = true;
    const char *ref = ox_text(p->ref_attr_name);
    MST_TRY(ox_charge(c, 1 + (strlen(ox_text(p->name)) + strlen(ref)) / 16));
    if (ref[0] != '\0') {
        if (s->fn == NULL)
            return mst_fail(c->err, MST_ECORRUPT,
                            "refers to the argument '%s' of a function, but is outside of one", ref);
        *present = find_argument(s, ref, &a);
        if (!*present)
            return MST_OK; /* an optional argument that the call leaves out: absent here too */
    } else {
        MST_TRY(decode_attr_value(c, p, &a));
    }
    c->asked = strlen(ox_text(p->name)) + 1;
    a.name = mst_arena_strdup(&c->g->arena, ox_text(p->name));
    if (a.name == NULL)
        return ox_no_memory(c);
    *out = a;
    return MST_OK;
}

static mst_status decode_attrs(ox_import *c, const ox_scope *s, const Onnx__NodeProto *p, ox_node *node)
{
    if (p->n_attribute > OX_MAX_ATTRS)
        return mst_fail(c->err, MST_ELIMIT, "%zu attributes, limit %u", p->n_attribute, OX_MAX_ATTRS);
    node->attrs = ox_new(c, p->n_attribute, sizeof *node->attrs);
    if (node->attrs == NULL)
        return ox_no_memory(c);
    for (size_t i = 0; i < p->n_attribute; i++) {
        bool present;
        mst_status st = ox_decode_attr(c, s, p->attribute[i], &node->attrs[node->n_attr], &present);
        if (st != MST_OK)
            return mst_fail_in(c->err, st, "attribute '%s': ", ox_text(p->attribute[i]->name));
        for (uint32_t k = 0; present && k < node->n_attr; k++)
            if (strcmp(node->attrs[k].name, node->attrs[node->n_attr].name) == 0)
                return mst_fail(c->err, MST_ECORRUPT, "attribute '%.100s' is given twice", node->attrs[k].name);
        node->n_attr += present;
    }
    return MST_OK;
}

/* ---- Constant ---- */

/* The constant that an attribute of a Constant node stands for; false: none. */
static bool constant_value(const ox_attr *a, ox_value *v)
{
    *v = (ox_value){.has_shape = true, .rank = 1};
    if (strcmp(a->name, "value") == 0 && a->kind == OX_A_TENSOR) {
        *v = a->tensor;
        return v->data != NULL;
    }
    if (strcmp(a->name, "value_floats") == 0 && a->kind == OX_A_FLOATS) {
        v->dtype = OX_FLOAT, v->dims[0] = (int64_t)a->n, v->data = a->floats;
    } else if (strcmp(a->name, "value_ints") == 0 && a->kind == OX_A_INTS) {
        v->dtype = OX_INT64, v->dims[0] = (int64_t)a->n, v->data = a->ints;
    } else if (strcmp(a->name, "value_float") == 0 && a->kind == OX_A_FLOAT) {
        v->dtype = OX_FLOAT, v->rank = 0, v->data = &a->f; /* the attributes stay in the arena */
    } else if (strcmp(a->name, "value_int") == 0 && a->kind == OX_A_INT) {
        v->dtype = OX_INT64, v->rank = 0, v->data = &a->i;
    }
    return v->data != NULL;
}

/* A Constant becomes a value at once; *done is false for one of strings, which stays a node. */
static mst_status decode_constant(ox_import *c, const ox_node *node, bool *done)
{
    *done = false;
    if (node->n_in != 0 || node->n_out != 1)
        return mst_fail(c->err, MST_ECORRUPT, "a Constant has no inputs and one output, found %u and %u",
                        node->n_in, node->n_out);
    if (ox_attr_find(node, "sparse_value") != NULL)
        return mst_fail(c->err, MST_EUNSUPPORTED, "sparse constants are not supported: export them dense");
    if (node->n_attr != 1)
        return mst_fail(c->err, MST_ECORRUPT, "a Constant has one attribute, found %u", node->n_attr);
    ox_value v;
    if (!constant_value(&node->attrs[0], &v))
        return MST_OK;
    if (v.rank == 1 && v.dims[0] > (int64_t)OX_MAX_ELEMENTS)
        return mst_fail(c->err, MST_ELIMIT, "a Constant of more than %u elements", OX_MAX_ELEMENTS);
    *done = true;
    if (node->out[0] == OX_NONE)
        return MST_OK;
    v.name = c->g->values[node->out[0]].name;
    c->g->values[node->out[0]] = v;
    return MST_OK;
}

/* ---- nodes ---- */

mst_status ox_emit(ox_import *c, const ox_node *node)
{
    ox_graph *g = c->g;
    if (g->n_nodes == OX_MAX_NODES)
        return mst_fail(c->err, MST_ELIMIT, "more than %u nodes with functions inlined", OX_MAX_NODES);
    if (g->n_nodes == g->cap_nodes) {
        ox_node *nodes = ox_grow(c, g->nodes, g->n_nodes, &g->cap_nodes, sizeof *nodes);
        if (nodes == NULL)
            return ox_no_memory(c);
        g->nodes = nodes;
    }
    g->nodes[g->n_nodes++] = *node;
    return MST_OK;
}

/* Outputs of all nodes first, so that order in the file does not matter. */
static mst_status declare_outputs(ox_import *c, const ox_scope *s, const Onnx__NodeProto *p)
{
    MST_TRY(ox_charge(c, 1 + p->n_output));
    for (size_t i = 0; i < p->n_output; i++) {
        const char *name = ox_text(p->output[i]);
        MST_TRY(ox_charge(c, 1 + strlen(name) / 16));
        if (name[0] == '\0')
            continue;
        ox_name *known = ox_names_find(&c->names, s->id, name);
        if (known != NULL && !known->pending)
            return mst_fail(c->err, MST_ECORRUPT, "node '%s' (%s): output '%s' is defined a second time",
                            ox_text(p->name), ox_text(p->op_type), name);
        if (known != NULL) { /* an output of the call, whose value exists */
            known->pending = false;
            continue;
        }
        uint32_t id;
        MST_TRY(ox_value_new(c, s->prefix, name, &id));
        if (ox_names_add(&c->names, s->id, name, id) == NULL)
            return mst_fail(c->err, MST_ENOMEM, "out of memory for the table of names");
    }
    return MST_OK;
}

static mst_status resolve(ox_import *c, const ox_scope *s, size_t n, char *const *names, uint32_t **out)
{
    uint32_t *ids = ox_new(c, n, sizeof *ids);
    if (ids == NULL)
        return ox_no_memory(c);
    for (size_t i = 0; i < n; i++) {
        const char *name = ox_text(names[i]);
        MST_TRY(ox_charge(c, 1 + strlen(name) / 16));
        const ox_name *known = name[0] == '\0' ? NULL : ox_names_find(&c->names, s->id, name);
        if (known == NULL && name[0] != '\0')
            return mst_fail(c->err, MST_ECORRUPT, "input %zu, '%s', is defined nowhere", i, name);
        ids[i] = known != NULL ? known->id : OX_NONE;
    }
    *out = ids;
    return MST_OK;
}

/* Messages, policies and reports name nodes: of several with one name, all but the first get a number. */
static mst_status unique_name(ox_import *c, ox_node *node, size_t index)
{
    ox_graph *g = c->g;
    const char *given = node->name;
    for (uint32_t k = 0; ox_names_find(&c->names, OX_SCOPE_NODES, node->name) != NULL; k++) {
        MST_TRY(ox_charge(c, 1 + c->asked / 16));
        node->name = k == 0 ? mst_arena_printf(&g->arena, "%s#%zu", given, index)
                            : mst_arena_printf(&g->arena, "%s#%zu.%u", given, index, k);
        if (node->name == NULL)
            return ox_no_memory(c);
    }
    if (node->name != given && g->n_renamed++ == 0) {
        g->renamed = given;
        g->renamed_to = node->name;
    }
    return ox_names_add(&c->names, OX_SCOPE_NODES, node->name, (uint32_t)index) != NULL
               ? MST_OK
               : mst_fail(c->err, MST_ENOMEM, "out of memory for the table of names");
}

static mst_status name_node(ox_import *c, const ox_scope *s, const Onnx__NodeProto *p, size_t index,
                            ox_node *node)
{
    mst_arena *arena = &c->g->arena;
    const char *name = ox_text(p->name);
    c->asked =
        strlen(s->prefix) + strlen(name) + strlen(ox_text(p->op_type)) + strlen(ox_text(p->domain)) + 32;
    MST_TRY(ox_charge(c, 1 + c->asked / 16));
    node->op = mst_arena_strdup(arena, ox_text(p->op_type));
    node->domain = mst_arena_strdup(arena, ox_domain(p->domain));
    if (node->op == NULL || node->domain == NULL)
        return ox_no_memory(c);
    node->name = name[0] != '\0' ? mst_arena_printf(arena, "%s%s", s->prefix, name)
                                 : mst_arena_printf(arena, "%s%s#%zu", s->prefix, node->op, index);
    if (node->name == NULL)
        return ox_no_memory(c);
    return unique_name(c, node, index);
}

static mst_status decode_links(ox_import *c, const ox_scope *s, const Onnx__NodeProto *p, ox_node *node)
{
    if (node->op[0] == '\0')
        return mst_fail(c->err, MST_ECORRUPT, "no operator");
    if (p->n_output == 0)
        return mst_fail(c->err, MST_ECORRUPT, "it makes no output");
    MST_TRY(resolve(c, s, p->n_input, p->input, &node->in));
    MST_TRY(resolve(c, s, p->n_output, p->output, &node->out));
    node->n_in = (uint32_t)p->n_input; /* bounded by the budget of work */
    node->n_out = (uint32_t)p->n_output;
    return decode_attrs(c, s, p, node);
}

static mst_status decode_node(ox_import *c, const ox_scope *s, const Onnx__NodeProto *p, size_t index)
{
    ox_node node = {0};
    bool done = false;
    if (++c->visited > OX_MAX_NODES)
        return mst_fail(c->err, MST_ELIMIT, "more than %u nodes with functions inlined", OX_MAX_NODES);
    MST_TRY(name_node(c, s, p, index, &node));
    const Onnx__FunctionProto *fn;
    MST_TRY(ox_find_function(c, p, &fn));
    mst_status st = decode_links(c, s, p, &node);
    if (st == MST_OK && fn == NULL && node.domain[0] == '\0' && strcmp(node.op, "Constant") == 0)
        st = decode_constant(c, &node, &done);
    if (st != MST_OK)
        return mst_fail_in(c->err, st, "node '%s' (%s): ", node.name, node.op);
    if (done)
        return MST_OK;
    return fn != NULL ? ox_inline_call(c, s, fn, &node) : ox_emit(c, &node);
}

mst_status ox_decode_body(ox_import *c, const ox_scope *s, size_t n, Onnx__NodeProto **nodes)
{
    for (size_t i = 0; i < n; i++)
        MST_TRY(declare_outputs(c, s, nodes[i]));
    for (size_t i = 0; i < n; i++)
        MST_TRY(decode_node(c, s, nodes[i], i));
    return MST_OK;
}

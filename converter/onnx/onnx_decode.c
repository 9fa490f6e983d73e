/* From protobuf structs to ox_graph: the model around the nodes (versions,
 * initializers, inputs, outputs). Must not know how bytes were read or checked.
 */
#include <string.h>

#include "converter/onnx/onnx_import.h"

/* A value of the graph itself, by its name in the file. */
static mst_status declare(ox_import *c, const char *name, const char *what, uint32_t *id)
{
    if (name[0] == '\0')
        return mst_fail(c->err, MST_ECORRUPT, "%s without a name", what);
    if (ox_names_find(&c->names, OX_SCOPE_GRAPH, name) != NULL)
        return mst_fail(c->err, MST_ECORRUPT, "%s '%s' is defined twice", what, name);
    MST_TRY(ox_value_new(c, "", name, id));
    if (ox_names_add(&c->names, OX_SCOPE_GRAPH, name, *id) == NULL)
        return mst_fail(c->err, MST_ENOMEM, "out of memory for the table of names");
    return MST_OK;
}

static mst_status decode_initializers(ox_import *c, const Onnx__GraphProto *p)
{
    if (p->n_sparse_initializer != 0)
        return mst_fail(c->err, MST_EUNSUPPORTED,
                        "sparse initializers are not supported: export the weights dense");
    for (size_t i = 0; i < p->n_initializer; i++) {
        uint32_t id;
        MST_TRY(declare(c, ox_text(p->initializer[i]->name), "initializer", &id));
        ox_value v = c->g->values[id];
        mst_status st = ox_decode_tensor(c, p->initializer[i], &v);
        if (st != MST_OK)
            return mst_fail_in(c->err, st, "initializer '%s': ", v.name);
        c->g->values[id] = v;
    }
    return MST_OK;
}

static mst_status decode_input_shape(ox_import *c, const Onnx__TensorShapeProto *p, ox_value *v)
{
    if (p->n_dim > MST_MAX_RANK)
        return mst_fail(c->err, MST_EUNSUPPORTED, "input '%s': rank %zu, at most %d is supported", v->name,
                        p->n_dim, MST_MAX_RANK);
    v->has_shape = true;
    v->rank = (uint32_t)p->n_dim;
    for (uint32_t i = 0; i < v->rank; i++) {
        const Onnx__TensorShapeProto__Dimension *d = p->dim[i];
        bool fixed =
            d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value > 0;
        if (fixed && d->dim_value > (int64_t)OX_MAX_ELEMENTS)
            return mst_fail(c->err, MST_ELIMIT, "input '%s': dimension %u is %lld, limit %u", v->name, i,
                            (long long)d->dim_value, OX_MAX_ELEMENTS);
        v->dims[i] = fixed ? d->dim_value : -1; /* some exporters write 0 or -1 for a symbolic one */
    }
    return MST_OK;
}

/* Old exports list initializers among the inputs: those are constants with a default. */
static mst_status decode_inputs(ox_import *c, const Onnx__GraphProto *p)
{
    c->g->inputs = ox_new(c, p->n_input, sizeof *c->g->inputs);
    if (c->g->inputs == NULL)
        return ox_no_memory(c);
    uint32_t n_initializers = c->g->n_values;
    for (size_t i = 0; i < p->n_input; i++) {
        const char *name = ox_text(p->input[i]->name);
        const ox_name *known = ox_names_find(&c->names, OX_SCOPE_GRAPH, name);
        if (known != NULL && known->id < n_initializers)
            continue;
        uint32_t id;
        MST_TRY(declare(c, name, "graph input", &id));
        const Onnx__TypeProto *type = p->input[i]->type;
        if (type == NULL || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
            return mst_fail(c->err, MST_EUNSUPPORTED, "input '%s' is not a tensor", name);
        ox_value *v = &c->g->values[id];
        v->dtype = type->tensor_type->elem_type;
        if (ox_dtype_size(v->dtype) == 0)
            return mst_fail(c->err, MST_EUNSUPPORTED,
                            "input '%s' has data type %s (%d), which is not supported", name,
                            ox_dtype_name(v->dtype), v->dtype);
        if (type->tensor_type->shape != NULL)
            MST_TRY(decode_input_shape(c, type->tensor_type->shape, v));
        c->g->inputs[c->g->n_inputs++] = id;
    }
    return MST_OK;
}

static mst_status decode_outputs(ox_import *c, const Onnx__GraphProto *p)
{
    if (p->n_output == 0)
        return mst_fail(c->err, MST_ECORRUPT, "the graph has no output");
    c->g->outputs = ox_new(c, p->n_output, sizeof *c->g->outputs);
    if (c->g->outputs == NULL)
        return ox_no_memory(c);
    for (size_t i = 0; i < p->n_output; i++) {
        const char *name = ox_text(p->output[i]->name);
        const ox_name *known = ox_names_find(&c->names, OX_SCOPE_GRAPH, name);
        if (known == NULL)
            return mst_fail(c->err, MST_ECORRUPT, "graph output '%s' is made by no node", name);
        c->g->outputs[c->g->n_outputs++] = known->id;
    }
    return MST_OK;
}

/* Types of values, shapes of outputs. What is said of values that do not exist is nothing. */
static mst_status decode_declared(ox_import *c, size_t n, Onnx__ValueInfoProto *const *infos, bool outputs)
{
    for (size_t i = 0; i < n; i++) {
        const char *name = ox_text(infos[i]->name);
        MST_TRY(ox_charge(c, 1 + strlen(name) / 16));
        const ox_name *known = name[0] != '\0' ? ox_names_find(&c->names, OX_SCOPE_GRAPH, name) : NULL;
        const Onnx__TypeProto *type = infos[i]->type;
        if (known == NULL || type == NULL || type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
            continue;
        ox_declared *d = &c->g->declared[c->g->n_declared++];
        *d = (ox_declared){.value = known->id, .dtype = type->tensor_type->elem_type};
        const Onnx__TensorShapeProto *shape = outputs ? type->tensor_type->shape : NULL;
        d->has_shape = shape != NULL && shape->n_dim <= MST_MAX_RANK;
        d->rank = d->has_shape ? (uint32_t)shape->n_dim : 0;
        for (uint32_t k = 0; k < d->rank; k++)
            d->dims[k] = shape->dim[k]->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE &&
                                 shape->dim[k]->dim_value > 0
                             ? shape->dim[k]->dim_value
                             : -1;
    }
    return MST_OK;
}

static mst_status decode_all_declared(ox_import *c, const Onnx__GraphProto *p)
{
    c->g->declared = ox_new(c, p->n_output + p->n_value_info, sizeof *c->g->declared);
    if (c->g->declared == NULL)
        return ox_no_memory(c);
    MST_TRY(decode_declared(c, p->n_output, p->output, true));
    return decode_declared(c, p->n_value_info, p->value_info, false);
}

static mst_status check_versions(ox_import *c)
{
    const Onnx__ModelProto *m = c->model;
    if (m->ir_version < OX_MIN_IR)
        return mst_fail(c->err, MST_EUNSUPPORTED,
                        "ONNX IR version %lld, %d to %d are supported: export the model again",
                        (long long)m->ir_version, OX_MIN_IR, OX_MAX_IR);
    if (m->ir_version > OX_MAX_IR)
        return mst_fail(c->err, MST_EVERSION,
                        "ONNX IR version %lld, %d to %d are supported: save the model with "
                        "ir_version %d",
                        (long long)m->ir_version, OX_MIN_IR, OX_MAX_IR, OX_MAX_IR);
    bool found = false;
    for (size_t i = 0; i < m->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *o = m->opset_import[i];
        if (ox_domain(o->domain)[0] != '\0')
            continue;
        if (found && o->version != c->g->opset)
            return mst_fail(c->err, MST_ECORRUPT, "two different opsets of ai.onnx: %lld and %lld",
                            (long long)c->g->opset, (long long)o->version);
        found = true;
        c->g->opset = o->version;
    }
    if (!found)
        return mst_fail(c->err, MST_ECORRUPT, "the model does not say which opset of ai.onnx it uses");
    if (c->g->opset < OX_MIN_OPSET || c->g->opset > OX_MAX_OPSET)
        return mst_fail(c->err, MST_EUNSUPPORTED,
                        "the model uses opset %lld of ai.onnx, %d to %d are supported: "
                        "export it again with opset_version=17",
                        (long long)c->g->opset, OX_MIN_OPSET, OX_MAX_OPSET);
    return MST_OK;
}

static mst_status decode_metadata(ox_import *c)
{
    const Onnx__ModelProto *m = c->model;
    ox_graph *g = c->g;
    g->metadata = ox_new(c, m->n_metadata_props, sizeof *g->metadata);
    for (size_t i = 0; i < m->n_metadata_props && g->metadata != NULL; i++) {
        const char *key = ox_text(m->metadata_props[i]->key), *value = ox_text(m->metadata_props[i]->value);
        c->asked = strlen(key) + strlen(value) + 2;
        struct ox_entry *e = &g->metadata[g->n_metadata++];
        e->key = mst_arena_strdup(&g->arena, key);
        e->value = mst_arena_strdup(&g->arena, value);
        if (e->key == NULL || e->value == NULL)
            return ox_no_memory(c);
    }
    return g->metadata != NULL ? MST_OK : ox_no_memory(c);
}

mst_status ox_decode_model(ox_import *c)
{
    const Onnx__ModelProto *m = c->model;
    MST_TRY(check_versions(c));
    if (m->graph == NULL)
        return mst_fail(c->err, MST_ECORRUPT, "the model has no graph");
    c->asked = 64;
    c->g->producer =
        mst_arena_printf(&c->g->arena, "%s%s%s", ox_text(m->producer_name),
                         ox_text(m->producer_version)[0] != '\0' ? " " : "", ox_text(m->producer_version));
    if (c->g->producer == NULL)
        return ox_no_memory(c);
    MST_TRY(decode_metadata(c));
    MST_TRY(decode_initializers(c, m->graph));
    MST_TRY(decode_inputs(c, m->graph));
    MST_TRY(ox_register_functions(c));
    const ox_scope top = {.id = OX_SCOPE_GRAPH, .prefix = ""};
    MST_TRY(ox_decode_body(c, &top, m->graph->n_node, m->graph->node));
    MST_TRY(decode_outputs(c, m->graph));
    MST_TRY(decode_all_declared(c, m->graph));
    return ox_sort_nodes(c->g, c->alloc, c->err);
}

/* What must hold of every graph that ox_load gives. */
#include "tests/support/onnx_graph_check.h"

#include <stdlib.h>
#include <string.h>

static unsigned sum; /* keeps the reads of the data alive */

static void touch(const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum += ((const unsigned char *)p)[i];
}

static const char *check_value(const ox_value *v)
{
    if (v->rank > MST_MAX_RANK)
        return "rank of a value";
    if (v->data == NULL)
        return NULL;
    size_t n = ox_dtype_size(v->dtype);
    if (n == 0 || !v->has_shape)
        return "a constant without type or shape";
    for (uint32_t i = 0; i < v->rank; i++) {
        if (v->dims[i] < 0)
            return "a constant with a symbolic dimension";
        n *= (size_t)v->dims[i];
    }
    touch(v->data, n);
    return NULL;
}

static const char *check_attr(const ox_attr *a)
{
    if (a->name == NULL)
        return "an attribute without a name";
    touch(a->name, strlen(a->name));
    if (a->kind == OX_A_INTS)
        touch(a->ints, a->n * sizeof *a->ints);
    if (a->kind == OX_A_FLOATS)
        touch(a->floats, a->n * sizeof *a->floats);
    if (a->kind == OX_A_STRING && (strlen(a->s) > a->n || a->s[a->n] != '\0'))
        return "a string attribute without an end";
    return a->kind == OX_A_TENSOR ? check_value(&a->tensor) : NULL;
}

/* defined[v]: 1 once v is there for the nodes that follow. */
static const char *check_node(const ox_graph *g, const ox_node *n, unsigned char *defined)
{
    if (n->name == NULL || n->name[0] == '\0' || n->op == NULL || n->op[0] == '\0' || n->domain == NULL)
        return "a node without a name or operator";
    if (strcmp(n->domain, "ai.onnx") == 0)
        return "a domain that is not normalized";
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i] != OX_NONE && (n->in[i] >= g->n_values || !defined[n->in[i]]))
            return "an input that is not defined yet";
    for (uint32_t i = 0; i < n->n_out; i++) {
        if (n->out[i] == OX_NONE)
            continue;
        if (n->out[i] >= g->n_values || defined[n->out[i]])
            return "an output that is defined already";
        defined[n->out[i]] = 1;
    }
    for (uint32_t i = 0; i < n->n_attr; i++) {
        const char *bad = check_attr(&n->attrs[i]);
        if (bad != NULL)
            return bad;
    }
    return NULL;
}

static const char *check_all(const ox_graph *g, unsigned char *defined)
{
    const char *bad = NULL;
    for (uint32_t i = 0; i < g->n_values && bad == NULL; i++) {
        bad = g->values[i].name == NULL || g->values[i].name[0] == '\0' ? "a value without a name"
                                                                        : check_value(&g->values[i]);
        defined[i] = g->values[i].data != NULL || g->values[i].dtype == OX_STRING;
    }
    for (uint32_t i = 0; i < g->n_inputs && bad == NULL; i++) {
        if (g->inputs[i] >= g->n_values || g->values[g->inputs[i]].data != NULL)
            return "a graph input that is a constant";
        defined[g->inputs[i]] = 1;
    }
    for (uint32_t i = 0; i < g->n_nodes && bad == NULL; i++)
        bad = check_node(g, &g->nodes[i], defined);
    for (uint32_t i = 0; i < g->n_outputs && bad == NULL; i++)
        if (g->outputs[i] >= g->n_values || !defined[g->outputs[i]])
            return "a graph output that is not defined";
    return bad;
}

const char *onnx_graph_check(const ox_graph *g)
{
    unsigned char *defined = calloc(g->n_values + 1u, 1);
    if (defined == NULL)
        return "out of memory in the test";
    const char *bad = g->opset < OX_MIN_OPSET || g->opset > OX_MAX_OPSET ? "the opset" : check_all(g, defined);
    free(defined);
    return bad;
}

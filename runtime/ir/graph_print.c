/* Graphs as text, for people and for --dump-dir. */
#include "mst/graph.h"

static void print_shape(const mst_tensor *t, FILE *f)
{
    fputc('[', f);
    for (uint32_t d = 0; d < t->rank; d++)
        fprintf(f, "%s%u", d != 0 ? "," : "", (unsigned)t->dims[d]);
    fputc(']', f);
}

static void print_input(const mst_graph *g, uint32_t id, FILE *f)
{
    if (id == MST_NONE) {
        fputs("-", f);
        return;
    }
    const mst_tensor *t = &g->tensors[id];
    fprintf(f, "%s%u", t->data != NULL ? "c" : "t", (unsigned)id);
    if (t->data != NULL)
        print_shape(t, f);
}

static const char *fn_name(const mst_node *n)
{
    switch (n->op) {
    case MST_OP_BINARY: return mst_binary_name(n->ip[MST_BINARY_FN]);
    case MST_OP_UNARY: return mst_unary_name(n->ip[MST_UNARY_FN]);
    case MST_OP_REDUCE: return mst_reduce_name(n->ip[MST_REDUCE_FN]);
    case MST_OP_POOL: return mst_reduce_name(n->ip[MST_POOL_FN]);
    case MST_OP_NEURON: return mst_site_name(n->ip[MST_NEURON_SITE]);
    case MST_OP_MASK: return mst_site_name(n->ip[MST_MASK_SITE]);
    default: return NULL;
    }
}

static void print_params(const mst_node *n, FILE *f)
{
    const mst_op_info *info = mst_op_get(n->op);
    for (uint32_t i = 0; i < info->n_ip; i++) {
        if (info->ip_names[i] != NULL)
            fprintf(f, " %s=", info->ip_names[i]);
        else
            fputc(',', f);
        fprintf(f, "%d", (int)n->ip[i]);
    }
    for (uint32_t i = 0; i < info->n_fp; i++)
        fprintf(f, " %s=%.9g", info->fp_names[i], (double)n->fp[i]);
}

void mst_graph_print(const mst_graph *g, FILE *f)
{
    fprintf(f, "input t%u ", (unsigned)g->input);
    if (g->input < g->n_tensors)
        print_shape(&g->tensors[g->input], f);
    fprintf(f, "\noutput t%u\n", (unsigned)g->output);
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const mst_node *n = &g->nodes[i];
        const char *fn = fn_name(n);
        fprintf(f, "%4u t%u", (unsigned)i, (unsigned)n->out);
        print_shape(&g->tensors[n->out], f);
        fprintf(f, " = %s%s%s(", mst_op_get(n->op)->name, fn != NULL ? "." : "", fn != NULL ? fn : "");
        for (uint32_t k = 0; k < n->n_in; k++) {
            fputs(k != 0 ? ", " : "", f);
            print_input(g, n->in[k], f);
        }
        fputc(')', f);
        print_params(n, f);
        fprintf(f, "  # %s\n", n->name);
    }
}

static void print_quoted(const char *s, FILE *f)
{
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            fputc('\\', f);
        fputc(*s, f);
    }
}

void mst_graph_print_dot(const mst_graph *g, FILE *f)
{
    fputs("digraph mst {\n  node [shape=box, fontname=\"sans-serif\"];\n", f);
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const mst_node *n = &g->nodes[i];
        const char *fn = fn_name(n);
        fprintf(f, "  t%u [label=\"%s%s%s\\n", (unsigned)n->out, mst_op_get(n->op)->name, fn != NULL ? "." : "",
                fn != NULL ? fn : "");
        print_quoted(n->name, f);
        fputs("\\n", f);
        print_shape(&g->tensors[n->out], f);
        fprintf(f, "\"%s];\n", n->op == MST_OP_NEURON ? ", style=filled, fillcolor=\"#cde7ff\"" : "");
        for (uint32_t k = 0; k < n->n_in; k++)
            if (n->in[k] != MST_NONE && !mst_is_const(g, n->in[k]))
                fprintf(f, "  t%u -> t%u;\n", (unsigned)n->in[k], (unsigned)n->out);
    }
    fputs("}\n", f);
}

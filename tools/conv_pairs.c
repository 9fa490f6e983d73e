/* See conv_pairs.h. */
#include "tools/conv_pairs.h"

#include <string.h>

#include "runtime/core/grow.h"
#include "tools/tool_output.h"
#include "tools/tool_table.h"
#include "tools/tool_term.h"

static const struct {
    const char *name, *what;
} rules[] = {
    {"keep", "analog nodes that round as the model does"},
    {"drop-analog", "nothing: their values go on as they are"},
};

static bool qdq_row(size_t k, const char **cells)
{
    if (k >= sizeof rules / sizeof rules[0])
        return false;
    cells[0] = rules[k].name;
    cells[1] = rules[k].what;
    return true;
}

const mst_list mst_list_qdq = {"qdq", 2, {"rule", "pairs that cannot be neurons become"}, qdq_row};

bool mst_qdq_drops(const char *rule) { return rule != NULL && strcmp(rule, rules[1].name) == 0; }

mst_status mst_pairs_add(void *pairs, const mst_pair *pair, mst_err *err)
{
    mst_pairs *p = pairs;
    if (p->n == p->cap) {
        size_t cap = 2 * p->cap + 16;
        mst_pair *at = mst_arena_grow(&p->arena, p->at, p->n, cap, sizeof *at);
        if (at == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory: listing the model's pairs");
        p->at = at;
        p->cap = cap;
    }
    mst_pair *own = &p->at[p->n++];
    *own = *pair;
    own->name = mst_arena_strdup(&p->arena, pair->name);
    own->type = mst_arena_strdup(&p->arena, pair->type);
    own->reason = mst_arena_strdup(&p->arena, pair->reason);
    return own->name != NULL && own->type != NULL && own->reason != NULL
               ? MST_OK
               : mst_fail(err, MST_ENOMEM, "out of memory: listing the model's pairs");
}

void mst_pairs_free(mst_pairs *p)
{
    mst_arena_release(&p->arena);
    *p = (mst_pairs){0};
}

static size_t count(const mst_pairs *p, mst_pair_fate fate)
{
    size_t n = 0;
    for (size_t k = 0; k < p->n; k++)
        n += p->at[k].fate == fate;
    return n;
}

mst_status mst_pairs_print(const mst_pairs *p, FILE *f, mst_err *err)
{
    static const char *const heads[] = {"pair", "type", ">scale", ">zero", ">levels", "became", "because"};
    mst_table t;
    if (p->n == 0)
        return MST_OK;
    mst_table_begin(&t, sizeof heads / sizeof heads[0], heads);
    for (size_t k = 0; k < p->n; k++) {
        const mst_pair *pair = &p->at[k];
        mst_table_cell(&t, "%s", pair->name);
        mst_table_cell(&t, "%s", pair->type);
        mst_table_cell(&t, "%.4g", pair->scale);
        mst_table_cell(&t, "%d", pair->zero);
        mst_table_cell(&t, "%d..%d", pair->lo, pair->hi);
        mst_table_cell(&t, "%s", mst_pair_fate_name((int)pair->fate));
        mst_table_cell(&t, "%s", pair->reason);
    }
    fprintf(f, "\n");
    MST_TRY(mst_table_end(&t, f, err));
    fprintf(f, "\n%zu pairs of a quantized model:", p->n);
    for (int fate = 0, first = 1; fate < MST_PAIR_FATES; fate++)
        if (count(p, (mst_pair_fate)fate) != 0) {
            fprintf(f, "%s %zu %s", first ? "" : ",", count(p, (mst_pair_fate)fate), mst_pair_fate_name(fate));
            first = 0;
        }
    fprintf(f, "\n");
    return MST_OK;
}

json_t *mst_pairs_json(const mst_pairs *p)
{
    if (p->n == 0)
        return json_null();
    json_t *list = json_array();
    for (size_t k = 0; list != NULL && k < p->n; k++) {
        const mst_pair *pair = &p->at[k];
        mst_json_append(&list, json_pack("{s:o, s:o, s:o, s:i, s:i, s:i, s:s, s:o}", "name", mst_json_text(pair->name),
                                         "type", mst_json_text(pair->type), "scale", mst_json_real(pair->scale), "zero",
                                         pair->zero, "lo", pair->lo, "hi", pair->hi, "became",
                                         mst_pair_fate_name((int)pair->fate), "reason", mst_json_text(pair->reason)));
    }
    return list;
}

void mst_pairs_warn(const mst_pairs *p, const mst_graph *g)
{
    size_t n = count(p, MST_PAIR_ROUNDS);
    if (n != 0 && g->meta.run == MST_RULE_STEP)
        mst_term_warn("mstconv", "%zu pairs of the quantized model round the value of each step in step mode, which "
                                 "is not what the model does; run it with --mode count or radix, or leave "
                                 "them out with --qdq drop-analog\n",
                      n);
}

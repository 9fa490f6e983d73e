/* A tuning for people and for programs. */
#include "tools/calib_tune_report.h"

#include <inttypes.h>
#include <math.h>

#include "tools/tool_output.h"
#include "tools/tool_table.h"

static uint64_t channels(const mst_tuning *t)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < t->n_layers; i++)
        n += t->layers[i].n;
    return n;
}

/* sign: with a plus where it is above 0. */
static void print_figures(mst_table *t, const char *name, const mst_tune_figures *x, bool sign)
{
    mst_table_cell(t, "%s", name);
    if (isnan(x->top1))
        mst_table_real(t, NAN, 2);
    else
        mst_table_cell(t, sign ? "%+.2f +- %.2f" : "%.2f +- %.2f", 100 * x->top1, 100 * x->top1_se);
    mst_table_cell(t, sign ? "%+.4f +- %.4f" : "%.4f +- %.4f", x->logit_rel_l2, x->logit_rel_l2_se);
}

mst_status mst_tune_print(const mst_tune_facts *c, FILE *f, mst_err *err)
{
    static const char *const heads[] = {"", ">top-1 %", ">logit error (rel. L2)"};
    const mst_tune_report *r = c->report;
    mst_table t;
    fprintf(f, "%s against %s on %s: v(0) of %" PRIu64 " channels in %u layers, T = %u, logits of steps %u to %u\n",
            c->model, c->onnx, c->data, channels(c->tuning), c->tuning->n_layers, c->tuning->timesteps,
            c->tuning->readout_from, c->tuning->timesteps);
    fprintf(f, "%zu samples to fit, %zu held out%s%s (drawn by seed %" PRIu64 "); pass %u of %u\n\n", r->fit,
            r->held, c->judge != NULL ? " of " : "", c->judge != NULL ? c->judge : "", c->seed, r->pass,
            r->passes - 1);
    if (r->labelled != 0)
        fprintf(f, "ANN top-1 %.2f %%\n\n", 100 * r->ann_top1);
    mst_table_begin(&t, sizeof heads / sizeof heads[0], heads);
    print_figures(&t, "untuned", &r->untuned, false);
    print_figures(&t, "tuned", &r->tuned, false);
    print_figures(&t, "change", &r->change, true);
    MST_TRY(mst_table_end(&t, f, err));
    fprintf(f, "\nOn the samples held out, +- standard errors (of the change: of pairs).\n");
    return MST_OK;
}

static json_t *json_figures(const mst_tune_figures *x)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "top1_percent", mst_json_real(100 * x->top1),
                     "top1_se_percent", mst_json_real(100 * x->top1_se),
                     "logit_rel_l2", mst_json_real(x->logit_rel_l2), "logit_rel_l2_se",
                     mst_json_real(x->logit_rel_l2_se));
}

mst_status mst_tune_json(const mst_tune_facts *c, const char *path, mst_err *err)
{
    const mst_tune_report *r = c->report;
    json_t *root = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:s, s:i, s:i, s:o, s:o, s:o, s:o, s:b}",
        "onnx", mst_json_text(c->onnx), "model", mst_json_text(c->model), "data", mst_json_text(c->data),
        "held_out_data", c->judge != NULL ? mst_json_text(c->judge) : json_null(), "out",
        r->better ? mst_json_text(c->out) : json_null(), "T", (int)c->tuning->timesteps, "readout_from",
        (int)c->tuning->readout_from, "layers", (int)c->tuning->n_layers, "channels",
        mst_json_whole(channels(c->tuning)), "samples", mst_json_whole(r->fit), "held_out", mst_json_whole(r->held),
        "labelled", mst_json_whole(r->labelled), "seed", mst_json_whole(c->seed), "ann_masks", c->ann_masks, "passes",
        (int)r->passes, "pass", (int)r->pass, "ann_top1_percent", mst_json_real(100 * r->ann_top1), "untuned",
        json_figures(&r->untuned), "tuned", json_figures(&r->tuned), "change", json_figures(&r->change), "better",
        r->better);
    return mst_json_write("mstcalib", root, path, err);
}

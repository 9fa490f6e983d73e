/* See run_journal.h. */
#include "tools/run_journal.h"

#include "tools/tool_hash.h"
#include "tools/tool_mode.h"
#include "tools/tool_model.h"
#include "tools/tool_output.h"

static json_t *hex(uint64_t h)
{
    char text[MST_HASH_DIGITS];
    return json_string(mst_hash_digits(h, text));
}

json_t *mst_run_journal_of(const mst_graph *g, const char *data, uint64_t seed, const mst_sim_opts *o, mst_err *err)
{
    uint64_t network;
    if (mst_model_hash(g, &network, err) != MST_OK)
        return NULL;
    json_t *at = json_array();
    for (size_t k = 0; at != NULL && k < o->at->n; k++)
        mst_json_append(&at, mst_json_whole(o->at->values[k]));
    json_t *layers = json_array();
    for (size_t k = 0; layers != NULL && o->files[MST_SIM_RASTER] != NULL && k < o->raster_layers->n; k++)
        mst_json_append(&layers, mst_json_text(o->raster_layers->values[k]));
    json_t *run = json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:s, s:o, s:b, s:b, s:b, s:o}", "network",
                            hex(network), "data", mst_json_text(data), "samples", mst_json_whole(o->pick->n), "picked",
                            hex(mst_hash(MST_HASH_START, o->pick->at, o->pick->n * sizeof *o->pick->at)), "mode",
                            mst_run_mode_name(o->mode), "T", mst_json_whole(o->steps), "readout_from",
                            mst_json_whole(o->readout_from), "at", at, "thinning", mst_thinning_name((int)o->thinning),
                            "seed", mst_json_whole(seed), "skip_bad", o->skip_bad, "predictions",
                            o->files[MST_SIM_PREDICTIONS] != NULL, "trace", o->files[MST_SIM_TRACE] != NULL, "raster",
                            layers);
    if (run == NULL)
        mst_fail(err, MST_ENOMEM, "out of memory for a journal");
    return run;
}

mst_status mst_run_journal_open(const char *path, const mst_graph *g, const char *data, uint64_t seed,
                                const mst_sim_opts *o, mst_journal **out, mst_err *err)
{
    json_t *run = mst_run_journal_of(g, data, seed, o, err);
    *out = NULL;
    return run != NULL ? mst_journal_open(path, "mstrun", run, out, err) : err->code;
}

json_t *mst_run_state(const mst_run_sums *r)
{
    json_t *s = json_pack("{s:o, s:o}", "done",
                          mst_json_whole(r->outcome.done), "seconds", json_real(r->seconds));
    mst_json_set(&s, "sums", mst_run_sums_json(r));
    mst_json_set(&s, "confusion", mst_confusion_json(&r->confusion));
    mst_json_add(&s, mst_outcome_json(&r->outcome));
    return s;
}

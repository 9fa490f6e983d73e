/* JSON: {"tool", "journal": 2, "run": what must be the same, "states": [{"levels", "done", sums..}]}. */
#include "tools/run_journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/tool_hash.h"
#include "tools/tool_mode.h"
#include "tools/tool_model.h"
#include "tools/tool_outfile.h"
#include "tools/tool_output.h"

#define JOURNAL 2  /* the form of the file */
#define SECONDS 10 /* between two writes */

struct mst_journal {
    const char *path; /* lent */
    json_t *root;
    time_t written;
};

/* ---- what must be the same ---- */

static json_t *hex(uint64_t h)
{
    char text[MST_HASH_DIGITS];
    return json_string(mst_hash_digits(h, text));
}

/* The network by the bytes of its file as it is run: weights, masks, preprocessing. */
static json_t *describe(const mst_graph *g, const char *data, uint64_t seed, const mst_sim_opts *o, mst_err *err)
{
    uint64_t network;
    if (mst_model_hash(g, &network, err) != MST_OK)
        return NULL;
    json_t *at = json_array();
    for (size_t k = 0; at != NULL && k < o->at->n; k++)
        mst_json_append(&at, mst_json_whole(o->at->values[k]));
    json_t *run = json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:s, s:o, s:b}", "network", hex(network), "data",
                            mst_json_text(data), "samples", mst_json_whole(o->pick->n), "picked",
                            hex(mst_hash(MST_HASH_START, o->pick->at, o->pick->n * sizeof *o->pick->at)), "mode",
                            mst_run_mode_name(o->mode), "T", mst_json_whole(o->steps), "readout_from",
                            mst_json_whole(o->readout_from), "at", at, "thinning", mst_thinning_name((int)o->thinning),
                            "seed", mst_json_whole(seed), "skip_bad", o->skip_bad);
    if (run == NULL)
        mst_fail(err, MST_ENOMEM, "out of memory for a journal");
    return run;
}

static mst_status compare(const mst_journal *j, json_t *run, mst_err *err)
{
    json_t *theirs = json_object_get(j->root, "run");
    char what[300];
    if (json_integer_value(json_object_get(j->root, "journal")) != JOURNAL || !json_is_object(theirs) ||
        !json_is_array(json_object_get(j->root, "states")))
        return mst_fail(err, MST_EFORMAT, "--resume %s: expected a journal of mstrun --resume, found other JSON",
                        j->path);
    return mst_json_same(run, theirs, what, sizeof what)
               ? MST_OK
               : mst_fail(err, MST_EINVAL, "--resume %s: it is of another run: %s", j->path, what);
}

static mst_status load(mst_journal *j, json_t *run, mst_err *err)
{
    json_error_t why;
    FILE *f = fopen(j->path, "r");
    if (f == NULL && errno != ENOENT)
        return mst_fail(err, MST_EIO, "--resume %s: %s", j->path, strerror(errno));
    int first = f != NULL ? getc(f) : EOF;
    if (first != EOF) {
        ungetc(first, f);
        j->root = json_loadf(f, JSON_REJECT_DUPLICATES, &why);
        fclose(f);
        return j->root != NULL ? compare(j, run, err)
                               : mst_fail(err, MST_EFORMAT, "--resume %s: line %d: %s", j->path, why.line, why.text);
    }
    if (f != NULL)
        fclose(f);
    j->root = json_pack("{s:s, s:i, s:O, s:[]}", "tool", "mstrun", "journal", JOURNAL, "run", run, "states");
    return j->root != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory for a journal");
}

mst_status mst_journal_open(const char *path, const mst_graph *g, const char *data, uint64_t seed,
                            const mst_sim_opts *o, mst_journal **out, mst_err *err)
{
    mst_journal *j = mst_alloc(NULL, sizeof *j);
    *out = NULL;
    if (j == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for a journal");
    j->path = path;
    j->written = time(NULL);
    json_t *run = describe(g, data, seed, o, err);
    mst_status st = run != NULL ? load(j, run, err) : err->code;
    json_decref(run);
    if (st == MST_OK)
        *out = j;
    else
        mst_journal_close(j);
    return st;
}

void mst_journal_close(mst_journal *j)
{
    if (j == NULL)
        return;
    json_decref(j->root);
    mst_free(NULL, j, sizeof *j);
}

/* ---- sums ---- */

static json_t *state_of(const mst_journal *j, uint32_t levels, size_t *at)
{
    json_t *states = json_object_get(j->root, "states");
    for (*at = 0; *at < json_array_size(states); (*at)++) {
        json_t *s = json_array_get(states, *at);
        if (json_integer_value(json_object_get(s, "levels")) == levels)
            return s;
    }
    return NULL;
}

mst_status mst_journal_take(mst_journal *j, const mst_sim_opts *o, mst_run_sums *r, mst_err *err)
{
    size_t at;
    uint64_t done;
    json_t *s = state_of(j, o->levels, &at);
    if (s == NULL)
        return MST_OK;
    mst_status st = mst_run_sums_add(r, s, err);
    r->seconds = json_real_value(json_object_get(s, "seconds"));
    if (st == MST_OK && (!mst_json_take_whole(json_object_get(s, "done"), &done) || done != r->outcome.done ||
                         done > r->outcome.planned))
        st = mst_fail(err, MST_EFORMAT, "its sums are not whole");
    if (st == MST_OK)
        return MST_OK;
    r->samples = 0; /* nothing to report */
    return mst_fail_in(err, st, "--resume %s: ", j->path);
}

static json_t *state_json(const mst_sim_opts *o, const mst_run_sums *r)
{
    json_t *s = json_pack("{s:o, s:o, s:o}", "levels", mst_json_whole(o->levels), "done",
                          mst_json_whole(r->outcome.done), "seconds", json_real(r->seconds));
    mst_json_set(&s, "sums", mst_run_sums_json(r));
    mst_json_set(&s, "confusion", mst_confusion_json(&r->confusion));
    mst_json_add(&s, mst_outcome_json(&r->outcome));
    return s;
}

static mst_status write_root(const mst_journal *j, mst_err *err)
{
    mst_outfile f;
    MST_TRY(mst_outfile_find(&f, j->path, err));
    mst_status st = mst_outfile_open(&f, err);
    if (st == MST_OK && json_dumpf(j->root, f.f, JSON_INDENT(1)) != 0)
        st = mst_fail(err, MST_EIO, "--resume %s: cannot write: %s", j->path, strerror(errno));
    if (st == MST_OK)
        st = mst_outfile_flush(&f, err);
    if (st == MST_OK)
        st = mst_outfile_place(&f, err);
    mst_outfile_close(&f);
    return st;
}

mst_status mst_journal_keep(mst_journal *j, const mst_sim_opts *o, const mst_run_sums *r, bool now, mst_err *err)
{
    size_t at;
    if (!now && time(NULL) - j->written < SECONDS)
        return MST_OK;
    json_t *states = json_object_get(j->root, "states"), *s = state_json(o, r);
    int bad = s == NULL                             ? -1
              : state_of(j, o->levels, &at) != NULL ? json_array_set_new(states, at, s)
                                                    : json_array_append_new(states, s);
    if (bad != 0)
        return mst_fail(err, MST_ENOMEM, "out of memory for a journal");
    MST_TRY(write_root(j, err));
    j->written = time(NULL);
    return MST_OK;
}

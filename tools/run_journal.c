/* JSON: {"tool", "journal": 1, "run": what must be the same, "states": [{"levels", sums..}]}. */
#include "tools/run_journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/format/snn.h"
#include "tools/tool_mode.h"
#include "tools/tool_outfile.h"
#include "tools/tool_output.h"

#define SECONDS 10 /* between two writes */

struct mst_journal {
    const char *path; /* lent */
    json_t *root;
    time_t written;
};

/* ---- what must be the same ---- */

#define FNV_START 0xcbf29ce484222325u

static uint64_t fnv(uint64_t h, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

static mst_status add_bytes(void *ctx, const void *p, size_t n, mst_err *err)
{
    (void)err;
    uint64_t *h = ctx;
    *h = fnv(*h, p, n);
    return MST_OK;
}

static json_t *hex(uint64_t h)
{
    char text[20];
    snprintf(text, sizeof text, "%016" PRIx64, h);
    return json_string(text);
}

/* The network by the bytes of its file as it is run: weights, masks, preprocessing. */
static json_t *describe(const mst_graph *g, const char *data, uint64_t seed, const mst_sim_opts *o, mst_err *err)
{
    uint64_t network = FNV_START;
    const mst_snn_sink sink = {add_bytes, &network};
    if (mst_snn_encode(g, &sink, err) != MST_OK)
        return NULL;
    json_t *at = json_array();
    for (size_t k = 0; at != NULL && k < o->at->n; k++)
        mst_json_append(&at, mst_json_whole(o->at->values[k]));
    json_t *run = json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:s, s:o, s:b}", "network", hex(network), "data",
                            mst_json_text(data), "samples", mst_json_whole(o->pick->n), "picked",
                            hex(fnv(FNV_START, o->pick->at, o->pick->n * sizeof *o->pick->at)), "mode",
                            mst_run_mode_name(o->mode), "T", mst_json_whole(o->steps), "readout_from",
                            mst_json_whole(o->readout_from), "at", at, "thinning", mst_thinning_name((int)o->thinning),
                            "seed", mst_json_whole(seed), "skip_bad", o->skip_bad);
    if (run == NULL)
        mst_fail(err, MST_ENOMEM, "out of memory for a journal");
    return run;
}

static mst_status compare(const mst_journal *j, json_t *run, mst_err *err)
{
    json_t *theirs = json_object_get(j->root, "run"), *value;
    const char *key;
    if (json_integer_value(json_object_get(j->root, "journal")) != 1 || !json_is_object(theirs) ||
        !json_is_array(json_object_get(j->root, "states")))
        return mst_fail(err, MST_EFORMAT, "--resume %s: expected a journal of mstrun --resume, found other JSON",
                        j->path);
    json_object_foreach(run, key, value)
    {
        json_t *other = json_object_get(theirs, key);
        if (json_equal(value, other))
            continue;
        char *a = json_dumps(other, JSON_ENCODE_ANY), *b = json_dumps(value, JSON_ENCODE_ANY);
        mst_fail(err, MST_EINVAL, "--resume %s: it is of another run: '%s' is %.100s there, %.100s here", j->path, key,
                 a != NULL ? a : "missing", b != NULL ? b : "");
        free(a);
        free(b);
        return MST_EINVAL;
    }
    return MST_OK;
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
    j->root = json_pack("{s:s, s:i, s:O, s:[]}", "tool", "mstrun", "journal", 1, "run", run, "states");
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

/* Sums are whole numbers below 2^63; larger ones cannot be, 2^32 samples or not. */
static bool take_whole(const json_t *from, const char *key, uint64_t *to)
{
    json_t *v = json_object_get(from, key);
    bool ok = json_is_integer(v) && json_integer_value(v) >= 0;
    *to = ok ? (uint64_t)json_integer_value(v) : 0;
    return ok;
}

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

static bool take_counts(const json_t *s, const mst_sim_opts *o, mst_sim_result *r)
{
    uint64_t samples = 0, labelled = 0;
    json_t *right = json_object_get(s, "right"), *layers = json_object_get(s, "layers");
    size_t n = mst_program_layers(o->program);
    bool ok = take_whole(s, "samples", &samples) && take_whole(s, "labelled", &labelled) &&
              take_whole(s, "spikes", &r->sum.spikes) && take_whole(s, "spikes_before", &r->sum.spikes_before) &&
              take_whole(s, "sops", &r->sum.sops) && take_whole(s, "macs", &r->sum.macs) &&
              json_array_size(right) == o->at->n && json_array_size(layers) == n;
    r->samples = (size_t)samples;
    r->labelled = (size_t)labelled;
    r->seconds = json_real_value(json_object_get(s, "seconds"));
    for (size_t k = 0; ok && k < o->at->n; k++)
        r->right[k] = (size_t)json_integer_value(json_array_get(right, k));
    for (size_t k = 0; ok && k < n; k++) {
        json_t *l = json_array_get(layers, k);
        ok = take_whole(l, "fired", &r->layers[k].fired) && take_whole(l, "spikes", &r->layers[k].spikes) &&
             take_whole(l, "ops", &r->layers[k].ops);
    }
    return ok;
}

static mst_status take_outcome(const json_t *s, mst_outcome *out, bool *ok, mst_err *err)
{
    uint64_t done = 0, skipped = 0;
    json_t *seen = json_object_get(s, "seen"), *list = json_object_get(s, "skipped_samples");
    *ok = take_whole(s, "done", &done) && take_whole(s, "skipped", &skipped) && done <= out->planned &&
          skipped <= done &&
          json_is_array(seen) && json_array_size(list) == (skipped < MST_SKIPPED_LISTED ? skipped : MST_SKIPPED_LISTED);
    for (size_t k = 0; *ok && k < json_array_size(seen); k++)
        mst_outcome_took(out, (int)json_integer_value(json_array_get(seen, k)));
    for (size_t k = 0; *ok && k < json_array_size(list); k++) {
        json_t *one = json_array_get(list, k);
        const char *why = json_string_value(json_object_get(one, "reason"));
        uint32_t sample = (uint32_t)json_integer_value(json_object_get(one, "sample"));
        MST_TRY(mst_outcome_skip(out, sample, why != NULL ? why : "", err));
    }
    out->done = (size_t)done;
    out->n_skipped = (size_t)skipped;
    return MST_OK;
}

mst_status mst_journal_take(mst_journal *j, const mst_sim_opts *o, mst_sim_result *r, mst_err *err)
{
    size_t at;
    json_t *s = state_of(j, o->levels, &at);
    if (s == NULL)
        return MST_OK;
    bool ok = take_counts(s, o, r), whole = false;
    if (ok)
        MST_TRY(take_outcome(s, &r->outcome, &whole, err));
    if (ok && whole && r->samples + r->outcome.n_skipped == r->outcome.done)
        return MST_OK;
    r->samples = 0; /* nothing to report */
    return mst_fail(err, MST_EFORMAT, "--resume %s: its sums are not whole", j->path);
}

static json_t *state_json(const mst_sim_opts *o, const mst_sim_result *r)
{
    json_t *right = json_array(), *layers = json_array(), *seen = json_array();
    for (size_t k = 0; right != NULL && k < o->at->n; k++)
        mst_json_append(&right, mst_json_whole(r->right[k]));
    for (size_t k = 0; layers != NULL && k < mst_program_layers(o->program); k++)
        mst_json_append(&layers, json_pack("{s:o, s:o, s:o}", "fired", mst_json_whole(r->layers[k].fired), "spikes",
                                           mst_json_whole(r->layers[k].spikes), "ops",
                                           mst_json_whole(r->layers[k].ops)));
    for (size_t k = 0; seen != NULL && k < r->outcome.classes; k++)
        if (r->outcome.seen[k])
            mst_json_append(&seen, mst_json_whole(k));
    json_t *s = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "levels",
                          mst_json_whole(o->levels), "done", mst_json_whole(r->outcome.done), "samples",
                          mst_json_whole(r->samples), "labelled", mst_json_whole(r->labelled), "right", right, "spikes",
                          mst_json_whole(r->sum.spikes), "spikes_before", mst_json_whole(r->sum.spikes_before), "sops",
                          mst_json_whole(r->sum.sops), "macs", mst_json_whole(r->sum.macs), "layers", layers, "seen",
                          seen,
                          "seconds", json_real(r->seconds));
    json_t *outcome = mst_outcome_json(&r->outcome);
    if (s == NULL || outcome == NULL || json_object_set(s, "skipped", json_object_get(outcome, "skipped")) != 0 ||
        json_object_set(s, "skipped_samples", json_object_get(outcome, "skipped_samples")) != 0) {
        json_decref(s);
        s = NULL;
    }
    json_decref(outcome);
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

mst_status mst_journal_keep(mst_journal *j, const mst_sim_opts *o, const mst_sim_result *r, bool now, mst_err *err)
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

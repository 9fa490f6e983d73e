/* JSON: {"tool", "journal": 2, "run": what must be the same, "states": [{"levels", ..}]}. */
#include "tools/tool_journal.h"

#include <errno.h>
#include <string.h>

#include "mst/alloc.h"
#include "tools/tool_outfile.h"
#include "tools/tool_output.h"

#define JOURNAL 2  /* the form of the file */
#define SECONDS 10 /* between two writes */

struct mst_journal {
    const char *path, *tool; /* lent */
    json_t *root;
    double written; /* mst_json_elapsed then: clocks that are set do not matter */
};

static mst_status compare(const mst_journal *j, json_t *run, mst_err *err)
{
    const char *tool = json_string_value(json_object_get(j->root, "tool"));
    json_t *theirs = json_object_get(j->root, "run");
    char what[300];
    if (json_integer_value(json_object_get(j->root, "journal")) != JOURNAL || !json_is_object(theirs) || tool == NULL ||
        strcmp(tool, j->tool) != 0 || !json_is_array(json_object_get(j->root, "states")))
        return mst_fail(err, MST_EFORMAT, "--resume %s: expected a journal of %s --resume, found other JSON", j->path,
                        j->tool);
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
    j->root = json_pack("{s:s, s:i, s:O, s:[]}", "tool", j->tool, "journal", JOURNAL, "run", run, "states");
    return j->root != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory for a journal");
}

mst_status mst_journal_open(const char *path, const char *tool, json_t *run, mst_journal **out, mst_err *err)
{
    mst_journal *j = run != NULL ? mst_alloc(NULL, sizeof *j) : NULL;
    mst_status st = MST_OK;
    *out = NULL;
    if (j == NULL)
        st = mst_fail(err, MST_ENOMEM, "out of memory for a journal");
    if (st == MST_OK) {
        *j = (mst_journal){.path = path, .tool = tool, .written = mst_json_elapsed()};
        st = load(j, run, err);
    }
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

static json_t *find(const mst_journal *j, uint32_t levels, size_t *at)
{
    json_t *states = json_object_get(j->root, "states");
    for (*at = 0; *at < json_array_size(states); (*at)++) {
        json_t *s = json_array_get(states, *at);
        if (json_integer_value(json_object_get(s, "levels")) == levels)
            return s;
    }
    return NULL;
}

const json_t *mst_journal_state(const mst_journal *j, uint32_t levels)
{
    size_t at;
    return find(j, levels, &at);
}

mst_status mst_journal_wrong(const mst_journal *j, mst_status st, mst_err *err)
{
    return mst_fail_in(err, st, "--resume %s: ", j->path);
}

bool mst_journal_due(const mst_journal *j) { return mst_json_elapsed() - j->written >= SECONDS; }

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

mst_status mst_journal_keep(mst_journal *j, uint32_t levels, json_t *state, mst_err *err)
{
    size_t at;
    json_t *states = json_object_get(j->root, "states");
    mst_json_set(&state, "levels", mst_json_whole(levels));
    int bad = state == NULL                  ? -1
              : find(j, levels, &at) != NULL ? json_array_set_new(states, at, state)
                                             : json_array_append_new(states, state);
    if (bad != 0)
        return mst_fail(err, MST_ENOMEM, "out of memory for a journal");
    MST_TRY(write_root(j, err));
    j->written = mst_json_elapsed();
    return MST_OK;
}

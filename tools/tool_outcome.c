/* See tool_outcome.h. */
#include "tools/tool_outcome.h"

#include "tools/tool_output.h"
#include "tools/tool_term.h"

#define SHOWN 5 /* skipped samples in the text */

mst_status mst_outcome_make(mst_outcome *o, const mst_pick *p, size_t classes, mst_err *err)
{
    *o = (mst_outcome){
        .planned = p->n, .classes = classes, .spread = p->spread, .passed = p->passed, .n_passed = p->n_passed};
    o->skipped = mst_arena_array(&o->arena, MST_SKIPPED_LISTED, sizeof *o->skipped);
    o->seen = mst_arena_array(&o->arena, classes, sizeof *o->seen);
    return o->skipped != NULL && o->seen != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory");
}

void mst_outcome_free(mst_outcome *o)
{
    mst_arena_release(&o->arena);
    *o = (mst_outcome){0};
}

void mst_outcome_saw(mst_outcome *o, int label)
{
    if (label < 0 || (size_t)label >= o->classes || o->seen[label])
        return;
    o->seen[label] = true;
    o->classes_seen++;
}

void mst_outcome_took(mst_outcome *o, int label)
{
    o->done++;
    mst_outcome_saw(o, label);
}

mst_status mst_outcome_skip(mst_outcome *o, uint32_t sample, const char *why, mst_err *err)
{
    if (o->n_skipped < MST_SKIPPED_LISTED) {
        char *kept = mst_arena_strdup(&o->arena, why);
        if (kept == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory");
        o->skipped[o->n_skipped] = (mst_skipped){sample, kept};
    }
    o->n_skipped++;
    o->done++;
    return MST_OK;
}

mst_status mst_outcome_add(mst_outcome *o, const json_t *said, uint64_t taken, mst_err *err)
{
    uint64_t skipped;
    const json_t *list = json_object_get(said, "skipped_samples");
    size_t done = o->done, before = o->n_skipped;
    if (!mst_json_take_whole(json_object_get(said, "skipped"), &skipped) ||
        json_array_size(list) != (skipped < MST_SKIPPED_LISTED ? skipped : MST_SKIPPED_LISTED))
        return mst_fail(err, MST_EFORMAT, "'skipped' and 'skipped_samples' do not go together");
    for (size_t k = 0; k < json_array_size(list); k++) {
        const json_t *one = json_array_get(list, k);
        const char *why = json_string_value(json_object_get(one, "reason"));
        uint64_t sample;
        if (why == NULL || !mst_json_take_whole(json_object_get(one, "sample"), &sample) || sample > UINT32_MAX)
            return mst_fail(err, MST_EFORMAT, "'skipped_samples' is not of numbers and reasons");
        MST_TRY(mst_outcome_skip(o, (uint32_t)sample, why, err));
    }
    o->n_skipped = before + (size_t)skipped; /* more than are listed */
    o->done = done + (size_t)(taken + skipped);
    return MST_OK;
}

bool mst_outcome_may_skip(mst_status why) { return why != MST_ENOMEM; }

bool mst_outcome_partial(const mst_outcome *o) { return o->done != o->planned; }

void mst_outcome_print(const mst_outcome *o, FILE *f)
{
    if (mst_outcome_partial(o))
        fprintf(f, "PARTIAL: the run ended after %zu of %zu samples\n", o->done, o->planned);
    if (o->spread)
        fprintf(f, "samples are spread over the data set, whose labels are in order (--first takes the first)\n");
    if (o->classes_seen != 0 && o->classes_seen != o->classes)
        fprintf(f, "only %zu of %zu classes were seen\n", o->classes_seen, o->classes);
    if (o->n_passed != 0)
        fprintf(f, "%zu file%s passed over that no reader knows%s%s\n", o->n_passed,
                o->n_passed == 1 ? " was" : "s were", o->passed != NULL ? ", as " : "",
                o->passed != NULL ? o->passed : "");
    if (o->n_skipped != 0)
        fprintf(f, "%zu sample%s skipped:\n", o->n_skipped, o->n_skipped == 1 ? " was" : "s were");
    for (size_t i = 0; i < o->n_skipped && i < SHOWN; i++)
        fprintf(f, "  %u: %s\n", o->skipped[i].sample, o->skipped[i].why);
    if (o->n_skipped > SHOWN)
        fprintf(f, "  and %zu more (--json lists them)\n", o->n_skipped - SHOWN);
}

json_t *mst_outcome_json(const mst_outcome *o)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < o->n_skipped && i < MST_SKIPPED_LISTED; i++)
        mst_json_append(&list, json_pack("{s:I, s:o}", "sample", (json_int_t)o->skipped[i].sample, "reason",
                                         mst_json_text(o->skipped[i].why)));
    return json_pack("{s:o, s:b, s:o, s:o, s:b, s:o, s:o, s:o}", "planned", mst_json_whole(o->planned), "partial",
                     mst_outcome_partial(o), "classes", mst_json_whole(o->classes), "classes_seen",
                     mst_json_whole(o->classes_seen), "spread", o->spread, "passed_over", mst_json_whole(o->n_passed),
                     "skipped", mst_json_whole(o->n_skipped), "skipped_samples", list);
}

mst_status mst_outcome_usable(const mst_outcome *o, mst_err *err)
{
    if (o->done != o->n_skipped)
        return MST_OK;
    return mst_fail(err, MST_EFORMAT, "none of %zu samples could be used; the first: %s", o->n_skipped,
                    o->n_skipped != 0 ? o->skipped[0].why : "");
}

void mst_outcome_warn_of_part(const char *tool, const mst_outcome *part)
{
    if (part->n_skipped != 0 && part->done == part->n_skipped)
        mst_term_warn(tool, "none of %zu samples of this part could be used; the first: %s\n",
                      part->n_skipped, part->skipped[0].why);
}

mst_status mst_outcome_stopped(const mst_outcome *o, mst_err *err)
{
    return mst_fail(err, MST_EIO, "interrupted after %zu of %zu samples", o->done, o->planned);
}

/* Options of a program as text (mst/facts.h). Knows the public API only. */
#include <stdio.h>
#include <string.h>

#include "mst/facts.h"

#define MAX_TEXT 512u

const char *mst_run_mode_name(int mode)
{
    switch (mode) {
    case MST_RUN_SPIKING: return mst_run_rule_name(MST_RULE_STEP);
    case MST_RUN_COUNT: return mst_run_rule_name(MST_RULE_COUNT);
    case MST_RUN_RADIX: return mst_run_rule_name(MST_RULE_RADIX);
    case MST_RUN_FLOAT: return "float";
    case MST_RUN_ANN: return "ann";
    default: return NULL;
    }
}

static const char *schedule_name(int schedule)
{
    return schedule == MST_SCHEDULE_STEP ? "step" : schedule == MST_SCHEDULE_BLOCK ? "block"
                                                                                   : NULL;
}

/* name_of: of each number from 0 on, then NULL. */
static mst_status take_name(const char *name, const char *value, const char *(*name_of)(int), int *out, mst_err *err)
{
    char known[120] = "";
    size_t used = 0;
    for (int i = 0; name_of(i) != NULL; i++) {
        if (strcmp(value, name_of(i)) == 0) {
            *out = i;
            return MST_OK;
        }
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i != 0 ? ", " : "", name_of(i));
    }
    return mst_fail(err, MST_EINVAL, "option %s: expected one of %s, found '%s'", name, known, value);
}

static mst_status take_number(const char *name, const char *value, uint64_t max, uint64_t *out, mst_err *err)
{
    bool good = *value != '\0';
    *out = 0;
    for (const char *p = value; good && *p != '\0'; p++)
        good = *p >= '0' && *p <= '9' && !__builtin_mul_overflow(*out, 10, out) &&
               !__builtin_add_overflow(*out, (uint64_t)(*p - '0'), out) && *out <= max;
    return good ? MST_OK
                : mst_fail(err, MST_EINVAL, "option %s: expected a whole number up to %llu, found '%s'", name,
                           (unsigned long long)max, value);
}

static mst_status take_u32(const char *name, const char *value, uint32_t *out, mst_err *err)
{
    uint64_t wide;
    MST_TRY(take_number(name, value, UINT32_MAX, &wide, err));
    *out = (uint32_t)wide;
    return MST_OK;
}

static mst_status take_option(mst_run_opts *o, const char *name, const char *value, mst_err *err)
{
    int i = 0;
    if (strcmp(name, "mode") == 0) {
        MST_TRY(take_name(name, value, mst_run_mode_name, &i, err));
        o->mode = (mst_run_mode)i;
    } else if (strcmp(name, "schedule") == 0) {
        MST_TRY(take_name(name, value, schedule_name, &i, err));
        o->schedule = (mst_schedule)i;
    } else if (strcmp(name, "thinning") == 0) {
        MST_TRY(take_name(name, value, mst_thinning_name, &i, err));
        o->thinning = (mst_thinning)i;
    } else if (strcmp(name, "isa") == 0) {
        o->isa = value;
    } else if (strcmp(name, "backend") == 0) {
        o->backend = value;
    } else if (strcmp(name, "seed") == 0) {
        return take_number(name, value, UINT64_MAX, &o->seed, err);
    } else if (strcmp(name, "threads") == 0) {
        return take_u32(name, value, &o->threads, err);
    } else if (strcmp(name, "block-steps") == 0) {
        return take_u32(name, value, &o->block_steps, err);
    } else if (strcmp(name, "frames") == 0) {
        return take_u32(name, value, &o->frames, err);
    } else if (strcmp(name, "levels") == 0) {
        return take_u32(name, value, &o->levels, err);
    } else if (strcmp(name, "readout-from") == 0) {
        return take_number(name, value, UINT64_MAX, &o->readout_from, err);
    } else {
        return mst_fail(err, MST_EINVAL, "option '%s': expected one of mode, schedule, isa, backend, seed, "
                                         "threads, block-steps, frames, levels, thinning, readout-from",
                        name);
    }
    return MST_OK;
}

/* Words of text, which is changed and lent to o. */
static mst_status take_options(mst_run_opts *o, char *text, mst_err *err)
{
    char *rest = NULL;
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        if (value == NULL)
            return mst_fail(err, MST_EINVAL, "option '%s': expected NAME=VALUE", word);
        *value++ = '\0';
        MST_TRY(take_option(o, word, value, err));
    }
    return MST_OK;
}

mst_status mst_program_create_text(const mst_graph *g, const char *options, mst_program **out, mst_err *err)
{
    mst_run_opts o = {
        .size = sizeof o, .seed = mst_graph_seed(g), .frames = mst_graph_frames(g), .thinning = mst_graph_thinning(g)};
    char text[MAX_TEXT] = "";
    size_t n = options != NULL ? strlen(options) : 0;
    if (n >= sizeof text)
        return mst_fail(err, MST_ELIMIT, "options: %zu bytes, limit is %u", n, MAX_TEXT - 1);
    if (n != 0)
        memcpy(text, options, n);
    MST_TRY(take_options(&o, text, err));
    return mst_program_create(g, &o, out, err);
}

/* Sums over samples as lines of text, and back: one of all, one a point, one a layer and point. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate/calib.h"

#define FIRST 7 /* exact sums of a layer before those of parts */
#define SUMS_OF_A_LAYER (FIRST + 2 * MST_PART_COUNT)

/* All exact sums of a layer, in the order of its line. */
static void sums_of(calib_total *t, mst_exact *out[SUMS_OF_A_LAYER])
{
    mst_exact *const first[] = {&t->mae, &t->mae_sq, &t->bias, &t->within, &t->residual, &t->error_sq, &t->ann_sq};
    memcpy(out, first, sizeof first);
    for (int p = 0; p < MST_PART_COUNT; p++) {
        out[FIRST + p] = &t->part_abs[p];
        out[FIRST + MST_PART_COUNT + p] = &t->part_mean[p];
    }
}

size_t mst_calib_sums_lines(const mst_calib_sums *s) { return 1 + s->n_at + s->n_at * s->n_layers; }

static size_t put_exact(const mst_exact *e, char *out, size_t used)
{
    out[used++] = ' ';
    return used + mst_exact_text(e, out + used, MST_CALIB_LINE - used);
}

void mst_calib_sums_line(const mst_calib_sums *s, size_t i, char *out)
{
    size_t used;
    if (i == 0) {
        used = (size_t)snprintf(out, MST_CALIB_LINE, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, s->samples,
                                s->labelled, s->ann_right, s->stored_right);
        for (unsigned k = 0; k < MST_CALIB_DRAWS; k++)
            used += (size_t)snprintf(out + used, MST_CALIB_LINE - used, " %" PRIu64, s->drawn_right[k]);
        used = put_exact(&s->ann_logit_sq, out, used);
        put_exact(&s->stored_logit_sq, out, used);
    } else if (i <= s->n_at) {
        const calib_point *p = &s->points[i - 1];
        const mst_counters *c = &p->counts;
        used = (size_t)snprintf(out, MST_CALIB_LINE,
                                "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, p->right,
                                p->agree, c->spikes_before, c->spikes, c->sops, c->macs);
        put_exact(&p->logit_sq, out, used);
    } else {
        calib_total *t = &s->totals[i - 1 - s->n_at];
        mst_exact *sums[SUMS_OF_A_LAYER];
        sums_of(t, sums);
        used = (size_t)snprintf(out, MST_CALIB_LINE, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %a", t->fired, t->spikes,
                                t->ops, t->max);
        for (size_t k = 0; k < SUMS_OF_A_LAYER; k++)
            used = put_exact(sums[k], out, used);
    }
}

/* The word at *at, which moves behind it and its blank; NULL: there is none. */
static const char *next_word(const char **at)
{
    const char *word = *at;
    size_t n = strcspn(word, " ");
    *at = word + n + (word[n] == ' ');
    return n != 0 ? word : NULL;
}

static bool take_whole(const char **at, uint64_t *to)
{
    const char *word = next_word(at);
    uint64_t v = 0;
    size_t n = 0;
    for (; word != NULL && word[n] >= '0' && word[n] <= '9' && n < 19; n++)
        v = 10 * v + (uint64_t)(word[n] - '0');
    *to += v;
    return n != 0 && (word[n] == ' ' || word[n] == '\0');
}

static bool take_exact(const char **at, mst_exact *to)
{
    const char *word = next_word(at);
    return word != NULL && mst_exact_add_text(to, word);
}

static bool take_largest(const char **at, double *to)
{
    const char *word = next_word(at);
    char *end = NULL;
    double v = word != NULL ? strtod(word, &end) : 0;
    *to = v > *to ? v : *to;
    return end != NULL && end != word && (*end == ' ' || *end == '\0') && v >= 0;
}

static bool take_layer(calib_total *t, const char **at)
{
    mst_exact *sums[SUMS_OF_A_LAYER];
    sums_of(t, sums);
    bool ok = take_whole(at, &t->fired) && take_whole(at, &t->spikes) && take_whole(at, &t->ops) &&
              take_largest(at, &t->max);
    for (size_t k = 0; ok && k < SUMS_OF_A_LAYER; k++)
        ok = take_exact(at, sums[k]);
    return ok;
}

static bool take_drawn(mst_calib_sums *s, const char **at)
{
    bool ok = true;
    for (unsigned k = 0; ok && k < MST_CALIB_DRAWS; k++)
        ok = take_whole(at, &s->drawn_right[k]) && s->drawn_right[k] <= s->labelled;
    return ok;
}

static bool take_all(mst_calib_sums *s, const char **at)
{
    return take_whole(at, &s->samples) && take_whole(at, &s->labelled) && take_whole(at, &s->ann_right) &&
           take_whole(at, &s->stored_right) && take_drawn(s, at) && take_exact(at, &s->ann_logit_sq) &&
           take_exact(at, &s->stored_logit_sq) && s->labelled <= s->samples && s->ann_right <= s->labelled &&
           s->stored_right <= s->labelled;
}

static bool take_point(calib_point *p, const char **at)
{
    mst_counters *c = &p->counts;
    return take_whole(at, &p->right) && take_whole(at, &p->agree) && take_whole(at, &c->spikes_before) &&
           take_whole(at, &c->spikes) && take_whole(at, &c->sops) && take_whole(at, &c->macs) &&
           take_exact(at, &p->logit_sq);
}

mst_status mst_calib_sums_add(mst_calib_sums *s, size_t i, const char *line, mst_err *err)
{
    bool ok = i < mst_calib_sums_lines(s);
    if (ok)
        ok = i == 0         ? take_all(s, &line)
             : i <= s->n_at ? take_point(&s->points[i - 1], &line)
                            : take_layer(&s->totals[i - 1 - s->n_at], &line);
    return ok && *line == '\0' ? MST_OK : mst_fail(err, MST_EFORMAT, "line %zu of its sums is none", i + 1);
}

/* JSON values, the progress bar. */
#include "tools/tool_output.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/tool_hash.h"
#include "tools/tool_paths.h"

#define BAR_CELLS 30
#define REDRAW 0.1 /* s */

json_t *mst_json_text(const char *s)
{
    s = s != NULL ? s : "";
    json_t *j = json_string(s);
    if (j != NULL)
        return j;
    char *ascii = strdup(s);
    if (ascii == NULL)
        return NULL;
    for (char *p = ascii; *p != '\0'; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    j = json_string(ascii);
    free(ascii);
    return j;
}

json_t *mst_json_real(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

json_t *mst_json_whole(uint64_t v)
{
    return v <= INT64_MAX ? json_integer((json_int_t)v) : json_real((double)v);
}

json_t *mst_json_real_if(bool known, double v) { return known ? mst_json_real(v) : json_null(); }
json_t *mst_json_whole_if(bool known, uint64_t v) { return known ? mst_json_whole(v) : json_null(); }

/* bad: what was to be done to *to was not. */
static void drop_if(bool bad, json_t **to)
{
    if (bad) {
        json_decref(*to);
        *to = NULL;
    }
}

void mst_json_append(json_t **to, json_t *item)
{
    if (*to == NULL)
        json_decref(item);
    else
        drop_if(json_array_append_new(*to, item) != 0, to);
}

void mst_json_set(json_t **to, const char *key, json_t *item)
{
    if (*to == NULL)
        json_decref(item);
    else
        drop_if(json_object_set_new(*to, key, item) != 0, to);
}

void mst_json_add(json_t **to, json_t *item)
{
    if (*to != NULL)
        drop_if(item == NULL || json_object_update_recursive(*to, item) != 0, to);
    json_decref(item);
}

bool mst_json_take_whole(const json_t *v, uint64_t *to)
{
    double real = json_real_value(v); /* 0 of anything else */
    *to = 0;
    if (json_is_integer(v) && json_integer_value(v) >= 0)
        *to = (uint64_t)json_integer_value(v);
    else if (json_is_real(v) && real >= 0)
        *to = real < 0x1p64 ? (uint64_t)real : UINT64_MAX;
    else
        return false;
    return true;
}

bool mst_json_same(const json_t *a, const json_t *b, char *text, size_t n)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)a, key, value)
    {
        json_t *other = json_object_get(b, key);
        if (json_equal(value, other))
            continue;
        char *x = json_dumps(value, JSON_ENCODE_ANY), *y = json_dumps(other, JSON_ENCODE_ANY);
        snprintf(text, n, "'%s' is %.100s here, %.100s there", key, x != NULL ? x : "", y != NULL ? y : "missing");
        free(x);
        free(y);
        return false;
    }
    return true;
}

mst_status mst_json_hash(const json_t *v, uint64_t *hash, mst_err *err)
{
    char *text = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS);
    if (text == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    *hash = mst_hash(mst_hash(MST_HASH_START, text, strlen(text)), MST_VERSION, strlen(MST_VERSION));
    free(text);
    return MST_OK;
}

double mst_json_rounded(double v)
{
    char text[40];
    snprintf(text, sizeof text, "%.*g", MST_JSON_DIGITS, v);
    return strtod(text, NULL);
}

/* ---- files ---- */

static struct {
    int argc;
    char **argv;
    double began;
} command;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void mst_json_command(int argc, char **argv)
{
    command.argc = argc;
    command.argv = argv;
    command.began = now();
}

double mst_json_elapsed(void) { return now() - command.began; }

json_t *mst_json_provenance(void)
{
    char date[32] = "";
    struct tm utc;
    time_t t = time(NULL);
    if (gmtime_r(&t, &utc) != NULL)
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    json_t *words = json_array();
    for (int i = 0; words != NULL && i < command.argc; i++)
        mst_json_append(&words, mst_json_text(command.argv[i]));
    return json_pack("{s:s, s:s, s:o}", "version", MST_VERSION, "date", date, "command", words);
}

mst_status mst_json_write(const char *tool, json_t *items, const char *path, mst_err *err)
{
    json_t *root = json_pack("{s:s, s:i, s:o, s:{s:o}}", "tool", tool, "schema", MST_JSON_SCHEMA, "provenance",
                             mst_json_provenance(), "timing", "wall_seconds", mst_json_real(mst_json_elapsed()));
    mst_json_add(&root, items);
    if (root == NULL)
        return mst_fail(err, MST_ENOMEM, "%s: out of memory for JSON", path);
    FILE *f;
    mst_status st = mst_paths_stream(path, &f, err);
    const size_t form = JSON_INDENT(1) | JSON_REAL_PRECISION(MST_JSON_DIGITS);
    if (st == MST_OK && (json_dumpf(root, f, form) != 0 || fputc('\n', f) == EOF))
        st = mst_cannot_write(path, err);
    json_decref(root);
    return st;
}

/* ---- progress ---- */

void mst_progress_begin(mst_progress *p, const char *what, size_t total, bool quiet)
{
    bool on = !quiet && total != 0 && isatty(STDERR_FILENO);
    *p = (mst_progress){.on = on, .what = what, .total = total, .first = total, .began = now()};
}

/* "12 s", "3 min 20 s", "2 h 05 min" */
static const char *duration(double s, char *out, size_t n)
{
    if (!(s < 1e7))
        snprintf(out, n, "long");
    else if (s < 60)
        snprintf(out, n, "%.0f s", s);
    else if (s < 3600)
        snprintf(out, n, "%d min %02d s", (int)s / 60, (int)s % 60);
    else
        snprintf(out, n, "%d h %02d min", (int)s / 3600, (int)s / 60 % 60);
    return out;
}

void mst_progress_at(mst_progress *p, size_t done)
{
    double t;
    if (!p->on || ((t = now()) - p->drawn < REDRAW && done != p->total))
        return;
    p->drawn = t;
    if (p->first == p->total)
        p->first = done; /* a run that goes on: what was done before took no time of this one */
    char left[32] = "", text[160];
    int cells = (int)((double)done * BAR_CELLS / (double)p->total);
    double rate = done > p->first && t > p->began ? (double)(done - p->first) / (t - p->began) : 0;
    snprintf(text, sizeof text, "%s [%.*s%*s] %zu/%zu", p->what, cells, "##############################",
             BAR_CELLS - cells, "", done, p->total);
    if (rate > 0)
        fprintf(stderr, "\r%s  %.3g/s, %s left\033[K", text, rate,
                duration((double)(p->total - done) / rate, left, sizeof left));
    else
        fprintf(stderr, "\r%s\033[K", text);
    fflush(stderr);
}

void mst_progress_end(mst_progress *p)
{
    if (p->on)
        fprintf(stderr, "\r\033[K");
    p->on = false;
}

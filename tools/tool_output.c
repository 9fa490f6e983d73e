/* JSON values, the progress bar. */
#include "tools/tool_output.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/tool_paths.h"

#define BAR_CELLS 30

json_t *mst_json_text(const char *s)
{
    json_t *j = json_string(s != NULL ? s : "");
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

void mst_json_append(json_t **list, json_t *item)
{
    if (*list == NULL) {
        json_decref(item);
    } else if (json_array_append_new(*list, item) != 0) {
        json_decref(*list);
        *list = NULL;
    }
}

/* The same object with that key before all others; items taken. */
static json_t *signed_by(const char *tool, json_t *items)
{
    json_t *root = items != NULL ? json_pack("{s:s}", "tool", tool) : NULL;
    if (root != NULL && json_object_update(root, items) != 0) {
        json_decref(root);
        root = NULL;
    }
    json_decref(items);
    return root;
}

mst_status mst_json_write(const char *tool, json_t *items, const char *path, mst_err *err)
{
    json_t *root = signed_by(tool, items);
    if (root == NULL)
        return mst_fail(err, MST_ENOMEM, "%s: out of memory for JSON", path);
    FILE *f;
    mst_status st = mst_paths_stream(path, &f, err);
    if (st == MST_OK && (json_dumpf(root, f, JSON_INDENT(1) | JSON_REAL_PRECISION(10)) != 0 || fputc('\n', f) == EOF))
        st = mst_fail(err, MST_EIO, "%s: cannot write: %s", path, strerror(errno));
    json_decref(root);
    return st;
}

void mst_progress_begin(mst_progress *p, const char *what, size_t total, bool quiet)
{
    bool on = !quiet && total != 0 && isatty(STDERR_FILENO);
    *p = (mst_progress){.on = on, .what = what, .total = total, .shown = -1};
}

void mst_progress_at(mst_progress *p, size_t done)
{
    if (!p->on)
        return;
    int mille = (int)(1000.0 * (double)done / (double)p->total);
    if (mille == p->shown)
        return;
    p->shown = mille;
    int cells = mille * BAR_CELLS / 1000;
    fprintf(stderr, "\r%s [%.*s%*s] %zu/%zu", p->what, cells, "##############################",
            BAR_CELLS - cells, "",
            done, p->total);
    fflush(stderr);
}

void mst_progress_end(mst_progress *p)
{
    if (p->on)
        fprintf(stderr, "\r\033[K");
    p->on = false;
}

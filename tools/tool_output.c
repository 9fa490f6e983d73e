/* Files written whole, stdout that must be written, JSON values, the progress bar. */
#include "tools/tool_output.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BAR_CELLS 30

/* The file that path names, and the name of a new one beside it. */
static mst_status find_target(mst_outfile *o, mst_err *err)
{
    char *real = realpath(o->path, NULL); /* NULL: there is none yet */
    int n = snprintf(o->target, sizeof o->target, "%s", real != NULL ? real : o->path);
    free(real);
    if (n >= 0 && (size_t)n < sizeof o->target)
        n = snprintf(o->temporary, sizeof o->temporary, "%s.XXXXXX", o->target);
    if (n < 0 || (size_t)n >= sizeof o->temporary) {
        o->temporary[0] = '\0';
        return mst_fail(err, MST_EINVAL, "%s: path too long", o->path);
    }
    return MST_OK;
}

static const char *why_not(int why)
{
    return why != 0 ? strerror(why) : "an earlier write failed";
}

bool mst_is_stdout(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

/* The number of a closed stream must not go to a file that is opened later: what is printed would land there.
 * Each gets a place that refuses what the stream is for. */
static void hold_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return; /* out of numbers: whatever is opened next says so */
}

int mst_tool_main(const char *name, int (*work)(int, char **), int argc, char **argv)
{
    hold_streams();
    int code = work(argc, argv);
    bool bad = ferror(stdout) != 0;
    errno = 0;
    if (fclose(stdout) != 0)
        bad = true;
    if (code != 0 || !bad)
        return code;
    fprintf(stderr, "%s: error: stdout: cannot write: %s\n", name, why_not(errno));
    return 1;
}

mst_status mst_outfile_open(mst_outfile *o, const char *path, mst_err *err)
{
    *o = (mst_outfile){.path = path};
    if (mst_is_stdout(path)) {
        o->f = stdout;
        return MST_OK;
    }
    struct stat old;
    if (stat(path, &old) == 0 && !S_ISREG(old.st_mode)) {
        o->f = fopen(path, "we");
        return o->f != NULL ? MST_OK : mst_fail(err, MST_EIO, "%s: cannot open: %s", path, strerror(errno));
    }
    MST_TRY(find_target(o, err));
    int fd = mkstemp(o->temporary);
    if (fd < 0) {
        int why = errno;
        o->temporary[0] = '\0';
        return mst_fail(err, MST_EIO, "%s: cannot create: %s", path, strerror(why));
    }
    mode_t mask = umask(0); /* mkstemp makes 0600; a result file has the rights of any other */
    umask(mask);
    if (fchmod(fd, 0666 & ~mask) != 0 || (o->f = fdopen(fd, "w")) == NULL) {
        mst_fail(err, MST_EIO, "%s: cannot create: %s", path, strerror(errno));
        close(fd);
        mst_outfile_discard(o);
        return MST_EIO;
    }
    return MST_OK;
}

mst_status mst_outfile_commit(mst_outfile *o, mst_err *err)
{
    errno = 0; /* of a write that failed before this, nothing is known any more */
    bool bad = fflush(o->f) != 0 || ferror(o->f) || (o->temporary[0] != '\0' && fsync(fileno(o->f)) != 0);
    int why = errno;
    if (o->f != stdout) {
        if (fclose(o->f) != 0 && !bad) {
            bad = true;
            why = errno;
        }
        o->f = NULL;
        if (!bad && o->temporary[0] != '\0' && rename(o->temporary, o->target) != 0) {
            bad = true;
            why = errno;
        }
    }
    if (bad) {
        mst_outfile_discard(o);
        return mst_fail(err, MST_EIO, "%s: cannot write: %s", o->path, why_not(why));
    }
    o->f = NULL;
    o->temporary[0] = '\0';
    return MST_OK;
}

void mst_outfile_discard(mst_outfile *o)
{
    if (o->f != NULL && o->f != stdout)
        fclose(o->f);
    o->f = NULL;
    if (o->temporary[0] != '\0')
        unlink(o->temporary);
    o->temporary[0] = '\0';
}

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

mst_status mst_json_write(json_t *root, const char *path, mst_err *err)
{
    if (root == NULL)
        return mst_fail(err, MST_ENOMEM, "%s: out of memory for JSON", path);
    mst_outfile o;
    mst_status st = mst_outfile_open(&o, path, err);
    if (st == MST_OK) {
        if (json_dumpf(root, o.f, JSON_INDENT(1) | JSON_REAL_PRECISION(10)) != 0 || fputc('\n', o.f) == EOF) {
            st = mst_fail(err, MST_EIO, "%s: cannot write: %s", path, strerror(errno));
            mst_outfile_discard(&o);
        } else {
            st = mst_outfile_commit(&o, err);
        }
    }
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

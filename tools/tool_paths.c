/* A table of inputs and one of outputs; files by device and inode. */
#include "tools/tool_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/report/html_mark.h"
#include "tools/tool_outfile.h"

#define MAX_OUTPUTS 64

#define WHAT 40

typedef struct input {
    char what[WHAT];
    char *text; /* owned */
} input;

typedef struct output {
    char what[WHAT];
    const char *path;
    mst_path_kind kind;
    bool claimed; /* someone else writes it */
    bool used;    /* someone asked where to write */
    mst_outfile file;
} output;

static struct {
    input *in; /* [room] */
    size_t n_in, room;
    bool lost; /* no memory for one */
    bool keep;
    output out[MAX_OUTPUTS];
    volatile sig_atomic_t n_out; /* handlers read it */
} paths;

bool mst_paths_force;

bool mst_is_stdout(const char *path)
{
    static const char *const names[] = {"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"};
    for (size_t i = 0; path != NULL && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(path, names[i]) == 0)
            return true;
    return false;
}

mst_status mst_cannot_write(const char *path, mst_err *err)
{
    return mst_fail(err, MST_EIO, "%s: cannot write: %s", mst_is_stdout(path) ? "stdout" : path, strerror(errno));
}

mst_status mst_paths_input(const char *what, const char *text, mst_err *err)
{
    if (paths.n_in == paths.room) {
        size_t room = 2 * paths.room + 16;
        input *in = realloc(paths.in, room * sizeof *in);
        if (in == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory");
        paths.in = in;
        paths.room = room;
    }
    char *copy = strdup(text);
    if (copy == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    input *in = &paths.in[paths.n_in++];
    snprintf(in->what, sizeof in->what, "%s", what);
    in->text = copy;
    return MST_OK;
}

static mst_status add_output(const char *what, const char *path, mst_path_kind kind, bool claimed, mst_err *err)
{
    if (paths.n_out == MAX_OUTPUTS)
        return mst_fail(err, MST_EINVAL, "%s: more than %d files to write", what, MAX_OUTPUTS);
    output *o = &paths.out[paths.n_out];
    *o = (output){.path = path, .kind = kind, .claimed = claimed};
    snprintf(o->what, sizeof o->what, "%s", what);
    paths.n_out++;
    return MST_OK;
}

void mst_paths_also(void *ctx, const char *path)
{
    (void)ctx;
    if (mst_paths_input("", path, NULL) != MST_OK)
        paths.lost = true;
}

mst_status mst_paths_output(const char *what, const char *path, mst_path_kind kind, mst_err *err)
{
    return add_output(what, path, kind, false, err);
}

mst_status mst_paths_claim(const char *what, const char *path, mst_err *err)
{
    return add_output(what, path, MST_PATH_MODEL, true, err);
}

/* ---- comparing ---- */

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Does the file at o's end exist, so that writing it might take something from someone? Devices lose nothing. */
static bool is_there(const output *o)
{
    return o->file.was.st_nlink != 0 && !S_ISCHR(o->file.was.st_mode);
}

/* Is `folder`, or one above it, the one of st? */
static bool lies_below(int folder, const struct stat *st)
{
    struct stat here, before = {0};
    int at = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool found = false;
    while (at >= 0 && fstat(at, &here) == 0 && !(found = same_file(&here, st)) && !same_file(&here, &before)) {
        before = here; /* the root is its own parent */
        int up = openat(at, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(at);
        at = up;
    }
    if (at >= 0)
        close(at);
    return found;
}

/* Is o what was read from st, or in a folder that is? Results of earlier runs may lie there. */
static bool takes_from(const output *o, const struct stat *st, bool ours)
{
    if (!is_there(o))
        return false;
    return same_file(&o->file.was, st) || (S_ISDIR(st->st_mode) && !ours && lies_below(o->file.folder, st));
}

/* What text may name: itself, what stands behind its first colon, and both parts of each before and behind the last
 * comma. Returns how many, in `parts`, cut out of `room` (of PATH_MAX * 2 bytes). */
static size_t split(const char *text, char *room, const char *parts[6])
{
    size_t n = 0;
    const char *colon = strchr(text, ':');
    for (const char *at = text; at != NULL; at = at == text && colon != NULL ? colon + 1 : NULL) {
        const char *comma = strrchr(at, ',');
        parts[n++] = at;
        if (comma == NULL || strlen(at) >= PATH_MAX)
            continue;
        char *cut = room + (at != text ? PATH_MAX : 0);
        memcpy(cut, at, (size_t)(comma - at));
        cut[comma - at] = '\0';
        parts[n++] = cut;
        parts[n++] = comma + 1;
    }
    return n;
}

static mst_status against_inputs(const output *o, bool ours, mst_err *err)
{
    static char room[2 * PATH_MAX];
    for (size_t i = 0; i < paths.n_in; i++) {
        const char *parts[6];
        size_t n = split(paths.in[i].text, room, parts);
        struct stat st;
        for (size_t k = 0; k < n; k++)
            if (stat(parts[k], &st) == 0 && takes_from(o, &st, ours))
                return mst_fail(err, MST_EINVAL, "%s %s: it would replace %s%s, which is read", o->what, o->path,
                                paths.in[i].what, parts[k]);
    }
    return MST_OK;
}

static mst_status against_outputs(const output *o, mst_err *err)
{
    for (const output *p = paths.out; p < o; p++) {
        bool place = same_file(&p->file.folder_is, &o->file.folder_is) && strcmp(p->file.name, o->file.name) == 0 &&
                     !S_ISCHR(o->file.was.st_mode);
        if (!mst_is_stdout(p->path) && (place || (is_there(o) && is_there(p) && same_file(&p->file.was, &o->file.was))))
            return mst_fail(err, MST_EINVAL, "%s and %s: expected two files, found %s twice", p->what, o->what,
                            o->path);
    }
    return MST_OK;
}

static mst_status against_streams(const output *o, mst_err *err)
{
    struct stat st;
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
        if (is_there(o) && fstat(fd, &st) == 0 && same_file(&st, &o->file.was))
            return mst_fail(err, MST_EINVAL, "%s %s: %s goes there, too", o->what, o->path,
                            fd == STDOUT_FILENO ? "stdout" : "stderr");
    return MST_OK;
}

/* Results printed behind the end of what is read. */
static mst_status check_stdout(mst_err *err)
{
    static char room[2 * PATH_MAX];
    struct stat out, st;
    const output *first = NULL;
    for (const output *o = paths.out; o < paths.out + paths.n_out; o++)
        if (mst_is_stdout(o->path)) {
            if (first != NULL)
                return mst_fail(err, MST_EINVAL, "%s and %s: expected one of them on stdout, found both", first->what,
                                o->what);
            first = o;
        }
    if (fstat(STDOUT_FILENO, &out) != 0 || !S_ISREG(out.st_mode))
        return MST_OK;
    for (size_t i = 0; i < paths.n_in; i++) {
        const char *parts[6];
        size_t n = split(paths.in[i].text, room, parts);
        for (size_t k = 0; k < n; k++)
            if (stat(parts[k], &st) == 0 && same_file(&st, &out))
                return mst_fail(err, MST_EINVAL, "stdout: it goes to %s%s, which is read", paths.in[i].what, parts[k]);
    }
    return MST_OK;
}

/* How files of a kind begin. */
#define BYTES(text) sizeof(text) - 1, text
static const struct {
    size_t at, n;
    const char *bytes, *name;
} marks[] = {
    [MST_PATH_MODEL] = {0, BYTES("\x89MST\r\n\x1a\n"), "a model"},
    [MST_PATH_JSON] = {0, BYTES("{\n \"tool\": \"mst"), "JSON"},
    [MST_PATH_TRACE] = {0, BYTES("sample,step,layer,name,fired,spikes\n"), "a trace"},
    [MST_PATH_PICTURE] = {37, BYTES("tEXtSoftware\0mst"), "a picture"},
    [MST_PATH_PREDICTIONS] = {0, BYTES("sample,label,t,class,"), "predictions"},
    [MST_PATH_ARRAYS] = {30, BYTES("mstrun.npy"), "arrays"}, /* the first name in a zip */
    [MST_PATH_PAGE] = {0, BYTES(MST_HTML_MARK), "a report"},
    [MST_PATH_POLICY] = {0, BYTES(MST_POLICY_MARK), "a policy"},
};
#undef BYTES

static bool has_mark(mst_path_kind kind, const char *head, size_t n)
{
    return n >= marks[kind].at + marks[kind].n && memcmp(head + marks[kind].at, marks[kind].bytes, marks[kind].n) == 0;
}

/* Would we have written what is there? An empty file is no one's. */
static bool is_ours(const output *o)
{
    char head[64] = "";
    if (o->file.was.st_nlink == 0 || !S_ISREG(o->file.was.st_mode) || o->file.was.st_size == 0)
        return true;
    int fd = openat(o->file.folder, o->file.name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd >= 0 ? read(fd, head, sizeof head) : -1;
    if (fd >= 0)
        close(fd);
    return n > 0 && (has_mark(o->kind, head, (size_t)n) ||
                     (o->kind == MST_PATH_PREDICTIONS && has_mark(MST_PATH_ARRAYS, head, (size_t)n)));
}

static mst_status check(output *o, mst_err *err)
{
    if (mst_is_stdout(o->path))
        return MST_OK;
    if (o->file.path == NULL)
        MST_TRY(mst_outfile_find(&o->file, o->path, err));
    bool ours = !o->claimed && is_ours(o);
    MST_TRY(against_inputs(o, ours, err));
    MST_TRY(against_outputs(o, err));
    MST_TRY(against_streams(o, err));
    if (!ours && !o->claimed && !mst_paths_force)
        return mst_fail(err, MST_EINVAL,
                        "%s %s: expected a new file or %s that this tool wrote, found another; --force replaces it",
                        o->what, o->path, marks[o->kind].name);
    return MST_OK;
}

mst_status mst_paths_check(mst_err *err)
{
    MST_TRY(check_stdout(err));
    for (output *o = paths.out; o < paths.out + paths.n_out; o++)
        MST_TRY(check(o, err));
    return MST_OK;
}

/* ---- writing ---- */

mst_status mst_paths_open(mst_err *err)
{
    for (output *o = paths.out; o < paths.out + paths.n_out; o++)
        if (!o->claimed && !mst_is_stdout(o->path))
            MST_TRY(mst_outfile_open(&o->file, err));
    return MST_OK;
}

mst_status mst_paths_stream(const char *path, FILE **f, mst_err *err)
{
    if (mst_is_stdout(path)) {
        *f = stdout;
        return MST_OK;
    }
    for (output *o = paths.out; o < paths.out + paths.n_out; o++)
        if (strcmp(o->path, path) == 0 && o->file.f != NULL) {
            o->used = true;
            *f = o->file.f;
            return MST_OK;
        }
    return mst_fail(err, MST_EINVAL, "%s: not an output of this run", path);
}

void mst_paths_spoil(const char *path)
{
    for (output *o = paths.out; o < paths.out + paths.n_out && path != NULL; o++)
        if (strcmp(o->path, path) == 0)
            o->used = false;
}

static mst_status flush_stdout(mst_err *err)
{
    bool earlier = ferror(stdout) != 0;
    errno = 0;
    if (fflush(stdout) != 0 && errno != 0)
        return mst_cannot_write("-", err);
    return earlier ? mst_fail(err, MST_EIO, "stdout: cannot write: an earlier write failed") : MST_OK;
}

/* From the first rename to the last there is no way out but to the end. */
static mst_status place_all(mst_err *err)
{
    sigset_t all, before;
    mst_status st = MST_OK;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    output *o = paths.out, *end = paths.out + paths.n_out;
    for (; o < end && st == MST_OK; o++)
        if (o->used)
            st = mst_outfile_place(&o->file, err);
    while (st != MST_OK && o-- > paths.out)
        mst_outfile_undo(&o->file);
    for (o = paths.out; o < end; o++)
        mst_outfile_sweep(&o->file);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return st;
}

mst_status mst_paths_commit(mst_err *err)
{
    if (paths.lost)
        return mst_fail(err, MST_ENOMEM, "out of memory for the names of files that were read");
    for (const output *o = paths.out; o < paths.out + paths.n_out; o++)
        if (!mst_is_stdout(o->path) && o->file.path != NULL)
            MST_TRY(against_inputs(o, !o->claimed && is_ours(o), err));
    MST_TRY(flush_stdout(err));
    for (output *o = paths.out; o < paths.out + paths.n_out; o++)
        if (o->used)
            MST_TRY(mst_outfile_flush(&o->file, err));
    return place_all(err);
}

void mst_paths_keep(void) { paths.keep = true; }
bool mst_paths_kept(void) { return paths.keep; }

void mst_paths_sweep(void)
{
    for (output *o = paths.out; o < paths.out + paths.n_out; o++)
        mst_outfile_sweep(&o->file);
}

void mst_paths_discard(void)
{
    for (output *o = paths.out; o < paths.out + paths.n_out; o++)
        mst_outfile_close(&o->file);
    for (size_t i = 0; i < paths.n_in; i++)
        free(paths.in[i].text);
    free(paths.in);
    paths.in = NULL;
    paths.n_in = paths.room = 0;
    paths.n_out = 0;
}

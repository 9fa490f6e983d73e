/* Links followed by hand, so that all that is done is done in one open folder. */
#include "tools/tool_outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define MAX_LINKS 40
#define SLOTS 16 /* names of temporary files, so writers of one path at once */
#define SUFFIX ".mst-tmp"
#define SUFFIX_ROOM 11 /* it, and two digits */

static mst_status failed(const mst_outfile *o, const char *what, int why, mst_err *err)
{
    return mst_fail(err, MST_EIO, "%s: cannot %s: %s", o->path, what, strerror(why));
}

/* The folder of path, as seen from folder `from`, and the name in it; 0 or what is wrong. Closes `from`. */
static int enter(mst_outfile *o, int from, const char *path)
{
    char dir[4096] = ".";
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    size_t n = slash != NULL ? (size_t)(slash - path) : 0;
    int why = 0;
    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        why = path[0] == '\0' ? ENOENT : EISDIR;
    else if (strlen(name) >= sizeof o->name || n >= sizeof dir)
        why = ENAMETOOLONG;
    if (why == 0) {
        if (slash != NULL)
            snprintf(dir, sizeof dir, "%.*s", n != 0 ? (int)n : 1, path);
        snprintf(o->name, sizeof o->name, "%s", name);
        o->folder = openat(from, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        why = o->folder < 0 ? errno : 0;
    }
    if (from >= 0)
        close(from);
    return why;
}

mst_status mst_outfile_find(mst_outfile *o, const char *path, mst_err *err)
{
    struct stat end;
    *o = (mst_outfile){.path = path, .folder = -1};
    int why = enter(o, AT_FDCWD, path);
    /* what is no file is opened by this name: /dev/fd/3 is a link that leads nowhere */
    bool follow = stat(path, &end) != 0 || S_ISREG(end.st_mode);
    for (int links = 0; why == 0 && follow; links++) {
        char target[4096];
        ssize_t n = readlinkat(o->folder, o->name, target, sizeof target - 1);
        if (n < 0)
            break; /* no link, or nothing at all */
        target[n] = '\0';
        int from = o->folder;
        o->folder = -1;
        if (links == MAX_LINKS) {
            close(from);
            why = ELOOP;
        } else {
            why = enter(o, from, target);
        }
    }
    if (why == 0 && fstat(o->folder, &o->folder_is) != 0)
        why = errno;
    if (why == 0 && fstatat(o->folder, o->name, &o->was, 0) != 0) {
        o->was.st_nlink = 0;
        why = errno != ENOENT ? errno : 0;
    }
    if (why == 0)
        return MST_OK;
    mst_outfile_close(o);
    return failed(o, "open", why, err);
}

static mst_status open_direct(mst_outfile *o, mst_err *err)
{
    int fd = openat(o->folder, o->name, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return failed(o, "open", errno, err);
    o->f = fdopen(fd, "w");
    if (o->f == NULL) {
        int why = errno;
        close(fd);
        return failed(o, "open", why, err);
    }
    o->state = MST_OUTFILE_DIRECT;
    return MST_OK;
}

static void name_slot(mst_outfile *o, int slot)
{
    snprintf(o->temporary, sizeof o->temporary, "%.*s" SUFFIX "%u", (int)(sizeof o->temporary - 1 - SUFFIX_ROOM),
             o->name, (unsigned)slot % SLOTS);
}

/* Remove the file of a slot if it is our user's, and no one holds its lock. */
static void sweep_slot(mst_outfile *o, int slot)
{
    struct stat st;
    name_slot(o, slot);
    int fd = openat(o->folder, o->temporary, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(o->folder, o->temporary, 0);
    close(fd);
}

/* A new file, locked; -1 with errno: EEXIST where another has the slot. */
static int open_slot(mst_outfile *o, int slot)
{
    struct stat st;
    name_slot(o, slot);
    int fd = openat(o->folder, o->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0)
        return -1;
    /* a sweeper may have come between: then it is its, and soon gone. Where nothing can be locked, nothing is swept */
    bool ours = flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
    int why = ours && fstat(fd, &st) != 0 ? errno : 0;
    ours = ours && (why != 0 || st.st_nlink != 0);
    if (ours && why == 0 && o->was.st_nlink != 0 && fchmod(fd, o->was.st_mode & 0777) != 0)
        why = errno != EPERM ? errno : 0; /* a file system without rights */
    if (ours && why == 0)
        return fd;
    if (ours)
        unlinkat(o->folder, o->temporary, 0);
    close(fd);
    errno = ours ? why : EEXIST;
    return -1;
}

/* Make the file and say so in one: a signal between the two would leave it. Its descriptor, or -1 and errno. */
static int make_temporary(mst_outfile *o)
{
    sigset_t all, before;
    int fd = -1;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    errno = EEXIST;
    for (int slot = 0; slot < SLOTS && fd < 0 && errno == EEXIST; slot++)
        fd = open_slot(o, slot);
    int why = errno;
    if (fd >= 0)
        o->state = MST_OUTFILE_WRITING;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = why;
    return fd;
}

static mst_status open_temporary(mst_outfile *o, mst_err *err)
{
    if (o->was.st_nlink != 0 && faccessat(o->folder, o->name, W_OK, AT_EACCESS) != 0)
        return failed(o, "write", errno, err);
    for (int slot = 0; slot < SLOTS; slot++)
        sweep_slot(o, slot);
    int fd = make_temporary(o);
    if (fd < 0 && errno == EEXIST)
        return mst_fail(err, MST_EIO, "%s: cannot create: %d others are writing it, or left %s in its folder", o->path,
                        SLOTS, o->temporary);
    if (fd < 0)
        return failed(o, "create", errno, err);
    o->f = fdopen(fd, "w");
    if (o->f != NULL)
        return MST_OK;
    int why = errno;
    close(fd);
    mst_outfile_sweep(o);
    return failed(o, "create", why, err);
}

mst_status mst_outfile_open(mst_outfile *o, mst_err *err)
{
    mode_t kind = o->was.st_mode & S_IFMT;
    if (o->was.st_nlink == 0 || kind == S_IFREG)
        return open_temporary(o, err);
    if (kind == S_IFCHR || kind == S_IFIFO)
        return open_direct(o, err);
    return mst_fail(err, MST_EIO, "%s: cannot write: it is %s", o->path,
                    kind == S_IFDIR ? "a folder" : kind == S_IFBLK ? "a block device"
                                                                   : "a socket");
}

mst_status mst_outfile_flush(mst_outfile *o, mst_err *err)
{
    bool earlier = ferror(o->f) != 0; /* of a write that failed before this nothing is known any more */
    errno = 0;
    bool bad = fflush(o->f) != 0 || (o->state == MST_OUTFILE_WRITING && fsync(fileno(o->f)) != 0);
    int why = errno;
    if (o->state == MST_OUTFILE_DIRECT) {
        if (fclose(o->f) != 0 && !bad) {
            bad = true;
            why = errno;
        }
        o->f = NULL;
        o->state = MST_OUTFILE_NONE;
    }
    if (bad && why != 0)
        return failed(o, "write", why, err);
    return earlier || bad ? mst_fail(err, MST_EIO, "%s: cannot write: an earlier write failed", o->path) : MST_OK;
}

/* 0, or errno: EINVAL and the like where the file system knows no flags. */
static int rename_by(const mst_outfile *o, unsigned flags)
{
    return renameat2(o->folder, o->temporary, o->folder, o->name, flags) == 0 ? 0 : errno;
}

mst_status mst_outfile_place(mst_outfile *o, mst_err *err)
{
    if (o->state != MST_OUTFILE_WRITING)
        return MST_OK;
    int why = rename_by(o, RENAME_EXCHANGE);
    mst_outfile_state then = MST_OUTFILE_SWAPPED;
    if (why == ENOENT) {
        then = MST_OUTFILE_MADE;
        why = rename_by(o, RENAME_NOREPLACE);
    }
    if (why == EINVAL || why == ENOSYS || why == EOPNOTSUPP) {
        then = o->was.st_nlink != 0 ? MST_OUTFILE_REPLACED : MST_OUTFILE_MADE;
        why = rename_by(o, 0);
    }
    if (why != 0)
        return failed(o, "write", why, err);
    o->state = then;
    (void)fsync(o->folder); /* some file systems cannot; the file itself is safe there */
    return MST_OK;
}

void mst_outfile_undo(mst_outfile *o)
{
    if (o->state == MST_OUTFILE_SWAPPED && rename_by(o, RENAME_EXCHANGE) == 0)
        o->state = MST_OUTFILE_WRITING;
    else if (o->state == MST_OUTFILE_MADE && unlinkat(o->folder, o->name, 0) == 0)
        o->state = MST_OUTFILE_NONE;
}

void mst_outfile_sweep(mst_outfile *o)
{
    if (o->state == MST_OUTFILE_WRITING || o->state == MST_OUTFILE_SWAPPED)
        unlinkat(o->folder, o->temporary, 0);
    o->state = MST_OUTFILE_NONE;
}

void mst_outfile_close(mst_outfile *o)
{
    mst_outfile_sweep(o);
    if (o->f != NULL)
        fclose(o->f);
    o->f = NULL;
    if (o->path != NULL && o->folder >= 0)
        close(o->folder);
    o->folder = -1;
}

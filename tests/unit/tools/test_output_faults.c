/* Result files on a disk that fails or is full: a failure is reported, and what was there before stays. */
#include <check.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/support/faulty_io.h"
#include "tests/support/run_tests.h"
#include "tools/tool_output.h"
#include "tools/tool_paths.h"

static char folder[] = "/tmp/mst-out-XXXXXX", path[64];
static mst_err err;

static void put_old(void)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs("old", f);
    fclose(f);
}

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/f", folder);
    put_old();
    memset(&io, 0, sizeof io);
}

static void teardown(void)
{
    remove_all(folder);
    rmdir(folder);
}

static const char *on_disk(void)
{
    static char found[16];
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    size_t n = fread(found, 1, sizeof found - 1, f);
    found[n] = '\0';
    fclose(f);
    return found;
}

/* An output of the run, opened; what is written to it is to be committed. */
static FILE *open_output(const char *at)
{
    FILE *f;
    mst_paths_force = true; /* "old" is no JSON */
    ck_assert_msg(mst_paths_output("--json", at, MST_PATH_JSON, &err) == MST_OK && mst_paths_check(&err) == MST_OK &&
                      mst_paths_open(&err) == MST_OK && mst_paths_stream(at, &f, &err) == MST_OK,
                  "%s", err.text);
    return f;
}

static mst_status commit(void)
{
    io.on = 1;
    mst_status st = mst_paths_commit(&err);
    io.on = 0;
    mst_paths_discard();
    return st;
}

static void assert_refused(int why)
{
    ck_assert_int_eq(commit(), MST_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    if (why != 0)
        ck_assert_msg(strstr(err.text, strerror(why)) != NULL, "%s", err.text);
    ck_assert_str_eq(on_disk(), "old");
    ck_assert_uint_eq(remove_all(folder), 1); /* no temporary file is left */
}

START_TEST(order)
{
    fputs("new", open_output(path));
    ck_assert_int_eq(commit(), MST_OK);
    ck_assert_ptr_nonnull(strstr(io.log, "fr")); /* on disk before it takes the place of the old one */
    ck_assert_str_eq(on_disk(), "new");
    ck_assert_uint_eq(remove_all(folder), 1);
}
END_TEST

START_TEST(fsync_or_rename_fails)
{
    io.fail_kind = "fr"[_i];
    io.fail_nth = 1;
    io.fail_errno = _i == 0 ? EIO : EACCES;
    fputs("new", open_output(path));
    assert_refused(io.fail_errno);
    ck_assert_int_eq(strchr(io.log, 'r') != NULL, _i == 1);
}
END_TEST

/* Of two outputs the second cannot be renamed: the first is what it was, or is not there. */
START_TEST(second_rename_fails)
{
    char first[80];
    snprintf(first, sizeof first, "%s/a", folder);
    for (int there = 0; there < 2; there++) {
        FILE *a = there ? fopen(first, "w") : NULL;
        if (there && (fputs("older", a) < 0 || fclose(a) != 0))
            ck_abort();
        memset(&io, 0, sizeof io);
        io.fail_kind = 'r';
        io.fail_nth = there ? 2 : 3; /* no exchange with what is not there: two calls */
        io.once = 1;                 /* what is put back is put back */
        io.fail_errno = EACCES;
        FILE *f, *g;
        mst_paths_force = true;
        ck_assert(mst_paths_output("-a", first, MST_PATH_JSON, &err) == MST_OK &&
                  mst_paths_output("-b", path, MST_PATH_JSON, &err) == MST_OK && mst_paths_check(&err) == MST_OK &&
                  mst_paths_open(&err) == MST_OK && mst_paths_stream(first, &f, &err) == MST_OK &&
                  mst_paths_stream(path, &g, &err) == MST_OK);
        fputs("new", f);
        fputs("new", g);
        ck_assert_int_eq(commit(), MST_EIO);
        ck_assert_str_eq(on_disk(), "old");
        ck_assert_int_eq(access(first, F_OK) == 0, there);
        if (there) {
            char found[16] = "";
            ck_assert_ptr_nonnull(fgets(found, sizeof found, a = fopen(first, "r")));
            fclose(a);
            ck_assert_str_eq(found, "older");
        }
    }
    ck_assert_uint_eq(remove_all(folder), 2);
}
END_TEST

/* A disk of that many bytes: 0, the text fits stdio's buffer, so that the flush fails; else a write before it. */
START_TEST(disk_full)
{
    struct rlimit limit = {_i == 0 ? 0 : 10000, RLIM_INFINITY};
    FILE *f = open_output(path);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int i = 0; i < (_i == 0 ? 1 : 100000); i++)
        fputc('x', f);
    if (_i == 1) { /* what is left fits: only the mark of the stream says that something is missing */
        fflush(f);
        limit.rlim_cur = RLIM_INFINITY;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        fflush(f);
        ck_assert(ferror(f));
    }
    assert_refused(_i == 0 ? EFBIG : 0);
}
END_TEST

/* The number goes from under the stream, after what was written is flushed. */
START_TEST(descriptor_gone)
{
    FILE *f = open_output(path);
    fputs("new", f);
    fflush(f);
    close(fileno(f));
    assert_refused(EBADF);
}
END_TEST

/* The rights of any new file, whatever those of a temporary one are; an old file's stay. */
START_TEST(rights)
{
    struct stat st;
    umask(027);
    ck_assert_int_eq(chmod(path, 0604), 0);
    open_output(path);
    ck_assert_int_eq(commit(), MST_OK);
    ck_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0604);
    unlink(path);
    open_output(path);
    ck_assert_int_eq(commit(), MST_OK);
    ck_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640);
}
END_TEST

START_TEST(killed_in_commit)
{
    for (unsigned at = 1; at <= 2; at++) { /* fsync, rename */
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            io.kill_at = at;
            fputs("new", open_output(path));
            _exit(commit() != MST_OK);
        }
        int how;
        ck_assert_int_eq(waitpid(child, &how, 0), child);
        ck_assert(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
        ck_assert_str_eq(on_disk(), "old");
    }
    open_output(path); /* sweeps what the killed ones left */
    mst_paths_discard();
    ck_assert_uint_eq(remove_all(folder), 1);
}
END_TEST

/* What another writes just now stays; a link that has a temporary file's name is no file of ours. */
START_TEST(others_are_left_alone)
{
    char one[80], two[80];
    snprintf(one, sizeof one, "%s.mst-tmp0", path);
    snprintf(two, sizeof two, "%s.mst-tmp1", path);
    int fd = open(one, O_CREAT | O_RDWR, 0666);
    ck_assert(fd >= 0 && flock(fd, LOCK_EX) == 0 && symlink("f", two) == 0);
    fputs("new", open_output(path));
    ck_assert_int_eq(commit(), MST_OK);
    ck_assert_str_eq(on_disk(), "new");
    ck_assert(access(one, F_OK) == 0 && access(two, F_OK) == 0);
    close(fd);
}
END_TEST

START_TEST(json)
{
    open_output("/dev/full");
    ck_assert_int_eq(mst_json_write("mst", json_object(), "/dev/full", &err), MST_OK);
    ck_assert_int_eq(commit(), MST_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, strerror(ENOSPC)));
    ck_assert_int_eq(mst_json_write("mst", json_object(), path, &err), MST_EINVAL); /* no output of this run */
    ck_assert_int_eq(mst_json_write("mst", NULL, path, &err), MST_ENOMEM);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("output faults");
    TCase *t = tcase_create("output");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, order);
    tcase_add_loop_test(t, fsync_or_rename_fails, 0, 2);
    tcase_add_test(t, second_rename_fails);
    tcase_add_test(t, others_are_left_alone);
    tcase_add_loop_test(t, disk_full, 0, 2);
    tcase_add_test(t, descriptor_gone);
    tcase_add_test(t, rights);
    tcase_add_test(t, killed_in_commit);
    tcase_add_test(t, json);
    suite_add_tcase(s, t);
    return run_tests(s);
}

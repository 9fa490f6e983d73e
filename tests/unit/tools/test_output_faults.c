/* Result files on a disk that fails or is full: a failure is reported, and what was there before stays. */
#include <check.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/support/faulty_io.h"
#include "tests/support/run_tests.h"
#include "tools/tool_output.h"

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

static void assert_refused(mst_outfile *o, int why)
{
    io.on = 1;
    mst_status st = mst_outfile_commit(o, &err);
    io.on = 0;
    ck_assert_int_eq(st, MST_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    if (why != 0)
        ck_assert_msg(strstr(err.text, strerror(why)) != NULL, "%s", err.text);
    ck_assert_str_eq(on_disk(), "old");
    ck_assert_uint_eq(remove_all(folder), 1); /* no temporary file is left */
}

START_TEST(order)
{
    mst_outfile o;
    ck_assert_int_eq(mst_outfile_open(&o, path, &err), MST_OK);
    fputs("new", o.f);
    io.on = 1;
    mst_status st = mst_outfile_commit(&o, &err);
    io.on = 0;
    ck_assert_int_eq(st, MST_OK);
    ck_assert_str_eq(io.log, "fr"); /* on disk before it takes the place of the old one */
    ck_assert_str_eq(on_disk(), "new");
}
END_TEST

START_TEST(fsync_or_rename_fails)
{
    mst_outfile o;
    io.fail_kind = "fr"[_i];
    io.fail_nth = 1;
    io.fail_errno = _i == 0 ? EIO : EACCES;
    ck_assert_int_eq(mst_outfile_open(&o, path, &err), MST_OK);
    fputs("new", o.f);
    assert_refused(&o, io.fail_errno);
    ck_assert_int_eq(strchr(io.log, 'r') != NULL, _i == 1);
}
END_TEST

/* A disk of that many bytes: 0, the text fits stdio's buffer, so that the flush fails; else a write before it. */
START_TEST(disk_full)
{
    struct rlimit limit = {_i == 0 ? 0 : 10000, RLIM_INFINITY};
    mst_outfile o;
    ck_assert_int_eq(mst_outfile_open(&o, path, &err), MST_OK);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int i = 0; i < (_i == 0 ? 1 : 100000); i++)
        fputc('x', o.f);
    if (_i == 1) { /* what is left fits: only the mark of the stream says that something is missing */
        fflush(o.f);
        limit.rlim_cur = RLIM_INFINITY;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        fflush(o.f);
        ck_assert(ferror(o.f));
    }
    assert_refused(&o, _i == 0 ? EFBIG : 0);
}
END_TEST

/* The number goes from under the stream, after what was written is flushed. */
START_TEST(descriptor_gone)
{
    mst_outfile o;
    ck_assert_int_eq(mst_outfile_open(&o, path, &err), MST_OK);
    fputs("new", o.f);
    fflush(o.f);
    close(fileno(o.f));
    assert_refused(&o, EBADF);
}
END_TEST

/* The rights of any new file, whatever those of a temporary one are. */
START_TEST(rights)
{
    struct stat st;
    umask(027);
    mst_outfile o;
    ck_assert_int_eq(mst_outfile_open(&o, path, &err), MST_OK);
    ck_assert_int_eq(mst_outfile_commit(&o, &err), MST_OK);
    ck_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640);
}
END_TEST

START_TEST(killed_in_commit)
{
    for (unsigned at = 1; at <= 2; at++) { /* fsync, rename */
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            mst_outfile o;
            io.kill_at = at;
            if (mst_outfile_open(&o, path, &err) != MST_OK)
                _exit(1);
            fputs("new", o.f);
            io.on = 1;
            _exit(mst_outfile_commit(&o, &err) != MST_OK);
        }
        int how;
        ck_assert_int_eq(waitpid(child, &how, 0), child);
        ck_assert(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
        ck_assert_str_eq(on_disk(), "old");
    }
}
END_TEST

START_TEST(json)
{
    ck_assert_int_eq(mst_json_write(json_object(), "/dev/full", &err), MST_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, strerror(ENOSPC)));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("output faults");
    TCase *t = tcase_create("output");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, order);
    tcase_add_loop_test(t, fsync_or_rename_fails, 0, 2);
    tcase_add_loop_test(t, disk_full, 0, 2);
    tcase_add_test(t, descriptor_gone);
    tcase_add_test(t, rights);
    tcase_add_test(t, killed_in_commit);
    tcase_add_test(t, json);
    suite_add_tcase(s, t);
    return run_tests(s);
}

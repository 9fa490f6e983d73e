/* A save on a disk that fails, is full or loses power: the file is the old one or the new one, whole, and a
 * failure is never taken for success. */
#include <check.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/support/faulty_io.h"
#include "tests/support/run_tests.h"
#include "tests/support/sample_graphs.h"

static char folder[] = "/tmp/mst-save-XXXXXX", path[64];
static mst_graph *small, *large; /* the old file and what is saved over it: of many writes */
static mst_err err;

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/m.bin", folder);
    ck_assert_int_eq(sample_tiny(NULL, &small, &err), MST_OK);
    ck_assert_int_eq(sample_every_op(NULL, &large, &err), MST_OK);
    static float weights[50000];
    uint32_t id, dims[1] = {50000};
    ck_assert_int_eq(mst_graph_add_tensor(large, "unused", MST_F32, 1, dims, weights, &id, &err), MST_OK);
    ck_assert_int_eq(mst_graph_save(small, path, &err), MST_OK);
    memset(&io, 0, sizeof io);
}

static void teardown(void)
{
    remove_all(folder);
    rmdir(folder);
    mst_graph_destroy(small);
    mst_graph_destroy(large);
}

static mst_status save_watched(void)
{
    io.on = 1;
    mst_status st = mst_graph_save(large, path, &err);
    io.on = 0;
    return st;
}

/* How many nodes the file at path has: it must load, with every checksum right. */
static uint32_t nodes_on_disk(void)
{
    mst_graph *g;
    ck_assert_msg(mst_graph_load(path, NULL, &g, &err) == MST_OK, "%s", err.text);
    uint32_t n = g->n_nodes;
    mst_graph_destroy(g);
    return n;
}

/* Written, flushed, closed, then renamed, then the folder flushed: in this order alone does a crash keep one. */
START_TEST(order)
{
    ck_assert_int_eq(save_watched(), MST_OK);
    size_t writes = strspn(io.log, "w");
    ck_assert_uint_ge(writes, 2);
    ck_assert_str_eq(io.log + writes, "fcrfc");
    ck_assert_uint_eq(nodes_on_disk(), large->n_nodes);
}
END_TEST

START_TEST(failures)
{
    static const struct {
        char kind;
        unsigned nth;
        int why;
    } faults[] = {{'w', 1, ENOSPC}, {'w', 2, ENOSPC}, {'f', 1, EIO}, {'c', 1, EDQUOT}, {'r', 1, EACCES}};
    io.fail_kind = faults[_i].kind;
    io.fail_nth = faults[_i].nth;
    io.fail_errno = faults[_i].why;
    ck_assert_int_eq(save_watched(), MST_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, path));
    ck_assert_ptr_nonnull(strstr(err.text, strerror(faults[_i].why)));
    ck_assert(faults[_i].kind == 'r' || strchr(io.log, 'r') == NULL);
    ck_assert_uint_eq(nodes_on_disk(), small->n_nodes);
    ck_assert_uint_eq(remove_all(folder), 1); /* no temporary file is left */
}
END_TEST

/* A folder that cannot be flushed (some file systems) is no failure: the file is there. */
START_TEST(folder_without_fsync)
{
    io.fail_kind = 'f';
    io.fail_nth = 2;
    io.fail_errno = EINVAL;
    ck_assert_int_eq(save_watched(), MST_OK);
    ck_assert_uint_eq(nodes_on_disk(), large->n_nodes);
}
END_TEST

START_TEST(short_writes)
{
    io.cut = 1;
    ck_assert_int_eq(save_watched(), MST_OK);
    ck_assert_uint_eq(nodes_on_disk(), large->n_nodes);
}
END_TEST

/* The rights of any new file, whatever those of a temporary one are. */
START_TEST(rights)
{
    struct stat st;
    umask(027);
    ck_assert_int_eq(mst_graph_save(small, path, &err), MST_OK);
    ck_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0640);
}
END_TEST

/* kill -9 in each call in turn: what is there is the old file before the rename and the new one after it. */
START_TEST(killed_anywhere)
{
    bool killed = true, renamed = false;
    for (unsigned at = 1; killed; at++) {
        ck_assert_uint_lt(at, 100);
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            io.kill_at = at;
            _exit(save_watched() != MST_OK);
        }
        int how;
        ck_assert_int_eq(waitpid(child, &how, 0), child);
        killed = WIFSIGNALED(how);
        ck_assert(killed ? WTERMSIG(how) == SIGKILL : WEXITSTATUS(how) == 0);
        uint32_t n = nodes_on_disk();
        ck_assert_uint_eq(n, renamed || n == large->n_nodes ? large->n_nodes : small->n_nodes);
        renamed = n == large->n_nodes;
    }
    ck_assert(renamed);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("save faults");
    TCase *t = tcase_create("save");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, order);
    tcase_add_loop_test(t, failures, 0, 5);
    tcase_add_test(t, folder_without_fsync);
    tcase_add_test(t, short_writes);
    tcase_add_test(t, rights);
    tcase_add_test(t, killed_anywhere);
    suite_add_tcase(s, t);
    return run_tests(s);
}

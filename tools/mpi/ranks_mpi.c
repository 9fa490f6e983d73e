/* Ranks by MPI: a counter in a window of rank 0, texts as messages. Rank 0 calls from two threads, one at a time. See
 * tool_ranks.h.
 */
#include <mpi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/tool_ranks.h"

#define TAG 1
#define NAME_ROOM 64

/* What a rank says of itself where all must agree. */
typedef struct saying {
    uint64_t same;
    int32_t status; /* mst_status, or an exit code */
    char host[NAME_ROOM], text[sizeof((mst_err *)NULL)->text];
} saying;

static struct {
    bool on, over; /* over: it is known that the run failed, and all know */
    int rank, size;
    char text[sizeof((mst_err *)NULL)->text];
    MPI_Win window;
    uint64_t *counter; /* of rank 0 */
    pthread_mutex_t lock;
} mpi = {.size = 1, .lock = PTHREAD_MUTEX_INITIALIZER};

mst_status mst_ranks_begin(mst_err *err)
{
    int threads;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &threads) != MPI_SUCCESS)
        return mst_fail(err, MST_EIO, "MPI does not start");
    mpi.on = true;
    MPI_Comm_rank(MPI_COMM_WORLD, &mpi.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &mpi.size);
    if (mpi.size > 1 && threads < MPI_THREAD_SERIALIZED)
        return mst_fail(err, MST_EINVAL, "this MPI cannot be called by several threads: run one process, or --shard");
    if (mpi.rank == 0)
        return MST_OK;
    FILE *nowhere = fopen("/dev/null", "w"); /* descriptor 2 stays for the words of those who crash */
    if (nowhere == NULL || freopen("/dev/null", "w", stdout) == NULL)
        return mst_fail(err, MST_EIO, "cannot open /dev/null");
    stderr = nowhere;
    return MST_OK;
}

unsigned mst_rank(void) { return (unsigned)mpi.rank; }
unsigned mst_ranks(void) { return (unsigned)mpi.size; }

void mst_ranks_keep(const char *text) { snprintf(mpi.text, sizeof mpi.text, "%s", text); }

/* The first rank whose status is not 0 or which has something else than rank 0; of rank 0, which tells: by text in err
 * and in other. */
static bool all_well(int status, uint64_t same, const char *text, mst_err *err)
{
    saying mine = {.same = same, .status = status};
    saying *all = NULL;
    int n = 0, well = 1;
    char host[MPI_MAX_PROCESSOR_NAME] = "";
    MPI_Get_processor_name(host, &n);
    snprintf(mine.host, sizeof mine.host, "%.*s", NAME_ROOM - 1, host);
    snprintf(mine.text, sizeof mine.text, "%s", text);
    if (mpi.rank == 0 && (all = calloc((size_t)mpi.size, sizeof *all)) == NULL)
        mst_ranks_abort("out of memory");
    MPI_Gather(&mine, sizeof mine, MPI_BYTE, all, sizeof mine, MPI_BYTE, 0, MPI_COMM_WORLD);
    for (int i = mpi.size - 1; all != NULL && i >= 0; i--) {
        if (all[i].status == 0 && all[i].same == same)
            continue;
        well = 0;
        if (i == 0)
            mst_fail(err, MST_EINVAL, "%s", all[i].text);
        else
            mst_fail(err, MST_EINVAL, "rank %d (%s): %s", i, all[i].host,
                     all[i].status != 0 ? all[i].text
                                        : "it runs something else than rank 0: other options, model, data or version");
    }
    free(all);
    MPI_Bcast(&well, 1, MPI_INT, 0, MPI_COMM_WORLD);
    mpi.over = !well;
    return well;
}

mst_status mst_ranks_agree(mst_status st, uint64_t same, mst_err *err)
{
    mst_err told = {0}, *own = err != NULL ? err : &told;
    if (mpi.size == 1)
        return st;
    if (mpi.over)
        return st != MST_OK ? st : mst_fail(err, MST_EINVAL, "another rank failed");
    if (all_well(st, same, st != MST_OK ? own->text : "", &told))
        return MST_OK;
    if (mpi.rank != 0)
        return mst_fail(err, MST_EINVAL, "another rank failed");
    return st != MST_OK ? st : mst_fail(err, MST_EINVAL, "%s", told.text);
}

int mst_ranks_end(const char *tool, int code)
{
    mst_err told = {0};
    if (!mpi.on)
        return code;
    if (mpi.size > 1 && !mpi.over && !all_well(code, 0, mpi.text, &told) && code == 0 && mpi.rank == 0) {
        fprintf(stderr, "%s: error: %s\n", tool, told.text);
        code = 1;
    }
    MPI_Finalize();
    return mpi.rank == 0 ? code : 0;
}

uint64_t mst_ranks_most(uint64_t value)
{
    uint64_t most = value;
    if (mpi.size > 1)
        MPI_Allreduce(&value, &most, 1, MPI_UINT64_T, MPI_MAX, MPI_COMM_WORLD);
    return most;
}

void mst_ranks_open(uint64_t first)
{
    MPI_Aint room = mpi.rank == 0 ? sizeof *mpi.counter : 0;
    MPI_Win_allocate(room, sizeof *mpi.counter, MPI_INFO_NULL, MPI_COMM_WORLD, &mpi.counter, &mpi.window);
    MPI_Win_lock_all(0, mpi.window);
    if (mpi.rank == 0) {
        *mpi.counter = first;
        MPI_Win_sync(mpi.window);
    }
    MPI_Barrier(MPI_COMM_WORLD);
}

void mst_ranks_close(void)
{
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Win_unlock_all(mpi.window);
    MPI_Win_free(&mpi.window);
}

uint64_t mst_ranks_take(uint64_t n)
{
    uint64_t got = 0;
    pthread_mutex_lock(&mpi.lock);
    MPI_Fetch_and_op(&n, &got, MPI_UINT64_T, 0, 0, MPI_SUM, mpi.window);
    MPI_Win_flush(0, mpi.window);
    pthread_mutex_unlock(&mpi.lock);
    return got;
}

void mst_ranks_send(const char *text)
{
    pthread_mutex_lock(&mpi.lock);
    MPI_Send(text, (int)strlen(text), MPI_CHAR, 0, TAG, MPI_COMM_WORLD);
    pthread_mutex_unlock(&mpi.lock);
}

char *mst_ranks_receive(unsigned *from)
{
    MPI_Message message;
    MPI_Status status;
    int here = 0, n = 0;
    char *text = NULL;
    *from = 0;
    pthread_mutex_lock(&mpi.lock);
    MPI_Improbe(MPI_ANY_SOURCE, TAG, MPI_COMM_WORLD, &here, &message, &status);
    if (here) {
        MPI_Get_count(&status, MPI_CHAR, &n);
        text = malloc((size_t)n + 1);
        if (text == NULL)
            mst_ranks_abort("out of memory");
        MPI_Mrecv(text, n, MPI_CHAR, &message, &status);
        text[n] = '\0';
        *from = (unsigned)status.MPI_SOURCE;
    }
    pthread_mutex_unlock(&mpi.lock);
    return text;
}

void mst_ranks_abort(const char *text)
{
    dprintf(2, "error: rank %d: %s\n", mpi.rank, text);
    MPI_Abort(MPI_COMM_WORLD, 1);
    abort();
}

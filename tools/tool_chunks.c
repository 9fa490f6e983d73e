/* Rank 0 has two threads: one runs samples as the other ranks do, one listens. A chunk that has come waits until those
 * before it have. See tool_chunks.h.
 */
#include "tools/tool_chunks.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "mst/alloc.h"
#include "tools/tool_output.h"
#include "tools/tool_ranks.h"

#define CHUNKS_OF_A_RANK 16 /* at least, where samples are many: what the slowest rank may be late by */
#define MOST_SAMPLES 256    /* of a chunk: progress, and what an interrupt loses */
#define PAUSE 500000        /* ns between two looks for messages */

typedef struct pool {
    const mst_chunks *job;
    size_t size, n; /* samples of a chunk; chunks */
    /* of rank 0, under lock */
    pthread_mutex_t lock;
    json_t **came; /* [n] */
    size_t next;   /* chunk to add */
    size_t done;   /* samples */
    bool closed;   /* nothing behind the last that was added is */
    bool through;  /* this rank's own work */
    mst_status status;
    mst_err err;
} pool;

static size_t chunk_size(const mst_chunks *job)
{
    size_t n = job->n - job->first, size = n / ((size_t)mst_ranks() * CHUNKS_OF_A_RANK);
    size_t threads = (size_t)mst_ranks_most(job->threads);
    size = size < MOST_SAMPLES ? size : MOST_SAMPLES;
    return size > threads ? size : threads;
}

/* ---- adding: rank 0 ---- */

static void close_with(pool *p, mst_status st, const mst_err *err)
{
    p->closed = true;
    if (p->status == MST_OK && st != MST_OK) {
        p->status = st;
        p->err = *err;
    }
    (void)mst_ranks_take((uint64_t)p->n); /* no more for anyone */
}

static void add(pool *p, const json_t *chunk)
{
    mst_err err = {0};
    uint64_t done = 0, planned = 0, code = 0;
    const json_t *part = json_object_get(chunk, "part");
    const char *why = json_string_value(json_object_get(chunk, "error"));
    mst_status st = MST_OK;
    if (!mst_json_take_whole(json_object_get(chunk, "done"), &done) ||
        !mst_json_take_whole(json_object_get(chunk, "planned"), &planned) ||
        !mst_json_take_whole(json_object_get(chunk, "code"), &code))
        st = mst_fail(&err, MST_EFORMAT, "a rank of another version");
    if (st == MST_OK && done != 0)
        st = p->job->add(p->job->ctx, part, &err);
    if (st == MST_OK && code != 0)
        st = mst_fail(&err, (mst_status)code, "%s", why != NULL ? why : "");
    if (st != MST_OK || done != planned)
        close_with(p, st, &err);
}

/* A chunk that is run; all that can be added now is. */
static void place(pool *p, size_t chunk, json_t *what)
{
    uint64_t done = 0;
    pthread_mutex_lock(&p->lock);
    if (chunk >= p->n || p->came[chunk] != NULL)
        mst_ranks_abort("a rank of another version");
    p->came[chunk] = what;
    mst_json_take_whole(json_object_get(what, "done"), &done);
    p->done += (size_t)done;
    for (; p->next < p->n && p->came[p->next] != NULL && !p->closed; p->next++) {
        add(p, p->came[p->next]);
        json_decref(p->came[p->next]);
        p->came[p->next] = json_null(); /* it came, and takes no room */
    }
    p->job->progress(p->job->ctx, p->done);
    pthread_mutex_unlock(&p->lock);
}

/* ---- running: all ranks ---- */

static json_t *run_chunk(pool *p, size_t chunk)
{
    const mst_chunks *job = p->job;
    size_t from = job->first + chunk * p->size, to = from + p->size < job->n ? from + p->size : job->n, done = 0;
    json_t *part = NULL;
    mst_err err = {0};
    mst_status st = job->run(job->ctx, from, to, &done, &part, &err);
    json_t *what = json_pack("{s:I, s:I, s:I, s:i}", "chunk", (json_int_t)chunk, "done", (json_int_t)done, "planned",
                             (json_int_t)(to - from), "code", (int)st);
    mst_json_set(&what, "error", mst_json_text(err.text));
    mst_json_set(&what, "part", part != NULL ? part : json_null());
    if (what == NULL)
        mst_ranks_abort("out of memory");
    return what;
}

static void hand_over(pool *p, size_t chunk, json_t *what)
{
    if (mst_rank() == 0) {
        place(p, chunk, what);
        return;
    }
    char *text = json_dumps(what, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(what);
    if (text == NULL)
        mst_ranks_abort("out of memory");
    mst_ranks_send(text);
    free(text);
}

static void *work(void *arg)
{
    pool *p = arg;
    uint64_t chunk;
    while (!*p->job->stop && (chunk = mst_ranks_take(1)) < p->n)
        hand_over(p, (size_t)chunk, run_chunk(p, (size_t)chunk));
    if (mst_rank() != 0) {
        mst_ranks_send("null"); /* that was all */
        return NULL;
    }
    pthread_mutex_lock(&p->lock);
    p->through = true;
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* ---- rank 0 ---- */

/* Of another rank; false: it is through. */
static bool take_text(pool *p, const char *text)
{
    uint64_t chunk;
    json_t *what = json_loads(text, JSON_DECODE_ANY, NULL);
    if (json_is_null(what)) {
        json_decref(what);
        return false;
    }
    if (!mst_json_take_whole(json_object_get(what, "chunk"), &chunk))
        mst_ranks_abort("out of memory");
    place(p, (size_t)chunk, what);
    return true;
}

/* Once: those that work are told, and what there is is safe. */
static void tell_stop(pool *p)
{
    mst_err err = {0};
    (void)mst_ranks_take((uint64_t)p->n);
    pthread_mutex_lock(&p->lock);
    mst_status st = p->job->stopping(p->job->ctx, &err);
    if (st != MST_OK)
        close_with(p, st, &err);
    pthread_mutex_unlock(&p->lock);
}

static void listen_to_all(pool *p)
{
    const struct timespec pause = {.tv_nsec = PAUSE};
    bool told = false, through = false;
    for (unsigned at_work = mst_ranks() - 1; at_work != 0 || !through;) {
        unsigned from;
        char *text = mst_ranks_receive(&from);
        if (text != NULL)
            at_work -= !take_text(p, text);
        else
            nanosleep(&pause, NULL);
        free(text);
        if (*p->job->stop && !told) {
            tell_stop(p);
            told = true;
        }
        pthread_mutex_lock(&p->lock);
        through = p->through;
        pthread_mutex_unlock(&p->lock);
    }
}

static mst_status lead(pool *p, mst_err *err)
{
    pthread_t thread;
    p->came = mst_alloc_array(NULL, p->n, sizeof(json_t *));
    if (p->came == NULL)
        mst_ranks_abort("out of memory");
    pthread_mutex_init(&p->lock, NULL);
    if (pthread_create(&thread, NULL, work, p) != 0)
        mst_ranks_abort("no thread to be had");
    listen_to_all(p);
    pthread_join(thread, NULL);
    pthread_mutex_destroy(&p->lock);
    for (size_t i = 0; i < p->n; i++)
        json_decref(p->came[i]);
    mst_free_array(NULL, p->came, p->n, sizeof(json_t *));
    if (p->status != MST_OK && err != NULL)
        *err = p->err;
    return p->status;
}

mst_status mst_chunks_run(const mst_chunks *job, mst_err *err)
{
    pool p = {.job = job};
    mst_status st = MST_OK;
    p.size = chunk_size(job);
    p.n = (job->n - job->first + p.size - 1) / p.size;
    mst_ranks_open(0);
    if (mst_rank() == 0)
        st = lead(&p, err);
    else
        work(&p);
    mst_ranks_close();
    return st;
}

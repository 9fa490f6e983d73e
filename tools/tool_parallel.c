/* A counter hands out samples; a turnstile lets results through in order. */
#include "tools/tool_parallel.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>

typedef struct shared {
    const mst_parallel *job;
    pthread_mutex_t lock;
    pthread_cond_t turned;
    size_t next; /* sample to hand out */
    size_t turn; /* sample whose result is next */
    mst_status status;
    mst_err err;
} shared;

typedef struct worker {
    shared *s;
    unsigned id;
    pthread_t thread;
} worker;

static void run_one(shared *s, unsigned id, size_t i)
{
    mst_err err = {0};
    mst_status st = s->job->work(s->job->ctx, id, i, &err);
    pthread_mutex_lock(&s->lock);
    while (s->turn != i)
        pthread_cond_wait(&s->turned, &s->lock);
    if (s->status == MST_OK) {
        if (st == MST_OK)
            st = s->job->commit(s->job->ctx, id, i, &err);
        s->status = st;
        s->err = err;
    }
    s->turn = i + 1;
    pthread_cond_broadcast(&s->turned);
    pthread_mutex_unlock(&s->lock);
}

static void *run_worker(void *arg)
{
    worker *w = arg;
    shared *s = w->s;
    for (;;) {
        pthread_mutex_lock(&s->lock);
        bool go = s->status == MST_OK && s->next < s->job->n && (s->job->stop == NULL || *s->job->stop == 0);
        size_t i = go ? s->next++ : 0;
        pthread_mutex_unlock(&s->lock);
        if (!go)
            return NULL;
        run_one(s, w->id, i);
    }
}

mst_status mst_parallel_run(const mst_parallel *job, mst_err *err)
{
    if (job->threads == 0 || job->threads > MST_MAX_THREADS)
        return mst_fail(err, MST_EINVAL, "threads: expected 1..%u, found %u", MST_MAX_THREADS, job->threads);
    shared s = {.job = job};
    worker workers[MST_MAX_THREADS];
    pthread_mutex_init(&s.lock, NULL);
    pthread_cond_init(&s.turned, NULL);
    unsigned started = 1;
    for (unsigned i = 0; i < job->threads; i++)
        workers[i] = (worker){.s = &s, .id = i};
    /* fewer threads than asked for give the same result, later */
    while (started < job->threads && started < job->n &&
           pthread_create(&workers[started].thread, NULL, run_worker, &workers[started]) == 0)
        started++;
    run_worker(&workers[0]);
    for (unsigned i = 1; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    pthread_cond_destroy(&s.turned);
    pthread_mutex_destroy(&s.lock);
    if (s.status != MST_OK && err != NULL)
        *err = s.err;
    return s.status;
}

static unsigned cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int n = CPU_COUNT(&set);
    return n < 1 ? 1 : (unsigned)n;
}

unsigned mst_thread_count(size_t samples, const mst_opt_uint *threads)
{
    unsigned n = threads->set ? (unsigned)threads->value : cpus();
    n = n > MST_MAX_THREADS ? MST_MAX_THREADS : n;
    return n > samples ? (unsigned)samples : n;
}

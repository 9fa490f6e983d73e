/* Threads that share one operation at a time. Knows nothing of what they run. */
#include <pthread.h>
#include <stdatomic.h>

#include "runtime/backend/cpu/cpu.h"

/* Looks at the flag before a thread goes to sleep: about as long as a wake-up takes. */
#define SPINS 2000

typedef struct helper {
    cpu_pool *pool;
    unsigned index;
    pthread_t thread;
} helper;

struct cpu_pool {
    pthread_mutex_t lock;
    pthread_cond_t go, done;
    atomic_uint turn;    /* jobs handed out */
    atomic_uint running; /* helpers that have not finished the last one */
    atomic_uint next;    /* part that nobody has taken */
    atomic_bool stop;
    const cpu_job *job;
    unsigned n, room;
    helper helpers[];
};

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void wait_for_turn(cpu_pool *p, unsigned seen)
{
    for (int i = 0; i < SPINS && atomic_load(&p->turn) == seen; i++)
        relax();
    if (atomic_load(&p->turn) != seen)
        return;
    pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->turn) == seen)
        pthread_cond_wait(&p->go, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

static void take_parts(cpu_pool *p, unsigned thread)
{
    const cpu_job *job = p->job;
    for (unsigned part; (part = atomic_fetch_add(&p->next, 1)) < job->parts;)
        job->work(job, part, thread);
}

static void *help(void *arg)
{
    helper *h = arg;
    cpu_pool *p = h->pool;
    for (unsigned seen = 0;; seen++) {
        wait_for_turn(p, seen);
        if (atomic_load(&p->stop))
            return NULL;
        take_parts(p, h->index);
        if (atomic_fetch_sub(&p->running, 1) == 1) {
            pthread_mutex_lock(&p->lock);
            pthread_cond_signal(&p->done);
            pthread_mutex_unlock(&p->lock);
        }
    }
}

static void next_turn(cpu_pool *p)
{
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->turn, 1);
    pthread_cond_broadcast(&p->go);
    pthread_mutex_unlock(&p->lock);
}

size_t cpu_pool_bytes(unsigned threads) { return sizeof(cpu_pool) + (threads - 1) * sizeof(helper); }

mst_status cpu_pool_create(const mst_allocator *alloc, unsigned threads, cpu_pool **out)
{
    *out = NULL;
    if (threads < 2)
        return MST_OK;
    cpu_pool *p = mst_alloc(alloc, cpu_pool_bytes(threads));
    if (p == NULL)
        return MST_ENOMEM;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->go, NULL);
    pthread_cond_init(&p->done, NULL);
    p->room = threads;
    for (; p->n < threads - 1; p->n++) {
        helper *h = &p->helpers[p->n];
        *h = (helper){.pool = p, .index = p->n + 1};
        if (pthread_create(&h->thread, NULL, help, h) != 0)
            break; /* fewer give the same results */
    }
    *out = p;
    return MST_OK;
}

void cpu_pool_destroy(const mst_allocator *alloc, cpu_pool *p)
{
    if (p == NULL)
        return;
    atomic_store(&p->stop, true);
    next_turn(p);
    for (unsigned i = 0; i < p->n; i++)
        pthread_join(p->helpers[i].thread, NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->go);
    pthread_mutex_destroy(&p->lock);
    mst_free(alloc, p, cpu_pool_bytes(p->room));
}

unsigned cpu_pool_threads(const cpu_pool *p) { return p != NULL ? p->n + 1 : 1; }

void cpu_pool_run(cpu_pool *p, const cpu_job *job)
{
    p->job = job;
    atomic_store(&p->running, p->n);
    atomic_store(&p->next, 0);
    next_turn(p);
    take_parts(p, 0);
    for (int i = 0; i < SPINS && atomic_load(&p->running) != 0; i++)
        relax();
    if (atomic_load(&p->running) == 0)
        return;
    pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->running) != 0)
        pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

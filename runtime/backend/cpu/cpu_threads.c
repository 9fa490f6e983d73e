/* Threads that share one operation at a time. Knows nothing of what they run. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "runtime/backend/cpu/cpu.h"

/* Looks at the flag before a thread goes to sleep: about as long as a wake-up takes. */
#define SPINS 2000

typedef struct helper {
    cpu_pool *pool;
    unsigned index;
    pthread_t thread;
} helper;

/* Nobody waits for a helper that has taken nothing: one that wakes up late, or that the system has put aside, finds
 * that all parts are gone. */
struct cpu_pool {
    pthread_mutex_t lock;
    pthread_cond_t go, done;
    atomic_uint_fast64_t at; /* jobs handed out << 32 | parts of the last one << 16 | those that were taken */
    atomic_uint left;        /* parts that are not done */
    atomic_bool stop;
    const cpu_job *job; /* read by those that have taken a part of it */
    unsigned n, room;
    helper helpers[];
};

#define PARTS_AT 16
#define TURN_AT 32
#define MOST_PARTS 0xffffu

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static uint32_t turn_of(cpu_pool *p) { return (uint32_t)(atomic_load(&p->at) >> TURN_AT); }

static void wait_for_turn(cpu_pool *p, uint32_t seen)
{
    for (int i = 0; i < SPINS && turn_of(p) == seen; i++)
        relax();
    if (turn_of(p) != seen)
        return;
    pthread_mutex_lock(&p->lock);
    while (turn_of(p) == seen)
        pthread_cond_wait(&p->go, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

static bool take_part(cpu_pool *p, unsigned *part)
{
    uint_fast64_t at = atomic_load(&p->at);
    do {
        *part = at & MOST_PARTS;
        if (*part >= (at >> PARTS_AT & MOST_PARTS))
            return false;
    } while (!atomic_compare_exchange_weak(&p->at, &at, at + 1));
    return true;
}

static void take_parts(cpu_pool *p, unsigned thread)
{
    for (unsigned part; take_part(p, &part);) {
        p->job->work(p->job, part, thread);
        if (atomic_fetch_sub(&p->left, 1) == 1 && thread != 0) {
            pthread_mutex_lock(&p->lock);
            pthread_cond_signal(&p->done);
            pthread_mutex_unlock(&p->lock);
        }
    }
}

static void *help(void *arg)
{
    helper *h = arg;
    cpu_pool *p = h->pool;
    for (uint32_t seen = 0;;) {
        wait_for_turn(p, seen);
        seen = turn_of(p);
        if (atomic_load(&p->stop))
            return NULL;
        take_parts(p, h->index);
    }
}

static void next_turn(cpu_pool *p, unsigned parts)
{
    const uint_fast64_t turn = (uint_fast64_t)(uint32_t)(turn_of(p) + 1);
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->at, turn << TURN_AT | (uint_fast64_t)parts << PARTS_AT);
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
    next_turn(p, 0);
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
    atomic_store(&p->left, job->parts);
    next_turn(p, job->parts);
    take_parts(p, 0);
    for (int i = 0; i < SPINS && atomic_load(&p->left) != 0; i++)
        relax();
    if (atomic_load(&p->left) == 0)
        return;
    pthread_mutex_lock(&p->lock);
    while (atomic_load(&p->left) != 0)
        pthread_cond_wait(&p->done, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

/* A ring of samples between one reader and the workers. Sample i lies in slot i modulo
 * the ring's size, and is read once the sample before it in that slot was taken. Workers
 * take samples in ascending order (tool_parallel.h), so none waits for ever.
 */
#include "tools/tool_feed.h"

#include <pthread.h>
#include <string.h>

#include "mst/alloc.h"

#define SLOTS_PER_WORKER 2u
#define MIN_SLOTS 2u                 /* one is read while the other waits */
#define SLOT_ROOM ((size_t)32 << 20) /* bytes of all, unless that is less than MIN_SLOTS samples */

typedef struct slot {
    float *x;      /* [values] */
    size_t sample; /* its place in the feed's order */
    int label;
    bool full; /* with that sample, or why there is none */
    mst_status status;
    mst_err err;
} slot;

struct mst_feed {
    const mst_data *data;
    const uint32_t *at; /* [n] */
    size_t n, values, n_slots;
    slot *slots;
    pthread_t reader;
    bool threaded; /* else samples are read where they are asked for */
    pthread_mutex_t lock;
    pthread_cond_t filled, emptied;
    bool stop; /* under the lock */
};

/* Wait until sample i's slot is free; false: stop reading. */
static bool wait_for_room(mst_feed *f, const slot *s)
{
    pthread_mutex_lock(&f->lock);
    while (s->full && !f->stop)
        pthread_cond_wait(&f->emptied, &f->lock);
    bool go = !f->stop;
    pthread_mutex_unlock(&f->lock);
    return go;
}

static void *read_samples(void *arg)
{
    mst_feed *f = arg;
    for (size_t i = 0; i < f->n; i++) {
        slot *s = &f->slots[i % f->n_slots];
        if (!wait_for_room(f, s))
            break;
        int label = -1;
        mst_err err = {0};
        mst_status st = mst_data_get(f->data, f->at[i], s->x, &label, &err); /* an empty slot is the reader's */
        pthread_mutex_lock(&f->lock);
        s->label = label;
        s->sample = i;
        s->full = true;
        s->status = st;
        s->err = err;
        pthread_cond_broadcast(&f->filled);
        pthread_mutex_unlock(&f->lock);
    }
    return NULL;
}

static mst_status make_slots(mst_feed *f, unsigned workers, mst_err *err)
{
    uint32_t shape[3];
    MST_TRY(mst_data_shape(f->data, f->at[0], shape, err));
    f->values = (size_t)shape[0] * shape[1] * shape[2];
    size_t want = (size_t)workers * SLOTS_PER_WORKER, fit = SLOT_ROOM / sizeof(float) / f->values;
    fit = fit > MIN_SLOTS ? fit : MIN_SLOTS;
    want = want < fit ? want : fit;
    f->n_slots = want < f->n ? want : f->n;
    f->slots = mst_alloc_array(NULL, f->n_slots, sizeof *f->slots);
    bool ok = f->slots != NULL;
    for (size_t i = 0; i < f->n_slots && ok; i++)
        ok = (f->slots[i].x = mst_alloc_array(NULL, f->values, sizeof(float))) != NULL;
    return ok ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory for %zu samples read ahead", f->n_slots);
}

mst_status mst_feed_create(const mst_data *data, const uint32_t *at, size_t n, unsigned workers, mst_feed **out,
                           mst_err *err)
{
    *out = NULL;
    if (n == 0 || workers == 0)
        return mst_fail(err, MST_EINVAL, "expected samples and workers, found %zu and %u", n, workers);
    mst_feed *f = mst_alloc(NULL, sizeof *f);
    if (f == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    *f = (mst_feed){.data = data, .at = at, .n = n};
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->filled, NULL);
    pthread_cond_init(&f->emptied, NULL);
    mst_status st = make_slots(f, workers, err);
    if (st != MST_OK) {
        mst_feed_destroy(f);
        return st;
    }
    /* no thread to be had: the same samples, later */
    f->threaded = pthread_create(&f->reader, NULL, read_samples, f) == 0;
    *out = f;
    return MST_OK;
}

void mst_feed_destroy(mst_feed *f)
{
    if (f == NULL)
        return;
    if (f->threaded) {
        pthread_mutex_lock(&f->lock);
        f->stop = true;
        pthread_cond_broadcast(&f->emptied);
        pthread_mutex_unlock(&f->lock);
        pthread_join(f->reader, NULL);
    }
    for (size_t i = 0; f->slots != NULL && i < f->n_slots; i++)
        mst_free_array(NULL, f->slots[i].x, f->values, sizeof(float));
    mst_free_array(NULL, f->slots, f->n_slots, sizeof *f->slots);
    pthread_cond_destroy(&f->emptied);
    pthread_cond_destroy(&f->filled);
    pthread_mutex_destroy(&f->lock);
    mst_free(NULL, f, sizeof *f);
}

mst_status mst_feed_get(mst_feed *f, size_t i, float *x, int *label, mst_err *err)
{
    if (!f->threaded)
        return mst_data_get(f->data, f->at[i], x, label, err);
    slot *s = &f->slots[i % f->n_slots];
    pthread_mutex_lock(&f->lock);
    while (!(s->full && s->sample == i))
        pthread_cond_wait(&f->filled, &f->lock);
    pthread_mutex_unlock(&f->lock);
    mst_status st = s->status; /* a full slot is its taker's */
    if (st == MST_OK)
        memcpy(x, s->x, f->values * sizeof(float));
    else if (err != NULL)
        *err = s->err;
    *label = s->label;
    pthread_mutex_lock(&f->lock);
    s->full = false;
    pthread_cond_signal(&f->emptied);
    pthread_mutex_unlock(&f->lock);
    return st;
}

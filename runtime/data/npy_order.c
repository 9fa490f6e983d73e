/* Arrays in Fortran's order (the first index runs fastest) put into C's, through a temporary file without a name. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mst/alloc.h"
#include "runtime/data/data_format.h"
#include "runtime/data/npy_array.h"

#define ROOM ((uint64_t)32 << 20)     /* bytes of samples in memory at once */
#define MAX_READS ((uint64_t)1 << 22) /* some seconds of them */

/* An array as [n] samples of m values: value k of sample i lies at k*n + i. */
typedef struct order {
    const mst_npy_array *a;
    FILE *out;
    uint64_t n, m;
    uint32_t item;
    size_t block;   /* samples at once */
    uint8_t *in;    /* [m][block] */
    uint8_t *value; /* [m] of one sample, in C's order */
} order;

static mst_status no_room(const order *o, mst_err *err)
{
    return mst_fail(err, MST_EIO, "%s: cannot be put into C order through a temporary file in %s: %s", o->a->name,
                    P_tmpdir, strerror(errno));
}

/* Samples first..first+n-1, value by value; where these are all, their values follow each other. */
static mst_status read_block(const order *o, uint64_t first, size_t n, mst_err *err)
{
    if (n == o->n)
        return mst_npy_array_read(o->a, 0, o->in, (size_t)(o->m * n * o->item), err);
    for (uint64_t k = 0; k < o->m; k++)
        MST_TRY(mst_npy_array_read(o->a, (k * o->n + first) * o->item, o->in + k * n * o->item, n * o->item, err));
    return MST_OK;
}

/* Sample i of the n in memory into o->value. */
static void turn(const order *o, size_t i, size_t n)
{
    const mst_npy_header *h = &o->a->header;
    uint64_t at[MST_NPY_MAX_RANK] = {0};
    for (uint64_t k = 0; k < o->m; k++) {
        uint64_t from = 0;
        for (uint32_t r = h->rank - 1; r > 0; r--)
            from = from * h->dims[r] + at[r];
        memcpy(o->value + k * o->item, o->in + (from * n + i) * o->item, o->item);
        for (uint32_t r = h->rank - 1; r > 0 && ++at[r] == h->dims[r]; r--)
            at[r] = 0;
    }
}

static mst_status write_all(const order *o, mst_err *err)
{
    if (fseeko(o->out, (off_t)o->a->header.size, SEEK_SET) != 0)
        return no_room(o, err);
    for (uint64_t first = 0; first < o->n; first += o->block) {
        size_t n = o->n - first < o->block ? (size_t)(o->n - first) : o->block;
        MST_TRY(read_block(o, first, n, err));
        for (size_t i = 0; i < n; i++) {
            turn(o, i, n);
            if (fwrite(o->value, o->item, (size_t)o->m, o->out) != (size_t)o->m)
                return no_room(o, err);
        }
    }
    return fflush(o->out) == 0 ? MST_OK : no_room(o, err);
}

static mst_status through_file(order *o, int *fd, mst_err *err)
{
    size_t sample = (size_t)(o->m * o->item);
    o->in = mst_alloc(NULL, sample * o->block);
    o->value = mst_alloc(NULL, sample);
    mst_status st =
        o->in != NULL && o->value != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "%s: out of memory", o->a->name);
    if (st == MST_OK && (o->out = tmpfile()) == NULL)
        st = no_room(o, err);
    if (st == MST_OK)
        st = write_all(o, err);
    if (st == MST_OK && (*fd = fcntl(fileno(o->out), F_DUPFD_CLOEXEC, 0)) < 0)
        st = no_room(o, err);
    if (o->out != NULL)
        fclose(o->out);
    mst_free(NULL, o->in, sample * o->block);
    mst_free(NULL, o->value, sample);
    return st;
}

mst_status mst_npy_array_to_c(mst_npy_array *a, mst_err *err)
{
    mst_npy_header *h = &a->header;
    order o = {.a = a, .n = h->rank > 0 ? h->dims[0] : 1, .m = 1, .item = h->item_size};
    char how[240];
    int fd = -1;
    for (uint32_t r = 1; r < h->rank; r++)
        o.m *= h->dims[r]; /* the file holds all of them */
    if (o.n == 0 || o.m == 0)
        return MST_OK;
    uint64_t sample = o.m * o.item, block = sample <= ROOM ? ROOM / sample : 0;
    o.block = (size_t)(block < o.n ? block : o.n);
    if (block == 0 || (block < o.n && (o.n / block + 1) * o.m > MAX_READS))
        return mst_fail(
            err, MST_ELIMIT,
            "%s: offset 10: expected C order in an array of this size, found Fortran order; to convert: %s", a->name,
            mst_npy_conversion(a->name, NULL, how, sizeof how));
    MST_TRY(through_file(&o, &fd, err));
    close(a->fd);
    a->fd = fd;
    h->fortran = false;
    return MST_OK;
}

/* ASL-DVS .mat: MATLAB 5 variables ts (us), x, y, pol, vectors of one length and
 * of any number class, read by libmatio once the file was found safe. Variables
 * have no offsets that mean anything to a user, so errors name variable and index.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "mst/alloc.h"
#include "runtime/data/events/event_decoder.h"
#include "runtime/data/events/event_mat_check.h"

static bool mat_sniff(const char *path, const uint8_t *head, size_t n, uint64_t size)
{
    (void)path, (void)size;
    return n >= 10 && (memcmp(head, "MATLAB 5.0", 10) == 0 || memcmp(head, "MATLAB 7.3", 10) == 0);
}

#ifdef MST_MATIO

#include <matio.h>

enum { TS,
       X,
       Y,
       POL,
       N_VARIABLES };

static const char *const names[N_VARIABLES] = {"ts", "x", "y", "pol"};

typedef struct mat_state {
    matvar_t *v[N_VARIABLES];
    size_t n, at;
} mat_state;

/* CIFAR10-DVS went round as matrices, too, whose columns no paper tells. */
static mst_status no_variable(const mst_event_stream *s, mat_t *mat, int k, mst_err *err)
{
    matvar_t *matrix = Mat_VarReadInfo(mat, "out1");
    bool of_cifar = matrix != NULL;
    Mat_VarFree(matrix);
    return of_cifar ? mst_fail(err, MST_EUNSUPPORTED,
                               "%s: a matrix 'out1' as dat2mat.m makes it of CIFAR10-DVS, which is not read: take the "
                               ".aedat that it was made of",
                               s->path)
                    : mst_fail(err, MST_EFORMAT, "%s: variable '%s': expected a vector, found none", s->path, names[k]);
}

static mst_status read_variable(const mst_event_stream *s, mat_t *mat, int k, mst_err *err)
{
    mat_state *m = s->state;
    matvar_t *v = m->v[k] = Mat_VarRead(mat, names[k]);
    if (v == NULL)
        return no_variable(s, mat, k, err);
    if (v->rank != 2 || (v->dims[0] != 1 && v->dims[1] != 1) || v->data == NULL)
        return mst_fail(err, MST_EFORMAT, "%s: variable '%s': expected a vector, found %zu x %zu", s->path,
                        names[k], v->rank == 2 ? v->dims[0] : 0, v->rank == 2 ? v->dims[1] : 0);
    size_t n = v->dims[0] * v->dims[1];
    if (k == 0)
        m->n = n;
    if (n != m->n || n > MST_EVENT_MAT_MAX || v->nbytes / (size_t)(v->data_size > 0 ? v->data_size : 1) < n)
        return mst_fail(err, MST_ECORRUPT, "%s: variable '%s': expected %zu values as '%s' has, found %zu",
                        s->path, names[k], m->n, names[0], n);
    return MST_OK;
}

static mst_status mat_open(mst_event_stream *s, mst_err *err)
{
    MST_TRY(mst_event_mat_check(s, err));
    if ((s->state = mst_alloc(NULL, sizeof(mat_state))) == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    mat_t *mat = Mat_Open(s->path, MAT_ACC_RDONLY);
    if (mat == NULL)
        return mst_fail(err, MST_ECORRUPT, "%s: libmatio cannot open it", s->path);
    mst_status st = MST_OK;
    for (int k = 0; k < N_VARIABLES && st == MST_OK; k++)
        st = read_variable(s, mat, k, err);
    Mat_Close(mat);
    return st;
}

/* Value i as an integer of 0..top. */
static mst_status value(const mst_event_stream *s, int k, size_t i, int64_t top, int64_t *out, mst_err *err)
{
    const mat_state *m = s->state;
    const void *d = m->v[k]->data;
    double v;
    switch (m->v[k]->class_type) {
    case MAT_C_DOUBLE: v = ((const double *)d)[i]; break;
    case MAT_C_SINGLE: v = (double)((const float *)d)[i]; break;
    case MAT_C_INT8: v = ((const int8_t *)d)[i]; break;
    case MAT_C_UINT8: v = ((const uint8_t *)d)[i]; break;
    case MAT_C_INT16: v = ((const int16_t *)d)[i]; break;
    case MAT_C_UINT16: v = ((const uint16_t *)d)[i]; break;
    case MAT_C_INT32: v = ((const int32_t *)d)[i]; break;
    case MAT_C_UINT32: v = ((const uint32_t *)d)[i]; break;
    case MAT_C_INT64: v = (double)((const int64_t *)d)[i]; break;
    case MAT_C_UINT64: v = (double)((const uint64_t *)d)[i]; break;
    default:
        return mst_fail(err, MST_EUNSUPPORTED, "%s: variable '%s': expected numbers, found class %d", s->path,
                        names[k], (int)m->v[k]->class_type);
    }
    if (!(v >= 0 && v <= (double)top) || v != floor(v))
        return mst_fail(err, MST_ECORRUPT,
                        "%s: event %" PRIu64 ": %s: expected an integer of 0..%" PRId64 ", found %.17g",
                        s->path, s->index, names[k], top, v);
    *out = (int64_t)v;
    return MST_OK;
}

static mst_status mat_next(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err)
{
    mat_state *m = s->state;
    for (; m->at < m->n && *n < cap; m->at++) {
        int64_t v[N_VARIABLES];
        const int64_t tops[N_VARIABLES] = {(int64_t)1 << 53, s->width - 1, s->height - 1, 1};
        for (int k = 0; k < N_VARIABLES; k++)
            MST_TRY(value(s, k, m->at, tops[k], &v[k], err));
        MST_TRY(mst_event_emit(s, v[TS], (uint32_t)v[X], (uint32_t)v[Y], (uint32_t)v[POL], 0, out, n, err));
    }
    return MST_OK;
}

static void mat_close(mst_event_stream *s)
{
    mat_state *m = s->state;
    if (m == NULL)
        return;
    for (int k = 0; k < N_VARIABLES; k++)
        Mat_VarFree(m->v[k]);
    mst_free(NULL, m, sizeof *m);
    s->state = NULL;
}

#else

static mst_status mat_open(mst_event_stream *s, mst_err *err)
{
    return mst_fail(err, MST_EUNSUPPORTED, "%s: a MATLAB file, which this build does not read: make deps, then make",
                    s->path);
}

static mst_status mat_next(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err)
{
    (void)out, (void)cap, (void)n;
    return mat_open(s, err);
}

static void mat_close(mst_event_stream *s) { (void)s; }

#endif

const mst_event_decoder mst_event_mat = {"ASL-DVS mat", mat_sniff, mat_open, mat_next, mat_close, NULL, NULL};

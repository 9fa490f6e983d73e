/* Data sets and event recordings behind one interface, whatever their format.
 *
 *     mst_data_open_for("idx:images.gz,labels.gz", graph, &data, &err);
 *     for (i = 0; i < mst_data_count(data); i++)
 *         mst_data_get(data, i, x, &label, &err);          x: what mst_session_begin takes
 *
 * A sample is float32 in the model's input shape [C,H,W]. 8-bit images are first fitted to that shape where they
 * have another one and the caller says how, then normalized: (x/255 - mean)/std. Formats are in docs/DATA.md and
 * docs/EVENTS.md.
 */
#ifndef MST_DATA_H
#define MST_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mst/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the model wants. Shapes that do not fit are refused by open. */
typedef struct mst_data_want {
    size_t size; /* sizeof(mst_data_want): mst/status.h */
    uint32_t channels, height, width;
    uint32_t n_norm;         /* 0: bytes enter as x/255; else = channels */
    mst_prepare prepare;     /* of samples of another size; all zero: they are refused. Presented in
                               * steps, a sample is prepare.frames times [C,H,W] one after another */
    bool as_is;              /* there is no model: samples keep the shape that they have on disk; of the
                               * above only prepare.frames (0: 10) and .split count */
    uint32_t classes;        /* labels must be below it; 0: not checked */
    const float *mean, *std; /* [n_norm], copied by open */
    /* [n_class_names], read by open; none: folders of classes are labelled by their places in byte order. Where the
     * folders have such names they are labelled by these, and need not all be there */
    const char *const *class_names;
    size_t n_class_names;
    size_t channels_last; /* not 0: arrays of float32 may be [N,H,W,C], as the model was trained with */
} mst_data_want;

typedef struct mst_data mst_data;

/* Open SPEC: FORMAT:PATH[,LABELS] or a path whose format is recognized. *out is to be closed. EINVAL for an
 * unknown format (names the known ones), EIO, EFORMAT, ECORRUPT, ELIMIT. */
MST_API mst_status mst_data_open(const char *spec, const mst_data_want *want, mst_data **out, mst_err *err);
/* The same with what g wants: its input's shape, mean and std, preprocessing, classes; g need not live on.
 * EUNSUPPORTED where its input is no image [1,C,H,W]. */
MST_API mst_status mst_data_open_for(const char *spec, const mst_graph *g, mst_data **out, mst_err *err);
/* The same without a model: samples as mst_data_want.as_is has them, normalized by nothing (bytes as x/255). */
MST_API mst_status mst_data_open_as_is(const char *spec, mst_data **out, mst_err *err);
MST_API void mst_data_close(mst_data *d); /* NULL allowed */

MST_API const char *mst_data_format(const mst_data *d); /* "idx", ..: lent by d */
/* Arrays of floats, whose values enter as they are; false: bytes, which mean and std are for, or counts of events. */
MST_API bool mst_data_is_real(const mst_data *d);
MST_API size_t mst_data_count(const mst_data *d); /* samples */

/* Shape [C,H,W] of what mst_data_get gives for sample i: the model's (presented in steps: C of all
 * frames together), or the sample's own. EINVAL where there is no sample i; what a look into its file gives. */
MST_API mst_status mst_data_shape(const mst_data *d, size_t i, uint32_t shape[3], mst_err *err);

/* Sample i as float32 [C*H*W] into x; label in *label (-1: none). Thread safe. EINVAL where there is no sample i;
 * EIO, EFORMAT, ECORRUPT, EUNSUPPORTED, ELIMIT, ENOMEM name the file and what is wrong with it. */
MST_API mst_status mst_data_get(const mst_data *d, size_t i, float *x, int *label, mst_err *err);

/* Label of sample i (-1: none) without reading the sample. EINVAL where there is no sample i, EIO. */
MST_API mst_status mst_data_label(const mst_data *d, size_t i, int *label, mst_err *err);
/* What sample i is called, into out [n]: the path of a file of its own, else "sample I". */
MST_API void mst_data_name(const mst_data *d, size_t i, char *out, size_t n);
/* Files in the folders of a data set that no reader knows; the path of one of them goes into *one (lent). */
MST_API size_t mst_data_passed_over(const mst_data *d, const char **one);

/* What can stand before the colon of a SPEC: a format, or a data set of event recordings. */
typedef struct mst_data_kind {
    const char *name;   /* "idx" */
    const char *path;   /* what PATH is */
    const char *labels; /* where labels come from */
    bool frames;        /* its samples may be frames to be presented one after another */
} mst_data_kind;
/* Kind k; false behind the last. */
MST_API bool mst_data_kind_at(size_t k, mst_data_kind *out);

#ifdef __cplusplus
}
#endif
#endif

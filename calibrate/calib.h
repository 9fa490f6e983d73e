/* Inside calibrate: what its files share. */
#ifndef MST_CALIB_H
#define MST_CALIB_H

#include <gsl/gsl_rstat.h>

#include "mst/calibrate.h"

/* A NEURON of the spiking network and the one of the ANN that it stands for. */
typedef struct calib_pair {
    uint32_t snn_layer, ann_layer; /* mst_program_layer indices */
    size_t neurons;
    const float *theta;            /* [channels] */
    size_t channels, inner;        /* neuron i has theta[(i / inner) % channels] */
    double levels, shift;
} calib_pair;

/* What one sample says of one layer: means over its neurons. */
typedef struct calib_sample {
    double mae, bias, max, within, residual, error_sq, ann_sq;
    double part_abs[MST_PART_COUNT], part_mean[MST_PART_COUNT];
    uint64_t spikes;
} calib_sample;

/* The same over samples. */
typedef struct calib_total {
    gsl_rstat_workspace *mae; /* mean and standard error */
    double max, bias, within, residual, error_sq, ann_sq;
    double part_abs[MST_PART_COUNT], part_mean[MST_PART_COUNT];
    double spikes;
} calib_total;

struct mst_calib {
    mst_arena arena;
    const mst_program *ann, *snn, *stored; /* stored: NULL, or with ann's nodes */
    mst_calib_opts opts;      /* at points into the arena */
    uint32_t steps;           /* T */
    size_t n_layers, classes, input_size;
    calib_pair *pairs;        /* [n_layers] */
    uint32_t *ann_of_node, *snn_of_node; /* node -> pair, MST_NONE: not a NEURON */
    calib_total *totals;      /* [n_layers] */
    size_t samples, labelled, ann_right, stored_right;
    size_t *right, *agree;    /* [n_at] */
    double *logit_sq;         /* [n_at] */
    double ann_logit_sq, stored_logit_sq; /* stored: of the difference */
};

/* One neuron's error and its parts (calibrate.h). */
typedef struct calib_error {
    double e, residual, part[MST_PART_COUNT];
} calib_error;
calib_error mst_calib_split(double theta, double levels, double shift, double steps, double spikes, double a,
                            double stored, double v_end);

/* What one sample gave in a layer, each [neurons]: spikes, activations of the ANN and of the ANN with
 * the stored weights, v(T). */
typedef struct calib_values {
    const uint32_t *count;
    const float *a, *stored, *v;
} calib_values;

/* Reduce a layer on one sample, in one pass. */
void mst_calib_reduce(const calib_pair *p, double steps, const calib_values *x, calib_sample *out);

#endif

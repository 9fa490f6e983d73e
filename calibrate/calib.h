/* Inside calibrate: what its files share. */
#ifndef MST_CALIB_H
#define MST_CALIB_H

#include <math.h>

#include "calibrate/exact.h"
#include "mst/calibrate.h"

/* A NEURON of the spiking network and the one of the ANN that it stands for. */
typedef struct calib_pair {
    uint32_t snn_layer, ann_layer; /* mst_program_layer indices */
    size_t neurons;
    const float *theta;     /* [channels] */
    size_t channels, inner; /* neuron i has theta[(i / inner) % channels] */
    double levels, shift;
    bool even;          /* count and radix mode: right between two levels the even one */
    const float *first; /* [neurons] v(0) in step mode, where it is tuned; NULL: shift * theta */
    /* count and radix mode */
    int run_levels;
    const float *gain, *bias; /* [gains], [biases], along the axis of theta; NULL: none */
    size_t gains, biases;
    uint32_t source; /* tensor of the spiking network whose values are its input */
    uint32_t next;   /* pair that has the same source; MST_NONE */
} calib_pair;

/* What one sample says of one layer: means over its neurons. */
typedef struct calib_sample {
    double mae, bias, max, within, residual, error_sq, ann_sq;
    double part_abs[MST_PART_COUNT], part_mean[MST_PART_COUNT];
    uint64_t fired, spikes, ops;
} calib_sample;

/* The same over samples: exact, so that the sums of parts are the sums of all. */
typedef struct calib_total {
    uint64_t fired, spikes, ops;
    double max;
    mst_exact mae, mae_sq; /* of its square */
    mst_exact bias, within, residual, error_sq, ann_sq;
    mst_exact part_abs[MST_PART_COUNT], part_mean[MST_PART_COUNT];
} calib_total;

/* At a step. */
typedef struct calib_point {
    uint64_t right, agree;
    mst_counters counts;
    mst_exact logit_sq;
} calib_point;

struct mst_calib_sums {
    mst_arena arena;
    size_t n_layers, n_at;
    uint64_t samples, labelled, ann_right, stored_right, drawn_right[MST_CALIB_DRAWS];
    mst_exact ann_logit_sq, stored_logit_sq; /* stored: of the difference */
    calib_point *points;                     /* [n_at] */
    calib_total *totals;                     /* [n_at][n_layers] */
};

struct mst_calib {
    mst_arena arena;
    const mst_program *ann, *snn, *stored; /* stored: NULL, or with ann's nodes */
    const mst_program *drawn;
    mst_calib_opts opts; /* at points into the arena */
    mst_run_mode mode;   /* of snn */
    bool counts;         /* count or radix */
    uint32_t steps;      /* T; 1 in count and radix mode */
    size_t n_layers, classes, input_size;
    calib_pair *pairs;                   /* [n_layers] */
    uint32_t *ann_of_node, *snn_of_node; /* node -> pair, MST_NONE: not a NEURON */
    uint32_t *ann_mask_of, *snn_mask_of; /* node -> pair whose spikes it masks, MST_NONE: no mask of a pair */
    bool *ann_masked, *snn_masked;       /* [n_layers] has a mask behind it */
    uint32_t *reader_of;                 /* node of the spiking network -> first pair whose input it makes, MST_NONE */
    uint32_t *given;                     /* [n_given] pairs whose input no node makes */
    size_t n_given;
    mst_calib_sums *sums;
};

/* The staircase as EXECUTION.md has it for NEURON: the roundings are the network's, so that the same current gives the
 * same value. */
static inline float calib_stair(float current, float theta, float levels, float shift, bool even)
{
    float z = current * levels / theta;
    z = even ? rintf(z) : z + shift;
    float n = z >= levels ? levels : z >= 1.0f ? floorf(z)
                                               : 0.0f;
    return theta * (n / levels);
}

/* One neuron's error and its parts (calibrate.h). */
typedef struct calib_error {
    double e, residual, part[MST_PART_COUNT];
} calib_error;
calib_error mst_calib_split(double theta, double levels, double shift, double steps, double spikes, double a,
                            double stored, double v_end);

/* A neuron in count and radix mode (calibrate.h): U, y, y', a, b, k. */
typedef struct calib_counted {
    float current, fired, left, a, stored, kept;
} calib_counted;
calib_error mst_calib_split_count(float theta, float levels, float shift, bool even, const calib_counted *x);

/* What one sample gave in a layer, each [neurons]: spikes, activations of the ANN and of the ANN with
 * the stored weights, v(T). */
typedef struct calib_values {
    const uint32_t *count;
    const float *a, *stored, *v;
} calib_values;

/* The same in count and radix mode, as calib_counted has it; input: U before gain and bias. */
typedef struct calib_counts {
    const float *input, *fired, *left, *a, *stored, *kept;
} calib_counts;

/* Reduce a layer on one sample, in one pass. */
void mst_calib_reduce(const calib_pair *p, double steps, const calib_values *x, calib_sample *out);
void mst_calib_reduce_counts(const calib_pair *p, const calib_counts *x, calib_sample *out);

/* Do inputs and classes agree? EINVAL. */
mst_status mst_calib_check_shapes(const mst_program *ann, const mst_program *snn, mst_err *err);

/* [n] numbers, all MST_NONE. NULL: out of memory. */
uint32_t *mst_calib_nothing(mst_arena *arena, size_t n);
/* The mean of frames of n values in x [size], as the network has it: added up in order, each sum rounded, then
 * divided. */
void mst_calib_mean_frame(const float *x, size_t size, size_t n, float *out);

/* A graph, which node makes each tensor (MST_NONE: none), and which tensor it is but for RESHAPE; both [n_tensors]. */
typedef struct calib_wires {
    const mst_graph *g;
    uint32_t *producer, *root;
} calib_wires;
/* Fill those of w->g, in the arena. ENOMEM. */
mst_status mst_calib_wires_read(calib_wires *w, mst_arena *arena, mst_err *err);
/* pair_of [n_nodes]: layers of NEURONs. mask_of [n_nodes]: the layer whose spikes that node masks, nothing between them
 * but RESHAPE; masked [layers], false before: has one. The first mask of a layer counts. */
void mst_calib_find_masks(const calib_wires *w, const uint32_t *pair_of, uint32_t *mask_of, bool *masked);

/* Find where the inputs of neurons come from, and the masks behind them. ENOMEM. */
mst_status mst_calib_wire(mst_calib *c, mst_err *err);

#endif

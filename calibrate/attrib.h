/* Inside calibrate: what the files of an attribution share. */
#ifndef MST_ATTRIB_H
#define MST_ATTRIB_H

#include "calibrate/calib.h"
#include "mst/attribute.h"

#define ATTRIB_ALL ((1u << MST_CAUSE_COUNT) - 1)
#define ATTRIB_BIT(cause) (1u << (cause))

/* The constants of a layer's neurons in one of the graphs. */
typedef struct attrib_neuron {
    const float *theta, *gain, *bias;    /* [thetas], [gains], [biases] along the axis; gain, bias NULL: none */
    size_t thetas, gains, biases, inner; /* neuron i has theta[i / inner % thetas] */
    float levels, shift;
    bool even;  /* right between two levels the even one */
    float kept; /* what float mode leaves of a value behind the mask: 1 without one */
} attrib_neuron;

typedef struct attrib_layer {
    uint32_t snn_layer;
    size_t neurons;
    attrib_neuron ann, snn;
    float run_levels;   /* T, or l */
    bool run_even;      /* the run, too, takes the even level: counts do, step by step none */
    const float *first; /* [neurons] v(0)/theta, where it is tuned; NULL: shift */
    uint32_t causes;    /* that it can have */
    uint32_t current;   /* bit of what B - A is: network or weights; 0: they are the same */
    uint32_t steps;     /* bits of what m - B is: products, islands; 0: linear */
    bool differs;
    double theta_ratio;
} attrib_layer;

/* How the nodes of a graph belong to layers, for taps. */
typedef struct attrib_wiring {
    uint32_t *layer_of, *mask_of; /* [nodes] layer whose NEURON, whose mask it is; MST_NONE */
    uint32_t *reader_of;          /* [nodes] first layer whose input it makes; MST_NONE */
    uint32_t *next;               /* [layers] the next of the same input */
    uint32_t *given, n_given;     /* layers whose input no node makes */
    uint32_t *source;             /* [layers] tensor that is the input */
    bool *masked;                 /* [layers] */
} attrib_wiring;

/* Which causes act where: `all` outside of a part, `own` inside. part: a layer (up to and with the logits, n_layers),
 * or n_layers + 1 + block; MST_NONE: no part. */
typedef struct attrib_pass {
    uint32_t all, part, own;
    bool standard; /* inputs of mean 0 and deviation 1 */
} attrib_pass;

/* The effect of pass `from` over pass `to`; or the mean of two such. */
typedef struct attrib_row {
    uint32_t from, to;
    bool two;
    uint32_t from2, to2;
} attrib_row;

enum { ATTRIB_ANN, /* the first two passes are known */
       ATTRIB_SNN,
       ATTRIB_KNOWN };

/* What one sample says of one layer: sums over its neurons. */
typedef struct attrib_own {
    double error_sq, ann_sq, ann_abs, part_abs[MST_CAUSE_COUNT];
} attrib_own;

struct mst_attrib {
    mst_arena arena;
    const mst_program *ann, *snn;
    mst_program *even; /* the graph of snn in float mode */
    mst_attrib_opts opts;
    mst_run_mode mode;
    bool counts;
    uint32_t steps, readout_from;
    size_t n_layers, classes, input_size, channels;
    attrib_layer *layers; /* [n_layers + 1]: the last is that of the logits */
    int *block_of;        /* [n_layers + 1] */
    attrib_wiring ann_wires, snn_wires;
    uint32_t causes; /* that some layer can have */
    bool chosen;
    attrib_pass *passes; /* [n_passes] */
    attrib_row *rows;    /* [n_rows], in the order of the report (attrib_plan.c) */
    size_t n_passes, n_rows, n_tried;
    uint32_t *tried; /* [n_tried] layers */
    int *blocks;     /* [n_blocks] of several layers */
    size_t n_blocks;
    double *harm;             /* [n_layers + 1] */
    double *mean, *deviation; /* [channels] */
    /* sums over samples */
    size_t samples, labelled, *right; /* [n_passes] */
    double *error_sq, ann_sq;         /* [n_passes] of the logits */
    int64_t *gained;                  /* [n_rows] sum over samples of from right - to right, of both */
    uint64_t *changed;                /* [n_rows] of its square */
    attrib_own *own;                  /* [n_layers + 1] */
    double *x_sum, *x_sq;             /* [channels] */
    uint64_t x_n;
};

/* Values of one layer on one sample, each [neurons]: what the chain is made of. */
typedef struct attrib_values {
    float *ann;          /* A: the ANN's current for the spiking network's values */
    float *even;         /* B */
    float *mean;         /* m */
    float *fired, *left; /* phi, phi' */
    float *off;          /* phi - Q(m), over theta */
} attrib_values;

/* Fill mean and off of what fired; residual: (v(T) - v(0))/T of each neuron, NULL in layers whose current is linear. */
void mst_attrib_settle(const attrib_layer *l, bool counts, const float *residual, const attrib_values *v);
/* What a layer fires in a what-if run in which the causes `on` act. x [neurons]: in, its current before the neuron's
 * own gain and bias; out, what is left behind its mask. */
void mst_attrib_fire(const attrib_layer *l, bool counts, uint32_t on, const attrib_values *v, float *x, float *fired);
/* Add the layer's own error on a sample, by cause. */
void mst_attrib_reduce(const attrib_layer *l, bool counts, const attrib_values *v, attrib_own *sum);
/* Whose error m - B is. */
static inline mst_cause mst_attrib_step_cause(const attrib_layer *l)
{
    return l->steps == ATTRIB_BIT(MST_CAUSE_ISLANDS) ? MST_CAUSE_ISLANDS : MST_CAUSE_PRODUCTS;
}
/* x with gain and bias of the neuron. */
void mst_attrib_current(const attrib_neuron *n, size_t neurons, const float *x, float *out);

/* Compare the constants of both graphs; fill current, steps, causes, differs, theta_ratio of all layers. ENOMEM. */
mst_status mst_attrib_compare(mst_attrib *a, mst_err *err);

/* Passes and rows of the choice, or (chosen) of the report. ENOMEM. */
mst_status mst_attrib_plan(mst_attrib *a, mst_err *err);
/* Causes that act in layer k in a pass. */
uint32_t mst_attrib_on(const mst_attrib *a, const attrib_pass *p, size_t k);

#endif

/* Inside the tuning of v(0): what its files share. */
#ifndef MST_CALIB_TUNE_STATE_H
#define MST_CALIB_TUNE_STATE_H

#include "mst/tune.h"

/* A layer of the spiking network, and its channels. */
typedef struct tune_layer {
    size_t neurons, channels;
    uint32_t *channel;   /* [neurons] */
    float *first, *kept; /* [channels] v(0)/theta: now; of the pass that counts so far */
    double shift;        /* as the graph has it */
    double *theta;       /* [channels] */
    double *activation;  /* [channels] of the ANN: sum over samples and neurons */
    uint64_t *spikes;    /* [channels] of this pass, likewise */
} tune_layer;

/* What a sample held out gave. */
typedef struct tune_held {
    double error_sq, ann_sq; /* squares of the logits' distance from the ANN's, and of those */
    bool labelled, right, ann_right;
} tune_held;

struct mst_tune {
    mst_arena arena;
    const mst_program *ann;
    mst_program *snn; /* of this pass */
    mst_graph *graph;
    mst_run_opts run;
    mst_tune_opts opts;
    size_t n_layers, most_neurons, classes, input_size;
    tune_layer *layers;                /* [n_layers] */
    mst_tuned *tuned;                  /* [n_layers] what the graph lends: first of the layers */
    uint32_t *ann_layer_of, *layer_of; /* node of the ANN's graph, of the network's -> layer, MST_NONE */
    float *ann_logits;                 /* [held][classes] */
    tune_held *held, *untuned, *kept;  /* [held] of this pass, of the first, of the one that counts so far */
    uint32_t pass, taken;              /* the first is 0: untuned; the one that counts so far */
};

/* Of n samples: are the logits nearer to the ANN's, and top-1 no lower? */
bool mst_tune_better(const tune_held *tuned, const tune_held *untuned, size_t n);

/* Bit masks of the axes that are channels, [n_tensors], of dimensions above 1. NULL: out of memory. */
uint32_t *mst_tune_axes(const mst_graph *g, mst_arena *arena);

#endif

/* Running a graph.
 *
 * A program is a graph compiled for one mode: immutable, shared by threads. A
 * session is one thread's state over a program: membranes, counters, one
 * planned arena. Several sessions may run one program at the same time.
 *
 *     mst_run_opts opts = {.size = sizeof opts, .seed = graph->meta.seed, .schedule = MST_SCHEDULE_BLOCK};
 *     mst_program_create(graph, &opts, &program, &err);
 *     mst_session_create(program, &session, &err);
 *     mst_session_begin(session, x, sample_index);
 *     for (t = 1; t <= T; t++) mst_session_step(session);
 *     mst_session_mean_logits(session, MST_LAST, logits);
 *
 * Nothing is allocated after mst_session_create. What each step computes, and
 * in which order of floating point operations, is in docs/EXECUTION.md.
 */
#ifndef MST_SESSION_H
#define MST_SESSION_H

#include "mst/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mst_run_mode {
    MST_RUN_SPIKING, /* NEURON integrates and fires (MST paper, Eq. 2, 3) */
    MST_RUN_FLOAT,   /* NEURON is the QCFS staircase; MASK multiplies by 1 - ratio, its mean */
    MST_RUN_COUNT,   /* NEURON takes in all its input, then fires up to `levels` spikes: one step is all */
    MST_RUN_RADIX,   /* the same numbers, whose spikes are their binary digits */
    MST_RUN_ANN      /* float mode, but MASK drops whole values, drawn for each sample: the ANN as it was trained */
} mst_run_mode;
/* "step", "float", "count", "radix", "ann"; NULL when unknown */
MST_API const char *mst_run_mode_name(int mode);

/* Order of computation. Results are the same to the bit. */
typedef enum mst_schedule {
    MST_SCHEDULE_STEP, /* one time step after another: the plain reference */
    MST_SCHEDULE_BLOCK /* layer by layer over a block of time steps: fast. Float mode goes step by step */
} mst_schedule;

typedef struct mst_run_opts {
    size_t size; /* sizeof(mst_run_opts); mst/status.h says what it is for */
    mst_run_mode mode;
    const char *isa;            /* kernel set, a name of mst/isa.h; NULL: the best this machine has, but for amx */
    uint64_t seed;              /* of the masks; the caller passes graph->meta.seed or his own */
    const mst_allocator *alloc; /* NULL: the C library */
    mst_schedule schedule;
    unsigned threads;      /* that share one sample (block schedule); 0 and 1: none beside the caller's */
    uint32_t block_steps;  /* time steps of a block; 0: as the caches have room */
    uint32_t frames;       /* 0 and 1: the input is the same at every step. n: a sample is n frames of the
                             input's shape, step t shows frame (t-1) mod n, the other modes their mean */
    uint32_t levels;       /* of all neurons in count and radix mode, 1..255; 0: each layer's own (mst_node_levels) */
    mst_thinning thinning; /* how masks drop the spikes of a count */
    uint64_t readout_from; /* spiking mode: the time step from which on logits are averaged, at most
                              MST_MAX_TIMESTEPS; 0 and 1: all. mst_session_mean_logits says what is before it */
    const char *backend;   /* a name of mst_backend_name; NULL: the first */
} mst_run_opts;

/* The form of a tensor's values. */
typedef enum mst_form {
    MST_FORM_STATIC, /* the same at every step: made of constants and a constant input */
    MST_FORM_FLOAT,  /* analog values */
    MST_FORM_BITS,   /* spikes: theta or nothing */
    MST_FORM_COUNT,  /* spikes of a whole window: 0, 1, 2 .. of them */
    MST_FORM_SIGNED  /* spikes of either sign */
} mst_form;

typedef struct mst_program mst_program;
typedef struct mst_session mst_session;

/* Compile g, which must outlive the program; opts NULL: all of them 0. EUNSUPPORTED names the node that
 * cannot run; EINVAL for a wrong option, an isa that this machine lacks, a back end that there is not, a
 * graph that does not validate; ELIMIT for a session of more than 4 GiB, for a graph whose spikes take ways
 * beyond counting; ENOMEM. */
MST_API mst_status mst_program_create(const mst_graph *g, const mst_run_opts *opts, mst_program **out,
                                      mst_err *err);
MST_API void mst_program_destroy(mst_program *p);
MST_API const mst_graph *mst_program_graph(const mst_program *p);
MST_API const char *mst_program_isa(const mst_program *p); /* the set in use */
MST_API mst_run_mode mst_program_mode(const mst_program *p);

/* Back ends, by the table in runtime/backend/backends.c: "cpu", ..; NULL past the last. Which one p runs by. */
MST_API const char *mst_backend_name(int i);
MST_API const char *mst_program_backend(const mst_program *p);

/* One NEURON of the graph, in execution order. */
typedef struct mst_layer {
    const char *name;
    uint32_t node; /* index in graph->nodes */
    mst_site site;
    int stage, block; /* -1: outside */
    uint64_t neurons;
    double theta; /* the mean where theta is per channel */
    bool theta_per_channel;
    int levels;        /* L; in count and radix mode the levels that it runs with */
    bool masked;       /* a MASK follows */
    double ratio;      /* of that mask; 0 without one */
    double trained;    /* ratio trained with; -1: not known */
    uint64_t dense_in; /* synapses driven per step if every input fired: dense MACs of the layers that feed it */
} mst_layer;
MST_API size_t mst_program_layers(const mst_program *p);
MST_API const mst_layer *mst_program_layer(const mst_program *p, size_t k); /* lent; NULL where there is none */

/* Multiply-adds of one pass in which nothing is skipped. */
MST_API uint64_t mst_program_dense_ops(const mst_program *p);
/* The part of them that only depends on the constant input: done once a sample, not once a step. */
MST_API uint64_t mst_program_dense_ops_static(const mst_program *p);

/* Count and radix mode: neurons on the longest way to the output, each of which takes a window; and the
 * steps of a window, the largest number of spikes (radix: of digits) that a layer may need. */
MST_API uint32_t mst_program_depth(const mst_program *p);
MST_API uint32_t mst_program_window(const mst_program *p);

/* float32 values of a sample: frames times the elements of graph->input. */
MST_API size_t mst_program_input_size(const mst_program *p);

/* Bytes of one session's state and arena. */
MST_API size_t mst_program_session_bytes(const mst_program *p);

/* A session over p, which must outlive it; its sample is 0, of zeros. ENOMEM. destroy accepts NULL. */
MST_API mst_status mst_session_create(const mst_program *p, mst_session **out, mst_err *err);
MST_API void mst_session_destroy(mst_session *s);

/* Start a sample: membranes to v(0), time to 0, counters to 0; x is copied,
 * float32, shape of graph->input, one such after another where there are frames.
 * sample is the index in the data set: it enters the mask counters. x NULL: keep
 * the input (a plain reset). */
MST_API void mst_session_begin(mst_session *s, const float *x, uint32_t sample);
/* Masks of samples that begin from now on are drawn with this seed, not with that of the program. */
MST_API void mst_session_reseed(mst_session *s, uint64_t seed);

/* Run one time step (spiking), one forward pass (float, ANN), or the windows of a whole run (count, radix). */
MST_API void mst_session_step(mst_session *s);

/* Run steps time steps, but no more than mst_program_block_steps (1 for the step schedule);
 * returns how many. What each of them gave can be asked for until the next call:
 *
 *     for (t = 0; t < T; t += n) {
 *         n = mst_session_run(session, T - t);
 *         for (i = 0; i < n; i++) mst_session_mean_logits(session, i, logits);
 *     }
 */
MST_API uint32_t mst_session_run(mst_session *s, uint32_t steps);
MST_API uint32_t mst_program_block_steps(const mst_program *p);

MST_API uint32_t mst_session_time(const mst_session *s); /* steps since begin */
MST_API size_t mst_session_classes(const mst_session *s);

/* Index of the largest of n >= 1 values, of equals the first. */
MST_API size_t mst_argmax(const float *x, size_t n);

/* In what follows, i is a step of the last run, 0..n-1, or MST_LAST for the newest one. */
#define MST_LAST UINT32_MAX

/* The logits of step i, [classes], lent until the next run; and their mean from step readout_from up to it, in out
 * [classes]. Before readout_from it is the mean over all steps since begin, before the first step of a sample 0. */
MST_API const float *mst_session_logits(const mst_session *s, uint32_t i);
MST_API void mst_session_mean_logits(const mst_session *s, uint32_t i, float *out);

/* Spikes of layer k from begin to step i: fired before its mask, and after it (the same without one).
 * Where there is no layer k, 0. */
MST_API uint64_t mst_session_layer_fired(const mst_session *s, uint32_t i, size_t k);
MST_API uint64_t mst_session_layer_spikes(const mst_session *s, uint32_t i, size_t k);

/* Sums since mst_session_begin. "sops" are additions that a spike caused
 * (spike x fan-out; coincidences for products of spikes), "macs" those of
 * analog inputs that were not zero. */
typedef struct mst_counters {
    uint64_t spikes;        /* that leave neurons, after masks */
    uint64_t spikes_before; /* before masks */
    uint64_t sops;
    uint64_t macs;
} mst_counters;
MST_API mst_counters mst_session_counters(const mst_session *s);
/* For sums over samples: *to becomes larger by *from. */
MST_API void mst_counters_add(mst_counters *to, const mst_counters *from);

/* Synaptic operations of the layers that feed layer k (spikes and analog inputs together). */
MST_API uint64_t mst_session_layer_ops(const mst_session *s, size_t k);
/* These three (fired and spikes up to the newest step) of all layers, each in an array [mst_program_layers] or NULL
 * where it is not wanted: for bindings, to which a call costs more than a sum. */
MST_API void mst_session_layer_sums(const mst_session *s, uint64_t *fired, uint64_t *spikes, uint64_t *ops);

/* Membrane potentials v(t) after reset, [neurons], float32, in the layer's
 * tensor order. Spiking mode; NULL in the others. Lent until the next step. */
MST_API const float *mst_session_potential(const mst_session *s, size_t k);

/* ---- taps: values as they pass ------------------------------------------------------- */

/* What an operation has just made, for all steps of a block. Lent during the call. */
typedef struct mst_tap {
    uint32_t node;         /* of the graph, whose output this is */
    uint32_t layer;        /* where that is a NEURON: its layer; otherwise MST_NONE */
    uint32_t first, steps; /* time steps first .. first + steps - 1; 1 is the first of a sample */
    mst_form form;         /* STATIC: steps is 1, and it is seen once a sample */
    size_t n;              /* elements of one step, in the tensor's order */
    const void *how;       /* private */
} mst_tap;

/* A tap sees every value that is stored: all neurons and masks, and what passes between
 * operations as numbers. In the step schedule and in float mode that is the output of every node but
 * RESHAPE; in the block schedule sums on their way into neurons are never stored. NULL: none. */
typedef void (*mst_tap_fn)(void *ctx, const mst_session *s, const mst_tap *t);
MST_API void mst_session_tap(mst_session *s, mst_tap_fn fn, void *ctx);

/* The values of step i (0..steps-1), [n]: theta*s for a NEURON of the step semantics. */
MST_API void mst_tap_values(const mst_tap *t, uint32_t i, float *out);

/* Give step i other values, [n], before anything reads them: for what-if runs in float mode, where the output of every
 * node is seen. False, and nothing happens: they are no analog numbers (form FLOAT), or there is no such step. */
MST_API bool mst_tap_put(const mst_tap *t, uint32_t i, const float *values);

/* Add to count[n] how many of the steps' values are not zero, spikes for a NEURON; for the form COUNT, n. */
MST_API void mst_tap_count(const mst_tap *t, uint32_t *count);

#ifdef __cplusplus
}
#endif
#endif

/* What a program and a session are, one value a function, as graph.h ends with for a graph: for bindings, and
 * for callers that are to go on running with later versions of the library. No struct's layout is needed:
 *
 *     void *err = calloc(1, mst_err_size());
 *     mst_graph_load(path, NULL, &graph, err);
 *     mst_program_create_text(graph, "mode=float", &program, err);   else mst_err_text(err) says why
 *
 * Strings are lent by the object that is asked. Where k is no layer (c no channel, i no class), the answer is
 * NULL, 0, or -1 where 0 could be meant.
 */
#ifndef MST_FACTS_H
#define MST_FACTS_H

#include "mst/session.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- program: its layers of neurons, in execution order ------------------- */

/* mst_program_create with options as text, "NAME=VALUE NAME=VALUE ..." in any order, NULL or "" for none:
 * mode (a name of mst_run_mode_name), schedule (step, block), isa, backend, seed, threads, block-steps, frames,
 * levels, thinning (binomial, systematic), readout-from as in mst_run_opts. seed, frames and thinning are the graph's
 * where they are not named. EINVAL names what is wrong, ELIMIT a text of 512 bytes or more; otherwise as
 * mst_program_create. */
MST_API mst_status mst_program_create_text(const mst_graph *g, const char *options, mst_program **out,
                                           mst_err *err);

MST_API const char *mst_program_layer_name(const mst_program *p, size_t k);
/* Index in execution order of the node that the layer is, MST_NONE for no layer. */
MST_API uint32_t mst_program_layer_node(const mst_program *p, size_t k);
MST_API const char *mst_program_layer_site(const mst_program *p, size_t k); /* "q", .. of mst_site_name */
MST_API int mst_program_layer_stage(const mst_program *p, size_t k);        /* -1: outside */
MST_API int mst_program_layer_block(const mst_program *p, size_t k);        /* -1: outside */
MST_API uint64_t mst_program_layer_neurons(const mst_program *p, size_t k);
/* Shape of what it gives in one step, in dims; returns the rank. Its product is the number of neurons. */
MST_API uint32_t mst_program_layer_shape(const mst_program *p, size_t k, uint32_t dims[MST_MAX_RANK]);
/* L; in count and radix mode the levels that it runs with. */
MST_API int mst_program_layer_levels(const mst_program *p, size_t k);
/* Thresholds: how many (1, or one a channel), which axis of the shape the channels are, and theta of channel c. */
MST_API size_t mst_program_layer_thetas(const mst_program *p, size_t k);
MST_API int mst_program_layer_axis(const mst_program *p, size_t k);
MST_API float mst_program_layer_theta(const mst_program *p, size_t k, size_t c);
/* Ratio of spikes that the mask behind it drops, and the one that the weights were trained with; -1: no mask,
 * not known. */
MST_API double mst_program_layer_mask(const mst_program *p, size_t k);
MST_API double mst_program_layer_trained(const mst_program *p, size_t k);
/* The node whose values are what leaves the layer, for taps: its mask, where one follows, else its own.
 * MST_NONE for no layer. */
MST_API uint32_t mst_program_layer_leaves(const mst_program *p, size_t k);

/* ---- session: the sums of mst_counters -------------------------------------- */

MST_API uint64_t mst_session_spikes(const mst_session *s); /* after masks */
MST_API uint64_t mst_session_fired(const mst_session *s);  /* before */
MST_API uint64_t mst_session_sops(const mst_session *s);
MST_API uint64_t mst_session_macs(const mst_session *s);

#ifdef __cplusplus
}
#endif
#endif

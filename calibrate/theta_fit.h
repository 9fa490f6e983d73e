/* Inside thresholds: what its two files share. */
#ifndef MST_THETA_FIT_H
#define MST_THETA_FIT_H

#include "calibrate/theta_bins.h"
#include "mst/thresholds.h"

#define THETA_ENOUGH 500 /* activations of a channel that has a threshold of its own */

typedef struct fit_site {
    mst_theta_site site;
    const char *name; /* lent by the graph */
    size_t elements, channels;
    size_t n_bins;    /* channels, or 1 */
    theta_bins *bins; /* [n_bins] */
    float *theta;     /* [channels] */
    mst_theta_result result;
} fit_site;

struct mst_theta_fit {
    mst_arena arena;
    const mst_program *ann;
    mst_theta_opts opts;
    size_t n, input_size, samples;
    fit_site *sites;
    uint32_t *site_of; /* node -> site, MST_NONE */
};

#endif

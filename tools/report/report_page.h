/* A run or a calibration as a page that people can look at: one HTML file that needs no network and no script. Every
 * number in it is that of the structures which JSON and text are written from (docs/REPORT.md).
 */
#ifndef MST_REPORT_PAGE_H
#define MST_REPORT_PAGE_H

#include <stdio.h>

#include "mst/calibrate.h"
#include "tools/calib_attrib_words.h"
#include "tools/exit_sums.h"
#include "tools/report/report_look.h"
#include "tools/report/report_modes.h"
#include "tools/report/report_versus.h"
#include "tools/run_figures.h"

typedef struct mst_page {
    const char *tool;                /* "mstrun" */
    const mst_run_facts *run;        /* of the network in the mode that it was run in */
    const mst_outcome *outcome;      /* of its samples */
    const mst_calib_report *calib;   /* errors of its layers; NULL: not measured */
    const mst_versus *versus;        /* its ANN on the same samples; NULL: it was not run */
    const char *ann;                 /* which ANN that is, in words */
    const mst_look *look;            /* distributions and pictures; NULL: none */
    const mst_modes *modes;          /* the same in other modes; NULL: not run */
    const mst_exit_result *early;    /* the same samples stopped early; NULL: not asked for */
    const mst_attrib_report *attrib; /* what the loss comes from, and that in words; NULL: not asked for */
    const mst_words *words;
    bool layer_named; /* its layer was asked for */
} mst_page;

/* Write to path, an output of tool_paths.h. EIO, ENOMEM. */
mst_status mst_page_write(const mst_page *r, const char *path, mst_err *err);

/* ---- its parts, each a section or nothing where there is nothing to say ---- */

void mst_page_words(const mst_page *r, FILE *f);
void mst_page_accuracy(const mst_page *r, FILE *f);
/* What --attribute found. */
void mst_page_attribution(const mst_page *r, FILE *f);
void mst_page_energy(const mst_page *r, FILE *f);
/* A run in time steps beside the other modes. */
void mst_page_modes(const mst_page *r, FILE *f);
/* Samples that stop early beside the same run to each stage. */
void mst_page_exit(const mst_page *r, FILE *f);
mst_status mst_page_layers(const mst_page *r, FILE *f, mst_err *err);
/* Confusions, accuracy of each class. */
mst_status mst_page_classes(const mst_page *r, FILE *f, mst_err *err);
/* How activations and potentials of a layer are distributed. */
void mst_page_values(const mst_page *r, FILE *f);
/* Samples that the two take for different classes. */
mst_status mst_page_flips(const mst_page *r, FILE *f, mst_err *err);
void mst_page_masks(const mst_page *r, FILE *f);

/* ---- what they share ---- */

/* All of the run. */
mst_figures mst_page_figures(const mst_page *r);
/* A class by its name, or its number. Returns out or the name. */
const char *mst_page_class(const mst_page *r, uint32_t class, char *out, size_t n);
/* Names of layers without what all of them share at their ends, [n_layers], in the arena. NULL: out of memory. */
const char **mst_page_layer_names(const mst_run_about *a, mst_arena *arena);
/* The layer whose own error, all parts but what is inherited, is the largest in units of its threshold. */
size_t mst_page_worst(const mst_calib_report *c);
/* "T = 64"; "count, 16 levels" */
const char *mst_page_mode(const mst_run_about *a, char *out, size_t n);

#endif

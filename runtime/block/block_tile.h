/* Private to the files that run layers: a thread's scratch memory, and strips. */
#ifndef MST_BLOCK_TILE_H
#define MST_BLOCK_TILE_H

#include "runtime/block/block.h"

typedef struct blk_tile {
    size_t rows; /* of a tile of synapse rows */
    uint16_t *idx;
    float *val;
    uint32_t *start; /* [rows*steps][chunks], and one more */
    mstb_run *runs; /* synapses of bits: of one row */
    float *x; /* synapses: [rows*steps][64]; of int8 weights two strips; else one */
    float *row; /* synapses of a made input: [steps][k] */
    uint32_t *a, *b; /* products: [steps][words], [steps][blocks][words][64] */
} blk_tile;

/* Lay the tile of e out from base; returns its size (base may be NULL). */
size_t blk_tile_layout(const blk_program *b, const blk_expr *e, char *base, blk_tile *t);

/* One strip: row of e, columns from 64*block on. */
typedef struct blk_place {
    size_t row, block;
} blk_place;

/* x holds the synapse's or product's values, if e has one: add the terms, then fire or store. */
void blk_finish_strip(const blk_job *job, blk_place at, float *x);
/* The neurons of a strip, and where their spikes go at first. */
typedef struct blk_firing {
    mstb_strip strip;
    uint64_t bits[BLK_MAX_STEPS];
    float v[MSTB_COLS]; /* membranes that lie apart */
} blk_firing;
void blk_open_neurons(const blk_job *job, blk_place at, blk_firing *f);
void blk_close_neurons(const blk_job *job, blk_place at, const blk_firing *f);
/* x: the terms of e in a strip, added if `add`. */
void blk_apply_terms(const blk_job *job, const blk_expr *e, blk_place at, int add, float *x);

/* Lists of the inputs of a band, for rows r0..r0+rows-1 at all steps; returns their entries. */
size_t blk_list_tile(const blk_job *job, const blk_tile *tile, size_t band, size_t r0, size_t rows);
/* Where the input bits of a row lie; uses tile->runs. */
mstb_source blk_source(const blk_job *job, const blk_tile *tile, size_t band, size_t row);
size_t blk_most_runs(const blk_synapse *syn);

void blk_run_synapse(const blk_job *job, unsigned part, unsigned thread);
void blk_run_product(const blk_job *job, unsigned part, unsigned thread);

#endif

/* Private to the files that run layers: a thread's scratch memory, and strips. */
#ifndef MST_BACKEND_CPU_TILE_H
#define MST_BACKEND_CPU_TILE_H

#include "runtime/backend/cpu/cpu.h"

typedef struct cpu_tile {
    size_t rows; /* of a tile of synapse rows */
    uint16_t *idx;
    float *val;
    uint32_t *start; /* [rows*steps][chunks], and one more */
    mstb_run *runs;  /* synapses of bits: of one row */
    float *x;        /* synapses: [rows*steps][64]; of int8 weights two strips; else one */
    float *row;      /* synapses of a made input: [steps][k] */
    uint32_t *a, *b; /* products: [steps][words], [steps][blocks][words][64] */
} cpu_tile;

/* Lay the tile of e out from base; returns its size (base may be NULL). */
size_t cpu_tile_layout(const mst_program *p, const rt_expr *e, char *base, cpu_tile *t);

/* One strip: row of e, columns from 64*block on. */
typedef struct cpu_place {
    size_t row, block;
} cpu_place;

/* x holds the synapse's or product's values, if e has one: add the terms, then fire or store. */
void cpu_finish_strip(const cpu_job *job, cpu_place at, float *x);
/* The neurons of a strip, and where their spikes go at first. */
typedef struct cpu_firing {
    mstb_strip strip;
    uint64_t bits[RT_MAX_STEPS];
    float v[MSTB_COLS]; /* membranes that lie apart */
} cpu_firing;
void cpu_open_neurons(const cpu_job *job, cpu_place at, cpu_firing *f);
void cpu_close_neurons(const cpu_job *job, cpu_place at, const cpu_firing *f);
/* x: the terms of e in a strip, added if `add`. */
void cpu_apply_terms(const cpu_job *job, const rt_expr *e, cpu_place at, int add, float *x);

/* Lists of the inputs of a band, for rows r0..r0+rows-1 at all steps; returns their entries. */
size_t cpu_list_tile(const cpu_job *job, const cpu_tile *tile, size_t band, size_t r0, size_t rows);
/* Where the input bits of a row lie; uses tile->runs. */
mstb_source cpu_source(const cpu_job *job, const cpu_tile *tile, size_t band, size_t row);
size_t cpu_most_runs(const rt_synapse *syn);

void cpu_run_synapse(const cpu_job *job, unsigned part, unsigned thread);
void cpu_run_product(const cpu_job *job, unsigned part, unsigned thread);

#endif

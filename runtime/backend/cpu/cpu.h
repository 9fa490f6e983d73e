/* Private to the CPU back end: layers strip by strip (one row, 64 columns, all steps of a block),
 * weights in panels, threads that share an operation. */
#ifndef MST_BACKEND_CPU_CPU_H
#define MST_BACKEND_CPU_CPU_H

#include "runtime/backend/backend.h"
#include "runtime/kernels/block_kernels.h"
#include "runtime/kernels/count_kernels.h"

#define CPU_PAIRS 128 /* (row, step) lists of a tile */
#define CPU_CHUNK 192 /* inputs whose weights for 64 outputs stay in the first caches */
#define CPU_MAX_THREADS 64

_Static_assert(RT_COLS == MSTB_COLS, "constants are padded to strips");

/* mst_program.how */
typedef struct cpu_program {
    mst_block_kernels k;
    mst_count_kernels count;
    size_t panel_room; /* bytes that panels may still take (cpu_panel.c) */
} cpu_program;

static inline const mst_block_kernels *cpu_kernels(const mst_program *p) { return &((const cpu_program *)p->how)->k; }

/* rt_synapse.how. Groups of a CONV are joined into bands that begin at whole words of inputs and of
 * outputs. A band is a convolution of its own, whose weights from one group to another are -0 (int8: 0),
 * which change no sum. All else is one band of one group. */
typedef struct cpu_synapse {
    size_t blocks; /* strips of 64 outputs */
    size_t bands, band_groups, band_blocks;
    size_t k, chunks, chunk; /* inputs of a band: [taps][channels] */
    float *panels;           /* [blocks][k][64], then biases [blocks][64]; NULL: panels8 */
    size_t panel_floats;
    uint8_t *panels8; /* int8 weights at spikes: of two strips each, [k][128], a lone last one [k][64] */
    size_t panel8_bytes;
    const float *factors8, *biases8; /* [blocks][64], behind the panels: y = factor*sum + bias */
} cpu_synapse;

static inline cpu_synapse *cpu_of(const rt_synapse *syn) { return syn->how; }

typedef struct cpu_job cpu_job;
/* Part `part` of job->parts, on thread `thread`: parts are taken as threads come free, so nothing that is
 * written may depend on who takes what. */
typedef void (*cpu_work)(const cpu_job *job, unsigned part, unsigned thread);
struct cpu_job {
    mst_session *s;
    const mst_block_kernels *k;
    uint64_t *ops; /* [thread] */
    const rt_op *op;
    uint32_t steps;
    unsigned parts;
    bool by_rows; /* synapses: parts are rows; otherwise, where there are few rows, blocks of outputs */
    cpu_work work;
};

typedef struct cpu_pool cpu_pool;

/* mst_session.how */
typedef struct cpu_session {
    uint64_t ops[CPU_MAX_THREADS]; /* of one operation and thread: entries of lists, terms of a product, or
                                      what an operator's function counted */
    cpu_pool *pool;                /* NULL: one thread */
    uint64_t *totals;              /* count and radix mode: spikes of each buffer of counts (cpu_count_sums.c) */
} cpu_session;

/* ---- compiling -------------------------------------------------------------------- */

mst_status cpu_plan_synapse(lowering *lo, rt_synapse *syn, bool *ok);
/* Pack weights and biases for the kernels (cpu_panel.c). *ok false: no room. */
mst_status cpu_pack_synapse(lowering *lo, rt_synapse *syn, bool *ok);
void cpu_free_panels(const mst_allocator *alloc, rt_synapse *syn);
size_t cpu_panel_room(const mst_graph *g);
size_t cpu_layer_scratch(const mst_program *p, const rt_expr *e);
/* Bytes per time step that the kernels go over again and again while they make a strip of e. */
size_t cpu_layer_hot(const rt_expr *e);
static inline size_t cpu_band_channels(const rt_synapse *syn) { return cpu_of(syn)->band_groups * syn->group_in; }
/* Strips that lie in one int8 panel, of which `block` is the first: two of a band, or its last one. */
static inline size_t cpu_strips_at(const rt_synapse *syn, size_t block)
{
    return block + 1 < cpu_of(syn)->blocks && (block + 1) % cpu_of(syn)->band_blocks != 0 ? 2 : 1;
}

/* Sizes of the first two data caches, in bytes (cpu_steps.c). */
typedef struct cpu_caches {
    size_t first, second;
} cpu_caches;
cpu_caches cpu_find_caches(void);
/* What a program needs, in bytes per time step. */
typedef struct cpu_need {
    size_t hot; /* of its layers the most */
    size_t passed,
        most_passed; /* that operations leave to later ones: alive at the same time, on average and at most */
} cpu_need;
uint32_t cpu_steps_for(cpu_caches c, cpu_need need);
mst_status cpu_choose_steps(lowering *lo, uint32_t *steps);

/* ---- running -------------------------------------------------------------------- */

void cpu_run_move(const cpu_job *job, unsigned part, unsigned thread);
void cpu_run_mask(const cpu_job *job, unsigned part, unsigned thread);
void cpu_run(mst_session *s, const rt_op *op, uint32_t steps); /* and those joined to op */
/* A node by its operator's function: all steps in order, or one of them. */
void cpu_run_node(const cpu_job *job, unsigned part, unsigned thread);
void cpu_run_node_steps(const cpu_job *job);

/* Where part `part` of job->parts begins among n things. */
static inline size_t cpu_split(size_t n, unsigned part, unsigned parts) { return n * part / parts; }

/* Threads (cpu_threads.c). create: NULL in *out where none could be started. */
mst_status cpu_pool_create(const mst_allocator *alloc, unsigned threads, cpu_pool **out);
void cpu_pool_destroy(const mst_allocator *alloc, cpu_pool *pool);
void cpu_pool_run(cpu_pool *pool, const cpu_job *job); /* at most 65535 parts */
unsigned cpu_pool_threads(const cpu_pool *pool);
size_t cpu_pool_bytes(unsigned threads);

#endif

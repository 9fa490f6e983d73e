/* LINEAR and CONV over a block of steps: the lists of a tile of rows are made once
 * and serve every block of 64 outputs; a block's float weights are used in chunks of
 * inputs that stay in the first caches. Where nearly all inputs fire, no list is used. */
#include "runtime/backend/cpu/cpu_tile.h"

/* ---- products ---------------------------------------------------------------------- */

/* Above this share of inputs that fire, all are gone through (docs/EXECUTION.md: why the sums stay the
 * same): lists of all inputs of 192 rows run at 28 G adds/s from the second cache, all of them in turn at 33. */
#define DENSE_SHARE 0.75

typedef struct tile_run {
    const cpu_job *job;
    const cpu_tile *tile;
    size_t band, r0, rows;
    bool dense;
} tile_run;

static const float *weights_of(const rt_synapse *syn, size_t block)
{
    return cpu_of(syn)->panels + block * cpu_of(syn)->k * MSTB_COLS;
}

static const float *biases_of(const rt_synapse *syn, size_t block)
{
    return cpu_of(syn)->panels + (cpu_of(syn)->blocks * cpu_of(syn)->k + block) * MSTB_COLS;
}

static mstb_lists lists_at(const tile_run *run, size_t row, size_t chunk)
{
    size_t chunks = cpu_of(run->job->op->expr->syn)->chunks;
    return (mstb_lists){run->tile->idx, run->job->op->expr->syn->has_bits ? NULL : run->tile->val,
                        run->tile->start + row * run->job->steps * chunks + chunk, chunks};
}

static void gather_chunk(const tile_run *run, size_t block, size_t chunk)
{
    const rt_synapse *syn = run->job->op->expr->syn;
    const mst_block_kernels *k = run->job->k;
    mstb_lists in = lists_at(run, 0, chunk);
    size_t left = syn->out - block * MSTB_COLS;
    k->gather(&in, run->rows * run->job->steps, left < MSTB_COLS ? left : MSTB_COLS,
              weights_of(syn, block), chunk == 0 ? biases_of(syn, block) : NULL, run->tile->x);
}

/* All inputs of the rows, zero or not. */
static void add_dense(const tile_run *run, size_t block)
{
    const cpu_job *job = run->job;
    const rt_synapse *syn = job->op->expr->syn;
    for (size_t r = 0; r < run->rows; r++) {
        mstb_source in = cpu_source(job, run->tile, run->band, run->r0 + r);
        job->k->dense(&in, weights_of(syn, block), biases_of(syn, block),
                      run->tile->x + r * job->steps * MSTB_COLS);
    }
}

/* The last chunk of a block of outputs, and the neurons at once. */
static void gather_and_fire(const tile_run *run, size_t block)
{
    const rt_synapse *syn = run->job->op->expr->syn;
    for (size_t r = 0; r < run->rows; r++) {
        cpu_firing f;
        cpu_place at = {run->r0 + r, block};
        mstb_lists in = lists_at(run, r, cpu_of(syn)->chunks - 1);
        cpu_open_neurons(run->job, at, &f);
        run->job->k->gather_fire(&in, &f.strip, weights_of(syn, block),
                                 cpu_of(syn)->chunks == 1 ? biases_of(syn, block) : NULL,
                                 run->tile->x + r * run->job->steps * MSTB_COLS);
        cpu_close_neurons(run->job, at, &f);
    }
}

/* One row of two neighbouring blocks of outputs with int8 weights, or of a band's last one alone. */
typedef struct row8 {
    mstb_lists in;
    cpu_place at;
    size_t strips;
    const uint8_t *w;
    const float *c, *b;
} row8;

static void finish_row8(const tile_run *run, const row8 *q)
{
    size_t apart = run->job->steps * MSTB_COLS;
    run->job->k->gather_bytes(&q->in, run->job->steps, q->strips, q->w, q->c, q->b, run->tile->x, apart);
    for (size_t s = 0; s < q->strips; s++)
        cpu_finish_strip(run->job, (cpu_place){q->at.row, q->at.block + s}, run->tile->x + s * apart);
}

static void fire_row8(const tile_run *run, const row8 *q)
{
    cpu_firing f[2];
    mstb_strip strips[2];
    for (size_t s = 0; s < q->strips; s++) {
        cpu_open_neurons(run->job, (cpu_place){q->at.row, q->at.block + s}, &f[s]);
        strips[s] = f[s].strip;
    }
    run->job->k->gather_bytes_fire(&q->in, strips, q->strips, q->w, q->c, q->b);
    for (size_t s = 0; s < q->strips; s++)
        cpu_close_neurons(run->job, (cpu_place){q->at.row, q->at.block + s}, &f[s]);
}

/* The neurons need nothing but the synapse: they fire while the sums are in registers. */
static bool fires_at_once(const rt_op *op) { return op->fire.rule == RT_FIRE_IF && op->expr->n_terms == 0; }

static void run_blocks8(const tile_run *run, size_t block)
{
    const rt_op *op = run->job->op;
    const rt_synapse *syn = op->expr->syn;
    size_t strips = cpu_strips_at(syn, block), col = block * MSTB_COLS;
    const cpu_synapse *w = cpu_of(syn);
    for (size_t r = 0; r < run->rows; r++) {
        row8 q = {
            .in = lists_at(run, r, 0),
            .at = {run->r0 + r, block},
            .strips = strips,
            .w = w->panels8 + w->k * col,
            .c = w->factors8 + col,
            .b = w->biases8 + col,
        };
        fires_at_once(op) ? fire_row8(run, &q) : finish_row8(run, &q);
    }
}

static void run_block(const tile_run *run, size_t block)
{
    const rt_op *op = run->job->op;
    const rt_synapse *syn = op->expr->syn;
    bool at_once = fires_at_once(op) && syn->has_bits && !run->dense;
    if (run->dense)
        add_dense(run, block);
    for (size_t c = 0; c + (at_once ? 1 : 0) < cpu_of(syn)->chunks && !run->dense; c++)
        gather_chunk(run, block, c);
    if (at_once) {
        gather_and_fire(run, block);
        return;
    }
    for (size_t r = 0; r < run->rows; r++)
        cpu_finish_strip(run->job, (cpu_place){run->r0 + r, block},
                         run->tile->x + r * run->job->steps * MSTB_COLS);
}

/* Calls of run_block or run_blocks8: of a band, and those of an operation that are this part's. */
static size_t band_turns(const rt_synapse *syn)
{
    return cpu_of(syn)->panels8 != NULL ? (cpu_of(syn)->band_blocks + 1) / 2 : cpu_of(syn)->band_blocks;
}

typedef struct turns {
    size_t from, to;
} turns;

static turns turns_of(const cpu_job *job, const rt_synapse *syn, unsigned part)
{
    size_t n = cpu_of(syn)->bands * band_turns(syn);
    if (job->by_rows)
        return (turns){0, n};
    return (turns){cpu_split(n, part, job->parts), cpu_split(n, part + 1, job->parts)};
}

/* Of the band's outputs of the group's operation g: all, or this part. */
static void run_outputs(const cpu_job *job, uint32_t g, tile_run *run, unsigned part)
{
    cpu_job one = *job;
    one.op = job->op + g;
    run->job = &one;
    const rt_synapse *syn = one.op->expr->syn;
    turns mine = turns_of(job, syn, part);
    size_t n = band_turns(syn), each = cpu_of(syn)->panels8 != NULL ? 2 : 1, turn = run->band * n;
    for (size_t i = 0; i < n; i++) {
        size_t block = run->band * cpu_of(syn)->band_blocks + i * each;
        if (turn + i < mine.from || turn + i >= mine.to ||
            block >= cpu_of(syn)->blocks) /* the last band may have fewer */
            continue;
        cpu_of(syn)->panels8 != NULL ? run_blocks8(run, block) : run_block(run, block);
    }
}

static void run_band(const cpu_job *job, const cpu_tile *tile, size_t band, unsigned part, unsigned thread)
{
    const rt_expr *e = job->op->expr;
    size_t r0 = job->by_rows ? cpu_split(e->rows, part, job->parts) : 0,
           r1 = job->by_rows ? cpu_split(e->rows, part + 1, job->parts) : e->rows;
    turns mine = turns_of(job, e->syn, part);
    size_t turn = band * band_turns(e->syn);
    if (cpu_of(e->syn)->bands > 1 && (mine.to <= turn || mine.from >= turn + band_turns(e->syn)))
        return;
    bool counts = mine.from <= turn && turn < mine.to; /* one part's lists are counted */
    for (size_t r = r0; r < r1; r += tile->rows) {
        size_t rows = r1 - r < tile->rows ? r1 - r : tile->rows, active = cpu_list_tile(job, tile, band, r, rows);
        bool dense = e->syn->has_bits && cpu_of(e->syn)->panels8 == NULL &&
                     (double)active > DENSE_SHARE * (double)(rows * job->steps * cpu_of(e->syn)->k);
        tile_run run = {job, tile, band, r, rows, dense};
        if (counts)
            job->ops[thread] += active;
        for (uint32_t g = 0; g <= job->op->joined; g++)
            run_outputs(job, g, &run, part);
    }
}

/* Parts are rows; where there are few, blocks of outputs. */
void cpu_run_synapse(const cpu_job *job, unsigned part, unsigned thread)
{
    const mst_program *p = job->s->p;
    cpu_tile tile;
    cpu_tile_layout(p, job->op->expr, rt_scratch(job->s, job->op, thread), &tile);
    size_t rows = tile.rows * p->steps / job->steps; /* of fewer steps there is room for more */
    tile.rows = rows < job->op->expr->rows ? rows : job->op->expr->rows;
    for (size_t band = 0; band < cpu_of(job->op->expr->syn)->bands; band++)
        run_band(job, &tile, band, part, thread);
}

/* Linear layers of spiking neurons: additions per second of the kernels of both schedules,
 * against the add peak that is measured here too, in the same minute.
 *
 *     bench_kernels [quick]
 *
 * Prints TSV: what, set, shape, rate, G adds/s, % of the add peak, dense-equivalent GMAC/s.
 * Calls kernels as runtime/backend/cpu and runtime/ops do, without graphs and sessions. */
#include <stdbool.h>

#include "bench/bench_time.h"
#include "mst/isa.h"
#include "runtime/kernels/block_kernels.h"
#include "runtime/kernels/kernels.h"

#define STEPS 16u
#define ROWS 8u    /* of a tile: 128 lists, as the back end has them */
#define CHUNK 192u /* inputs whose weights for 64 outputs stay in the first cache */

static unsigned runs = 9;
static double least = 0.01;

/* ---- the peak: vectors in registers, nothing else ------------------------- */

#define PEAK_ADDS 4096u
#define PEAK_LANES 12
#define PEAK(name, bytes, flags) \
    typedef float vec_##name __attribute__((vector_size(bytes))); \
    flags static void peak_##name(void *ctx) \
    { \
        vec_##name a[PEAK_LANES], x; \
        memcpy(&x, ctx, sizeof x); \
        for (int j = 0; j < PEAK_LANES; j++) \
            a[j] = x * (float)j; \
        for (unsigned i = 0; i < PEAK_ADDS; i++) \
            for (int j = 0; j < PEAK_LANES; j++) \
                a[j] += x; \
        for (int j = 0; j < PEAK_LANES; j++) \
            x += a[j]; \
        memcpy(ctx, &x, sizeof x); \
    }
PEAK(base, 16, )
#if defined(__x86_64__)
PEAK(avx2, 32, __attribute__((target("avx2"))))
PEAK(avx512, 64, __attribute__((target("avx512f"))))
#endif

/* Adds per second of float vectors as wide as the set's. */
static double add_peak(const char *isa)
{
    float x[16] __attribute__((aligned(64))) = {0};
    void (*fn)(void *) = peak_base;
    double lanes = 4;
#if defined(__x86_64__)
    if (strcmp(isa, "avx2") == 0)
        fn = peak_avx2, lanes = 8;
    if (strcmp(isa, "avx512") == 0)
        fn = peak_avx512, lanes = 16;
#else
    (void)isa;
#endif
    return lanes * PEAK_LANES * PEAK_ADDS / bench_time(fn, x, runs, least);
}

/* ---- a linear layer --------------------------------------------------------- */

typedef struct layer {
    mst_block_kernels b;
    mst_kernels k;
    size_t in, out, words, blocks, chunks, chunk;
    size_t active;       /* inputs set in the whole tile */
    uint64_t *bits;      /* [ROWS][STEPS][words] */
    float *x;            /* the same as values, [ROWS][STEPS][in] */
    float *w, *panels;   /* [in][out]; [blocks][in][64], then biases [blocks][64] */
    uint8_t *panels8;    /* of int8: two strips each, [in][128]; a lone last one [in][64] */
    float *factors;      /* [blocks][64] */
    float *bias, *theta; /* [out] and more */
    uint16_t *idx;
    uint32_t *start, *start8, *idx32; /* start8: lists that are not cut in chunks */
    float *acc, *v, *val, *y;         /* y: [out + 64] */
    uint64_t fired[STEPS];
} layer;

static void fill_input(layer *l, double rate)
{
    uint64_t seed = 88172645463325252u;
    l->active = 0;
    memset(l->bits, 0, ROWS * STEPS * l->words * sizeof *l->bits);
    for (size_t i = 0; i < ROWS * STEPS * l->in; i++) {
        bool one = bench_uniform(&seed) < rate;
        l->x[i] = one ? 1.0f : 0.0f;
        l->active += one;
        if (one)
            l->bits[i / l->in * l->words + i % l->in / 64] |= (uint64_t)1 << (i % l->in % 64);
    }
}

/* Weight of input i and output j in its panel, as the back end packs it. */
static void put_byte(layer *l, size_t i, size_t j, int w)
{
    size_t first = j / 128 * 128, ld = l->blocks * 64 - first < 128 ? 64 : 128;
    l->panels8[first * l->in + i * ld + j % 128 / 64 * 64 + mstb_byte_of(j % 64)] =
        (uint8_t)(w + mstb_bias_of(j % 64));
}

static void open_layer(layer *l, size_t in, size_t out)
{
    uint64_t seed = 1234567;
    l->in = in;
    l->out = out;
    l->words = (in + 63) / 64;
    l->blocks = (out + 63) / 64;
    l->chunks = (in + CHUNK - 1) / CHUNK;
    l->chunk = ((in + l->chunks - 1) / l->chunks + 63) / 64 * 64;
    l->chunks = (in + l->chunk - 1) / l->chunk;
    l->bits = bench_alloc(ROWS * STEPS * l->words * sizeof *l->bits);
    l->x = bench_alloc(ROWS * STEPS * in * sizeof *l->x);
    l->w = bench_alloc(in * out * sizeof *l->w);
    l->panels = bench_alloc(l->blocks * (in + 1) * 64 * sizeof *l->panels);
    l->panels8 = bench_alloc(l->blocks * 64 * in);
    l->start8 = bench_alloc((ROWS * STEPS + 1) * sizeof *l->start8);
    l->factors = bench_alloc(l->blocks * 64 * sizeof *l->factors);
    l->bias = bench_alloc((out + 64) * sizeof *l->bias);
    l->theta = bench_alloc((out + 64) * sizeof *l->theta);
    l->idx = bench_alloc((ROWS * STEPS * in + MSTB_SLACK) * sizeof *l->idx);
    l->start = bench_alloc((ROWS * STEPS * l->chunks + 1) * sizeof *l->start);
    l->idx32 = bench_alloc((in + MSTK_SLACK) * sizeof *l->idx32);
    l->val = bench_alloc((in + MSTK_SLACK) * sizeof *l->val);
    l->acc = bench_alloc(ROWS * STEPS * 64 * sizeof *l->acc);
    l->v = bench_alloc(ROWS * (out + 64) * sizeof *l->v);
    l->y = bench_alloc((out + 64) * sizeof *l->y);
    for (size_t i = 0; i < in * out; i++) {
        l->w[i] = (float)(bench_uniform(&seed) - 0.48);
        l->panels[(i % out / 64 * in + i / out) * 64 + i % out % 64] = l->w[i];
        put_byte(l, i / out, i % out, (int)(128 * l->w[i]));
        l->factors[i % out] = 1.0f / 128;
    }
    for (size_t j = 0; j < out + 64; j++)
        l->theta[j] = 4.0f;
}

static void close_layer(layer *l)
{
    void *all[] = {l->bits, l->x, l->w, l->panels, l->panels8, l->start8, l->factors, l->bias, l->theta, l->idx,
                   l->start, l->idx32, l->val, l->acc, l->v, l->y};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

/* Lists of all rows in chunks of so many inputs. */
static void list_rows(layer *l, size_t chunks, size_t chunk, uint32_t *start)
{
    size_t n = 0;
    for (size_t r = 0; r < ROWS; r++) {
        mstb_run parts[64];
        for (uint32_t c = 0; c < chunks; c++) {
            size_t first = c * chunk, words = l->words - first / 64;
            words = words < (chunk + 63) / 64 ? words : (chunk + 63) / 64;
            parts[c] = (mstb_run){l->bits + r * STEPS * l->words + first / 64, (uint32_t)words, (uint32_t)first,
                                  64, c};
        }
        mstb_source in = {parts, chunks, l->words, STEPS, chunks};
        n = l->b.list(&in, n, l->idx, start + r * STEPS * chunks);
    }
    start[ROWS * STEPS * chunks] = (uint32_t)n;
}

static void list_tile(void *ctx)
{
    layer *l = ctx;
    list_rows(l, l->chunks, l->chunk, l->start);
}

/* Chunk by chunk into acc, then the last chunk together with the neurons. */
static void gather_tile(void *ctx)
{
    layer *l = ctx;
    for (size_t j = 0; j < l->blocks; j++) {
        const float *w = l->panels + j * l->in * 64, *b = l->panels + (l->blocks * l->in + j) * 64;
        size_t cols = l->out - j * 64 < 64 ? l->out - j * 64 : 64;
        for (size_t c = 0; c + 1 < l->chunks; c++) {
            mstb_lists in = {l->idx, NULL, l->start + c, l->chunks};
            l->b.gather(&in, ROWS * STEPS, cols, w, c == 0 ? b : NULL, l->acc);
        }
        for (size_t r = 0; r < ROWS; r++) {
            mstb_lists in = {l->idx, NULL, l->start + r * STEPS * l->chunks + l->chunks - 1, l->chunks};
            mstb_strip s = {.theta = l->theta,
                            .v = l->v + r * l->out + j * 64,
                            .from = l->v + r * l->out + j * 64,
                            .n = cols,
                            .steps = STEPS,
                            .bits = l->fired};
            l->b.gather_fire(&in, &s, w, l->chunks == 1 ? b : NULL, l->acc + r * STEPS * 64);
        }
    }
}

static void block_tile(void *ctx)
{
    list_tile(ctx);
    gather_tile(ctx);
}

/* Int8 weights: whole lists, two strips and their neurons at a time. */
static void list_tile8(layer *l) { list_rows(l, 1, l->in, l->start8); }

static void gather_tile8(void *ctx)
{
    layer *l = ctx;
    for (size_t first = 0; first < l->out; first += 128)
        for (size_t r = 0; r < ROWS; r++) {
            size_t strips = l->out - first > 64 ? 2 : 1;
            mstb_lists in = {l->idx, NULL, l->start8 + r * STEPS, 1};
            mstb_strip strip[2];
            for (size_t s = 0; s < strips; s++) {
                size_t at = first + s * 64, left = l->out - at;
                float *v = l->v + r * l->out + at;
                strip[s] = (mstb_strip){
                    .theta = l->theta, .v = v, .from = v, .n = left < 64 ? left : 64, .steps = STEPS, .bits = l->fired};
            }
            l->b.gather_bytes_fire(&in, strip, strips, l->panels8 + first * l->in, l->factors + first,
                                   l->bias + first);
        }
}

static void block_tile8(void *ctx)
{
    list_tile8(ctx);
    gather_tile8(ctx);
}

/* What the step schedule does with the same rows. */
static void step_tile(void *ctx)
{
    layer *l = ctx;
    mstk_neuron neuron = {l->theta, NULL, NULL, 16, 0.5f, 0.0f};
    for (size_t r = 0; r < ROWS * STEPS; r++) {
        mstk_list list = {l->idx32, l->val, l->k.scan_f32(l->x + r * l->in, l->in, l->idx32, l->val)};
        l->k.gather_f32(&list, l->w, l->out, l->bias, l->y, l->out);
        l->k.fire_same_f32(&neuron, l->y, l->v + r / STEPS * l->out, l->y, l->out);
    }
}

static void print_row(const char *what, layer *l, double rate, double seconds, double peak)
{
    double adds = (double)l->active * (double)l->out / seconds;
    double dense = (double)(ROWS * STEPS) * (double)l->in * (double)l->out / seconds;
    printf("%s\t%s\t%zux%zu\t%.2f\t%.3f\t%.1f\t%.1f\n", what, l->k.isa, l->in, l->out, rate, adds * 1e-9,
           100 * adds / peak, dense * 1e-9);
    fflush(stdout);
}

static void run_shape(const char *isa, size_t in, size_t out, const double *rates, size_t n_rates)
{
    layer l = {0};
    if (mst_kernels_select(isa, &l.k, NULL) != MST_OK)
        return;
    mst_block_kernels_select(isa, &l.b);
    open_layer(&l, in, out);
    for (size_t i = 0; i < n_rates; i++) {
        double peak = add_peak(isa);
        fill_input(&l, rates[i]);
        print_row("linear+IF, block", &l, rates[i], bench_time(block_tile, &l, runs, least), peak);
        print_row("  gather+fire only", &l, rates[i], bench_time(gather_tile, &l, runs, least), peak);
        list_tile8(&l); /* the lists of the rows below */
        print_row("linear+IF int8, block", &l, rates[i], bench_time(block_tile8, &l, runs, least), peak);
        print_row("  gather+fire only", &l, rates[i], bench_time(gather_tile8, &l, runs, least), peak);
        print_row("linear+IF, step", &l, rates[i], bench_time(step_tile, &l, runs, least), peak);
    }
    close_layer(&l);
}

int main(int argc, char **argv)
{
    static const size_t shapes[][2] = {{96, 384}, {384, 96}, {256, 1024}, {384, 1536}};
    static const double rates[] = {0.05, 0.1, 0.2};
    mst_kernels best;
    if (mst_kernels_select(NULL, &best, NULL) != MST_OK)
        return 1;
    if (argc > 1 && strcmp(argv[1], "quick") == 0) {
        runs = 5;
        least = 0.003;
    }
    for (size_t i = 0; mst_isa_at(i, NULL) != NULL; i++) {
        const char *isa = mst_isa_at(i, NULL);
        bool is_best = strcmp(isa, best.isa) == 0;
        mst_kernels k;
        if (mst_kernels_select(isa, &k, NULL) != MST_OK)
            continue;
        printf("add peak\t%s\tregisters\t-\t%.3f\t100\t-\n", isa, add_peak(isa) * 1e-9);
        for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
            if (is_best)
                run_shape(isa, shapes[s][0], shapes[s][1], rates, sizeof rates / sizeof rates[0]);
            else if (s == 2)
                run_shape(isa, shapes[s][0], shapes[s][1], rates + 1, 1);
    }
    return 0;
}

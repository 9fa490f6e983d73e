/* Layers of counts: multiply-adds per second of the kernels on counts, fire included, against
 * the int8 peak of the set that is measured here too, in the same minute.
 *
 *     bench_count [quick] [SET]
 *
 * Prints TSV: network, set, layer, rows x inputs x outputs, how many such layers, GMAC/s, % of the
 * peak; then a line for each network's products together. One sample, counts of at most 16. Then the
 * other kernels: kernel, set, what, G elements/s. scalar has no peak of its own (0 %). */
#include "bench/bench_time.h"
#include "runtime/kernels/count_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define MOST 16u

static unsigned runs = 9;
static double least = 0.01;

/* ---- the peak: vectors in registers, nothing else ------------------------------ */

#define PEAK_STEPS 4096u
#define UNROLL _Pragma("GCC unroll 32")

#if defined(__x86_64__)
#define PEAK(name, targets, type, lanes, zero, set, step) \
    __attribute__((target(targets))) static void peak_##name(void *ctx) \
    { \
        type a[lanes], x = set(0x01020304), y = set(0x01010101); \
        UNROLL for (int j = 0; j < lanes; j++) a[j] = zero(); \
        for (unsigned i = 0; i < PEAK_STEPS; i++) \
            UNROLL for (int j = 0; j < lanes; j++) \
            { \
                step; \
                __asm__ volatile("" \
                                 : "+v"(a[j])); \
            } \
        UNROLL for (int j = 1; j < lanes; j++) a[0] = a[0] + a[j]; \
        memcpy(ctx, &a[0], sizeof a[0]); \
    }
PEAK(vnni, "avx512f,avx512vnni", __m512i, 24, _mm512_setzero_si512, _mm512_set1_epi32,
     a[j] = _mm512_dpbusd_epi32(a[j], x, y))
PEAK(avxvnni, "avx2,avxvnni", __m256i, 12, _mm256_setzero_si256, _mm256_set1_epi32,
     a[j] = _mm256_dpbusd_avx_epi32(a[j], x, y))

/* Four tiles of sums, as the kernels have. */
__attribute__((target("amx-tile,amx-int8"))) static void peak_amx(void *ctx)
{
    uint8_t config[64] __attribute__((aligned(64))) = {1};
    for (int i = 0; i < 8; i++) { /* of 16 rows of 64 bytes */
        config[16 + 2 * i] = 64;
        config[48 + i] = 16;
    }
    __asm__ volatile("" ::"r"(config)
                     : "memory");
    (void)ctx;
    _tile_loadconfig(config);
    for (unsigned i = 0; i < PEAK_STEPS / 16; i++) {
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(1, 4, 7);
        _tile_dpbusd(2, 5, 6);
        _tile_dpbusd(3, 5, 7);
    }
    _tile_release();
}

/* Eight steps of 16-bit sums, as counts of up to 16 allow, then one that widens them. */
#define PEAK_LANES 6
__attribute__((target("avx2"))) static void peak_avx2(void *ctx)
{
    __m256i a[PEAK_LANES], x[PEAK_LANES], s = _mm256_setzero_si256(), y = _mm256_set1_epi32(0x01010101);
    UNROLL for (int j = 0; j < PEAK_LANES; j++) x[j] = _mm256_set1_epi32(j);
    for (unsigned i = 0; i < PEAK_STEPS / 8; i++) {
        UNROLL for (int j = 0; j < PEAK_LANES; j++) a[j] = _mm256_setzero_si256();
        UNROLL for (int k = 0; k < 8; k++)
            UNROLL for (int j = 0; j < PEAK_LANES; j++)
        {
            __asm__ volatile(""
                             : "+x"(x[j]), "+x"(a[j])); /* or the product would be made once */
            a[j] = _mm256_add_epi16(a[j], _mm256_maddubs_epi16(x[j], y));
        }
        UNROLL for (int j = 0; j < PEAK_LANES; j++)
            s = _mm256_add_epi32(s, _mm256_madd_epi16(a[j], y));
    }
    memcpy(ctx, &s, sizeof s);
}
#endif

/* Multiply-adds per second; 0 where the set has no such peak. */
static double peak(const char *set)
{
    uint8_t out[64];
#if defined(__x86_64__)
    if (strcmp(set, "amx") == 0)
        return 16.0 * 16 * 64 * 4 * (PEAK_STEPS / 16) / bench_time(peak_amx, out, runs, least);
    if (strcmp(set, "vnni") == 0)
        return 64.0 * 24 * PEAK_STEPS / bench_time(peak_vnni, out, runs, least);
    if (strcmp(set, "avxvnni") == 0)
        return 32.0 * 12 * PEAK_STEPS / bench_time(peak_avxvnni, out, runs, least);
    if (strcmp(set, "avx2") == 0)
        return 32.0 * PEAK_LANES * PEAK_STEPS / bench_time(peak_avx2, out, runs, least);
#endif
    (void)out;
    (void)set;
    return 0;
}

/* ---- layers ---------------------------------------------------------------------- */

typedef struct shape {
    const char *network, *name;
    size_t rows, k, n, times;
    size_t side; /* of the map that a 3x3 convolution makes (rows = side^2), the heads of attention, or 0 */
} shape;

static const shape shapes[] = {
    {"swin-t", "qkv", 3136, 96, 288, 2, 0},
    {"swin-t", "proj", 3136, 96, 96, 2, 0},
    {"swin-t", "fc1", 3136, 96, 384, 2, 0},
    {"swin-t", "fc2", 3136, 384, 96, 2, 0},
    {"swin-t", "attention", 3136, 49, 96, 2, 3},
    {"swin-t", "merge", 784, 384, 192, 1, 0},
    {"swin-t", "qkv", 784, 192, 576, 2, 0},
    {"swin-t", "proj", 784, 192, 192, 2, 0},
    {"swin-t", "fc1", 784, 192, 768, 2, 0},
    {"swin-t", "fc2", 784, 768, 192, 2, 0},
    {"swin-t", "attention", 784, 49, 192, 2, 6},
    {"swin-t", "merge", 196, 768, 384, 1, 0},
    {"swin-t", "qkv", 196, 384, 1152, 6, 0},
    {"swin-t", "proj", 196, 384, 384, 6, 0},
    {"swin-t", "fc1", 196, 384, 1536, 6, 0},
    {"swin-t", "fc2", 196, 1536, 384, 6, 0},
    {"swin-t", "attention", 196, 49, 384, 6, 12},
    {"swin-t", "merge", 49, 1536, 768, 1, 0},
    {"swin-t", "qkv", 49, 768, 2304, 2, 0},
    {"swin-t", "proj", 49, 768, 768, 2, 0},
    {"swin-t", "fc1", 49, 768, 3072, 2, 0},
    {"swin-t", "fc2", 49, 3072, 768, 2, 0},
    {"swin-t", "attention", 49, 49, 768, 2, 24},
    {"swin-cifar", "qkv", 256, 64, 192, 2, 0},
    {"swin-cifar", "proj", 256, 64, 64, 2, 0},
    {"swin-cifar", "fc1", 256, 64, 256, 2, 0},
    {"swin-cifar", "fc2", 256, 256, 64, 2, 0},
    {"swin-cifar", "attention", 256, 16, 64, 2, 2},
    {"swin-cifar", "merge", 64, 256, 128, 1, 0},
    {"swin-cifar", "qkv", 64, 128, 384, 2, 0},
    {"swin-cifar", "proj", 64, 128, 128, 2, 0},
    {"swin-cifar", "fc1", 64, 128, 512, 2, 0},
    {"swin-cifar", "fc2", 64, 512, 128, 2, 0},
    {"swin-cifar", "attention", 64, 16, 128, 2, 4},
    {"resnet18", "3x3", 1024, 64, 64, 4, 32},
    {"resnet18", "3x3", 256, 128, 128, 3, 16},
    {"resnet18", "3x3", 64, 256, 256, 3, 8},
    {"resnet18", "3x3", 16, 512, 512, 3, 4},
    {"resnet18", "3x3/2", 256, 64, 128, 1, 16},
    {"resnet18", "3x3/2", 64, 128, 256, 1, 8},
    {"resnet18", "3x3/2", 16, 256, 512, 1, 4},
};
enum { N_SHAPES = sizeof shapes / sizeof shapes[0] };

typedef struct layer {
    mst_count_kernels k;
    mstc_input in;
    mstc_weights w;
    mstc_affine a;
    mstc_neuron q;
    mstc_bytes y;
    size_t rows;
    /* attention: rows of x are Q, K and V of all heads; scores[window][64], packed K and V */
    size_t heads, window, width;
    uint8_t *scores;
    int8_t *packed;
} layer;

static float *constants(size_t n, float value)
{
    float *x = bench_alloc(n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = value;
    return x;
}

/* Rows of a 3x3 convolution's output in a map with a border. */
static uint32_t *pixels(const shape *s, size_t stride, size_t width)
{
    uint32_t *index = bench_alloc(s->rows * sizeof *index);
    for (size_t r = 0; r < s->rows; r++)
        index[r] = (uint32_t)(r / s->side * stride * width + r % s->side * stride);
    return index;
}

static void open_layer(layer *l, const shape *s)
{
    static const size_t one[1];
    static size_t taps[3];
    uint64_t seed = 1234567;
    size_t stride = strchr(s->name, '/') != NULL ? 2 : 1, width = s->side * stride + 2;
    size_t bytes = s->side != 0 ? width * width * s->k : s->rows * s->k;
    uint8_t *x = bench_alloc(bytes + 4);
    for (size_t i = 0; i < bytes; i++)
        x[i] = (uint8_t)(bench_uniform(&seed) * (MOST + 1));
    l->in = (mstc_input){.x = x, .ld = s->k, .taps = one, .n_taps = 1, .k = s->k, .most = MOST};
    if (s->side != 0) {
        for (size_t t = 0; t < 3; t++)
            taps[t] = t * width * s->k;
        l->in.index = pixels(s, stride, width);
        l->in.taps = taps;
        l->in.n_taps = 3;
        l->in.k = 3 * s->k;
    }
    size_t size = mstc_panels_size(s->n, l->in.n_taps, l->in.k);
    int8_t *w = bench_alloc(size);
    for (size_t i = 0; i < size; i++)
        w[i] = (int8_t)(bench_uniform(&seed) * 255 - 127);
    l->w = (mstc_weights){w, s->n, 127, 0};
    l->a = (mstc_affine){.c = constants(s->n, 1e-3f), .b = constants(s->n, 0.1f)};
    l->q = (mstc_neuron){constants(s->n, 1.0f), constants(s->n, 1.1f), constants(s->n, 0.1f), MOST, 0.5f, 0.0f};
    l->y = (mstc_bytes){bench_alloc(s->rows * s->n), s->n, NULL};
    l->rows = s->rows;
}

#define SCORES 64u /* bytes from row to row */

/* Of each window and head: counts of Q K^T plus a bias for each pair, then times V. */
static void run_attention(void *ctx)
{
    static const size_t one[1];
    layer *l = ctx;
    const size_t n = l->window, all = 3 * l->width;
    for (size_t first = 0; first < l->rows; first += n)
        for (size_t h = 0; h < l->heads; h++) {
            mstc_input q = {l->in.x + h * 32, all, l->in.index + first, one, 1, 32, MOST}, k = q, v = q;
            mstc_input a = {l->scores, SCORES, NULL, one, 1, n, MOST};
            mstc_weights w = {l->packed, n, MOST, 0}, wv = {l->packed, 32, MOST, 0};
            mstc_affine pairs = {.c = l->a.c, .b = l->a.b, .b_step = n};
            mstc_bytes y = {l->scores, SCORES, NULL}, out = {l->y.y + h * 32, l->width, l->in.index + first};
            k.x += l->width;
            v.x += 2 * l->width;
            l->k.pack_rows(&k, n, 0, l->packed);
            l->k.fire(&q, &w, n, &pairs, &l->q, &y);
            l->k.pack_columns(&v, n, 0, l->packed);
            l->k.fire(&a, &wv, n, &l->a, &l->q, &out);
        }
}

static void open_attention(layer *l, const shape *s)
{
    uint64_t seed = 7654321;
    size_t bytes = s->rows * 3 * s->n;
    uint8_t *x = bench_alloc(bytes);
    uint32_t *index = bench_alloc(s->rows * sizeof *index);
    for (size_t i = 0; i < bytes; i++)
        x[i] = (uint8_t)(bench_uniform(&seed) * (MOST + 1));
    for (size_t r = 0; r < s->rows; r++) /* somewhere else, as windows lie */
        index[r] = (uint32_t)(r * 29 % s->rows);
    l->in = (mstc_input){.x = x, .ld = 3 * s->n, .index = s->rows % 29 != 0 ? index : NULL};
    l->a = (mstc_affine){.c = constants(64, 1e-3f), .b = constants(64 * 64, 0.1f)};
    l->q = (mstc_neuron){constants(64, 1.0f), constants(64, 1.1f), constants(64, 0.1f), MOST, 0.5f, 0.0f};
    l->y = (mstc_bytes){bench_alloc(s->rows * s->n), s->n, NULL};
    l->scores = bench_alloc(SCORES * s->k);
    l->packed = bench_alloc(64 * 64);
    l->rows = s->rows;
    l->heads = s->side;
    l->window = s->k;
    l->width = s->n;
}

static void close_layer(layer *l)
{
    const void *all[] = {l->in.x, l->in.index, l->w.panels, l->a.c, l->a.b, l->q.theta, l->q.gain, l->q.bias, l->y.y,
                         l->scores, l->packed};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free((void *)(uintptr_t)all[i]);
}

static void run_layer(void *ctx)
{
    layer *l = ctx;
    l->k.fire(&l->in, &l->w, l->rows, &l->a, &l->q, &l->y);
}

/* Adds the layer's seconds and multiply-adds to those of its network. */
static void time_shape(const mst_count_kernels *k, const shape *s, double seconds[2], double *macs)
{
    layer l = {.k = *k};
    int attention = strcmp(s->name, "attention") == 0;
    attention ? open_attention(&l, s) : open_layer(&l, s);
    double top = peak(k->isa), took = bench_time(attention ? run_attention : run_layer, &l, runs, least);
    size_t each = attention ? 2 * s->k : l.in.n_taps * l.in.k; /* multiply-adds of an output */
    double work = (double)s->rows * (double)each * (double)s->n;
    printf("%s\t%s\t%s\t%zux%zux%zu\t%zu\t%.1f\t%.0f\n", s->network, k->isa, s->name, s->rows, each, s->n, s->times,
           work / took * 1e-9, top > 0 ? 100 * work / took / top : 0.0);
    fflush(stdout);
    seconds[0] += took * (double)s->times;
    seconds[1] += top > 0 ? work / top * (double)s->times : 0;
    *macs += work * (double)s->times;
    close_layer(&l);
}

/* ---- the other kernels ------------------------------------------------------------- */

#define ROWS 784u
#define COLS 192u

typedef struct pool {
    mst_count_kernels k;
    layer l; /* fc1 of the second stage */
    mstc_thin thin;
    mstc_more stream, counts;
    mstc_bytes y;
    mstc_floats floats;
    uint32_t *sums;
    uint64_t sink;
} pool;

static void do_thin(pool *p) { p->k.thin(&p->thin, 0, ROWS * COLS, p->l.in.x, p->y.y); }
static void do_total(pool *p) { p->sink += p->k.total(p->l.in.x, ROWS * COLS, 0); }
static void do_bits(pool *p) { p->sink += p->k.total(p->l.in.x, ROWS * COLS, 1); }
static void do_row_sums(pool *p) { p->k.row_sums(&p->l.in, ROWS, 0, p->sums); }
static void do_column_sums(pool *p) { p->k.column_sums(&p->l.in, ROWS, 0, p->sums); }
static void do_add(pool *p) { p->k.sum(&p->stream, &p->counts, ROWS, COLS, NULL, NULL, &p->floats); }
static void do_read(pool *p) { p->k.sum(&p->stream, NULL, ROWS, COLS, &p->l.q, &p->y, NULL); }
static void do_add_read(pool *p) { p->k.sum(&p->stream, &p->counts, ROWS, COLS, &p->l.q, &p->y, &p->floats); }
static void do_current(pool *p)
{
    mstc_weights w = p->l.w;
    w.n = COLS;
    p->k.current(&p->l.in, &w, ROWS, &p->l.a, &p->floats);
}

static const struct {
    const char *name, *what;
    void (*run)(pool *p);
    double each; /* elements that count, of ROWS*COLS */
} others[] = {
    {"thin", "counts, 16 levels, half kept", do_thin, 1},
    {"total", "counts", do_total, 1},
    {"total", "counts, their bits", do_bits, 1},
    {"row_sums", "counts, rows of 192", do_row_sums, 1},
    {"column_sums", "counts, 192 columns", do_column_sums, 1},
    {"sum", "counts added to a stream", do_add, 1},
    {"sum", "stream read by neurons", do_read, 1},
    {"sum", "both", do_add_read, 1},
    {"current", "multiply-adds, 784x192x192", do_current, COLS},
};

static struct {
    pool *p;
    size_t i;
} now;

static void run_other(void *ctx)
{
    (void)ctx;
    others[now.i].run(now.p);
}

static void run_others(const mst_count_kernels *k)
{
    static const shape fc1 = {"", "", ROWS, COLS, 4 * COLS, 1, 0};
    pool p = {.k = *k};
    uint32_t *table = bench_alloc(16 * 16 * sizeof *table);
    float *x = bench_alloc(ROWS * COLS * sizeof *x);
    open_layer(&p.l, &fc1);
    mstc_thin_table(MOST, 0.5, table);
    p.thin = (mstc_thin){1, 2, 3, MOST, table, 0};
    p.stream = (mstc_more){.floats = x, .ld = COLS};
    p.counts = (mstc_more){.counts = p.l.in.x, .theta = 0.1f, .levels = 1, .ld = p.l.in.ld};
    p.y = (mstc_bytes){bench_alloc(ROWS * COLS), COLS, NULL};
    p.sums = bench_alloc(ROWS * sizeof *p.sums);
    p.floats = (mstc_floats){bench_alloc(ROWS * COLS * sizeof(float)), COLS};
    for (now.i = 0, now.p = &p; now.i < sizeof others / sizeof others[0]; now.i++)
        printf("%s\t%s\t%s\t%.2f\n", others[now.i].name, k->isa, others[now.i].what,
               1e-9 * ROWS * COLS * others[now.i].each / bench_time(run_other, NULL, runs, least));
    close_layer(&p.l);
    free(table);
    free(x);
    free(p.y.y);
    free(p.sums);
    free(p.floats.y);
}

static void run_set(const mst_count_kernels *k)
{
    if (peak(k->isa) > 0)
        printf("int8 peak\t%s\tregisters\t-\t-\t%.1f\t100\n", k->isa, peak(k->isa) * 1e-9);
    for (size_t i = 0; i < N_SHAPES;) {
        const char *network = shapes[i].network;
        double seconds[2] = {0, 0}, macs = 0; /* as measured, and at the peak */
        for (; i < N_SHAPES && strcmp(shapes[i].network, network) == 0; i++)
            time_shape(k, &shapes[i], seconds, &macs);
        printf("%s\t%s\tall\t%.1f MMAC\t%.3f ms\t%.1f\t%.0f\n", network, k->isa, macs * 1e-6, seconds[0] * 1e3,
               macs / seconds[0] * 1e-9, 100 * seconds[1] / seconds[0]);
    }
    run_others(k);
}

int main(int argc, char **argv)
{
    static const char *const sets[] = {"scalar", "avx2", "avxvnni", "vnni", "amx"};
    const char *only = NULL;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "quick") == 0) {
            runs = 3;
            least = 0.002;
        } else {
            only = argv[i];
        }
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        mst_count_kernels k;
        if ((only == NULL || strcmp(only, sets[i]) == 0) && mst_count_kernels_select(sets[i], &k, NULL) == MST_OK)
            run_set(&k);
    }
    return 0;
}

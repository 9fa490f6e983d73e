/* Every kernel of kernels.def and block_kernels.def on a typical size: elements per second, set
 * by set. A kernel without a case here is listed as not measured.
 *
 *     bench_each [quick]
 *
 * Prints TSV: kernel, set, size, G elements/s, what an element is. */
#include "bench/bench_time.h"
#include "mst/graph.h"
#include "mst/isa.h"
#include "runtime/kernels/block_kernels.h"
#include "runtime/kernels/kernels.h"

#define N 4096u /* elements of a step kernel's vector */
#define STEPS 16u
#define ROWS 64u

typedef struct data {
    mst_kernels k;
    mst_block_kernels b;
    _Alignas(64) float x[N + 64]; /* every array a multiple of 64 bytes */
    float y[N + 64], v[N + 64], one[N + 64], sparse[N + 64], val[N + 64];
    float w[256 * 64];           /* a panel, or [256][64] weights */
    float strip[2 * STEPS * 64]; /* values of two strips */
    uint64_t bits[N / 64 * ROWS], other[N / 64 * ROWS];
    uint32_t idx32[N + 64], planes[STEPS * 64 + 64], start[64];
    uint16_t idx[N + 64];
} data;

static volatile uint64_t sink; /* results that nobody needs */

/* ---- kernels.def ------------------------------------------------------------- */

static void do_scan_f32(data *d) { sink = d->k.scan_f32(d->sparse, N, d->idx32, d->val); }
static void do_gather_f32(data *d)
{
    mstk_list list = {d->start, d->one, 26};
    d->k.gather_f32(&list, d->w, 64, d->one, d->y, 64);
}
static void do_gather_i8(data *d)
{
    mstk_list list = {d->start, NULL, 26};
    d->k.gather_i8(&list, (const int8_t *)d->w, 64, d->one, d->one, d->y, 64);
}
static void do_dense_f32(data *d)
{
    static const size_t only[] = {0};
    mstk_rows in = {.x = d->x, .ld = 64, .taps = only, .n_taps = 1, .k = 64};
    mstk_sums y = {d->one, 0, d->y, MSTK_DENSE};
    d->k.dense_f32(&in, ROWS, d->w, &y, MSTK_DENSE);
}
static void do_widen_f16(data *d) { d->k.widen_f16((const uint16_t *)(const void *)d->w, d->y, N); }
static void do_widen_i8(data *d) { d->k.widen_i8((const int8_t *)d->w, d->one, d->y, N); }
static void do_pack_rows_u64(data *d) { d->k.pack_rows_u64(d->sparse, 64, N / 64, 64, d->other); }
static void do_pack_cols_u64(data *d) { d->k.pack_cols_u64(d->sparse, 64, 64, 64, d->other); }
static void do_coincide_u64(data *d)
{
    mstk_bits ab = {d->bits, d->other, 1, 64, 64};
    for (size_t m = 0; m < 64; m++)
        sink = d->k.coincide_u64(&ab, m, 0.5f, d->y);
}
static const mstk_neuron *neuron(const data *d)
{
    static mstk_neuron p;
    p = (mstk_neuron){d->one, NULL, NULL, 16, 0.5f, 0.0f};
    return &p;
}
static void do_fire_each_f32(data *d) { sink = d->k.fire_each_f32(neuron(d), d->x, d->v, d->y, N); }
static void do_fire_same_f32(data *d) { sink = d->k.fire_same_f32(neuron(d), d->x, d->v, d->y, N); }
static void do_stair_each_f32(data *d) { sink = d->k.stair_each_f32(neuron(d), d->x, d->y, N); }
static void do_stair_same_f32(data *d) { sink = d->k.stair_same_f32(neuron(d), d->x, d->y, N); }
static void do_count_each_u32(data *d) { d->k.count_each_u32(neuron(d), d->x, d->y, (uint32_t *)d->v, N); }
static void do_count_same_u32(data *d) { d->k.count_same_u32(neuron(d), d->x, d->y, (uint32_t *)d->v, N); }
static void do_level_each_u8(data *d) { d->k.level_each_u8(neuron(d), d->x, (uint8_t *)d->y, N); }
static void do_level_same_u8(data *d) { d->k.level_same_u8(neuron(d), d->x, (uint8_t *)d->y, N); }
static void do_worth_u8(data *d) { d->k.worth_u8(1.5f, 16, (const uint8_t *)d->x, d->y, N); }
static void do_add_worth_u8(data *d) { d->k.add_worth_u8(1.5f, 16, (const uint8_t *)d->x, d->y, N); }
static void do_affine_each_f32(data *d) { d->k.affine_each_f32(d->one, d->one, d->x, d->y, N); }
static void do_affine_same_f32(data *d) { d->k.affine_same_f32(d->one, d->one, d->x, d->y, N); }
static void do_binary_f32(data *d)
{
    static const size_t stride[2] = {1, 1};
    d->k.binary_f32(MST_BIN_ADD, d->x, d->one, stride, d->y, N);
}
static void do_clip_f32(data *d) { d->k.clip_f32(-0.25f, 0.25f, d->x, d->y, N); }
static void do_add_to_f32(data *d) { d->k.add_to_f32(d->x, d->y, N); }
static void do_max_to_f32(data *d) { d->k.max_to_f32(d->x, d->y, N); }
static void do_scale_f32(data *d) { d->k.scale_f32(1.0f, d->y, N); }
static void do_softmax_f32(data *d) { d->k.softmax_f32(d->x, d->y, 64); }
static void do_layernorm_f32(data *d)
{
    mstk_norm norm = {d->one, d->one, 1e-5};
    d->k.layernorm_f32(&norm, d->x, d->y, 384);
}

/* ---- block_kernels.def --------------------------------------------------------- */

static mstb_strip strip(data *d)
{
    return (mstb_strip){.theta = d->one, .v = d->v, .from = d->v, .n = 64, .steps = STEPS, .bits = d->other};
}
static mstb_lists lists(data *d)
{
    return (mstb_lists){d->idx, NULL, d->start + 32, 1};
}
static void do_list(data *d)
{
    uint32_t start[1];
    mstb_run run = {d->bits, N / 64, 0, 64, 0};
    mstb_source in = {&run, 1, 0, 1, 1};
    sink = d->b.list(&in, 0, d->idx + N / 2, start);
}
static void do_list_val(data *d) { sink = d->b.list_val(d->sparse, N / 2, 0, d->idx + N / 2, d->val); }
static void do_gather(data *d)
{
    mstb_lists in = lists(d);
    d->b.gather(&in, STEPS, 64, d->w, d->one, d->strip);
}
static void do_dense(data *d)
{
    uint64_t full[4 * STEPS];
    memset(full, 0xff, sizeof full);
    mstb_run run = {full, 4, 0, 64, 0};
    mstb_source in = {&run, 1, 4, STEPS, 1};
    d->b.dense(&in, d->w, d->one, d->strip);
}
static void do_gather_bytes(data *d)
{
    mstb_lists in = lists(d);
    d->b.gather_bytes(&in, STEPS, 2, (const uint8_t *)d->w, d->one, d->one, d->strip, STEPS * 64);
}
static void do_gather_bytes_fire(data *d)
{
    mstb_lists in = lists(d);
    mstb_strip s[2] = {strip(d), strip(d)};
    s[1].from = s[1].v = d->v + 64;
    d->b.gather_bytes_fire(&in, s, 2, (const uint8_t *)d->w, d->one, d->one);
}
static void do_gather_fire(data *d)
{
    mstb_lists in = lists(d);
    mstb_strip s = strip(d);
    d->b.gather_fire(&in, &s, d->w, d->one, d->strip);
}
static void do_fire(data *d)
{
    mstb_strip s = strip(d);
    d->b.fire(&s, d->x);
}
static void do_sum(data *d)
{
    mstb_term terms[4];
    for (size_t i = 0; i < 4; i++)
        terms[i] = (mstb_term){d->bits + i, 4, 0.5f};
    d->b.sum(terms, 4, STEPS, 0, d->strip);
}
static void do_coincide(data *d)
{
    mstb_planes p = {d->planes, d->planes + 64, 1, 64, 64, 1, STEPS};
    sink = d->b.coincide(&p, 64, 0.5f, d->strip);
}
static void do_columns(data *d) { d->b.columns(d->bits, 1, 64, 64, d->planes); }
static void do_count(data *d) { sink = d->b.count(d->bits, N / 64); }
static void do_mask(data *d)
{
    mstb_mask m = {.seed = 1, .sample = 2, .time = 3, .index = 4, .threshold = 0x80000000u};
    d->b.mask(&m, 0, N, d->bits, d->other);
}
static void do_add(data *d) { d->b.add(d->x, 64, 64, STEPS, 1, d->strip); }
static void do_affine(data *d) { d->b.affine(d->one, d->one, STEPS, d->strip); }

/* ---- the table ------------------------------------------------------------------ */

typedef struct bench_case {
    const char *name;
    void (*run)(data *d);
    double elements; /* of a call */
    const char *size, *element;
} bench_case;

#define STRIP "64 columns x 16 steps"
static const bench_case cases[] = {
    {"scan_f32", do_scan_f32, N, "4096, 10 % set", "inputs"},
    {"gather_f32", do_gather_f32, 26 * 64, "26 of 256 rows of 64", "adds"},
    {"gather_i8", do_gather_i8, 26 * 64, "26 of 256 rows of 64", "adds"},
    {"dense_f32", do_dense_f32, ROWS * 64 * MSTK_DENSE, "64 rows x 64 -> 16", "multiply-adds"},
    {"widen_f16", do_widen_f16, N, "4096", "weights"},
    {"widen_i8", do_widen_i8, N, "4096", "weights"},
    {"pack_rows_u64", do_pack_rows_u64, N, "64 x 64", "values"},
    {"pack_cols_u64", do_pack_cols_u64, N, "64 x 64", "values"},
    {"coincide_u64", do_coincide_u64, 64 * 64 * 64, "64 x 64 x 64", "pairs of bits"},
    {"fire_each_f32", do_fire_each_f32, N, "4096", "neuron steps"},
    {"fire_same_f32", do_fire_same_f32, N, "4096", "neuron steps"},
    {"stair_each_f32", do_stair_each_f32, N, "4096", "neurons"},
    {"stair_same_f32", do_stair_same_f32, N, "4096", "neurons"},
    {"count_each_u32", do_count_each_u32, N, "4096", "neurons"},
    {"count_same_u32", do_count_same_u32, N, "4096", "neurons"},
    {"level_each_u8", do_level_each_u8, N, "4096", "neurons"},
    {"level_same_u8", do_level_same_u8, N, "4096", "neurons"},
    {"worth_u8", do_worth_u8, N, "4096", "counts"},
    {"add_worth_u8", do_add_worth_u8, N, "4096", "counts"},
    {"affine_each_f32", do_affine_each_f32, N, "4096", "values"},
    {"affine_same_f32", do_affine_same_f32, N, "4096", "values"},
    {"binary_f32", do_binary_f32, N, "4096, add", "values"},
    {"clip_f32", do_clip_f32, N, "4096", "values"},
    {"add_to_f32", do_add_to_f32, N, "4096", "adds"},
    {"max_to_f32", do_max_to_f32, N, "4096", "values"},
    {"scale_f32", do_scale_f32, N, "4096", "values"},
    {"softmax_f32", do_softmax_f32, 64, "a row of 64", "values"},
    {"layernorm_f32", do_layernorm_f32, 384, "a row of 384", "values"},
    {"list", do_list, N, "4096 bits, 10 % set", "inputs"},
    {"list_val", do_list_val, N / 2, "2048, 10 % set", "inputs"},
    {"gather", do_gather, 26 * 64 * STEPS, "26 of 256 rows of 64, 16 lists", "adds"},
    {"dense", do_dense, 256 * 64 * STEPS, "256 rows of 64, all set, 16 steps", "adds"},
    {"gather_bytes", do_gather_bytes, 26 * 128 * STEPS, "26 of 256 rows of 128, 16 lists", "adds"},
    {"gather_bytes_fire", do_gather_bytes_fire, 26 * 128 * STEPS, "26 of 256 rows of 128, 16 steps", "adds"},
    {"gather_fire", do_gather_fire, 26 * 64 * STEPS, "26 of 256 rows of 64, 16 steps", "adds"},
    {"fire", do_fire, 64 * STEPS, STRIP, "neuron steps"},
    {"sum", do_sum, 4 * 64 * STEPS, "4 terms, " STRIP, "adds"},
    {"coincide", do_coincide, 32 * 64 * STEPS, "32 bits, " STRIP, "pairs of bits"},
    {"columns", do_columns, 64 * 64, "64 x 64", "bits"},
    {"count", do_count, N, "4096", "bits"},
    {"mask", do_mask, N, "4096", "bits"},
    {"add", do_add, 64 * STEPS, STRIP, "adds"},
    {"affine", do_affine, 64 * STEPS, STRIP, "values"},
};

static const char *const names[] = {
#define MSTK_KERNEL(ret, name, args) #name,
#include "runtime/kernels/kernels.def"
#undef MSTK_KERNEL
#define MSTB_KERNEL(ret, name, args) #name,
#include "runtime/kernels/block_kernels.def"
#undef MSTB_KERNEL
};

/* Bits at 10 %, lists of 26 of 256 inputs. */
static void fill(data *d)
{
    uint64_t seed = 424242;
    for (size_t i = 0; i < N + 64; i++) {
        d->x[i] = (float)(bench_uniform(&seed) - 0.4);
        d->one[i] = 1.0f;
        d->sparse[i] = bench_uniform(&seed) < 0.1 ? 0.5f : 0.0f;
    }
    for (size_t i = 0; i < sizeof d->w / sizeof d->w[0]; i++)
        d->w[i] = (float)(bench_uniform(&seed) - 0.5);
    for (size_t i = 0; i < N / 64 * ROWS * 64; i++)
        if (bench_uniform(&seed) < 0.1)
            d->bits[i / 64] |= (uint64_t)1 << i % 64;
    memcpy(d->other, d->bits, sizeof d->bits);
    memcpy(d->planes, d->bits, sizeof d->planes);
    for (size_t i = 0; i < 26 * STEPS; i++)
        d->idx[i] = (uint16_t)(i % 26 * 9 + i / 26);
    for (uint32_t i = 0; i < 26; i++)
        d->start[i] = i * 9;              /* rows for gather_f32 */
    for (uint32_t i = 0; i <= STEPS; i++) /* and where the lists start */
        d->start[32 + i] = i * 26;
}

typedef struct call {
    const bench_case *c;
    data *d;
} call;

static void run_case(void *ctx)
{
    call *c = ctx;
    c->c->run(c->d);
}

static void measure(const char *name, data *d, unsigned runs, double least)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (strcmp(cases[i].name, name) != 0)
            continue;
        call c = {&cases[i], d};
        fill(d);
        printf("%s\t%s\t%s\t%.3f\t%s\n", name, d->k.isa, cases[i].size,
               cases[i].elements * 1e-9 / bench_time(run_case, &c, runs, least), cases[i].element);
        fflush(stdout);
        return;
    }
    printf("%s\t%s\t-\tnot measured\tno case for it\n", name, d->k.isa);
}

int main(int argc, char **argv)
{
    bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    data *d = bench_alloc(sizeof *d);
    for (size_t i = 0; mst_isa_at(i, NULL) != NULL; i++) {
        const char *isa = mst_isa_at(i, NULL);
        if (mst_kernels_select(isa, &d->k, NULL) != MST_OK)
            continue;
        mst_block_kernels_select(isa, &d->b);
        for (size_t j = 0; j < sizeof names / sizeof names[0]; j++)
            measure(names[j], d, quick ? 3 : 9, quick ? 0.001 : 0.01);
    }
    free(d);
    return 0;
}

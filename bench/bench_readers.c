/* How fast a data set is read: samples a second of one reader, unpacking, fitting and
 * cutting into frames included, the files in the system's cache.
 *
 *     bench_readers SPEC CxHxW RESIZE FRAMES [quick]
 *
 * RESIZE and FRAMES are those of the model, 0: none. Prints TSV: kind, samples, samples a second. */
#include "bench/bench_time.h"
#include "mst/data.h"

typedef struct reading {
    mst_data *data;
    float *x;
    size_t at;
    mst_status status;
    mst_err err;
} reading;

static void read_next(void *ctx)
{
    reading *r = ctx;
    int label;
    if (r->status == MST_OK)
        r->status = mst_data_get(r->data, r->at, r->x, &label, &r->err);
    r->at = (r->at + 1) % mst_data_count(r->data);
}

static mst_status measure(reading *r, const char *spec, const mst_data_want *want, bool quick)
{
    uint32_t shape[3];
    MST_TRY(mst_data_open(spec, want, &r->data, &r->err));
    MST_TRY(mst_data_shape(r->data, 0, shape, &r->err));
    r->x = bench_alloc((size_t)shape[0] * shape[1] * shape[2] * sizeof *r->x);
    double seconds = bench_time(read_next, r, quick ? 3 : 9, quick ? 0.05 : 0.2);
    if (r->status == MST_OK)
        printf("%s\t%zu\t%.6g\n", mst_data_format(r->data), mst_data_count(r->data), 1 / seconds);
    return r->status;
}

int main(int argc, char **argv)
{
    mst_data_want want = {0};
    reading r = {0};
    if (argc < 5 || sscanf(argv[2], "%ux%ux%u", &want.channels, &want.height, &want.width) != 3) {
        fprintf(stderr, "usage: bench_readers SPEC CxHxW RESIZE FRAMES [quick]\n");
        return 2;
    }
    want.prepare.resize = (uint32_t)strtoul(argv[3], NULL, 10);
    want.prepare.frames = (uint32_t)strtoul(argv[4], NULL, 10);
    mst_status st = measure(&r, argv[1], &want, argc > 5 && strcmp(argv[5], "quick") == 0);
    if (st != MST_OK)
        fprintf(stderr, "bench_readers: %s\n", r.err.text);
    mst_data_close(r.data);
    free(r.x);
    return st == MST_OK ? 0 : 1;
}

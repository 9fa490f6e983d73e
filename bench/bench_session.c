/* One contestant of `make bench`: runs a model file and tells what it took.
 *
 *     bench_session MODEL.bin INPUT.f32 [key=value..]
 *
 * Ready, it prints a line of facts; then, for each line read, it runs `workers` samples at the
 * same time, `steps` steps each, and prints "seconds<TAB>cpu seconds". So the driver can take
 * turns between contestants. At the end of input it prints what was computed. Knows the public
 * API only. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "mst/session.h"

#define MAX_WORKERS 64

typedef struct options {
    const char *model, *input, *schedule, *isa, *mode;
    unsigned steps, threads, workers, block, levels;
} options;

typedef struct worker {
    mst_session *session;
    const float *x;
    unsigned index, steps;
    float *logits; /* [classes], the mean over its steps */
    pthread_t thread;
} worker;

typedef struct bench {
    options o;
    mst_graph *graph;
    mst_program *program;
    float *samples;
    size_t n_samples;
    worker workers[MAX_WORKERS];
} bench;

static int fail(const char *what, const char *why)
{
    fprintf(stderr, "bench_session: %s: %s\n", what, why);
    return 1;
}

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int parse(int argc, char **argv, options *o)
{
    *o = (options){.schedule = "block", .mode = "step", .steps = 8, .threads = 1, .workers = 1};
    if (argc < 3)
        return fail("usage", "bench_session MODEL.bin INPUT.f32 [schedule=step|block] [isa=NAME] [steps=N] "
                             "[threads=N] [workers=N] [block=N] [mode=step|count|radix] [levels=N]");
    o->model = argv[1];
    o->input = argv[2];
    for (int i = 3; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value == NULL)
            return fail(argv[i], "expected key=value");
        *value++ = '\0';
        if (strcmp(argv[i], "schedule") == 0)
            o->schedule = value;
        else if (strcmp(argv[i], "isa") == 0)
            o->isa = value;
        else if (strcmp(argv[i], "steps") == 0)
            o->steps = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "threads") == 0)
            o->threads = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "workers") == 0)
            o->workers = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "block") == 0)
            o->block = (unsigned)strtoul(value, NULL, 10);
        else if (strcmp(argv[i], "mode") == 0)
            o->mode = value;
        else if (strcmp(argv[i], "levels") == 0)
            o->levels = (unsigned)strtoul(value, NULL, 10);
        else
            return fail(argv[i], "unknown option");
    }
    if (o->steps == 0 || o->workers == 0 || o->workers > MAX_WORKERS)
        return fail("usage", "steps and workers must be positive, workers at most 64");
    return 0;
}

static mst_status open_model(bench *b, mst_err *err)
{
    bool step = strcmp(b->o.schedule, "step") == 0;
    MST_TRY(mst_graph_load(b->o.model, NULL, &b->graph, err));
    int mode = 0;
    while (mst_run_mode_name(mode) != NULL && strcmp(mst_run_mode_name(mode), b->o.mode) != 0)
        mode++;
    mst_run_opts opts = {.size = sizeof opts,
                         .mode = (mst_run_mode)mode,
                         .levels = b->o.levels,
                         .isa = b->o.isa,
                         .seed = b->graph->meta.seed,
                         .schedule = step ? MST_SCHEDULE_STEP : MST_SCHEDULE_BLOCK,
                         .threads = b->o.threads,
                         .block_steps = b->o.block};
    return mst_program_create(b->graph, &opts, &b->program, err);
}

static int read_samples(bench *b)
{
    size_t n = mst_tensor_elements(&b->graph->tensors[b->graph->input]), cap = b->o.workers;
    FILE *f = fopen(b->o.input, "rb");
    b->samples = malloc(cap * n * sizeof *b->samples);
    if (f == NULL || b->samples == NULL) {
        if (f != NULL)
            fclose(f);
        return fail(b->o.input, "cannot be read");
    }
    b->n_samples = fread(b->samples, n * sizeof *b->samples, cap, f);
    fclose(f);
    return b->n_samples != 0 ? 0 : fail(b->o.input, "holds less than one sample");
}

static mst_status open_workers(bench *b, mst_err *err)
{
    size_t n = mst_tensor_elements(&b->graph->tensors[b->graph->input]);
    for (unsigned i = 0; i < b->o.workers; i++) {
        worker *w = &b->workers[i];
        MST_TRY(mst_session_create(b->program, &w->session, err));
        w->index = i;
        w->steps = b->o.steps;
        w->x = b->samples + i % b->n_samples * n;
        w->logits = malloc(mst_session_classes(w->session) * sizeof *w->logits);
        if (w->logits == NULL)
            return mst_fail(err, MST_ENOMEM, "out of memory");
    }
    return MST_OK;
}

static void *run_sample(void *arg)
{
    worker *w = arg;
    mst_session_begin(w->session, w->x, w->index);
    for (uint32_t t = 0; t < w->steps;)
        t += mst_session_run(w->session, w->steps - t);
    mst_session_mean_logits(w->session, MST_LAST, w->logits);
    return NULL;
}

static int run_all(bench *b)
{
    unsigned started = 1;
    for (; started < b->o.workers; started++)
        if (pthread_create(&b->workers[started].thread, NULL, run_sample, &b->workers[started]) != 0)
            break;
    run_sample(&b->workers[0]);
    for (unsigned i = 1; i < started; i++)
        pthread_join(b->workers[i].thread, NULL);
    return started == b->o.workers ? 0 : fail("threads", "could not be started");
}

/* FNV-1a of the first sample's mean logits: the same bits in every schedule, set and thread count. */
static unsigned long long hash_logits(const bench *b)
{
    const worker *w = &b->workers[0];
    const unsigned char *p = (const unsigned char *)w->logits;
    unsigned long long h = 14695981039346656037u;
    for (size_t i = 0; i < mst_session_classes(w->session) * sizeof *w->logits; i++)
        h = (h ^ p[i]) * 1099511628211u;
    return h;
}

/* Largest memory that was resident, in kB. getrusage's figure starts with that of the parent process. */
static long peak_kb(void)
{
    char line[128];
    long kb = 0;
    struct rusage use;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            kb = strtol(line + 6, NULL, 10);
    if (f != NULL)
        fclose(f);
    getrusage(RUSAGE_SELF, &use);
    return kb != 0 ? kb : use.ru_maxrss;
}

static void print_result(const bench *b)
{
    const worker *w = &b->workers[0];
    mst_counters c = mst_session_counters(w->session);
    printf("done\thash=%016llx\tspikes=%llu\tsops=%llu\tmacs=%llu\trss_kb=%ld\tlogits=", hash_logits(b),
           (unsigned long long)c.spikes, (unsigned long long)c.sops, (unsigned long long)c.macs, peak_kb());
    for (size_t i = 0; i < mst_session_classes(w->session); i++)
        printf("%s%.9g", i != 0 ? "," : "", (double)w->logits[i]);
    printf("\trates=");
    for (size_t k = 0; k < mst_program_layers(b->program); k++) {
        const mst_layer *l = mst_program_layer(b->program, k);
        double places = (double)l->neurons * (double)mst_session_time(w->session);
        printf("%s%.5f", k != 0 ? "," : "", (double)mst_session_layer_spikes(w->session, MST_LAST, k) / places);
    }
    printf("\n");
}

static int serve(bench *b)
{
    char line[64];
    unsigned long long neurons = 0;
    for (size_t k = 0; k < mst_program_layers(b->program); k++)
        neurons += mst_program_layer(b->program, k)->neurons;
    printf("ready\tisa=%s\tblock=%u\tsession_bytes=%zu\tdense=%llu\tstatic=%llu\tneurons=%llu\n",
           mst_program_isa(b->program), mst_program_block_steps(b->program),
           mst_program_session_bytes(b->program),
           (unsigned long long)mst_program_dense_ops(b->program),
           (unsigned long long)mst_program_dense_ops_static(b->program), neurons);
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) != NULL) {
        double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
        if (run_all(b) != 0)
            return 1;
        printf("%.9f\t%.9f\n", now(CLOCK_MONOTONIC) - wall, now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
        fflush(stdout);
    }
    print_result(b);
    return 0;
}

int main(int argc, char **argv)
{
    static bench b;
    mst_err err = {0};
    int code = parse(argc, argv, &b.o);
    if (code != 0)
        return code;
    if (open_model(&b, &err) != MST_OK)
        code = fail(b.o.model, err.text);
    if (code == 0)
        code = read_samples(&b);
    if (code == 0 && open_workers(&b, &err) != MST_OK)
        code = fail(b.o.model, err.text);
    if (code == 0)
        code = serve(&b);
    for (unsigned i = 0; i < b.o.workers; i++) {
        mst_session_destroy(b.workers[i].session);
        free(b.workers[i].logits);
    }
    mst_program_destroy(b.program);
    mst_graph_destroy(b.graph);
    free(b.samples);
    return code;
}

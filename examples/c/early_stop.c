/* Stream a data set through a network, and stop each sample as soon as the network is sure of its class: when the
 * logits of the best class, added up over the steps so far, lead those of the next one by a margin.
 *
 *     cc -std=c11 early_stop.c $(pkg-config --cflags --libs mstdata) -o early_stop
 *     ./early_stop MODEL.bin DATA MARGIN [SAMPLES]
 *
 * DATA as for mstrun: "idx:images.gz,labels.gz". A margin that is never reached ("1e9") runs all time steps.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mst/data.h>
#include <mst/facts.h>
#include <mst/session.h>

typedef struct stream {
    const mst_program *program;
    const mst_data *data;
    mst_session *session;
    float *x, *logits;
    size_t classes;
    uint32_t steps; /* at most */
    float margin;
    /* sums over samples */
    size_t labelled, right;
    uint64_t run, spikes;
} stream;

/* By how much the best class leads the next one, on average over the steps. */
static float lead(const float *logits, size_t classes)
{
    size_t best = mst_argmax(logits, classes);
    float next = -1e30f;
    for (size_t i = 0; i < classes; i++)
        if (i != best && logits[i] > next)
            next = logits[i];
    return logits[best] - next;
}

/* Sample i: its class, and after how many steps it was said. One step at a time, so that none is run in vain; a
 * program of the block schedule with block_steps 4, say, would be faster and overshoot by 3. */
static mst_status classify(stream *s, size_t i, size_t *said, uint32_t *steps, int *label, mst_err *err)
{
    MST_TRY(mst_data_get(s->data, i, s->x, label, err));
    mst_session_begin(s->session, s->x, (uint32_t)i); /* the index is part of what the masks are drawn from */
    for (*steps = 0; *steps < s->steps;) {
        *steps += mst_session_run(s->session, s->steps - *steps);
        mst_session_mean_logits(s->session, MST_LAST, s->logits);
        if (lead(s->logits, s->classes) * (float)*steps >= s->margin)
            break;
    }
    *said = mst_argmax(s->logits, s->classes);
    return MST_OK;
}

static mst_status run(stream *s, size_t n, mst_err *err)
{
    for (size_t i = 0; i < n; i++) {
        size_t said;
        uint32_t steps;
        int label;
        MST_TRY(classify(s, i, &said, &steps, &label, err));
        s->run += steps;
        s->spikes += mst_session_spikes(s->session);
        s->labelled += label >= 0;
        s->right += label >= 0 && said == (size_t)label;
    }
    printf("%zu samples, %zu of %zu labelled ones right\n", n, s->right, s->labelled);
    if (n != 0)
        printf("%.2f of %" PRIu32 " steps a sample, %.1f spikes\n", (double)s->run / (double)n, s->steps,
               (double)s->spikes / (double)n);
    return MST_OK;
}

/* Open the data as the model wants it, and run at most `limit` samples. */
static mst_status run_data(const mst_program *program, const char *spec, float margin, size_t limit, mst_err *err)
{
    const mst_graph *graph = mst_program_graph(program);
    mst_data *data = NULL;
    stream s = {
        .program = program, .classes = mst_graph_classes(graph), .steps = mst_graph_timesteps(graph), .margin = margin};
    MST_TRY(mst_data_open_for(spec, graph, &data, err));
    s.data = data;
    mst_status st = mst_session_create(program, &s.session, err);
    if (st == MST_OK) {
        s.x = malloc(mst_program_input_size(program) * sizeof *s.x);
        s.logits = calloc(s.classes, sizeof *s.logits);
        if (s.x == NULL || s.logits == NULL)
            st = mst_fail(err, MST_ENOMEM, "no memory for a sample");
    }
    size_t n = mst_data_count(data);
    if (st == MST_OK)
        st = run(&s, n < limit ? n : limit, err);
    free(s.logits);
    free(s.x);
    mst_session_destroy(s.session);
    mst_data_close(data);
    return st;
}

int main(int argc, char **argv)
{
    char *end = NULL, *end_limit = NULL;
    float margin = argc > 3 ? strtof(argv[3], &end) : 0;
    unsigned long limit = argc > 4 ? strtoul(argv[4], &end_limit, 10) : UINT32_MAX;
    if (argc < 4 || argc > 5 || end == argv[3] || *end != '\0' || !(margin >= 0) ||
        (argc > 4 && (limit == 0 || *end_limit != '\0'))) {
        fprintf(stderr, "usage: %s MODEL.bin DATA MARGIN [SAMPLES]\n", argv[0]);
        return 2;
    }
    mst_err err;
    mst_graph *graph = NULL;
    mst_program *program = NULL;
    mst_status st = mst_graph_load(argv[1], NULL, &graph, &err);
    if (st == MST_OK) {
        mst_run_opts opts = {.size = sizeof opts, .seed = mst_graph_seed(graph), .frames = mst_graph_frames(graph)};
        st = mst_program_create(graph, &opts, &program, &err);
    }
    if (st == MST_OK)
        st = run_data(program, argv[2], margin, limit, &err);
    if (st == MST_OK && (fflush(stdout) != 0 || ferror(stdout)))
        st = mst_fail(&err, MST_EIO, "cannot write the result");
    mst_program_destroy(program);
    mst_graph_destroy(graph);
    if (st != MST_OK)
        fprintf(stderr, "%s: %s\n", argv[0], err.text);
    return st == MST_OK ? 0 : 1;
}

/* What the flags of ops.def bring about, on operators of which they tell nothing, state, or purity, and that a back end
 * is one folder and one line of a table: this test builds library and converter with MST_EXTRA_OPS (toy_ops.def) and
 * MST_EXTRA_BACKEND (toy_backend.c). */
#include "mst/convert.h"
#include "tests/support/run_tests.h"
#include "tests/unit/session/session_graphs.h"
#include "tests/unit/toy/toy_backend.h"
#include "tests/unit/toy/toy_ops.h"

enum { WIDE = 128,
       T = 150 };

static mst_graph *wide_graph(void) { return graph_with_input(DIMS(1, WIDE)); }

static uint32_t add_sum(mst_graph *g, uint32_t x, float start)
{
    add_like(g, MST_OP_TOY_SUM, INPUTS(x))->fp[MST_TOY_SUM_START] = start;
    return g->output;
}

static uint32_t add_layer(mst_graph *g, rng *r, uint32_t x)
{
    add_like(g, MST_OP_LINEAR, INPUTS(x, add_random(g, r, DIMS(WIDE, WIDE), -0.2f, 0.25f)));
    return add_neuron(g, g->output, add_value(g, 0.9f), 0.5f);
}

typedef struct runner {
    mst_program *p;
    mst_session *s;
} runner;

static runner open_runner(const mst_graph *g, mst_schedule schedule, uint32_t block_steps, unsigned threads)
{
    runner r = {0};
    mst_run_opts o = {.schedule = schedule, .block_steps = block_steps, .threads = threads};
    OK(mst_program_create(g, &o, &r.p, &err_));
    OK(mst_session_create(r.p, &r.s, &err_));
    return r;
}

static void close_runner(runner *r)
{
    mst_session_destroy(r->s);
    mst_program_destroy(r->p);
}

/* logits: [steps][WIDE] */
static void run_sample(const runner *r, const float *x, uint32_t sample, uint32_t steps, float *logits)
{
    mst_session_begin(r->s, x, sample);
    for (uint32_t t = 0, n; t < steps; t += n) {
        n = mst_session_run(r->s, steps - t);
        for (uint32_t i = 0; i < n; i++)
            memcpy(logits + (t + i) * WIDE, mst_session_logits(r->s, i), WIDE * sizeof *logits);
    }
}

static void fill(float *x, uint64_t seed)
{
    rng r = {seed};
    rng_fill(&r, x, WIDE, 1, -1, 2);
}

static void forget_calls(void) { atomic_store(&toy_calls.n, 0); }

/* Three threads have 64 steps of 128 values to share. */
START_TEST(nothing_told_runs_in_order)
{
    static float x[WIDE], logits[T * WIDE];
    mst_graph *g = wide_graph();
    add_like(g, MST_OP_TOY, INPUTS(g->input));
    fill(x, 1);
    runner r = open_runner(g, MST_SCHEDULE_BLOCK, 64, 3);
    ck_assert_uint_eq(mst_program_block_steps(r.p), 64);
    forget_calls();
    run_sample(&r, x, 0, T, logits);
    ck_assert_uint_eq(atomic_load(&toy_calls.n), T);
    for (uint32_t i = 0; i < T; i++) {
        ck_assert_uint_eq(toy_calls.call[i].time, i + 1);
        ck_assert(pthread_equal(toy_calls.call[i].thread, pthread_self()) != 0);
        for (uint32_t k = 0; k < WIDE; k++)
            ck_assert(logits[i * WIDE + k] == x[k] + (float)i);
    }
    close_runner(&r);
    mst_graph_destroy(g);
}
END_TEST

static void note_form(void *ctx, const mst_session *s, const mst_tap *t)
{
    (void)s;
    ((mst_form *)ctx)[t->node] = t->form;
}

/* On an input that never changes: once a sample where the operator is pure, else at each step. */
START_TEST(only_pure_is_static)
{
    static float x[WIDE], logits[10 * WIDE];
    mst_graph *g = wide_graph();
    mst_form form[2] = {MST_FORM_BITS, MST_FORM_BITS};
    add_like(g, MST_OP_TOY_HALF, INPUTS(g->input));
    add_like(g, _i == 0 ? MST_OP_TOY : MST_OP_TOY_SUM, INPUTS(g->output));
    for (int schedule = 0; schedule < 2; schedule++) {
        runner r = open_runner(g, schedule == 0 ? MST_SCHEDULE_STEP : MST_SCHEDULE_BLOCK, 8, 1);
        mst_session_tap(r.s, note_form, form);
        forget_calls();
        run_sample(&r, x, 0, 10, logits);
        uint32_t calls[2] = {0};
        for (unsigned i = 0; i < atomic_load(&toy_calls.n); i++)
            calls[toy_calls.call[i].node]++;
        ck_assert_uint_eq(calls[0], 1);
        ck_assert_uint_eq(calls[1], 10);
        ck_assert_int_eq(form[0], MST_FORM_STATIC);
        ck_assert_int_eq(form[1], MST_FORM_FLOAT);
        close_runner(&r);
    }
    mst_graph_destroy(g);
}
END_TEST

/* ---- state ------------------------------------------------------------------------ */

static void check_refused(mst_op op, int keeps, const char *why)
{
    for (int schedule = 0; schedule < 2; schedule++) {
        mst_graph *g = wide_graph();
        mst_program *p = NULL;
        mst_err err = {0};
        add_like(g, op, INPUTS(g->input))->ip[0] = keeps;
        mst_run_opts o = {.schedule = schedule == 0 ? MST_SCHEDULE_STEP : MST_SCHEDULE_BLOCK};
        ck_assert_int_eq(mst_program_create(g, &o, &p, &err), MST_EINVAL);
        ck_assert_ptr_null(p);
        ck_assert_msg(strstr(err.text, g->nodes[0].name) != NULL && strstr(err.text, why) != NULL, "%s", err.text);
        mst_graph_destroy(g);
    }
}

START_TEST(state_must_be_told)
{
    _Static_assert(MST_TOY_KEEPS == 0 && MST_TOY_SUM_KEEPS == 0, "their first parameter");
    check_refused(MST_OP_TOY, TOY_STATE_AND_RESET, "state that ops.def does not tell of");
    check_refused(MST_OP_TOY, TOY_STATE_ONLY, "state that ops.def does not tell of");
    check_refused(MST_OP_TOY, TOY_RESET_ONLY, "state that ops.def does not tell of");
    check_refused(MST_OP_TOY_SUM, TOY_NOTHING, "state that the operator does not keep");
    check_refused(MST_OP_TOY_SUM, TOY_STATE_ONLY, "state without a reset, or a reset without state");
    check_refused(MST_OP_TOY_SUM, TOY_RESET_ONLY, "state without a reset, or a reset without state");
}
END_TEST

/* By hand: START + t*x, in numbers without rounding; over blocks, and anew with each sample. */
START_TEST(state_lives_from_step_to_step)
{
    static float x[WIDE], logits[T * WIDE];
    mst_graph *g = wide_graph();
    add_sum(g, g->input, 0.5f);
    for (uint32_t k = 0; k < WIDE; k++)
        x[k] = (float)k - 60;
    for (int schedule = 0; schedule < 2; schedule++) {
        runner r = open_runner(g, schedule == 0 ? MST_SCHEDULE_STEP : MST_SCHEDULE_BLOCK, 64, 3);
        for (uint32_t sample = 0; sample < 3; sample++) {
            uint32_t steps = sample == 1 ? 70 : T;
            run_sample(&r, x, sample, steps, logits);
            for (uint32_t i = 0; i < steps * WIDE; i++)
                ck_assert(logits[i] == 0.5f + (float)(i / WIDE + 1) * x[i % WIDE]);
        }
        close_runner(&r);
    }
    mst_graph_destroy(g);
}
END_TEST

/* Among layers that the back end fuses. */
START_TEST(schedules_agree)
{
    static float x[3][WIDE], want[3][T * WIDE], got[T * WIDE];
    mst_graph *g = wide_graph();
    rng rnd = {7};
    uint32_t y = add_sum(g, add_layer(g, &rnd, g->input), -1);
    y = add_layer(g, &rnd, y);
    add_sum(g, add_layer(g, &rnd, y), 0.25f);
    runner r = open_runner(g, MST_SCHEDULE_STEP, 0, 1);
    for (uint32_t i = 0; i < 3; i++) {
        fill(x[i], 10 + i);
        run_sample(&r, x[i], i, T, want[i]);
    }
    close_runner(&r);
    static const uint32_t steps[] = {1, 16, 64};
    for (unsigned k = 0; k < 3; k++) {
        r = open_runner(g, MST_SCHEDULE_BLOCK, steps[k], 1 + k);
        for (uint32_t i = 0; i < 3; i++) {
            run_sample(&r, x[2 - i], 0, 5, got); /* a sample that ends inside a block */
            run_sample(&r, x[i], i, T, got);
            ck_assert_msg(memcmp(got, want[i], sizeof got) == 0, "blocks of %u, sample %u", (unsigned)steps[k],
                          (unsigned)i);
        }
        close_runner(&r);
    }
    mst_graph_destroy(g);
}
END_TEST

/* Counts have no time. */
START_TEST(counts_need_purity)
{
    static const mst_op ops[] = {MST_OP_TOY, MST_OP_TOY_SUM, MST_OP_TOY_HALF};
    for (unsigned i = 0; i < 3; i++)
        for (int radix = 0; radix < 2; radix++) {
            mst_graph *g = wide_graph();
            rng r = {5};
            mst_program *p = NULL;
            mst_err err = {0};
            add_like(g, ops[i], INPUTS(add_layer(g, &r, g->input)));
            mst_run_opts o = {.mode = radix != 0 ? MST_RUN_RADIX : MST_RUN_COUNT};
            mst_status st = mst_program_create(g, &o, &p, &err);
            ck_assert_msg(st == (ops[i] == MST_OP_TOY_HALF ? MST_OK : MST_EUNSUPPORTED), "%s", err.text);
            ck_assert(st == MST_OK || strstr(err.text, "use step") != NULL);
            mst_program_destroy(p);
            mst_graph_destroy(g);
        }
}
END_TEST

/* ---- back ends ------------------------------------------------------------------------ */

/* A layer that is masked, and a last one that is not. */
static mst_graph *masked_graph(void)
{
    mst_graph *g = wide_graph();
    rng r = {11};
    uint32_t x = add_layer(g, &r, g->input);
    add_mask(g, x, 0, 0.25f);
    add_layer(g, &r, g->output);
    add_like(g, MST_OP_LINEAR, INPUTS(g->output, add_random(g, &r, DIMS(WIDE, WIDE), -0.2f, 0.25f)));
    return g;
}

START_TEST(another_back_end)
{
    static float x[WIDE], logits[2][T * WIDE];
    mst_graph *g = masked_graph();
    fill(x, 3);
    ck_assert_str_eq(mst_backend_name(0), "cpu");
    ck_assert_str_eq(mst_backend_name(1), "toy");
    ck_assert_ptr_null(mst_backend_name(2));
    for (int mode = 0; mst_run_mode_name(mode) != NULL; mode++)
        for (int schedule = 0; schedule < 2; schedule++) {
            mst_counters counters[2];
            uint32_t steps = mode == MST_RUN_SPIKING ? T : 1;
            atomic_store(&toy_runs, 0);
            for (int k = 0; k < 2; k++) {
                runner r = {0};
                mst_run_opts o = {.size = sizeof o,
                                  .mode = (mst_run_mode)mode,
                                  .levels = mode == MST_RUN_COUNT || mode == MST_RUN_RADIX ? 7 : 0,
                                  .schedule = (mst_schedule)schedule,
                                  .backend = k != 0 ? "toy" : NULL};
                OK(mst_program_create(g, &o, &r.p, &err_));
                OK(mst_session_create(r.p, &r.s, &err_));
                ck_assert_str_eq(mst_program_backend(r.p), mst_backend_name(k));
                run_sample(&r, x, 1, steps, logits[k]);
                counters[k] = mst_session_counters(r.s);
                ck_assert(k != 0 || atomic_load(&toy_runs) == 0);
                close_runner(&r);
            }
            ck_assert_uint_ge(atomic_load(&toy_runs), steps);
            ck_assert(memcmp(logits[0], logits[1], steps * WIDE * sizeof logits[0][0]) == 0);
            ck_assert(memcmp(&counters[0], &counters[1], sizeof counters[0]) == 0);
        }
    mst_graph_destroy(g);
}
END_TEST

/* ---- conversion --------------------------------------------------------------------- */

static const struct {
    mst_op op;
    bool linear;
} toys[] = {{MST_OP_TOY, false}, {MST_OP_TOY_SUM, false}, {MST_OP_TOY_HALF, true}};

START_TEST(report_names_what_is_not_told)
{
    mst_graph *g = wide_graph();
    rng r = {3};
    mst_report report = {0};
    mst_err err = {0};
    const char *name = mst_op_get(toys[_i].op)->name, *kind = toys[_i].linear ? "linear+IF" : "IF";
    uint32_t x = add_layer(g, &r, g->input);
    add_like(g, MST_OP_LINEAR, INPUTS(x, add_random(g, &r, DIMS(WIDE, WIDE), -0.2f, 0.25f)));
    add_like(g, toys[_i].op, INPUTS(g->output));
    ck_assert(mst_node_is_linear(g, &g->nodes[g->n_nodes - 1]) == toys[_i].linear);
    add_neuron(g, g->output, add_value(g, 0.9f), 0.5f);
    OK(mst_convert(g, &(mst_convert_opts){0}, &report, &err_));
    unsigned named = 0, neurons = 0;
    for (uint32_t i = 0; i < report.n_rows; i++) {
        const mst_report_row *row = &report.rows[i];
        neurons += row->spiking;
        if (strcmp(row->kind, name) != 0)
            continue;
        named++;
        ck_assert(!row->spiking && !row->linear && row->reason != NULL && row->reason[0] != '\0');
    }
    ck_assert_uint_eq(neurons, 2);
    ck_assert_uint_eq(named, toys[_i].linear ? 0 : 1);
    ck_assert_uint_eq(report.n_non_spiking, named);
    ck_assert_str_eq(report.rows[report.n_rows - 1].kind, kind);
    mst_report_free(&report);
    mst_convert_opts strict = {.require_spiking = true};
    ck_assert_int_eq(mst_convert(g, &strict, &report, &err), toys[_i].linear ? MST_OK : MST_EUNSUPPORTED);
    if (!toys[_i].linear)
        ck_assert_msg(strstr(err.text, name) != NULL && strstr(err.text, "does not spike") != NULL, "%s", err.text);
    mst_report_free(&report);
    mst_graph_destroy(g);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("operators that ops.def does not have");
    TCase *t = tcase_create("flags");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, nothing_told_runs_in_order);
    tcase_add_loop_test(t, only_pure_is_static, 0, 2);
    tcase_add_test(t, state_must_be_told);
    tcase_add_test(t, state_lives_from_step_to_step);
    tcase_add_test(t, schedules_agree);
    tcase_add_test(t, counts_need_purity);
    tcase_add_test(t, another_back_end);
    tcase_add_loop_test(t, report_names_what_is_not_told, 0, (int)(sizeof toys / sizeof toys[0]));
    suite_add_tcase(s, t);
    return run_tests(s);
}

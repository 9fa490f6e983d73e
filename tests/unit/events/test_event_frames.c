/* Frames of recordings: where the cuts lie, also where SpikingJelly's function
 * fails or time steps back; what resizing keeps.
 */
#include <math.h>

#include "runtime/data/events/event_frames.h"
#include "runtime/data/events/event_resize.h"
#include "tests/unit/events/event_files.h"
#include "tests/support/run_tests.h"

#define MAX_EVENTS 64
#define SIDE 34
#define PLANE (SIDE * SIDE)

/* An N-MNIST recording with an event at each of these times, at pixel (i % 34, i / 34), polarity i % 2. */
static mst_event_stream *recording(const int64_t *t, size_t n)
{
    uint8_t b[5 * MAX_EVENTS];
    mst_event_stream *s = NULL;
    for (size_t i = 0; i < n; i++) {
        event_be32(b + 5 * i + 1, (uint32_t)(i % 2) << 23 | (uint32_t)t[i]);
        b[5 * i] = (uint8_t)(i % SIDE);
        b[5 * i + 1] = (uint8_t)(i / SIDE);
    }
    const char *path = event_write("frames.bin", b, 5 * n);
    ck_assert_int_eq(mst_event_open(path, mst_event_profile_find("nmnist"), 0, 0, &s, NULL), MST_OK);
    return s;
}

/* Frame f holds exactly the events from..to-1, each once. */
static void check_frame(const float *x, uint64_t from, uint64_t to)
{
    float sum = 0;
    for (size_t i = 0; i < 2 * PLANE; i++)
        sum += x[i];
    ck_assert_uint_eq((uint64_t)sum, to - from);
    for (uint64_t i = from; i < to; i++)
        ck_assert(x[i % 2 * PLANE + i / SIDE * SIDE + i % SIDE] == 1.0f);
}

static void check_cuts(const int64_t *t, size_t n_events, uint32_t n, mst_event_split split,
                       const uint64_t *from, const uint64_t *to)
{
    static float all[16 * 2 * PLANE], one[2 * PLANE];
    mst_event_stream *s = recording(t, n_events);
    mst_event_cuts c;
    ck_assert_int_eq(mst_event_cuts_find(s, n, split, &c, NULL), MST_OK);
    for (uint32_t f = 0; f < n; f++) {
        ck_assert_uint_eq(c.to[f] - c.from[f], to[f] - from[f]);
        if (to[f] != from[f])
            ck_assert_uint_eq(c.from[f], from[f]);
    }
    ck_assert_int_eq(mst_event_frames(s, n, split, SIDE, SIDE, all, NULL), MST_OK);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t f = n - 1 - k; /* backwards: each one is found from the start */
        check_frame(all + 2 * PLANE * f, from[f], to[f]);
        ck_assert_int_eq(mst_event_frame(s, &c, f, SIDE, SIDE, one, NULL), MST_OK);
        ck_assert_int_eq(memcmp(one, all + 2 * PLANE * f, sizeof one), 0);
    }
    mst_event_cuts_free(&c);
    mst_event_close(s);
}

START_TEST(by_number)
{
    int64_t t[11];
    for (int i = 0; i < 11; i++)
        t[i] = i * i;
    check_cuts(t, 11, 3, MST_EVENT_BY_NUMBER, (uint64_t[]){0, 3, 6}, (uint64_t[]){3, 6, 11});
    check_cuts(t, 11, 1, MST_EVENT_BY_NUMBER, (uint64_t[]){0}, (uint64_t[]){11});
    check_cuts(t, 2, 4, MST_EVENT_BY_NUMBER, (uint64_t[]){0, 0, 0, 0}, (uint64_t[]){0, 0, 0, 2});
}
END_TEST

START_TEST(by_time)
{
    /* spans of 10 us: 5..14, 15..24, 25 and on; the rest of the division is the last frame's */
    check_cuts((int64_t[]){5, 6, 14, 15, 20, 24, 25, 34, 35, 36}, 10, 3, MST_EVENT_BY_TIME,
               (uint64_t[]){0, 3, 6}, (uint64_t[]){3, 6, 10});
    /* a span without events is an empty frame */
    check_cuts((int64_t[]){0, 1, 25, 30}, 4, 3, MST_EVENT_BY_TIME, (uint64_t[]){0, 0, 2},
               (uint64_t[]){2, 0, 4});
    /* the last span is empty, but what lies behind it is not */
    check_cuts((int64_t[]){0, 1, 7}, 3, 2, MST_EVENT_BY_TIME, (uint64_t[]){0, 2}, (uint64_t[]){2, 3});
    check_cuts((int64_t[]){0, 1, 2, 11}, 4, 4, MST_EVENT_BY_TIME, (uint64_t[]){0, 2, 0, 3},
               (uint64_t[]){2, 3, 0, 4});
    /* no time passes, or less than a microsecond a frame: all in the last */
    check_cuts((int64_t[]){4, 4, 4}, 3, 2, MST_EVENT_BY_TIME, (uint64_t[]){0, 0}, (uint64_t[]){0, 3});
    check_cuts((int64_t[]){4, 5}, 2, 5, MST_EVENT_BY_TIME, (uint64_t[]){0, 0, 0, 0, 0},
               (uint64_t[]){0, 0, 0, 0, 2});
}
END_TEST

/* SpikingJelly takes the events from the first to the last one in the span, so frames overlap. */
START_TEST(by_time_where_time_steps_back)
{
    check_cuts((int64_t[]){0, 12, 8, 15, 22, 19, 30}, 7, 3, MST_EVENT_BY_TIME, (uint64_t[]){0, 1, 4},
               (uint64_t[]){3, 6, 7});
}
END_TEST

START_TEST(refusals)
{
    mst_event_stream *s = recording((int64_t[]){1, 2}, 2);
    mst_event_cuts c;
    mst_err err;
    float x[2 * PLANE];
    ck_assert_int_eq(mst_event_cuts_find(s, 0, MST_EVENT_BY_NUMBER, &c, &err), MST_EINVAL);
    ck_assert_int_eq(mst_event_cuts_find(s, MST_EVENT_MAX_FRAMES + 1, MST_EVENT_BY_NUMBER, &c, &err),
                     MST_ELIMIT);
    ck_assert_int_eq(mst_event_cuts_find(s, 1, MST_EVENT_BY_NUMBER, &c, &err), MST_OK);
    ck_assert_int_eq(mst_event_frame(s, &c, 1, SIDE, SIDE, x, &err), MST_EINVAL);
    mst_event_cuts_free(&c);
    mst_event_close(s);
    const char *head = "#!AER-DAT2.0\r\n";
    const char *path = event_write("none.aedat", head, strlen(head));
    ck_assert_int_eq(mst_event_open(path, mst_event_profile_find("aedat2"), 0, 0, &s, NULL), MST_OK);
    ck_assert_int_eq(mst_event_frames(s, 1, MST_EVENT_BY_TIME, 2, 2, x, &err), MST_ECORRUPT);
    ck_assert_ptr_nonnull(strstr(err.text, "none.aedat: expected events, found none"));
    mst_event_close(s);
}
END_TEST

static void check_resize(uint32_t h, uint32_t w, uint32_t oh, uint32_t ow)
{
    size_t n = (size_t)h * w, on = (size_t)oh * ow;
    float *in = calloc(n, sizeof *in), *out = calloc(on, sizeof *out);
    ck_assert(in != NULL && out != NULL);
    for (size_t i = 0; i < n; i++)
        in[i] = 3.0f;
    ck_assert_int_eq(mst_event_resize(in, 1, h, w, oh, ow, out, NULL), MST_OK);
    for (size_t i = 0; i < on; i++)
        ck_assert(fabsf(out[i] - 3.0f) < 1e-5f); /* weights sum to 1 */
    free(in);
    free(out);
}

START_TEST(resize_keeps_constants)
{
    check_resize(34, 34, 34, 34);
    check_resize(240, 180, 48, 48);
    check_resize(5, 7, 50, 63);
    check_resize(1, 1, 9, 4);
    check_resize(100, 1, 3, 1);
    check_resize(480, 640, 1, 1);
    ck_assert_int_eq(mst_event_resize(NULL, 1, 0, 1, 1, 1, NULL, NULL), MST_EINVAL);
}
END_TEST

/* Halving is the mean of 4x4 triangles; no event is lost in it. */
START_TEST(resize_by_hand)
{
    const float in[8] = {0, 0, 0, 8, 0, 0, 0, 0};
    float out[4];
    ck_assert_int_eq(mst_event_resize(in, 1, 1, 8, 1, 4, out, NULL), MST_OK);
    /* output 1 has its center at 3, output 2 at 5; pixel 3 at 3.5 weighs 3/4 and 1/4 of 2 */
    ck_assert(out[0] == 0.0f && fabsf(out[1] - 3.0f) < 1e-6f && fabsf(out[2] - 1.0f) < 1e-6f &&
              out[3] == 0.0f);
    const float two[2] = {0, 4};
    ck_assert_int_eq(mst_event_resize(two, 1, 1, 2, 1, 4, out, NULL), MST_OK);
    ck_assert(out[0] == 0.0f && out[1] == 1.0f && out[2] == 3.0f && out[3] == 4.0f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("event frames");
    TCase *tc = tcase_create("frames");
    tcase_add_checked_fixture(tc, event_dir_make, event_dir_remove);
    tcase_add_test(tc, by_number);
    tcase_add_test(tc, by_time);
    tcase_add_test(tc, by_time_where_time_steps_back);
    tcase_add_test(tc, refusals);
    tcase_add_test(tc, resize_keeps_constants);
    tcase_add_test(tc, resize_by_hand);
    suite_add_tcase(suite, tc);
    return run_tests(suite);
}

/* libFuzzer target of the decoders of event recordings. Byte 0 chooses the
 * profile, 255 the label file of DVS128 Gesture; the rest is the
 * file. FUZZ_PROFILE in the environment names the profile of all. What is read
 * must lie on the sensor, read the same a second time, and make frames that hold
 * each event once. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/data/events/event_frames.h"
#include "runtime/data/events/event_list.h"
#include "tests/support/memory_file.h"

#define BATCH 100
#define FRAMES 3u
#define LABELS 255
#define MAX_PIXELS 100000u /* frames of larger sensors are left out: they are slow, and nothing else */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        abort();
}

/* All events: their number into *n, a sum over them into *sum. */
static mst_status read_all(mst_event_stream *s, uint64_t *n, uint64_t *sum)
{
    mst_event batch[BATCH];
    mst_err err;
    *n = *sum = 0;
    for (size_t got = 1; got != 0; *n += got) {
        mst_status st = mst_event_next(s, batch, BATCH, &got, &err);
        if (st != MST_OK) {
            check(strlen(err.text) > 0);
            return st;
        }
        for (size_t i = 0; i < got; i++) {
            check(batch[i].x < mst_event_width(s) && batch[i].y < mst_event_height(s) && batch[i].p < 2);
            check(batch[i].t >= 0);
            *sum = *sum * 31 + (uint64_t)batch[i].t + batch[i].x + batch[i].y + batch[i].p;
        }
    }
    check(mst_event_given(s) == *n);
    return MST_OK;
}

static void check_frames(mst_event_stream *s, uint64_t n, mst_event_split split)
{
    static float all[FRAMES * 2 * MAX_PIXELS], small[FRAMES * 2 * 7 * 5];
    uint32_t w = mst_event_width(s), h = mst_event_height(s);
    mst_event_cuts c;
    double sum = 0, expected = 0;
    if (n == 0) {
        check(mst_event_cuts_find(s, FRAMES, split, &c, NULL) == MST_ECORRUPT);
        return;
    }
    check(mst_event_cuts_find(s, FRAMES, split, &c, NULL) == MST_OK);
    for (uint32_t f = 0; f < FRAMES; f++) {
        check(c.from[f] <= c.to[f] && c.to[f] <= n);
        expected += (double)(c.to[f] - c.from[f]);
    }
    mst_event_cuts_free(&c);
    if ((uint64_t)w * h > MAX_PIXELS)
        return;
    check(mst_event_frames(s, FRAMES, split, h, w, all, NULL) == MST_OK);
    for (size_t i = 0; i < (size_t)FRAMES * 2 * w * h; i++)
        sum += (double)all[i];
    check(sum == expected);
    check(mst_event_frames(s, FRAMES, split, 5, 7, small, NULL) == MST_OK);
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
        check(isfinite(small[i]) && small[i] >= 0);
}

static void check_stored(mst_event_stream *s)
{
    static float counts[2 * MAX_PIXELS];
    size_t pixels = (size_t)mst_event_width(s) * mst_event_height(s);
    for (uint32_t f = 0; f < mst_event_stored(s) && f < FRAMES && pixels <= MAX_PIXELS; f++)
        if (mst_event_stored_frame(s, f, counts, NULL) == MST_OK)
            for (size_t i = 0; i < 2 * pixels; i++)
                check(isfinite(counts[i]) && counts[i] >= 0);
}

static void fuzz_stream(const mst_event_profile *p, const char *path)
{
    mst_event_stream *s;
    mst_err err;
    uint64_t n, sum, n_again, sum_again;
    if (mst_event_open(path, p, 0, 0, &s, &err) != MST_OK) {
        check(strlen(err.text) > 0);
        return;
    }
    mst_status st = read_all(s, &n, &sum);
    check(mst_event_rewind(s, NULL) == MST_OK);
    check(read_all(s, &n_again, &sum_again) == st && n == n_again && sum == sum_again);
    check_stored(s);
    if (st == MST_OK) {
        check_frames(s, n, MST_EVENT_BY_NUMBER);
        check_frames(s, n, MST_EVENT_BY_TIME);
    }
    mst_event_close(s);
}

static void fuzz_labels(const char *path)
{
    mst_event_set set = {0};
    mst_err err;
    if (mst_event_gesture_add(&set, "recording", path, &err) != MST_OK)
        check(strlen(err.text) > 0);
    else
        for (size_t i = 0; i < set.n; i++)
            check(set.items[i].label >= 0 && (size_t)set.items[i].label < set.n_classes &&
                  set.items[i].t_from < set.items[i].t_to);
    mst_event_set_close(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *given = getenv("FUZZ_PROFILE");
    const mst_event_profile *all = given != NULL ? mst_event_profile_find(given) : NULL;
    size_t n_profiles = 0;
    while (mst_event_profile_at(n_profiles) != NULL)
        n_profiles++;
    if (size < 1)
        return 0;
    char path[64];
    int fd = memory_file(data + 1, size - 1, path);
    if (fd < 0)
        return 0;
    if (all != NULL || data[0] != LABELS)
        fuzz_stream(all != NULL ? all : mst_event_profile_at(data[0] % n_profiles), path);
    else
        fuzz_labels(path);
    close(fd);
    return 0;
}

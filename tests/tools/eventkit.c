/* Event recordings for the Python tests: what the decoders and frames give, as
 * raw bytes on stdout. PROFILE "-": recognized.
 *   eventkit events PROFILE PATH             24-byte records of t int64, x, y, p int32, 4 of zeros
 *   eventkit frames PROFILE PATH N number|time H W   float32 [N*2,H,W]; H 0: the sensor's size
 *   eventkit frame  PROFILE PATH N number|time H W F float32 [2,H,W]
 *   eventkit size   PROFILE PATH             "W H" and the profile's name
 *   eventkit list   PROFILE PATH             label, t_from, t_to, path of every sample, then the classes
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/data/events/event_frames.h"
#include "runtime/data/events/event_set.h"

typedef struct record {
    int64_t t;
    int32_t x, y, p, zero;
} record;

static mst_status dump_events(mst_event_stream *s, mst_err *err)
{
    mst_event batch[777];
    for (size_t n = 1; n != 0;) {
        MST_TRY(mst_event_next(s, batch, 777, &n, err));
        for (size_t i = 0; i < n; i++) {
            record r = {batch[i].t, batch[i].x, batch[i].y, batch[i].p, 0};
            fwrite(&r, sizeof r, 1, stdout);
        }
    }
    return MST_OK;
}

static mst_status dump_frames(mst_event_stream *s, char **a, int n_args, mst_err *err)
{
    uint32_t n = (uint32_t)strtoul(a[0], NULL, 10);
    mst_event_split split = strcmp(a[1], "time") == 0 ? MST_EVENT_BY_TIME : MST_EVENT_BY_NUMBER;
    uint32_t h = (uint32_t)strtoul(a[2], NULL, 10), w = (uint32_t)strtoul(a[3], NULL, 10);
    if (h == 0) {
        h = mst_event_height(s);
        w = mst_event_width(s);
    }
    bool one = n_args > 4;
    size_t values = (size_t)2 * h * w * (one ? 1 : n);
    float *x = calloc(values, sizeof *x);
    mst_event_cuts c = {0};
    mst_status st = x != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory");
    if (st == MST_OK && one) {
        st = mst_event_cuts_find(s, n, split, &c, err);
        if (st == MST_OK)
            st = mst_event_frame(s, &c, (uint32_t)strtoul(a[4], NULL, 10), h, w, x, err);
    } else if (st == MST_OK) {
        st = mst_event_frames(s, n, split, h, w, x, err);
    }
    if (st == MST_OK)
        fwrite(x, sizeof *x, values, stdout);
    mst_event_cuts_free(&c);
    free(x);
    return st;
}

static mst_status print_list(const mst_event_profile *p, const char *path, mst_err *err)
{
    mst_event_set set;
    MST_TRY(mst_event_set_open(path, p, &set, err));
    printf("%s\n", mst_event_profile_name(set.profile));
    for (size_t i = 0; i < set.n; i++)
        printf("%" PRId32 " %" PRId64 " %" PRId64 " %s\n", set.items[i].label, set.items[i].t_from,
               set.items[i].t_to, set.items[i].path);
    printf("%zu classes\n", set.n_classes);
    for (size_t i = 0; i < set.n_classes && set.classes != NULL; i++)
        printf("%s\n", set.classes[i]);
    mst_event_set_close(&set);
    return MST_OK;
}

static mst_status run(int argc, char **argv, mst_err *err)
{
    const char *verb = argv[1], *path = argv[3];
    const mst_event_profile *p = strcmp(argv[2], "-") == 0 ? NULL : mst_event_profile_find(argv[2]);
    if (strcmp(verb, "list") == 0)
        return print_list(p, path, err);
    if (p == NULL && (p = mst_event_profile_sniff(path)) == NULL)
        return mst_fail(err, MST_EFORMAT, "%s: not recognized", path);
    mst_event_stream *s;
    MST_TRY(mst_event_open(path, p, 0, 0, &s, err));
    mst_status st = MST_OK;
    if (strcmp(verb, "events") == 0)
        st = dump_events(s, err);
    else if (strcmp(verb, "size") == 0)
        printf("%u %u %s\n", mst_event_width(s), mst_event_height(s), mst_event_profile_name(p));
    else if (argc > 7)
        st = dump_frames(s, argv + 4, argc - 4, err);
    mst_event_close(s);
    return st;
}

int main(int argc, char **argv)
{
    mst_err err;
    if (argc < 4) {
        fprintf(stderr, "eventkit: see the top of its source\n");
        return 2;
    }
    mst_status st = run(argc, argv, &err);
    if (st != MST_OK)
        fprintf(stderr, "eventkit: %s\n", err.text);
    return st == MST_OK ? 0 : 1;
}

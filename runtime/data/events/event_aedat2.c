/* AEDAT 2.0 (jAER): '#' header lines, then big-endian pairs of a 32-bit address
 * and a 32-bit time in us. The header's "AEChip:" line names the camera and so
 * the address layout: DVS128 (also CIFAR10-DVS) or DAVIS (DVS Action
 * Recognition). Layouts: jAER's DVS128.java and DavisChip.java.
 */
#include <inttypes.h>
#include <string.h>

#include "runtime/data/events/event_decoder.h"

#define RECORD 8u
#define DAVIS_NOT_DVS 0x80000000u   /* an APS or IMU sample */
#define DAVIS_EXTERNAL 0x00000400u  /* an edge at the sync input */
#define DVS128_NO_PIXEL 0x00008000u /* a sync edge; no bit above it is used */

typedef struct camera {
    const char *chip; /* what the class name in "AEChip:" starts with behind its package, in lower case */
    uint16_t width, height;
    mst_event_take take;
} camera;

static mst_status dvs128_take(mst_event_stream *s, const uint8_t *r, uint64_t offset, mst_event *out,
                              size_t *n, mst_err *err)
{
    uint32_t a = mst_get_u32_be(r);
    int64_t t;
    MST_TRY(mst_event_unwrap(s, mst_get_u32_be(r + 4), 32, &t, err));
    if (a & DVS128_NO_PIXEL)
        return MST_OK;
    return mst_event_emit(s, t, a >> 1 & 127, a >> 8 & 127, 1 - (a & 1), offset, out, n, err);
}

static mst_status davis_take(mst_event_stream *s, const uint8_t *r, uint64_t offset, mst_event *out,
                             size_t *n, mst_err *err)
{
    uint32_t a = mst_get_u32_be(r);
    int64_t t;
    MST_TRY(mst_event_unwrap(s, mst_get_u32_be(r + 4), 32, &t, err));
    if (a & (DAVIS_NOT_DVS | DAVIS_EXTERNAL))
        return MST_OK;
    return mst_event_emit(s, t, a >> 12 & 1023, a >> 22 & 511, a >> 11 & 1, offset, out, n, err);
}

static const camera cameras[] = {
    {"dvs128", 128, 128, dvs128_take},
    {"davis128", 128, 128, davis_take},
    {"davis208", 208, 192, davis_take},
    {"davis240", 240, 180, davis_take},
    {"davis346", 346, 260, davis_take},
    {"davis640", 640, 480, davis_take},
};
#define N_CAMERAS (sizeof cameras / sizeof cameras[0])

static bool aedat2_sniff(const char *path, const uint8_t *head, size_t n, uint64_t size)
{
    (void)path, (void)size;
    return n >= 10 && memcmp(head, "#!AER-DAT2", 10) == 0;
}

/* NULL where the line's camera is not one of the table. */
static const camera *find_camera(const char *name)
{
    const char *dot = strrchr(name, '.');
    if (dot != NULL)
        name = dot + 1;
    for (size_t i = 0; i < N_CAMERAS; i++)
        if (strncasecmp(name, cameras[i].chip, strlen(cameras[i].chip)) == 0)
            return &cameras[i];
    return NULL;
}

static const camera *default_camera(const mst_event_stream *s)
{
    for (size_t i = 0; i < N_CAMERAS; i++)
        if (cameras[i].width == s->width && cameras[i].height == s->height)
            return &cameras[i];
    return &cameras[0];
}

static mst_status aedat2_open(mst_event_stream *s, mst_err *err)
{
    char line[MST_EVENT_LINE];
    const char *value;
    const camera *found = default_camera(s);
    bool more = true;
    MST_TRY(mst_event_first_line(s, "#!AER-DAT2", "'#!AER-DAT2.0'", line, err));
    while (more) {
        uint64_t offset = mst_event_offset(s);
        MST_TRY(mst_event_header_line(s, '#', line, &more, err));
        if (!more || mst_event_header_key(line, "End Of ASCII Header", &value))
            break;
        if (mst_event_header_key(line, "AEChip:", &value) && (found = find_camera(value)) == NULL)
            return mst_fail(err, MST_EUNSUPPORTED,
                            "%s: offset %" PRIu64
                            ": AEChip: expected DVS128, Davis128, 208, 240, 346 or 640, "
                            "found '%.64s'",
                            s->path, offset, value);
    }
    s->width = found->width;
    s->height = found->height;
    s->state = (void *)(uintptr_t)found;
    return MST_OK;
}

static mst_status aedat2_next(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err)
{
    const camera *c = s->state;
    return mst_event_records(s, RECORD, c->take, out, cap, n, err);
}

static void aedat2_close(mst_event_stream *s)
{
    s->state = NULL; /* lent from the table */
}

const mst_event_decoder mst_event_aedat2 = {"AEDAT 2.0", aedat2_sniff, aedat2_open, aedat2_next,
                                            aedat2_close, NULL, NULL};

/* Bilinear resizing of float planes with antialiasing. Private to runtime/data. */
#ifndef MST_EVENT_RESIZE_H
#define MST_EVENT_RESIZE_H

#include <stdint.h>

#include "mst/status.h"

/* in [planes,h,w] to out [planes,oh,ow]; torch's interpolate(mode="bilinear",
 * align_corners=False, antialias=True): a triangle filter whose width grows with
 * the reduction, so that no event is lost. Enlarging, it is plain bilinear.
 * EINVAL for an empty shape, ENOMEM. */
mst_status mst_event_resize(const float *in, uint32_t planes, uint32_t h, uint32_t w, uint32_t oh,
                            uint32_t ow, float *out, mst_err *err);

#endif

/* LZ4's and zstd's frames, where the build has their libraries. Private to runtime/data/events. */
#ifndef MST_EVENT_UNPACK_H
#define MST_EVENT_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "mst/status.h"

#define MST_EVENT_MAX_UNPACKED ((size_t)1 << 26) /* bytes that a frame may become */

typedef enum mst_event_packing { MST_PACKED_NOT,
                                 MST_PACKED_LZ4,
                                 MST_PACKED_ZSTD } mst_event_packing;

typedef struct mst_event_unpacked {
    uint8_t *p; /* to be freed by mst_event_unpacked_free */
    size_t n, room;
} mst_event_unpacked;

/* One frame of n bytes, and nothing behind it, into *out, whose room is taken again. what begins an error. ECORRUPT,
 * ELIMIT, ENOMEM; EUNSUPPORTED where the library is missing. */
mst_status mst_event_unpack(mst_event_packing how, const uint8_t *in, size_t n, const char *what,
                            mst_event_unpacked *out, mst_err *err);
/* Room for n bytes, of which those in it stay. */
mst_status mst_event_unpacked_room(mst_event_unpacked *out, size_t n, const char *what, mst_err *err);
void mst_event_unpacked_free(mst_event_unpacked *out); /* zero-initialised allowed */

#endif

/* Is a MATLAB 5 file safe to hand to libmatio? Private to the .mat decoder. */
#ifndef MST_EVENT_MAT_CHECK_H
#define MST_EVENT_MAT_CHECK_H

#include "runtime/data/events/event_decoder.h"

#define MST_EVENT_MAT_MAX ((uint32_t)1 << 22) /* values of a variable */

/* Walk the file from its first byte: every variable is a real numeric vector of at
 * most MST_EVENT_MAT_MAX values whose sizes agree with the file's, and every
 * compressed one unpacks to what its header says. EFORMAT, ECORRUPT, EUNSUPPORTED, ELIMIT. */
mst_status mst_event_mat_check(mst_event_stream *s, mst_err *err);

#endif

/* What the driver tells taps. */
#ifndef MST_SESSION_TAP_H
#define MST_SESSION_TAP_H

#include "runtime/backend/backend.h"

void rt_tap_static(const mst_session *s, const op_node *n);
void rt_tap_op(const mst_session *s, const rt_op *op,
               uint32_t steps); /* that has run; nothing where it made no tensor */

#endif

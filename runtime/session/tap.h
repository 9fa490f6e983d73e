/* What the driver tells taps. */
#ifndef MST_SESSION_TAP_H
#define MST_SESSION_TAP_H

#include "runtime/backend/backend.h"

/* mst_tap.how */
typedef struct tapped {
    const rt_value *value;    /* NULL: floats, n of them */
    const void *data;         /* of the first step */
    float *analog;            /* the same, where mst_tap_put may write; NULL: these are no analog values */
    const uint32_t *counts;   /* COUNT, as numbers: n of each; NULL: data has them as bytes */
    const uint32_t *piece_at; /* where each `piece` columns belong; NULL: in order */
    uint32_t piece;
} tapped;

/* What the operation, which makes a tensor, has made in a block of steps; how: lent to it. */
mst_tap rt_tap_of(const mst_session *s, const rt_op *op, uint32_t steps, tapped *how);

void rt_tap_static(const mst_session *s, const op_node *n);
void rt_tap_op(const mst_session *s, const rt_op *op,
               uint32_t steps); /* that has run; nothing where it made no tensor */

#endif

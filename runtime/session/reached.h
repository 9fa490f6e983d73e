/* What spikes reach, counted as blocks run. */
#ifndef MST_SESSION_REACHED_H
#define MST_SESSION_REACHED_H

#include "runtime/backend/backend.h"

/* Read the meters from m on of operations that have run, up to the one with index `last`; returns the next. */
const rt_meter *rt_read_meters(const mst_session *s, const rt_meter *m, size_t last, uint32_t steps);
/* After a block: operations, since begin, of the nodes that meters tell of. */
void rt_add_reached(mst_session *s, uint32_t steps);

#endif

/* What runtime/exec sees of the block schedule: layer by layer over a block of
 * time steps, spikes as bits between layers. */
#ifndef MST_BLOCK_SCHEDULE_H
#define MST_BLOCK_SCHEDULE_H

#include "mst/session.h"

struct exec_compiler;

typedef struct blk_program blk_program;
typedef struct blk_session blk_session;

/* Compile the prepared steps of c->p to c->p->block; adds to c->p->bytes. steps: the
 * block, 0: as the caches have room. ENOMEM, ELIMIT. */
mst_status blk_program_create(struct exec_compiler *c, uint32_t steps, unsigned threads);
void blk_program_destroy(const mst_allocator *alloc, blk_program *b);
uint32_t blk_program_steps(const blk_program *b);

/* Threads and counts of one session. ENOMEM; fewer threads than asked for are no error. */
mst_status blk_session_create(const mst_program *p, blk_session **out, mst_err *err);
void blk_session_destroy(const mst_program *p, blk_session *bs);
size_t blk_session_bytes(const mst_program *p);

/* Run steps time steps (1..blk_program_steps); the session's time is advanced. */
void blk_session_run(mst_session *s, uint32_t steps);

/* Of step i of the last run: logits, and the sums of logits over all steps up to it. */
const float *blk_session_logits(const mst_session *s, uint32_t i);
const double *blk_session_sums(const mst_session *s, uint32_t i);

/* Take what layer k did after step i of the last run off the two sums. */
void blk_session_take_back(const mst_session *s, uint32_t i, size_t k, uint64_t *fired, uint64_t *spikes);

#endif

/* Processes that share one run: those that mpirun or srun started, in a build with MPI (tools/mpi/ranks_mpi.c); else
 * this one alone (tool_ranks.c). Rank 0 reads and writes the outputs and speaks; what the others have to say it says
 * for them. Knows nothing of runs.
 */
#ifndef MST_TOOL_RANKS_H
#define MST_TOOL_RANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mst/status.h"

/* Before anything is printed. EINVAL: an MPI that cannot be called by threads; EIO. */
mst_status mst_ranks_begin(mst_err *err);
/* The last call of all. code: what this one would exit with; what it then shall. Rank 0 fails where any failed, and has
 * told that one's line; the others do not, for what starts them would end rank 0 then, too. */
int mst_ranks_end(const char *tool, int code);

unsigned mst_rank(void), mst_ranks(void);

/* The line of an error of a rank that is not 0, to be told by rank 0. */
void mst_ranks_keep(const char *text);

/* All ranks, as often as each other (those that end early are in mst_ranks_end meanwhile): did all get here well, and
 * with the same? EINVAL: another did not; on rank 0 it says which, and why. */
mst_status mst_ranks_agree(mst_status st, uint64_t same, mst_err *err);
/* All ranks: the largest value of any. */
uint64_t mst_ranks_most(uint64_t value);

/* A counter that all share, from here to mst_ranks_close; both are calls of all ranks. */
void mst_ranks_open(uint64_t first);
void mst_ranks_close(void);
/* Its value, which becomes n more. */
uint64_t mst_ranks_take(uint64_t n);

/* Texts to rank 0, in the order in which each rank sends them; the others only. */
void mst_ranks_send(const char *text);
/* Rank 0: the next that has come, the caller's to release with free; NULL: none. */
char *mst_ranks_receive(unsigned *from);
/* There is no way to go on, or to say so otherwise: all ranks end. */
void mst_ranks_abort(const char *text);

#endif

/* mstcalib --merge: the results of all shards of a calibration as those of one. */
#ifndef MST_CALIB_MERGE_H
#define MST_CALIB_MERGE_H

#include "tools/calib_report.h"

/* Out of n files in any order, into zero-initialised facts, which the caller frees in any case. EFORMAT, EINVAL: which
 * file is not what is needed, and why (no result of mstcalib; of another run; incomplete; there twice; missing); EIO,
 * ENOMEM. */
mst_status mst_calib_merge(const char *const *paths, size_t n, mst_calib_facts *c, mst_err *err);

#endif

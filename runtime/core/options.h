/* Option structs that carry their size: what the caller knows of one, as this library knows it. The rule that
 * callers see is in mst/status.h.
 */
#ifndef MST_CORE_OPTIONS_H
#define MST_CORE_OPTIONS_H

#include <stdbool.h>
#include <string.h>

#include "mst/status.h"

#define MST_END_OF(type, field) (offsetof(type, field) + sizeof(((type *)NULL)->field))

/* Copy the caller's options (not NULL) into the zeroed struct `own` of known bytes, of which the first release
 * had `first`; name begins the error line. Use MST_TAKE_OPTS. EINVAL. */
static inline mst_status mst_take_opts(void *own, size_t known, size_t first, const void *theirs,
                                       const char *name, mst_err *err)
{
    const unsigned char *bytes = theirs;
    size_t size;
    memcpy(&size, theirs, sizeof size);
    if (size == 0)
        size = first;
    if (size < sizeof size)
        return mst_fail(err, MST_EINVAL, "%s: its size is said to be %zu bytes, expected %zu (sizeof) or 0", name,
                        size, known);
    for (size_t i = known; i < size; i++)
        if (bytes[i] != 0)
            return mst_fail(err, MST_EINVAL, "%s: an option at byte %zu that this version does not know is set",
                            name, i);
    memcpy(own, theirs, size < known ? size : known);
    memcpy(own, &known, sizeof known);
    return MST_OK;
}

/* own, theirs: a struct and a pointer to one of the same type, whose first field is `size`. first: the last field
 * of the first release (a caller that says size 0 has no more); last: the last one today. A struct ends with its
 * last field: bytes that only fill it up would be taken for the next field, once there is one. */
#define MST_TAKE_OPTS(type, own, theirs, first, last, err) \
    __extension__({ \
        _Static_assert(offsetof(type, size) == 0, #type " begins with its size"); \
        _Static_assert(MST_END_OF(type, last) == sizeof(type), #type " ends with its last field"); \
        mst_take_opts((own), sizeof(type), MST_END_OF(type, first), (theirs), #type, (err)); \
    })

#endif

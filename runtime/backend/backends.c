/* The table of back ends, and the choice among them. */
#include <stdio.h>

#include "runtime/backend/backend.h"

#ifdef MST_EXTRA_BACKEND
extern const rt_backend MST_EXTRA_BACKEND; /* of a test, which proves what docs/ARCHITECTURE.md says */
#endif

static const rt_backend *const backends[] = {
    &rt_backend_cpu,
#ifdef MST_EXTRA_BACKEND
    &MST_EXTRA_BACKEND,
#endif
};

#define N_BACKENDS (sizeof backends / sizeof backends[0])

const char *mst_backend_name(int i)
{
    return (unsigned)i < N_BACKENDS ? backends[i]->name : NULL;
}

mst_status rt_backend_select(const char *name, const rt_backend **out, mst_err *err)
{
    char known[120] = "";
    size_t used = 0;
    for (size_t i = 0; i < N_BACKENDS; i++) {
        if (name == NULL || strcmp(name, backends[i]->name) == 0) {
            *out = backends[i];
            return MST_OK;
        }
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i != 0 ? ", " : "", backends[i]->name);
    }
    return mst_fail(err, MST_EINVAL, "back end: expected one of %s, found '%s'", known, name);
}

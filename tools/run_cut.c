/* See run_cut.h. */
#include "tools/run_cut.h"

#include <limits.h>
#include <stdio.h>

#include "tools/tool_paths.h"
#include "tools/tool_ranks.h"

static const struct {
    const char *option, *suffix;
} files[MST_SIM_FILES] = {[MST_SIM_TRACE] = {"--trace", "trace"},
                          [MST_SIM_PREDICTIONS] = {"--predictions", "rows"},
                          [MST_SIM_RASTER] = {"--raster", "raster"}};

/* One that goes with a run from its beginning to its end. */
static const char *of_whole_run(const mst_cut *c)
{
    return c->info ? "--info" : c->html != NULL ? "--html"
                                                : NULL;
}

/* One that no process can write for others. */
static const char *of_one_process(const mst_cut *c)
{
    return c->files[MST_SIM_TRACE] != NULL ? "--trace" : c->files[MST_SIM_RASTER] != NULL ? "--raster"
                                                                                          : NULL;
}

mst_status mst_cut_check(const mst_cut *c, mst_err *err)
{
    const char *whole = of_whole_run(c), *one = of_one_process(c);
    if (c->resume != NULL && (whole != NULL || mst_is_stdout(c->resume)))
        return mst_fail(err, MST_EINVAL, "--resume: expected a file, and no %s with it",
                        whole != NULL ? whole : "stdout");
    if (mst_ranks() > 1 && one != NULL)
        return mst_fail(err, MST_EINVAL,
                        "%s: expected one process with it, found %u ranks (--shard I/N lets each write its own)", one,
                        mst_ranks());
    return mst_ranks() > 1 && whole != NULL
               ? mst_fail(err, MST_EINVAL, "%s: expected one process with it, found %u ranks", whole, mst_ranks())
               : MST_OK;
}

mst_status mst_cut_check_merge(const mst_cut *c, mst_err *err)
{
    const char *one = of_one_process(c);
    return one == NULL ? MST_OK
                       : mst_fail(err, MST_EINVAL,
                                  "--merge: not with %s: parts wrote their own, which are joined in the order of the "
                                  "parts (docs/CLUSTER.md)",
                                  one);
}

const char *mst_cut_of_one_run(const mst_cut *c)
{
    for (int i = 0; i < MST_SIM_FILES; i++)
        if (c->files[i] != NULL)
            return files[i].option;
    return of_whole_run(c);
}

mst_status mst_cut_claim(const mst_cut *c, const char *kept[MST_SIM_FILES], mst_err *err)
{
    static char paths[MST_SIM_FILES][PATH_MAX];
    for (int i = 0; c->resume != NULL && i < MST_SIM_FILES; i++) {
        int n = snprintf(paths[i], sizeof paths[i], "%s.%s", c->resume, files[i].suffix);
        if (n < 0 || (size_t)n >= sizeof paths[i])
            return mst_fail(err, MST_EINVAL, "--resume: expected a path of less than %zu characters",
                            sizeof paths[i] - sizeof ".raster");
        kept[i] = paths[i];
        if (c->files[i] != NULL)
            MST_TRY(mst_paths_claim("rows of --resume", paths[i], err));
    }
    return MST_OK;
}

/* mstconv --show-policy: what a policy says, as JSON, for programs that do not read YAML. */
#ifndef MST_CONV_POLICY_H
#define MST_CONV_POLICY_H

#include "mst/convert.h"

/* To path, an output of tool_paths.h (docs/JSON.md, "policy"). EIO, ENOMEM. */
mst_status mst_policy_json(const mst_policy *p, const char *path, mst_err *err);

#endif

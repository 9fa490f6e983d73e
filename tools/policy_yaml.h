/* The policy as a YAML file: masks (Section 3.4 of the MST paper), and how the network is run; what the
 * keys mean is in examples/policies/. Knows nothing of graphs.
 */
#ifndef MST_POLICY_YAML_H
#define MST_POLICY_YAML_H

#include "mst/convert.h"
#include "tools/tool_list.h"

#define MST_POLICY_MAX_BYTES (1u << 20)

/* Read path into *out, released with mst_policy_free. Errors are "file:line: what, expected, found".
 * EIO, EFORMAT, EINVAL, ELIMIT, EVERSION, ENOMEM. */
mst_status mst_policy_load(const char *path, mst_policy *out, mst_err *err);
/* The same from n bytes of text; file is the name in messages. */
mst_status mst_policy_parse(const char *text, size_t n, const char *file, mst_policy *out, mst_err *err);
void mst_policy_free(mst_policy *p);

/* The site that a name stands for, of those that can be masked; -1: none. */
int mst_mask_site(const char *name);
extern const mst_list mst_list_sites; /* those sites */

#endif

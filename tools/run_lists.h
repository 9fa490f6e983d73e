/* What mstrun and mstcalib list: kinds of data, instruction sets. */
#ifndef MST_RUN_LISTS_H
#define MST_RUN_LISTS_H

#include "tools/tool_list.h"

extern const mst_list mst_list_formats, mst_list_isa;

#endif

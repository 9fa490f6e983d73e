/* An attribution as tables and as JSON. */
#ifndef MST_CALIB_ATTRIB_REPORT_H
#define MST_CALIB_ATTRIB_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "tools/calib_attrib_words.h"

mst_status mst_attrib_print(const mst_attrib_report *r, const mst_words *w, FILE *f, mst_err *err);
/* The object of docs/JSON.md; NULL: out of memory. */
json_t *mst_attrib_json(const mst_attrib_report *r, const mst_words *w);

#endif

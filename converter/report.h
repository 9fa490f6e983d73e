/* Fills the conversion report. Private to the converter. */
#ifndef MST_REPORT_H
#define MST_REPORT_H

#include "mst/convert.h"

mst_status mst_report_fill(const mst_graph *g, mst_report *r, mst_err *err);

#endif

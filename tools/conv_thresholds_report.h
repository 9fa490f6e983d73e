/* Thresholds from data, as a table and as JSON. */
#ifndef MST_CONV_THRESHOLDS_REPORT_H
#define MST_CONV_THRESHOLDS_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "tools/conv_thresholds.h"

mst_status mst_thresholds_print(const mst_thresholds *t, FILE *f, mst_err *err);
json_t *mst_thresholds_json(const mst_thresholds *t); /* null for t NULL */
/* A line on stderr where the network answers otherwise than its ANN for more than one sample in twenty. */
void mst_thresholds_warn(const mst_thresholds *t);

#endif

/* How far what two networks say of a sample is apart. */
#ifndef MST_TOOL_DIVERGENCE_H
#define MST_TOOL_DIVERGENCE_H

#include <stddef.h>

/* KL(softmax(from) || softmax(to)) of n logits, in nats; rounding may leave less than 0. */
double mst_divergence(const float *from, const float *to, size_t n);

#endif

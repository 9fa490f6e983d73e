/* How far what two networks say of a sample is apart. */
#ifndef MST_TOOL_DIVERGENCE_H
#define MST_TOOL_DIVERGENCE_H

#include <stddef.h>

/* KL(softmax(from) || softmax(to)) of n logits, in nats; rounding may leave less than 0. */
double mst_divergence(const float *from, const float *to, size_t n);

/* KL(p || softmax(to)) of n probabilities and logits, likewise. */
double mst_divergence_from(const double *p, const float *to, size_t n);

/* Probabilities of n logits. */
void mst_softmax(const float *x, double *p, size_t n);

#endif

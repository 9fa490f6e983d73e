/* Masks of softmax as exporters write them: -infinity added to live scores or put in
 * their place. What softmax makes of a large negative number is 0, too. */
#include <math.h>

#include "converter/onnx/onnx_expand.h"

static bool has_infinite(const ox_value *v)
{
    size_t n = v->data != NULL && ox_is_float(v->dtype) ? ox_elements(v) : 0;
    for (size_t i = 0; i < n; i++)
        if (isinf(ox_get_double(v, i)) && ox_get_double(v, i) < 0)
            return true;
    return false;
}

/* Add, Where: the same with a constant that is finite. */
void ox_expand_infinite(ox_build *b)
{
    uint32_t in[3], n = b->n->n_in;
    bool live = false, found = false;
    for (uint32_t k = 0; k < n; k++)
        live = live || !ob_is_const(b, b->n->in[k]);
    for (uint32_t k = 0; k < n && live; k++) {
        const ox_value v = ob_value(b, b->n->in[k]);
        double lowest = v.dtype == OX_FLOAT16 ? -65504 : -1e30;
        in[k] = b->n->in[k];
        if (!has_infinite(&v))
            continue;
        in[k] = ob_2(b, "Max", in[k], ob_number(b, in[k], lowest));
        found = true;
    }
    if (found)
        ob_return(b, 0, ob_node(b, b->n->op, n, in, 0, NULL));
}

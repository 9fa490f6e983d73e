/* Counts what spikes reach, by the program's meters and sums (lower/reach.c). */
#include "runtime/session/reached.h"

#include <string.h>

#include "runtime/session/tap.h"

/* Of all steps of the block. */
static uint64_t read_meter(const mst_session *s, const rt_meter *m, const rt_op *op, uint32_t steps)
{
    uint64_t sum = 0;
    bool digits = s->p->mode == MST_RUN_RADIX;
    tapped how;
    mst_tap t = rt_tap_of(s, op, steps, &how);
    memset(s->metered, 0, t.n * sizeof *s->metered);
    mst_tap_count(&t, s->metered);
    for (size_t i = 0; i < t.n; i++)
        sum += (uint64_t)op_spikes_of(s->metered[i], digits) * (m->weight != NULL ? m->weight[i] : 1);
    return sum;
}

const rt_meter *rt_read_meters(const mst_session *s, const rt_meter *m, size_t last, uint32_t steps)
{
    for (; m != NULL && m->op <= last; m = m->next)
        s->slots[m->slot] += read_meter(s, m, &s->p->ops[m->op], steps);
    return m;
}

void rt_add_reached(mst_session *s, uint32_t steps)
{
    const mst_program *p = s->p;
    for (const rt_meter *m = p->layer_meters; m != NULL; m = m->next)
        s->slots[m->slot] = (m->masked ? s->spikes : s->fired)[steps * p->n_layers + m->layer];
    for (const rt_sum *sum = p->sums; sum != NULL; sum = sum->next) {
        uint64_t *to = sum->slot != MST_NONE ? &s->slots[sum->slot] : &s->node_ops[sum->node];
        *to = 0;
        for (size_t i = 0; i < sum->n; i++)
            *to += s->slots[sum->parts[i].slot] * sum->parts[i].times;
    }
}

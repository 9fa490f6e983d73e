/* Runs nodes by their operators' functions. */
#include "runtime/backend/cpu/cpu.h"

/* A part for each step. */
void cpu_run_node(const cpu_job *job, unsigned part, unsigned thread)
{
    const mst_session *s = job->s;
    const rt_op *op = job->op;
    job->ops[thread] += rt_call_node(job->s, op->node, op, part, (rt_share){0}, rt_scratch(s, op, thread));
}

/* In order, as state and random numbers depend on the time. */
void cpu_run_node_steps(const cpu_job *job)
{
    if (job->s->time == 0 && job->op->node->reset != NULL)
        job->op->node->reset(job->op->node, job->s->mem + job->op->node->state);
    for (uint32_t t = 0; t < job->steps; t++)
        cpu_run_node(job, t, 0);
}

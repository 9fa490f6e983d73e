/* Memory and operations that prepare functions add up, within limits. */
#include "runtime/core/checked.h"
#include "runtime/ops/op.h"

mst_status op_no_memory(mst_err *err)
{
    return mst_fail(err, MST_ENOMEM, "out of memory: compiling the graph");
}

mst_status op_add_bytes(mst_err *err, size_t n, size_t size, size_t *at, size_t *total)
{
    size_t bytes;
    *at = (*total + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;
    if (!mst_mul_size(n, size, &bytes) || bytes > RT_MAX_BYTES || *at > RT_MAX_BYTES - bytes)
        return mst_fail(err, MST_ELIMIT, "a session would need more than %llu bytes", (unsigned long long)RT_MAX_BYTES);
    *total = *at + bytes;
    return MST_OK;
}

mst_status op_mul_ops(op_prep *c, uint64_t n, uint64_t *ops)
{
    if (__builtin_mul_overflow(*ops, n, ops) || *ops > (uint64_t)1 << 62)
        return mst_fail(c->err, MST_ELIMIT, "more than 2^62 multiply-adds");
    return MST_OK;
}

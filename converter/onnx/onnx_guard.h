/* The guard in front of protobuf-c: private to the importer. */
#ifndef MST_ONNX_GUARD_H
#define MST_ONNX_GUARD_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mst/alloc.h"
#include "mst/status.h"

#define OX_MAX_MESSAGES 4000000u /* submessages of one file */

/* What a walk has seen. */
typedef struct ox_guard {
    size_t nodes;        /* NodeProto messages, at every depth */
    size_t messages;     /* submessages of any kind */
    size_t bytes;        /* estimate of what unpacking allocates */
    uint64_t top_fields; /* bit k: field k of the outermost message was read completely */
} ox_guard;

/* Walk n bytes as a message of kind d, without allocating. ECORRUPT with the
 * byte offset for what is not well-formed protobuf of that schema; ELIMIT for
 * nesting, node, message and memory limits. *seen is filled on failure too. */
mst_status ox_guard_check(const uint8_t *bytes, size_t n, const ProtobufCMessageDescriptor *d, ox_guard *seen,
                          mst_err *err);

/* Bytes that unpacking a file of n bytes may take. */
size_t ox_guard_budget(size_t n);

/* An allocator for protobuf-c with a cap, over the library's own hook. */
typedef struct ox_pool {
    ProtobufCAllocator pb;
    const mst_allocator *alloc;
    size_t used, limit;
    bool capped, failed; /* a request was refused by the cap, by the hook */
} ox_pool;
void ox_pool_init(ox_pool *p, const mst_allocator *alloc, size_t limit);

/* Check and then unpack. Free with protobuf_c_message_free_unpacked(msg, &pool->pb). */
mst_status ox_unpack(ox_pool *p, const uint8_t *bytes, size_t n, const ProtobufCMessageDescriptor *d,
                     ox_guard *seen, ProtobufCMessage **out, mst_err *err);

#endif

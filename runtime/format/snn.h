/* snn.bin, private to runtime/format: numbers of the layout (docs/FORMAT.md),
 * byte buffers, and the seam between bytes and files. Of operators it knows only which parameters
 * a file has.
 */
#ifndef MST_FORMAT_SNN_H
#define MST_FORMAT_SNN_H

#include "mst/graph.h"
#include "runtime/core/bytes.h"

#define SNN_MAGIC "\x89MST\r\n\x1a\n"
#define SNN_MAJOR 1u
#define SNN_MINOR 0u
/* required features */
#define SNN_NARROW 1u   /* constants of type f16 or int8 */
#define SNN_LEVELS 2u   /* NEURON has TOP, META a way of running */
#define SNN_TUNED 4u    /* there is a section TUNE */
#define SNN_SQUEEZED 8u /* images are resized in both sides */
#define SNN_EVEN 16u    /* NEURON has EVEN */
/* bits that this code understands */
#define SNN_REQUIRED_KNOWN (SNN_NARROW | SNN_LEVELS | SNN_TUNED | SNN_SQUEEZED | SNN_EVEN)
/* optional features: what a reader may ignore */
#define SNN_CHANNELS_LAST 1u                         /* the ONNX model takes [1,H,W,C] */
#define SNN_TRAINED_ON(what) ((uint32_t)(what) << 1) /* mst_trained_on, two bits */
#define SNN_TRAINED_ON_OF(optional) ((mst_trained_on)((optional) >> 1 & 3u))
#define SNN_HEADER_SIZE 64u
#define SNN_ENTRY_SIZE 32u /* of the section table */
#define SNN_ALIGN 64u      /* of sections, and of constants of at least SNN_BIG bytes */
#define SNN_ALIGN_SMALL 16u
#define SNN_BIG 1024u
#define SNN_META_FIXED 88u
#define SNN_TENSOR_CONST 1u /* flag: a constant */

/* limits beside those of graph.h */
#define SNN_MAX_SECTIONS 64u
#define SNN_MAX_STRINGS (1u << 28) /* bytes of the section */
#define SNN_MAX_STRING 4095u       /* bytes of one string */
#define SNN_MAX_CLASSES 65536u

enum { SNN_META = 1,
       SNN_STRINGS,
       SNN_TENSORS,
       SNN_NODES,
       SNN_WEIGHTS,
       SNN_TUNE, /* with SNN_TUNED only */
       SNN_SECTION_END };
#define SNN_OPTIONAL 0x80000000u /* section ids from here on may be ignored */
const char *mst_snn_section_name(uint32_t id);

/* Integer parameters that a record of op may have in a file with these required features. */
static inline uint32_t mst_snn_ints_of(mst_op op, uint32_t features)
{
    if (op != MST_OP_NEURON || (features & SNN_EVEN) != 0)
        return mst_op_get(op)->n_ip;
    return (features & SNN_LEVELS) != 0 ? MST_NEURON_EVEN : MST_NEURON_TOP;
}

static inline size_t mst_snn_align_of(size_t bytes)
{
    return bytes >= SNN_BIG ? SNN_ALIGN : SNN_ALIGN_SMALL;
}

/* ---- crc32.c: CRC-32 (IEEE 802.3, as zlib's crc32) ---------------------- */
typedef struct mst_crc32_table {
    uint32_t t[8][256];
} mst_crc32_table;
void mst_crc32_init(mst_crc32_table *table);
/* Continue crc (0 to start) over n bytes. */
uint32_t mst_crc32(const mst_crc32_table *table, uint32_t crc, const void *p, size_t n);

/* ---- snn_bytes.c -------------------------------------------------------- */

/* Bytes that grow. A failed growth sets failed and drops what follows: checked
 * once, at the end. */
typedef struct mst_bytes {
    const mst_allocator *alloc;
    uint8_t *p;
    size_t n, cap;
    bool failed;
} mst_bytes;
void mst_bytes_put(mst_bytes *b, const void *p, size_t n);
void mst_bytes_u8(mst_bytes *b, unsigned v);
void mst_bytes_u16(mst_bytes *b, unsigned v);
void mst_bytes_u32(mst_bytes *b, uint32_t v);
void mst_bytes_u64(mst_bytes *b, uint64_t v);
void mst_bytes_f32(mst_bytes *b, float v);
void mst_bytes_free(mst_bytes *b);

/* ---- snn_strings.c: the writer's string table, each string once --------- */
typedef struct mst_strings {
    mst_bytes bytes;
    uint32_t *slots; /* open addressing: offset + 1, 0 empty */
    size_t n_slots;  /* a power of two */
} mst_strings;
/* Room for at most max strings. ENOMEM. Starts with "" at offset 0. */
mst_status mst_strings_init(mst_strings *s, const mst_allocator *alloc, size_t max, mst_err *err);
/* Offset of text (NULL: ""). EINVAL: not UTF-8; ELIMIT: too long; ENOMEM. what names the owner. */
mst_status mst_strings_add(mst_strings *s, const char *text, const char *what, uint32_t *offset, mst_err *err);
void mst_strings_free(mst_strings *s);

/* ---- snn_write.c -------------------------------------------------------- */
typedef struct mst_snn_sink {
    mst_status (*write)(void *ctx, const void *p, size_t n, mst_err *err);
    void *ctx;
} mst_snn_sink;
/* The bytes of g, in order, into sink. Codes of mst_graph_save. */
mst_status mst_snn_encode(const mst_graph *g, const mst_snn_sink *sink, mst_err *err);

#endif

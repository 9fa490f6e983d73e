/* Mutations of a snn.bin that stay within one of its sections, whose length is kept: its neighbours stay where they
 * are. The target makes the checksums right. Beside libFuzzer's own of all bytes.
 */
#include <stdint.h>

#include "runtime/core/bytes.h"
#include "runtime/format/snn.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size_t sections = size >= SNN_HEADER_SIZE ? mst_get_u32(data + 12) : 0;
    if (seed % 4 == 0 || sections == 0 || sections > SNN_MAX_SECTIONS ||
        size - SNN_HEADER_SIZE < sections * SNN_ENTRY_SIZE)
        return LLVMFuzzerMutate(data, size, max_size);
    const uint8_t *entry = data + SNN_HEADER_SIZE + (seed / 4 % sections) * SNN_ENTRY_SIZE;
    uint64_t offset = mst_get_u64(entry + 8), length = mst_get_u64(entry + 16);
    if (length == 0 || offset > size || length > size - offset)
        return LLVMFuzzerMutate(data, size, max_size);
    if (seed / 64 % 2 == 0) { /* a number of 32 bits, as counts, indices and sizes are */
        uint8_t *at = data + offset + seed / 128 % length / 4 * 4;
        if (at + 4 <= data + offset + length)
            LLVMFuzzerMutate(at, 4, 4);
    } else {
        LLVMFuzzerMutate(data + offset, (size_t)length, (size_t)length);
    }
    return size;
}

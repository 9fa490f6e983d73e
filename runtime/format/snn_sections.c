/* The outer layer of snn.bin: header, section table, checksums. Knows nothing
 * of what sections hold. */
#include <string.h>

#include "runtime/format/snn_sections.h"

static const char *const section_names[] = {
    [SNN_META] = "META",
    [SNN_STRINGS] = "STRINGS",
    [SNN_TENSORS] = "TENSORS",
    [SNN_NODES] = "NODES",
    [SNN_WEIGHTS] = "WEIGHTS",
    [SNN_TUNE] = "TUNE",
};

const char *mst_snn_section_name(uint32_t id)
{
    return id >= SNN_META && id < SNN_SECTION_END ? section_names[id] : "(unknown)";
}

/* Bytes from..to-1 have no meaning yet. */
static mst_status check_reserved(const uint8_t *p, size_t from, size_t to, mst_err *err)
{
    for (; from < to; from++)
        if (p[from] != 0)
            return mst_fail(err, MST_EFORMAT, "reserved byte at offset %zu: %02x, expected 00", from, p[from]);
    return MST_OK;
}

static mst_status check_magic(const uint8_t *p, size_t n, mst_err *err)
{
    if (n == 0)
        return mst_fail(err, MST_EFORMAT, "the file is empty");
    if (n >= 8 && memcmp(p, SNN_MAGIC, 8) == 0)
        return MST_OK;
    if (n < 8 && memcmp(p, SNN_MAGIC, n) == 0)
        return mst_fail(err, MST_ECORRUPT, "cut off after %zu bytes", n);
    if (n >= 4 && (memcmp(p, SNN_MAGIC, 4) == 0 || memcmp(p, "\tMST", 4) == 0))
        return mst_fail(err, MST_ECORRUPT, "the first 8 bytes are damaged as a copy in text mode damages them");
    return mst_fail(err, MST_EFORMAT, "not a snn.bin file: it starts with %02x %02x.., expected 89 4d ..", p[0],
                    n > 1 ? p[1] : 0);
}

static mst_status check_header(const uint8_t *p, size_t n, const mst_crc32_table *crc, mst_err *err)
{
    MST_TRY(check_magic(p, n, err));
    if (n < SNN_HEADER_SIZE)
        return mst_fail(err, MST_ECORRUPT, "cut off in the header: %zu bytes, expected at least %u", n,
                        SNN_HEADER_SIZE);
    unsigned major = mst_get_u16(p + 8), minor = mst_get_u16(p + 10);
    if (major != SNN_MAJOR)
        return mst_fail(err, MST_EVERSION, "format version %u.%u, this program reads %u.x", major, minor, SNN_MAJOR);
    uint32_t n_sections = mst_get_u32(p + 12);
    if (n_sections > SNN_MAX_SECTIONS)
        return mst_fail(err, MST_ELIMIT, "header at offset 12: %u sections, at most %u", (unsigned)n_sections,
                        SNN_MAX_SECTIONS);
    size_t end = SNN_HEADER_SIZE + n_sections * SNN_ENTRY_SIZE;
    if (n < end)
        return mst_fail(err, MST_ECORRUPT, "cut off in the section table: %zu bytes, expected at least %zu", n, end);
    uint32_t found = mst_crc32(crc, 0, p, SNN_HEADER_SIZE - 4), expected = mst_get_u32(p + 60);
    found = mst_crc32(crc, found, p + SNN_HEADER_SIZE, end - SNN_HEADER_SIZE);
    if (found != expected)
        return mst_fail(err, MST_ECORRUPT, "header and section table: checksum %08x, expected %08x", (unsigned)found,
                        (unsigned)expected);
    uint32_t unknown = mst_get_u32(p + 16) & ~SNN_REQUIRED_KNOWN;
    if (unknown != 0)
        return mst_fail(err, MST_EVERSION, "needs features %08x, which this program does not have",
                        (unsigned)unknown);
    uint64_t size = mst_get_u64(p + 24);
    if (size != n)
        return mst_fail(err, MST_ECORRUPT, "%zu bytes long, expected %llu: cut off or extended", n,
                        (unsigned long long)size);
    return check_reserved(p, 32, 60, err);
}

/* Bytes between sections are zero, so that no byte of a file goes unchecked. */
static mst_status check_padding(const uint8_t *p, size_t from, size_t to, mst_err *err)
{
    for (; from < to; from++)
        if (p[from] != 0)
            return mst_fail(err, MST_ECORRUPT, "padding at offset %zu: byte %02x, expected 00", from, p[from]);
    return MST_OK;
}

/* One entry of the table; *end is where the section before it ended. */
static mst_status read_entry(const uint8_t *file, size_t size, const uint8_t *entry, const mst_crc32_table *crc,
                             size_t *end, snn_cursor *out, mst_err *err)
{
    uint32_t id = mst_get_u32(entry);
    uint64_t offset = mst_get_u64(entry + 8), length = mst_get_u64(entry + 16);
    const char *name = mst_snn_section_name(id);
    size_t want = (*end + SNN_ALIGN - 1) & ~(size_t)(SNN_ALIGN - 1);
    if (offset != want || offset > size || length > size - offset)
        return mst_fail(err, MST_ECORRUPT,
                        "section %s at offset %llu, %llu bytes: expected offset %zu, within a file of %zu bytes", name,
                        (unsigned long long)offset, (unsigned long long)length, want, size);
    MST_TRY(check_padding(file, *end, (size_t)offset, err));
    *end = (size_t)(offset + length);
    uint32_t found = mst_crc32(crc, 0, file + offset, (size_t)length), expected = mst_get_u32(entry + 4);
    if (found != expected)
        return mst_fail(err, MST_ECORRUPT, "section %s at offset %llu: checksum %08x, expected %08x", name,
                        (unsigned long long)offset, (unsigned)found, (unsigned)expected);
    *out = (snn_cursor){.p = file + offset, .n = (size_t)length, .base = (size_t)offset, .id = id};
    return MST_OK;
}

mst_status mst_snn_sections(const uint8_t *file, size_t size, snn_cursor *sections, uint32_t *required,
                            uint32_t *optional, mst_err *err)
{
    mst_crc32_table crc;
    mst_crc32_init(&crc);
    MST_TRY(check_header(file, size, &crc, err));
    uint32_t n = mst_get_u32(file + 12), last = 0;
    *required = mst_get_u32(file + 16);
    *optional = mst_get_u32(file + 20);
    size_t end = SNN_HEADER_SIZE + n * SNN_ENTRY_SIZE;
    memset(sections, 0, SNN_SECTION_END * sizeof *sections);
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *entry = file + SNN_HEADER_SIZE + i * SNN_ENTRY_SIZE;
        uint32_t id = mst_get_u32(entry);
        if (id <= last)
            return mst_fail(err, MST_EFORMAT, "section table entry %u: id %u after %u, expected ascending ids",
                            (unsigned)i, (unsigned)id, (unsigned)last);
        if (id >= SNN_SECTION_END && id < SNN_OPTIONAL)
            return mst_fail(err, MST_EVERSION, "section table entry %u: unknown section %u", (unsigned)i,
                            (unsigned)id);
        last = id;
        MST_TRY(check_reserved(file, (size_t)(entry - file) + 24, (size_t)(entry - file) + 32, err));
        snn_cursor ignored;
        MST_TRY(read_entry(file, size, entry, &crc, &end, id < SNN_SECTION_END ? &sections[id] : &ignored, err));
    }
    bool tuned = (*required & SNN_TUNED) != 0;
    for (uint32_t id = SNN_META; id < SNN_SECTION_END; id++)
        if (sections[id].p == NULL && (id != SNN_TUNE || tuned))
            return mst_fail(err, MST_EFORMAT, "section %s is missing", mst_snn_section_name(id));
    if (sections[SNN_TUNE].p != NULL && !tuned)
        return mst_fail(err, MST_EFORMAT, "section TUNE is there without its feature");
    if (end != size)
        return mst_fail(err, MST_ECORRUPT, "%zu bytes after the last section, which ends at offset %zu", size - end,
                        end);
    return MST_OK;
}

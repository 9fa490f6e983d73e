/* The outer layer of snn.bin for its reader. */
#ifndef MST_FORMAT_SNN_SECTIONS_H
#define MST_FORMAT_SNN_SECTIONS_H

#include "runtime/format/snn_cursor.h"

/* Check everything outside sections, and the checksums of all; sections[id]
 * for the ids of snn.h; required: the header's feature bits, all known; optional: the others. Nothing is allocated. */
mst_status mst_snn_sections(const uint8_t *file, size_t size, snn_cursor *sections, uint32_t *required,
                            uint32_t *optional, mst_err *err);

#endif

/* See run_lists.h. */
#include "tools/run_lists.h"

#include "mst/isa.h"
#include "mst/data.h"

static bool format_row(size_t k, const char **cells)
{
    mst_data_kind kind;
    if (!mst_data_kind_at(k, &kind))
        return false;
    cells[0] = kind.name;
    cells[1] = kind.path;
    cells[2] = kind.labels;
    cells[3] = kind.frames ? "yes" : "no";
    return true;
}

static bool isa_row(size_t k, const char **cells)
{
    bool here;
    cells[0] = mst_isa_at(k, &here);
    cells[1] = cells[0] != NULL && here ? "yes" : "no";
    return cells[0] != NULL;
}

const mst_list mst_list_formats = {"formats", 4, {"format", "path", "labels", "frames in steps"}, format_row};
const mst_list mst_list_isa = {"isa", 2, {"instruction set", "on this machine"}, isa_row};

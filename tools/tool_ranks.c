/* One process. See tool_ranks.h. */
#include "tools/tool_ranks.h"

#include <stdlib.h>

mst_status mst_ranks_begin(mst_err *err)
{
    (void)err;
    return MST_OK;
}

int mst_ranks_end(const char *tool, int code)
{
    (void)tool;
    return code;
}

unsigned mst_rank(void) { return 0; }
unsigned mst_ranks(void) { return 1; }
void mst_ranks_keep(const char *text) { (void)text; }

mst_status mst_ranks_agree(mst_status st, uint64_t same, mst_err *err)
{
    (void)same;
    (void)err;
    return st;
}

uint64_t mst_ranks_most(uint64_t value) { return value; }

void mst_ranks_open(uint64_t first) { (void)first; }

void mst_ranks_close(void) {}

uint64_t mst_ranks_take(uint64_t n)
{
    (void)n;
    return UINT64_MAX;
}

void mst_ranks_send(const char *text) { (void)text; }

char *mst_ranks_receive(unsigned *from)
{
    *from = 0;
    return NULL;
}

void mst_ranks_abort(const char *text)
{
    (void)text;
    abort();
}

/* How a synapse is cut into bands, strips and chunks. */
#include "runtime/backend/cpu/cpu.h"

/* An input of joined groups adds a row of the whole band, mostly zeros, where an operator makes a list for its
 * group alone. How many more outputs a band may have than its group before that is slower: measured at
 * groups of 1 to 128 outputs, of which 5 to 30 % of the inputs fire. */
#define MORE_FLOATS 128
#define MORE_BYTES 512

/* The fewest groups that fill whole words of bits and of outputs are a band. False where operators are
 * faster; where the lists cannot hold a band's inputs, which 16 bits number; and where a weight of -0 might
 * change a sum, as at values below 0. */
static bool make_bands(const rt_synapse *syn, cpu_synapse *how)
{
    size_t most = syn->group_out + (syn->node->weights->c != NULL ? MORE_BYTES : MORE_FLOATS);
    size_t groups = syn->out / syn->group_out, words_of = syn->has_bits ? syn->group_in : 0, n = 1;
    while (n < groups && (n * words_of % MSTB_COLS != 0 || n * syn->group_out % MSTB_COLS != 0))
        n++;
    how->band_groups = n;
    how->bands = (groups + n - 1) / n;
    how->band_blocks = (n * syn->group_out + MSTB_COLS - 1) / MSTB_COLS;
    how->k *= n;
    return how->k <= UINT16_MAX && (n == 1 || (syn->has_bits && how->band_blocks * MSTB_COLS <= most));
}

static void make_chunks(cpu_synapse *how)
{
    size_t chunks = (how->k + CPU_CHUNK - 1) / CPU_CHUNK;
    how->chunk = ((how->k + chunks - 1) / chunks + 63) / 64 * 64; /* of about equal size */
    how->chunks = (how->k + how->chunk - 1) / how->chunk;
}

mst_status cpu_plan_synapse(lowering *lo, rt_synapse *syn, bool *ok)
{
    cpu_synapse *how = syn->how = mst_arena_alloc(&lo->p->arena, sizeof *how);
    if (how == NULL)
        return low_no_memory(lo);
    how->blocks = (syn->out + MSTB_COLS - 1) / MSTB_COLS;
    how->k = syn->node->weights->k;
    *ok = make_bands(syn, how);
    if (!*ok)
        return MST_OK;
    make_chunks(how);
    if (syn->node->weights->c != NULL) { /* a row of an int8 panel is short: all of it stays in the caches */
        how->chunk = how->k;
        how->chunks = 1;
    }
    return MST_OK;
}

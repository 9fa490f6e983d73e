/* Every second one of 2*wanted samples, spread over the data set, is measured; those between are held back. */
#include "tools/conv_thresholds.h"

mst_spread mst_spread_of(size_t count, size_t wanted)
{
    size_t both = wanted > count / 2 ? count : 2 * wanted;
    return (mst_spread){.count = count, .measured = both - both / 2, .held = both / 2};
}

size_t mst_spread_at(const mst_spread *s, bool held, size_t i)
{
    size_t both = s->measured + s->held, k = 2 * i + held;
    return (size_t)((unsigned __int128)s->count * (2 * k + 1) / (2 * both));
}

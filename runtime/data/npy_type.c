/* NumPy's numbers out of bytes, of either order. */
#include "runtime/data/npy_type.h"

#include <math.h>
#include <string.h>

bool mst_npy_type_parse(const char *descr, mst_npy_type *t)
{
    static const char *const sizes[] = {"f248", "i1248", "u1248", "b1"};
    if (strlen(descr) != 3 || strchr("<>|=", descr[0]) == NULL)
        return false;
    for (int k = 0; k < 4; k++)
        if (descr[1] == sizes[k][0] && strchr(sizes[k] + 1, descr[2]) != NULL) {
            *t = (mst_npy_type){.kind = descr[1], .size = (uint8_t)(descr[2] - '0'), .big = descr[0] == '>'};
            return t->size == 1 || descr[0] != '|';
        }
    return false;
}

static uint64_t bits_of(mst_npy_type t, const uint8_t *p)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < t.size; i++)
        v = v << 8 | p[t.big ? i : t.size - 1u - i];
    return v;
}

/* IEEE 754 binary16 */
static double half(uint32_t bits)
{
    int exponent = (int)(bits >> 10 & 31);
    double fraction = bits & 1023, v;
    if (exponent == 31)
        v = fraction != 0 ? (double)NAN : (double)INFINITY;
    else
        v = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
    return bits >> 15 != 0 ? -v : v;
}

/* Of a width of bits, its sign in the highest. */
static int64_t with_sign(uint64_t bits, unsigned size)
{
    unsigned unused = 64 - 8 * size;
    return (int64_t)(bits << unused) >> unused;
}

double mst_npy_real(mst_npy_type t, const uint8_t *p)
{
    uint64_t bits = bits_of(t, p);
    uint32_t low = (uint32_t)bits;
    float f;
    double d;
    switch (t.kind) {
    case 'f':
        if (t.size == 2)
            return half(low);
        if (t.size == 4) {
            memcpy(&f, &low, sizeof f);
            return (double)f;
        }
        memcpy(&d, &bits, sizeof d);
        return d;
    case 'i': return (double)with_sign(bits, t.size);
    case 'b': return bits != 0;
    default: return (double)bits;
    }
}

bool mst_npy_integer(mst_npy_type t, const uint8_t *p, int64_t *v)
{
    uint64_t bits = bits_of(t, p);
    if (t.kind == 'f') {
        double d = mst_npy_real(t, p);
        if (!(d >= -0x1p63 && d < 0x1p63) || d != floor(d))
            return false;
        *v = (int64_t)d;
        return true;
    }
    *v = t.kind == 'i' ? with_sign(bits, t.size) : t.kind == 'b' ? bits != 0
                                                                 : (int64_t)bits;
    return t.kind != 'u' || bits <= INT64_MAX;
}

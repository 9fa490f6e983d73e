/* See exact.h. */
#include "calibrate/exact.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MOST_ADDS (1u << 30) /* each changes a digit by less than 2^32 */
#define DIGIT ((int64_t)0xffffffff)

/* Digits 0..2^32-1 but for the highest, which has the sign. */
static void carry(mst_exact *s)
{
    int64_t over = 0;
    for (size_t i = 0; i + 1 < MST_EXACT_DIGITS; i++) {
        int64_t v = s->digits[i] + over;
        s->digits[i] = v & DIGIT;
        over = (v - s->digits[i]) / (DIGIT + 1);
    }
    s->digits[MST_EXACT_DIGITS - 1] += over;
    s->adds = 0;
}

static void add_digit(mst_exact *s, size_t at, uint64_t digit, bool negative)
{
    s->digits[at] += negative ? -(int64_t)digit : (int64_t)digit;
}

void mst_exact_add(mst_exact *s, double x)
{
    uint64_t bits;
    if (!isfinite(x)) {
        s->odd += x;
        return;
    }
    memcpy(&bits, &x, sizeof bits);
    uint64_t exponent = bits >> 52 & 0x7ff, mantissa = bits & (((uint64_t)1 << 52) - 1);
    bool negative = bits >> 63 != 0;
    if (exponent != 0)
        mantissa |= (uint64_t)1 << 52;
    size_t shift = exponent != 0 ? (size_t)exponent - 1 : 0, at = shift / 32;
    uint64_t low = mantissa << shift % 32, high = mantissa >> 32 >> (32 - shift % 32); /* beyond 64 bits */
    add_digit(s, at, low & (uint64_t)DIGIT, negative);
    add_digit(s, at + 1, low >> 32, negative);
    add_digit(s, at + 2, high, negative);
    if (++s->adds >= MOST_ADDS)
        carry(s);
}

void mst_exact_add_square(mst_exact *s, double x)
{
    double high = x * x;
    mst_exact_add(s, high);
    if (isfinite(high))
        mst_exact_add(s, fma(x, x, -high));
}

void mst_exact_add_sum(mst_exact *s, const mst_exact *from)
{
    mst_exact other = *from;
    carry(&other);
    carry(s);
    for (size_t i = 0; i < MST_EXACT_DIGITS; i++)
        s->digits[i] += other.digits[i];
    carry(s);
    s->odd += from->odd;
}

/* As a magnitude: returns whether it is negative. */
static bool magnitude(const mst_exact *s, mst_exact *out)
{
    *out = *s;
    carry(out);
    if (out->digits[MST_EXACT_DIGITS - 1] >= 0)
        return false;
    for (size_t i = 0; i < MST_EXACT_DIGITS; i++)
        out->digits[i] = -out->digits[i];
    carry(out);
    return true;
}

/* The highest digit that is not 0; 0 of a sum of 0, too. */
static size_t highest(const mst_exact *s)
{
    size_t i = MST_EXACT_DIGITS - 1;
    while (i != 0 && s->digits[i] == 0)
        i--;
    return i;
}

/* Bits below the 64 highest matter only by whether there are any: one bit stands for them, so that the one rounding is
 * that of the whole. A sum with less than 53 bits is a double as it is, small ones below the normal ones, too. */
double mst_exact_value(const mst_exact *s)
{
    mst_exact m;
    if (s->odd != 0)
        return s->odd;
    bool negative = magnitude(s, &m), more = false;
    size_t top = highest(&m);
    uint64_t word = (uint64_t)m.digits[top], next = top >= 1 ? (uint64_t)m.digits[top - 1] : 0,
             last = top >= 2 ? (uint64_t)m.digits[top - 2] : 0;
    unsigned shift = 0;
    while (shift < 31 && word << shift >> 31 == 0)
        shift++;
    more = last << (32 + shift) != 0;
    word = word << (32 + shift) | next << shift | last >> (32 - shift);
    for (size_t i = 0; i + 2 < top; i++)
        more |= m.digits[i] != 0;
    double v = ldexp((double)(word | more), (int)(32 * top) - 32 - (int)shift - 1074);
    return negative ? -v : v;
}

double mst_exact_rest(const mst_exact *s)
{
    mst_exact left = *s;
    double v = mst_exact_value(s);
    if (!isfinite(v))
        return 0;
    mst_exact_add(&left, -v);
    return mst_exact_value(&left);
}

size_t mst_exact_text(const mst_exact *s, char *out, size_t n)
{
    mst_exact m;
    if (s->odd != 0)
        return (size_t)snprintf(out, n, "%s", isnan(s->odd) ? "nan" : s->odd > 0 ? "inf"
                                                                                 : "-inf");
    bool negative = magnitude(s, &m);
    size_t top = highest(&m), low = 0;
    while (low < top && m.digits[low] == 0)
        low++;
    if (m.digits[top] == 0)
        return (size_t)snprintf(out, n, "0");
    size_t used = (size_t)snprintf(out, n, "%s%llx", negative ? "-" : "", (unsigned long long)m.digits[top]);
    for (size_t i = top; i-- > low;)
        used += (size_t)snprintf(out + used, n - used, "%08llx", (unsigned long long)m.digits[i]);
    return used + (size_t)snprintf(out + used, n - used, ":%zu", low);
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                                                 : -1;
}

static bool ends(char c) { return c == '\0' || c == ' '; }

static bool is_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    return strncmp(text, word, n) == 0 && ends(text[n]);
}

/* "33", of at most two digits, up to where a word ends. */
static bool place_of(const char *text, size_t *place)
{
    size_t n = 0;
    for (*place = 0; !ends(text[n]); n++) {
        if (text[n] < '0' || text[n] > '9' || n == 2)
            return false;
        *place = 10 * *place + (size_t)(text[n] - '0');
    }
    return n != 0;
}

bool mst_exact_add_text(mst_exact *s, const char *text)
{
    mst_exact m = {0};
    if (is_word(text, "nan") || is_word(text, "inf") || is_word(text, "-inf")) {
        s->odd += text[0] == 'n' ? (double)NAN : text[0] == '-' ? -(double)INFINITY
                                                                : (double)INFINITY;
        return true;
    }
    if (is_word(text, "0"))
        return true;
    bool negative = *text == '-';
    text += negative;
    size_t n = 0, low;
    while (hex(text[n]) >= 0)
        n++;
    if (n == 0 || text[n] != ':' || !place_of(text + n + 1, &low))
        return false;
    size_t digits = (n + 7) / 8;
    if (low + digits > MST_EXACT_DIGITS || (low + digits == MST_EXACT_DIGITS && n % 8 == 0))
        return false; /* the last: no bit is left for the sign */
    for (size_t i = 0; i < n; i++)
        m.digits[low + i / 8] |= (int64_t)hex(text[n - 1 - i]) << 4 * (i % 8);
    for (size_t i = 0; negative && i < MST_EXACT_DIGITS; i++)
        m.digits[i] = -m.digits[i];
    mst_exact_add_sum(s, &m);
    return true;
}

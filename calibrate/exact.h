/* Sums of doubles without rounding: the same for every order and every way to cut them into parts. A sum is a whole
 * number of the smallest double, 2^-1074, in digits of 32 bits.
 */
#ifndef MST_EXACT_H
#define MST_EXACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MST_EXACT_DIGITS 68                       /* the largest double, 2^40 times */
#define MST_EXACT_TEXT (8 * MST_EXACT_DIGITS + 8) /* room for one as text */

/* Zero-initialise. */
typedef struct mst_exact {
    int64_t digits[MST_EXACT_DIGITS]; /* from the lowest; each may be off by carries until they are carried */
    uint32_t adds;                    /* since then */
    double odd;                       /* sum of what is not finite; 0: all was */
} mst_exact;

void mst_exact_add(mst_exact *s, double x);
void mst_exact_add_square(mst_exact *s, double x); /* x*x, not rounded; |x| of 1e-140 to 1e150, or 0 */
void mst_exact_add_sum(mst_exact *s, const mst_exact *from);

/* The nearest double, of two equally near the even one; and how far that is off, as a double. */
double mst_exact_value(const mst_exact *s);
double mst_exact_rest(const mst_exact *s);

/* "-1f00000001:33": the digits from the highest to the lowest that is not 0, hexadecimal, and the number of that; "0",
 * "inf", "-inf", "nan". Returns its length; n: at least MST_EXACT_TEXT. */
size_t mst_exact_text(const mst_exact *s, char *out, size_t n);
/* Add what begins with text and ends before a blank or its end; false: it is none. */
bool mst_exact_add_text(mst_exact *s, const char *text);

#endif

/* Functions of one variable made of straight pieces, exact at their jumps: what a chain or a tangle of elementwise
 * nodes computes, whatever way it was written. For pass_stair.c. */
#ifndef MST_STAIR_FN_H
#define MST_STAIR_FN_H

#include "mst/graph.h"

/* On an open interval the value is slope*x + offset, give or take fuzz (of a floor too far from 0 to be followed). */
typedef struct stair_piece {
    double slope, offset, fuzz;
} stair_piece;

/* piece[0] at[0] piece[1] at[1] .. piece[n]; value[i] is the value at at[i] itself. */
typedef struct stair_fn {
    uint32_t n;
    double *at, *value;
    stair_piece *piece;
} stair_fn;

typedef struct stair_ctx {
    mst_arena *arena;
    uint64_t work; /* pieces made, and how many may be; what would need more does not fit */
    uint64_t most;
    uint32_t levels; /* a floor is followed to as many on either side of 0: STAIR_LEVELS, or fewer where they do */
    bool fits;       /* false once a result is not made of straight pieces */
    bool no_memory;  /* then fits is false, too */
} stair_ctx;

#define STAIR_LEVELS 300

stair_fn stair_identity(stair_ctx *c);
stair_fn stair_constant(stair_ctx *c, double value);
stair_fn stair_affine(stair_ctx *c, const stair_fn *f, double g, double h);
stair_fn stair_clip(stair_ctx *c, const stair_fn *f, double lo, double hi);
/* FLOOR, CEIL, ROUND, SIGN, ABS; others do not fit. */
stair_fn stair_unary(stair_ctx *c, const stair_fn *f, mst_unary_fn fn);
/* ADD, SUB, MUL, MIN, MAX of two functions of the same variable; others do not fit. */
stair_fn stair_binary(stair_ctx *c, const stair_fn *a, const stair_fn *b, mst_binary_fn fn);
/* Without the places where nothing happens. */
stair_fn stair_simplify(stair_ctx *c, const stair_fn *f);

/* What kind of function it is, and its numbers. */
typedef enum stair_kind { STAIR_OTHER,
                          STAIR_LINEAR, /* slope*x + base */
                          STAIR_CLIP,   /* that, bounded to lo..hi */
                          STAIR_STEPS   /* n jumps of height q, the first at x = first, then each width */
} stair_kind;

typedef enum stair_tie { STAIR_UP,   /* the value at a jump is that to its right */
                         STAIR_DOWN, /* to its left */
                         STAIR_EVEN  /* the one that is an even number of q's, as Round does */
} stair_tie;

typedef struct stair_shape {
    stair_kind kind;
    double slope, base, lo, hi; /* STEPS: base is the value in front of the first jump */
    uint32_t n;
    double first, width, q; /* width 0: one jump, which has none */
    bool open;              /* STEPS that go on in both directions; base is then a value of one of them */
    stair_tie tie;
} stair_shape;

stair_shape stair_classify(stair_ctx *c, const stair_fn *f);

#endif

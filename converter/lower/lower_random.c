/* Random numbers on their way to a mask, as exporters write it: uniform numbers compared with a constant, turned, cast,
 * scaled, moved. They are no tensors of the graph: what is known of them is followed here, to the product with a value
 * (lower_mask.c). */
#include <math.h>
#include <string.h>

#include "converter/lower/lower_ops.h"

static const lower_random *random_in(const lower_ctx *c, uint32_t k)
{
    static const lower_random none; /* all zero: not random */
    return k < c->o.n->n_in && c->o.n->in[k] != OX_NONE ? &c->random[c->o.n->in[k]] : &none;
}

static mst_status refuse_use(lower_ctx *c)
{
    return lower_refuse(c, "uses random numbers in a way that is not a spike mask",
                        "write the mask as x * (rand > ratio)");
}

/* ---- what draws ---- */

static void bind_random(lower_ctx *c, uint32_t k, lower_random r)
{
    if (ox_out(&c->o, k) != NULL)
        c->random[c->o.n->out[k]] = r;
}

mst_status lower_random_uniform(lower_ctx *c)
{
    lower_random r = {.kind = LR_UNIFORM, .draw = c->o.n->out[0]};
    r.lo = (double)ox_attr_float(c->o.n, "low", 0);
    r.hi = (double)ox_attr_float(c->o.n, "high", 1);
    if (!(r.lo < r.hi))
        return lower_refuse(c, "low is not below high", "use a range such as 0..1");
    bind_random(c, 0, r);
    return MST_OK;
}

static bool scalar_const(const ox_value *v, double *value)
{
    if (v == NULL || v->data == NULL || ox_elements(v) == 0)
        return false;
    *value = ox_get_double(v, 0);
    for (size_t i = 1, n = ox_elements(v); i < n; i++)
        if (ox_get_double(v, i) != *value)
            return false;
    return isfinite(*value);
}

mst_status lower_bernoulli(lower_ctx *c)
{
    lower_random r = {.kind = LR_TWO, .hi = 1, .draw = c->o.n->out[0]};
    if (!scalar_const(ox_in(&c->o, 0), &r.p))
        return lower_refuse(c, "its probability is not one constant", "use one ratio per site");
    if (!(r.p >= 0 && r.p <= 1))
        return lower_refuse(c, "its probability is not in [0,1]", "check the ratio of the mask");
    bind_random(c, 0, r);
    return MST_OK;
}

/* ---- what becomes of them ---- */

/* Output k is r, made of input from. */
static void hand_on(lower_ctx *c, uint32_t k, uint32_t from, lower_random r)
{
    const ox_value *x = ox_in(&c->o, from), *y = ox_out(&c->o, k);
    r.spread = r.spread || (y != NULL && ox_elements(y) > ox_elements(x));
    bind_random(c, k, r);
}

static mst_status of_movement(lower_ctx *c)
{
    if (random_in(c, 0)->kind == LR_NOT_RANDOM)
        return refuse_use(c);
    for (uint32_t k = 0; k < c->o.n->n_out; k++)
        hand_on(c, k, 0, *random_in(c, 0));
    return MST_OK;
}

static mst_status of_dropout(lower_ctx *c)
{
    double training = 0;
    if (ox_out(&c->o, 1) != NULL || (ox_in(&c->o, 2) != NULL && !scalar_const(ox_in(&c->o, 2), &training)) ||
        training != 0)
        return refuse_use(c);
    return of_movement(c);
}

/* Where one of two inputs is random, and the other one constant; MST_NONE: they are not. */
static uint32_t random_side(lower_ctx *c, double *k)
{
    uint32_t side = random_in(c, 0)->kind != LR_NOT_RANDOM ? 0 : 1;
    if (c->o.n->n_in != 2 || random_in(c, 1 - side)->kind != LR_NOT_RANDOM || !lower_is_const(c, 1 - side) ||
        !scalar_const(ox_in(&c->o, 1 - side), k))
        return MST_NONE;
    return side;
}

static double compute(const char *op, double a, double b)
{
    switch (op[0]) {
    case 'A': return a + b;
    case 'S': return a - b;
    case 'M': return a * b;
    default: return a / b;
    }
}

/* Add, Sub, Mul, Div with one number */
static mst_status of_arithmetic(lower_ctx *c)
{
    double k;
    uint32_t side = random_side(c, &k);
    if (side == MST_NONE && lower_is_const(c, random_in(c, 0)->kind != LR_NOT_RANDOM ? 1 : 0))
        return lower_refuse(c, "random numbers meet numbers that differ from place to place",
                            "apply these to the value that is masked");
    if (side == MST_NONE)
        return refuse_use(c);
    lower_random r = *random_in(c, side);
    const char *op = c->o.n->op;
    if (r.kind == LR_UNIFORM && side == 1 && op[0] == 'D')
        return refuse_use(c);
    double lo = side == 0 ? compute(op, r.lo, k) : compute(op, k, r.lo);
    double hi = side == 0 ? compute(op, r.hi, k) : compute(op, k, r.hi);
    if (!isfinite(lo) || !isfinite(hi))
        return lower_refuse(c, "makes random numbers that are not finite", "check the ratio of the mask");
    r.lo = r.kind == LR_UNIFORM ? fmin(lo, hi) : lo;
    r.hi = r.kind == LR_UNIFORM ? fmax(lo, hi) : hi;
    if (r.lo == r.hi)
        return lower_refuse(c, "makes one number of all random ones", "check the ratio of the mask");
    hand_on(c, 0, side, r);
    return MST_OK;
}

static mst_status of_neg(lower_ctx *c)
{
    lower_random r = *random_in(c, 0);
    const double lo = r.lo;
    r.lo = -(r.kind == LR_UNIFORM ? r.hi : r.lo);
    r.hi = -(r.kind == LR_UNIFORM ? lo : r.hi);
    hand_on(c, 0, 0, r);
    return MST_OK;
}

/* One of two numbers: 1 where a condition on the random numbers holds, with probability p, else 0 */
static lower_random condition(const lower_random *from, double p)
{
    return (lower_random){.kind = LR_TWO, .lo = 0, .hi = 1, .p = p, .draw = from->draw, .spread = from->spread};
}

/* floor(keep + rand): 1 with probability keep */
static mst_status of_floor(lower_ctx *c)
{
    lower_random r = *random_in(c, 0);
    double at = ceil(r.lo);
    if (r.kind != LR_UNIFORM || !(r.lo < at && at < r.hi && r.hi <= at + 1 && r.lo >= at - 1))
        return refuse_use(c);
    r = condition(&r, (r.hi - at) / (r.hi - r.lo));
    r.lo = at - 1;
    r.hi = at;
    hand_on(c, 0, 0, r);
    return MST_OK;
}

static bool holds(const char *op, double a, double b)
{
    bool equal = a == b;
    if (strcmp(op, "Equal") == 0)
        return equal;
    return (op[0] == 'L' ? a < b : a > b) || (equal && strstr(op, "OrEqual") != NULL);
}

/* A condition that holds, of two numbers, where it holds for each. */
static lower_random of_each(const lower_random *r, bool at_lo, bool at_hi)
{
    return condition(r, (at_lo ? 1 - r->p : 0) + (at_hi ? r->p : 0));
}

/* Less, LessOrEqual, Greater, GreaterOrEqual, Equal with one number */
static mst_status of_compare(lower_ctx *c)
{
    double bound;
    uint32_t side = random_side(c, &bound);
    const char *op = c->o.n->op;
    if (side == MST_NONE)
        return lower_refuse(c, "compares random numbers with more than one number",
                            "only masks of the form rand > ratio are supported");
    const lower_random *r = random_in(c, side);
    lower_random y;
    if (r->kind == LR_TWO) {
        y = of_each(r, side == 0 ? holds(op, r->lo, bound) : holds(op, bound, r->lo),
                    side == 0 ? holds(op, r->hi, bound) : holds(op, bound, r->hi));
    } else {
        double below = fmin(fmax((bound - r->lo) / (r->hi - r->lo), 0), 1);
        bool less = (op[0] == 'L') == (side == 0);
        y = condition(r, op[0] == 'E' ? 0 : less ? below
                                                 : 1 - below);
    }
    hand_on(c, 0, side, y);
    return MST_OK;
}

static mst_status of_not(lower_ctx *c)
{
    const lower_random *r = random_in(c, 0);
    hand_on(c, 0, 0, of_each(r, r->lo == 0, r->hi == 0));
    return MST_OK;
}

/* To a float type the numbers themselves; of two numbers, to an integer towards 0, to a boolean what is not 0. */
static mst_status of_cast(lower_ctx *c)
{
    const ox_value *y = ox_out(&c->o, 0);
    lower_random r = *random_in(c, 0);
    if (r.kind == LR_NOT_RANDOM)
        return refuse_use(c);
    if (y != NULL && !ox_is_float(y->dtype)) {
        if (r.kind == LR_UNIFORM)
            return refuse_use(c);
        if (y->dtype == OX_BOOL)
            r = of_each(&r, r.lo != 0, r.hi != 0);
        else
            r.lo = trunc(r.lo), r.hi = trunc(r.hi);
    }
    hand_on(c, 0, 0, r);
    return MST_OK;
}

/* x * mask */
static mst_status of_mul(lower_ctx *c)
{
    uint32_t side = random_in(c, 0)->kind != LR_NOT_RANDOM ? 0 : 1;
    const lower_random *r = random_in(c, side);
    if (random_in(c, 1 - side)->kind != LR_NOT_RANDOM)
        return lower_refuse(c, "multiplies two random values", "multiply them onto the value one after the other");
    if (lower_is_const(c, 1 - side))
        return of_arithmetic(c);
    if (r->kind != LR_TWO)
        return refuse_use(c);
    return lower_mask(c, r, 1 - side, r->lo, r->hi);
}

/* Where(mask, x, 0) or Where(mask, 0, x); of two constants, again random. */
static mst_status of_where(lower_ctx *c)
{
    double a = 0, b = 0;
    lower_random r = *random_in(c, 0);
    bool left = scalar_const(ox_in(&c->o, 1), &a), right = scalar_const(ox_in(&c->o, 2), &b);
    if (r.kind != LR_TWO)
        return refuse_use(c);
    if (left && right && a != b) {
        double lo = r.lo != 0 ? a : b;
        r.hi = r.hi != 0 ? a : b;
        r.lo = lo;
        hand_on(c, 0, 0, r);
        return MST_OK;
    }
    if (random_in(c, 1)->kind != LR_NOT_RANDOM || random_in(c, 2)->kind != LR_NOT_RANDOM || left == right ||
        (left ? a : b) != 0)
        return lower_refuse(c, "a random choice that is not a mask", "write the mask as x * (rand > ratio)");
    return lower_mask(c, &r, left ? 2 : 1, (r.lo != 0) == right ? 1 : 0, (r.hi != 0) == right ? 1 : 0);
}

mst_status lower_of_random(lower_ctx *c, bool *done)
{
    static const struct {
        const char *op;
        lower_fn fn;
    } table[] = {
        {"Add", of_arithmetic},
        {"Sub", of_arithmetic},
        {"Div", of_arithmetic},
        {"Mul", of_mul},
        {"Neg", of_neg},
        {"Floor", of_floor},
        {"Less", of_compare},
        {"LessOrEqual", of_compare},
        {"Greater", of_compare},
        {"GreaterOrEqual", of_compare},
        {"Equal", of_compare},
        {"Not", of_not},
        {"Cast", of_cast},
        {"CastLike", of_cast},
        {"Where", of_where},
        {"Dropout", of_dropout},
        {"Identity", of_movement},
        {"Reshape", of_movement},
        {"Flatten", of_movement},
        {"Squeeze", of_movement},
        {"Unsqueeze", of_movement},
        {"Transpose", of_movement},
        {"Slice", of_movement},
        {"Split", of_movement},
        {"Expand", of_movement},
    };
    *done = false;
    for (uint32_t k = 0; k < c->o.n->n_in; k++)
        *done = *done || random_in(c, k)->kind != LR_NOT_RANDOM;
    *done = *done && strcmp(c->o.n->op, "RandomUniformLike") != 0; /* which takes the shape alone */
    for (size_t i = 0; i < sizeof table / sizeof table[0] && *done; i++)
        if (strcmp(table[i].op, c->o.n->op) == 0)
            return table[i].fn(c);
    return *done ? refuse_use(c) : MST_OK;
}

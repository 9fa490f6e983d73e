/* Recurrent layers, RNN, GRU and LSTM: the inputs of all steps in one product, then the steps one by one. A sequence is
 * as long as its axis; what is computed is [batch, steps, ..]. */
#include <string.h>

#include "converter/onnx/onnx_expand.h"

enum { MOST_GATES = 4,
       MOST_FUNCTIONS = 3 };

/* One direction of a layer. */
typedef struct cell {
    ox_build *b;
    uint32_t dir, gates;
    int64_t batch, steps, hidden;
    bool backward, reset_behind; /* GRU: linear_before_reset */
    const char *fn[MOST_FUNCTIONS];
    uint32_t inputs;   /* [batch, steps, gates * hidden]: what the inputs add to each gate, with biases */
    uint32_t weights;  /* [hidden, gates * hidden] of the state */
    uint32_t bias;     /* added behind that product; OX_NONE: is in inputs */
    uint32_t peephole; /* [3 * hidden] (LSTM); OX_NONE: none */
    uint32_t h, c;     /* [batch, 1, hidden]; c: LSTM */
} cell;

/* Advances h and c by the step whose inputs are x [batch, 1, gates * hidden]. */
typedef void step_fn(cell *k, uint32_t x);

static uint32_t gate(const cell *k, uint32_t x, uint32_t first, uint32_t n)
{
    uint32_t last = ob_value(k->b, x).rank - 1;
    return ob_slice(k->b, x, last, first * k->hidden, n * k->hidden);
}

static uint32_t recurrent(const cell *k, uint32_t h, uint32_t first, uint32_t n)
{
    uint32_t y = ob_2(k->b, "MatMul", h, gate(k, k->weights, first, n));
    return k->bias != OX_NONE ? ob_2(k->b, "Add", y, gate(k, k->bias, first, n)) : y;
}

static void step_rnn(cell *k, uint32_t x)
{
    k->h = ob_1(k->b, k->fn[0], ob_2(k->b, "Add", x, recurrent(k, k->h, 0, 1)));
}

/* gates z (update), r (reset), h (hidden) */
static void step_gru(cell *k, uint32_t x)
{
    ox_build *b = k->b;
    uint32_t zr = ob_1(b, k->fn[0], ob_2(b, "Add", gate(k, x, 0, 2), recurrent(k, k->h, 0, 2)));
    uint32_t z = gate(k, zr, 0, 1), r = gate(k, zr, 1, 1);
    uint32_t past = k->reset_behind ? ob_2(b, "Mul", r, recurrent(k, k->h, 2, 1))
                                    : recurrent(k, ob_2(b, "Mul", r, k->h), 2, 1);
    uint32_t now = ob_1(b, k->fn[1], ob_2(b, "Add", gate(k, x, 2, 1), past));
    k->h = ob_2(b, "Add", now, ob_2(b, "Mul", z, ob_2(b, "Sub", k->h, now)));
}

/* x + p * c, p the peephole of a gate */
static uint32_t peep(const cell *k, uint32_t x, uint32_t number, uint32_t c)
{
    if (k->peephole == OX_NONE)
        return x;
    return ob_2(k->b, "Add", x, ob_2(k->b, "Mul", c, gate(k, k->peephole, number, 1)));
}

/* gates i (input), o (output), f (forget), c (cell) */
static void step_lstm(cell *k, uint32_t x)
{
    ox_build *b = k->b;
    uint32_t all = ob_2(b, "Add", x, recurrent(k, k->h, 0, 4));
    uint32_t i = ob_1(b, k->fn[0], peep(k, gate(k, all, 0, 1), 0, k->c));
    uint32_t f = ob_1(b, k->fn[0], peep(k, gate(k, all, 2, 1), 2, k->c));
    uint32_t now = ob_1(b, k->fn[1], gate(k, all, 3, 1));
    k->c = ob_2(b, "Add", ob_2(b, "Mul", f, k->c), ob_2(b, "Mul", i, now));
    uint32_t o = ob_1(b, k->fn[0], peep(k, gate(k, all, 1, 1), 1, k->c));
    k->h = ob_2(b, "Mul", o, ob_1(b, k->fn[2], k->c));
}

/* ---- what a layer is given ---- */

typedef struct layer {
    uint32_t gates, functions;
    const char *defaults[MOST_FUNCTIONS];
    step_fn *step;
    uint32_t dirs, x; /* x: [batch, steps, size] */
    bool backward, batch_first;
} layer;

static bool known_function(const char *name)
{
    static const char *const known[] = {"Relu", "Sigmoid", "Softplus", "Softsign", "Tanh"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i]) == 0)
            return true;
    return false;
}

static void functions_of(const layer *l, cell *k)
{
    const ox_attr *a = ox_attr_find(k->b->n, "activations");
    bool given = a != NULL && a->n != 0;
    if (given && a->n < (size_t)l->dirs * l->functions)
        ob_fail(k->b, MST_EINVAL, "it has fewer activations than gates need");
    for (uint32_t i = 0; i < l->functions && k->b->st == MST_OK; i++) {
        k->fn[i] = given ? a->strings[k->dir * l->functions + i] : l->defaults[i];
        if (!known_function(k->fn[i]))
            ob_fail(k->b, MST_EUNSUPPORTED,
                    "of its activations only Sigmoid, Tanh, Relu, Softplus and Softsign are supported");
    }
}

/* Input number `in` has these dimensions, or is not there. */
static bool shaped(ox_build *b, uint32_t in, uint32_t rank, const int64_t *dims)
{
    const ox_value v = ob_value(b, ob_in(b, in));
    bool ok = ob_in(b, in) == OX_NONE || v.rank == rank;
    for (uint32_t d = 0; d < rank && ok && ob_in(b, in) != OX_NONE; d++)
        ok = v.dims[d] == dims[d];
    if (!ok)
        ob_fail(b, MST_EINVAL, "the shapes of its inputs do not fit each other");
    return ok;
}

/* All sequences have all steps. */
static void check_lengths(ox_build *b, int64_t steps)
{
    uint32_t id = ob_in(b, 4);
    const ox_value v = ob_value(b, id);
    bool whole = id == OX_NONE || v.data != NULL;
    for (size_t i = 0, n = id != OX_NONE && whole ? ox_elements(&v) : 0; i < n; i++)
        whole = whole && ox_get_int(&v, i) == steps;
    if (!whole)
        ob_fail(b, MST_EUNSUPPORTED, "sequences that are shorter than their axis are not supported");
}

/* Direction `dir` of input number `in`: [dirs, a, b] as [a, b], transposed. */
static uint32_t matrix_of(const cell *k, uint32_t in)
{
    static const uint32_t swap[2] = {1, 0};
    const ox_value v = ob_value(k->b, ob_in(k->b, in));
    return ob_transpose(k->b, ob_reshape(k->b, ob_slice(k->b, ob_in(k->b, in), 0, k->dir, 1), 2, v.dims + 1), swap);
}

/* The same of [dirs, n]: n values from `first` on. */
static uint32_t vector_of(const cell *k, uint32_t in, int64_t first, int64_t n)
{
    uint32_t row = ob_slice(k->b, ob_in(k->b, in), 0, k->dir, 1);
    return ob_reshape(k->b, ob_slice(k->b, row, 1, first, n), 1, &n);
}

/* The state before the first step, [batch, 1, hidden]. */
static uint32_t state_of(const cell *k, const layer *l, uint32_t in)
{
    int64_t dims[3] = {k->batch, 1, k->hidden};
    uint8_t *zeros;
    if (ob_in(k->b, in) == OX_NONE)
        return ob_zeros(k->b, l->x, 3, dims, &zeros);
    return ob_reshape(k->b, ob_slice(k->b, ob_in(k->b, in), l->batch_first ? 1 : 0, k->dir, 1), 3, dims);
}

static void begin(cell *k, const layer *l)
{
    ox_build *b = k->b;
    int64_t width = k->gates * k->hidden;
    functions_of(l, k);
    k->inputs = ob_2(b, "MatMul", l->x, matrix_of(k, 1));
    k->weights = matrix_of(k, 2);
    k->bias = k->peephole = OX_NONE;
    if (ob_in(b, 3) != OX_NONE) {
        uint32_t first = vector_of(k, 3, 0, width), second = vector_of(k, 3, width, width);
        if (k->reset_behind)
            k->bias = second;
        else
            first = ob_2(b, "Add", first, second);
        k->inputs = ob_2(b, "Add", k->inputs, first);
    }
    if (ob_in(b, 7) != OX_NONE)
        k->peephole = vector_of(k, 7, 0, 3 * k->hidden);
    k->h = state_of(k, l, 5);
    k->c = k->gates == MOST_GATES ? state_of(k, l, 6) : OX_NONE;
}

/* ---- a layer ---- */

static bool layer_params(ox_build *b, layer *l)
{
    const char *direction = ox_attr_string(b->n, "direction", "forward");
    bool both = strcmp(direction, "bidirectional") == 0;
    l->dirs = both ? 2 : 1;
    l->backward = strcmp(direction, "reverse") == 0;
    l->batch_first = ox_attr_int(b->n, "layout", 0) != 0;
    const ox_value x = ob_value(b, ob_in(b, 0)), r = ob_value(b, ob_in(b, 2));
    if (!both && !l->backward && strcmp(direction, "forward") != 0)
        ob_fail(b, MST_EINVAL, "its direction is none of forward, reverse, bidirectional");
    else if (ox_attr_find(b->n, "clip") != NULL || ox_attr_int(b->n, "input_forget", 0) != 0)
        ob_fail(b, MST_EUNSUPPORTED, "its clip and input_forget are not supported");
    else if (x.rank != 3 || r.rank != 3 || r.dims[2] < 1 || x.dims[l->batch_first ? 1 : 0] < 1)
        ob_fail(b, MST_EINVAL, "the shapes of its inputs do not fit each other");
    return b->st == MST_OK;
}

static bool layer_shapes(ox_build *b, const layer *l, int64_t batch, int64_t size, int64_t hidden)
{
    int64_t dirs = l->dirs, width = l->gates * hidden;
    int64_t w[3] = {dirs, width, size}, r[3] = {dirs, width, hidden}, bias[2] = {dirs, 2 * width};
    int64_t peephole[2] = {dirs, 3 * hidden}, state[3] = {dirs, batch, hidden};
    if (l->batch_first)
        state[0] = batch, state[1] = dirs;
    return shaped(b, 1, 3, w) && shaped(b, 2, 3, r) && shaped(b, 3, 2, bias) && shaped(b, 5, 3, state) &&
           shaped(b, 6, 3, state) && shaped(b, 7, 2, peephole);
}

/* The outputs of all steps of a direction, [batch, steps, 1, hidden]; h and c are the last. */
static uint32_t run(cell *k, const layer *l)
{
    int64_t dims[4] = {k->batch, k->steps, 1, k->hidden};
    ox_attr axis = ob_attr_int("axis", 1);
    uint32_t *outs = mst_arena_array(&k->b->c->g->arena, (size_t)k->steps, sizeof *outs);
    if (outs == NULL) {
        ob_fail(k->b, MST_ENOMEM, "no memory for its steps");
        return OX_NONE;
    }
    begin(k, l);
    for (int64_t i = 0; i < k->steps && k->b->st == MST_OK; i++) {
        int64_t t = k->backward ? k->steps - 1 - i : i;
        l->step(k, ob_slice(k->b, k->inputs, 1, t, 1));
        outs[t] = k->h;
    }
    if (k->b->st != MST_OK)
        return OX_NONE;
    return ob_reshape(k->b, ob_node(k->b, "Concat", (uint32_t)k->steps, outs, 1, &axis), 4, dims);
}

static uint32_t joined(ox_build *b, const layer *l, const uint32_t *parts, int64_t along)
{
    ox_attr axis = ob_attr_int("axis", along);
    return ob_node(b, "Concat", l->dirs, parts, 1, &axis);
}

static void expand(ox_build *b, layer *l)
{
    static const uint32_t first_two[3] = {1, 0, 2}, steps_first[4] = {1, 2, 0, 3};
    if (!layer_params(b, l))
        return;
    const ox_value x = ob_value(b, ob_in(b, 0));
    int64_t batch = x.dims[l->batch_first ? 0 : 1], steps = x.dims[l->batch_first ? 1 : 0];
    int64_t hidden = ob_value(b, ob_in(b, 2)).dims[2];
    check_lengths(b, steps);
    if (b->st != MST_OK || !layer_shapes(b, l, batch, x.dims[2], hidden))
        return;
    l->x = l->batch_first ? ob_in(b, 0) : ob_transpose(b, ob_in(b, 0), first_two);
    uint32_t y[2], h[2], c[2];
    for (uint32_t d = 0; d < l->dirs; d++) {
        cell k = {.b = b, .dir = d, .gates = l->gates, .batch = batch, .steps = steps, .hidden = hidden};
        k.backward = l->backward || d == 1;
        k.reset_behind = l->gates == 3 && ox_attr_int(b->n, "linear_before_reset", 0) != 0;
        y[d] = run(&k, l);
        h[d] = k.h;
        c[d] = k.c;
        if (b->st != MST_OK)
            return;
    }
    uint32_t all = joined(b, l, y, 2), last = joined(b, l, h, 1);
    ob_return(b, 0, l->batch_first ? all : ob_transpose(b, all, steps_first));
    ob_return(b, 1, l->batch_first ? last : ob_transpose(b, last, first_two));
    if (l->gates == MOST_GATES) {
        last = joined(b, l, c, 1);
        ob_return(b, 2, l->batch_first ? last : ob_transpose(b, last, first_two));
    }
}

void ox_expand_rnn(ox_build *b)
{
    expand(b, &(layer){.gates = 1, .functions = 1, .defaults = {"Tanh"}, .step = step_rnn});
}

void ox_expand_gru(ox_build *b)
{
    expand(b, &(layer){.gates = 3, .functions = 2, .defaults = {"Sigmoid", "Tanh"}, .step = step_gru});
}

void ox_expand_lstm(ox_build *b)
{
    expand(b, &(layer){.gates = 4, .functions = 3, .defaults = {"Sigmoid", "Tanh", "Tanh"}, .step = step_lstm});
}

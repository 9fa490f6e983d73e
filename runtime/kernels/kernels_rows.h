/* Part of kernels_body.h: SOFTMAX and LAYERNORM of one row. (A row with a NaN becomes NaN; which, is open.)
 *
 * Element i belongs to lane i mod 16 (LAYERNORM: mod 8) whatever the width of the
 * vectors, each lane sums in ascending order, and lanes are then added in halves;
 * so every instruction set gives the same bits, and so does a scalar loop.
 */

#define LANES 16
#define PER_LANES (LANES / MSTK_WIDTH) /* vectors that hold one element of each lane */

typedef int32_t ints __attribute__((vector_size(MSTK_WIDTH * 4), may_alias));

#define SPREAD(x) ((vec){0} + (x))

static inline vec choose(ints on, vec a, vec b)
{
    return (vec)(((ints)a & on) | ((ints)b & ~on));
}

/* e^x for x <= 0: 2^k times a polynomial of the rest (Cephes' expf), 0 below -87, NaN for NaN. */
static inline vec exp_of(vec x)
{
    const float to_int = 12582912.0f; /* 1.5 * 2^23: what is added to it rounds to an integer */
    vec at = choose(x < -87.0f, SPREAD(-87.0f), x);
    vec shifted = at * 1.44269504f + to_int;
    vec k = shifted - to_int;
    vec r = (at - k * 0.693359375f) - k * -2.12194440e-4f;
    vec p = SPREAD(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = (p * (r * r) + r) + 1.0f;
    ints power = ((ints)shifted - (ints)SPREAD(to_int) + 127) << 23;
    vec y = choose(x < -87.0f, SPREAD(0.0f), p * (vec)power);
    return choose(x == x, y, x);
}

/* Elements i.. of a row: what lies behind its end is rest. */
static inline vec load_rest(const float *x, size_t i, size_t n, float rest)
{
    float part[MSTK_WIDTH];
    for (size_t j = 0; j < MSTK_WIDTH; j++)
        part[j] = i + j < n ? x[i + j] : rest;
    return AT(vec, part, 0);
}

static inline vec load_at(const float *x, size_t i, size_t n, float rest)
{
    return i + MSTK_WIDTH <= n ? AT(vec, x + i, 0) : load_rest(x, i, n, rest);
}

static inline void store_at(vec v, float *y, size_t i, size_t n)
{
    if (i + MSTK_WIDTH <= n)
        TO(vec, y + i, 0) = v;
    else if (i < n)
        memcpy(y + i, &v, (n - i) * sizeof *y);
}

static inline float add_halves(float *lane)
{
    for (size_t half = LANES / 2; half != 0; half /= 2)
        for (size_t j = 0; j < half; j++)
            lane[j] = lane[j] + lane[j + half];
    return lane[0];
}

static inline float row_max(const float *x, size_t n)
{
    vec most = load_at(x, 0, n, -INFINITY);
    float max;
    for (size_t i = MSTK_WIDTH; i < n; i += MSTK_WIDTH) {
        vec v = load_at(x, i, n, -INFINITY);
        most = choose(most < v, v, most);
    }
    max = most[0];
    for (size_t j = 1; j < MSTK_WIDTH; j++)
        max = max < most[j] ? most[j] : max;
    return max;
}

static void FN(softmax_f32)(const float *x, float *y, size_t n)
{
    const vec max = SPREAD(row_max(x, n));
    vec sum[PER_LANES] = {{0}};
    float lane[LANES];
    for (size_t i = 0; i < n; i += LANES)
        for (size_t j = 0; j < PER_LANES; j++) {
            vec e = exp_of(load_at(x, i + j * MSTK_WIDTH, n, -INFINITY) - max);
            sum[j] += e;
            store_at(e, y, i + j * MSTK_WIDTH, n);
        }
    memcpy(lane, sum, sizeof lane);
    const float total = add_halves(lane);
    for (size_t i = 0; i < n; i++)
        y[i] = y[i] / total;
}

/* ---- LAYERNORM ------------------------------------------------------------ */

#define WIDE_LANES 8
#define WIDE (MSTK_WIDTH / 2) /* doubles in a vector */
#define PER_WIDE (WIDE_LANES / WIDE)

typedef double wide __attribute__((vector_size(MSTK_WIDTH * 4), aligned(8), may_alias));
typedef float narrow __attribute__((vector_size(MSTK_WIDTH * 2), aligned(4), may_alias));

static inline wide widen(const float *x) { return __builtin_convertvector(AT(narrow, x, 0), wide); }

/* Mean of (x - from), or of its square. */
static inline double row_mean(const float *x, size_t n, double from, int square)
{
    wide sum[PER_WIDE] = {{0}};
    double lane[WIDE_LANES];
    size_t i = 0;
    for (; i + WIDE_LANES <= n; i += WIDE_LANES)
        for (size_t j = 0; j < PER_WIDE; j++) {
            wide d = widen(x + i + j * WIDE) - from;
            if (square)
                d *= d;
            sum[j] += d;
        }
    memcpy(lane, sum, sizeof lane);
    for (size_t j = 0; i + j < n; j++) {
        double d = (double)x[i + j] - from;
        lane[j] += square ? d * d : d;
    }
    for (size_t half = WIDE_LANES / 2; half != 0; half /= 2)
        for (size_t j = 0; j < half; j++)
            lane[j] = lane[j] + lane[j + half];
    return lane[0] / (double)n;
}

static void FN(layernorm_f32)(const mstk_norm *p, const float *x, float *y, size_t n)
{
    const double mean = row_mean(x, n, 0.0, 0);
    const double factor = 1.0 / sqrt(row_mean(x, n, mean, 1) + p->eps);
    for (size_t i = 0; i < n; i++)
        y[i] = (float)(((double)x[i] - mean) * factor);
    for (size_t i = 0; p->gain != NULL && i < n; i++)
        y[i] = y[i] * p->gain[i];
    for (size_t i = 0; p->bias != NULL && i < n; i++)
        y[i] = y[i] + p->bias[i];
}

/* Resize and Upsample, an axis at a time: nearest is a Gather, what lies between
 * pixels a product with a constant matrix. */
#include <math.h>
#include <string.h>

#include "converter/onnx/onnx_expand.h"

typedef struct resize {
    /* mode, coordinate_transformation_mode, nearest_mode */
    const char *mode, *where, *nearest;
    double scale[MST_MAX_RANK];
    double begin[MST_MAX_RANK], end[MST_MAX_RANK]; /* of tf_crop_and_resize */
    int64_t size[MST_MAX_RANK];
    double cubic, outside;
    bool exclude, antialias;
} resize;

/* Input k as numbers, one for each of n axes; false: it is not there, is empty, or it failed. */
static bool numbers(ox_build *b, uint32_t k, uint32_t n, double *out)
{
    const ox_value v = ob_value(b, ob_in(b, k));
    if (b->st != MST_OK || ob_in(b, k) == OX_NONE || (v.data != NULL && ox_elements(&v) == 0))
        return false;
    if (v.data == NULL)
        ob_fail(b, MST_EUNSUPPORTED, "its scales or sizes are computed from the model's input; only constants are "
                                     "supported: export with a fixed input size");
    else if (v.rank != 1 || v.dims[0] != (int64_t)n)
        ob_fail(b, MST_EINVAL, "its scales or sizes are not one for each dimension");
    for (uint32_t i = 0; i < n && b->st == MST_OK; i++)
        out[i] = ox_get_double(&v, i);
    return b->st == MST_OK;
}

static void read_axes(ox_build *b, uint32_t rank, uint32_t *axes, uint32_t *n)
{
    int64_t raw[MST_MAX_RANK];
    int got = ox_attr_ints(b->n, "axes", raw, MST_MAX_RANK);
    *n = got >= 0 ? (uint32_t)got : rank;
    for (uint32_t i = 0; i < *n && b->st == MST_OK; i++) {
        axes[i] = i;
        if (got >= 0)
            b->st = ox_axis_of(b->c, raw[i], rank, &axes[i]);
    }
}

/* keep_aspect_ratio_policy: one scale for all axes, from the sizes */
static void keep_aspect(ox_build *b, const ox_value *x, const uint32_t *axes, uint32_t n, double *sizes)
{
    const char *policy = ox_attr_string(b->n, "keep_aspect_ratio_policy", "stretch");
    double scale = sizes[0] / (double)x->dims[axes[0]];
    if (strcmp(policy, "stretch") == 0)
        return;
    for (uint32_t i = 1; i < n; i++) {
        double s = sizes[i] / (double)x->dims[axes[i]];
        scale = strcmp(policy, "not_larger") == 0 ? fmin(scale, s) : fmax(scale, s);
    }
    for (uint32_t i = 0; i < n; i++)
        sizes[i] = floor((double)x->dims[axes[i]] * scale + 0.5);
}

static bool read_sizes(ox_build *b, const ox_value *x, resize *r)
{
    bool upsample = strcmp(b->n->op, "Upsample") == 0;
    uint32_t axes[MST_MAX_RANK], n, k_scales = upsample || b->c->g->opset < 11 ? 1 : 2;
    double scales[MST_MAX_RANK], sizes[MST_MAX_RANK], roi[2 * MST_MAX_RANK];
    read_axes(b, x->rank, axes, &n);
    bool by_size = n != 0 && k_scales == 2 && numbers(b, 3, n, sizes);
    if (b->st == MST_OK && !by_size && !numbers(b, k_scales, n, scales))
        ob_fail(b, MST_EINVAL, "it has neither scales nor sizes");
    bool crop = strcmp(r->where, "tf_crop_and_resize") == 0;
    if (crop && !numbers(b, 1, 2 * n, roi))
        ob_fail(b, MST_EINVAL, "it has no region");
    if (b->st == MST_OK && crop && !by_size) /* ONNX Runtime has the size of the whole input, ONNX that of the region */
        ob_fail(b, MST_EUNSUPPORTED, "tf_crop_and_resize with scales is not supported; give it sizes");
    if (b->st != MST_OK)
        return false;
    if (by_size)
        keep_aspect(b, x, axes, n, sizes);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t d = axes[i];
        double in = (double)x->dims[d];
        if (crop) {
            r->begin[d] = roi[i];
            r->end[d] = roi[n + i];
        }
        r->scale[d] = by_size ? sizes[i] / in : scales[i];
        double size = by_size ? sizes[i] : (double)floorf((float)in * (float)scales[i]); /* as ONNX Runtime */
        if (!(r->scale[d] > 0 && size >= 1 && size <= (double)OX_MAX_ELEMENTS)) {
            ob_fail(b, MST_EINVAL, "a scale or size is out of range");
            return false;
        }
        r->size[d] = (int64_t)size;
    }
    return true;
}

/* Where output i of axis d lies in the input: in float32, as ONNX Runtime computes it, which decides which pixel is the
 * nearest. */
static double source(const resize *r, uint32_t d, int64_t in, int64_t i)
{
    float x = (float)i, n = (float)r->size[d], m = (float)in, s = (float)r->scale[d];
    if (strcmp(r->where, "asymmetric") == 0)
        return (double)(x / s);
    if (strcmp(r->where, "align_corners") == 0)
        return (double)(n > 1 ? x * (m - 1) / (n - 1) : 0);
    if (strcmp(r->where, "pytorch_half_pixel") == 0)
        return (double)(n > 1 ? (x + 0.5f) / s - 0.5f : 0);
    if (strcmp(r->where, "half_pixel_symmetric") == 0)
        return (double)(m / 2 * (1 - n / (s * m)) + (x + 0.5f) / s - 0.5f);
    if (strcmp(r->where, "tf_half_pixel_for_nn") == 0)
        return (double)((x + 0.5f) / s);
    if (strcmp(r->where, "tf_crop_and_resize") == 0) {
        float a = (float)r->begin[d], z = (float)r->end[d];
        return (double)(n > 1 ? a * (m - 1) + x * (z - a) * (m - 1) / (n - 1) : 0.5f * (a + z) * (m - 1));
    }
    return (double)((x + 0.5f) / s - 0.5f); /* half_pixel */
}

static int64_t nearest(const char *mode, double x, int64_t in)
{
    double at = strcmp(mode, "floor") == 0               ? floor(x)
                : strcmp(mode, "ceil") == 0              ? ceil(x)
                : strcmp(mode, "round_prefer_ceil") == 0 ? floor(x + 0.5)
                                                         : ceil(x - 0.5);
    return at < 0 ? 0 : at >= (double)in ? in - 1
                                         : (int64_t)at;
}

/* How much a pixel at distance x counts. */
static double weight(const resize *r, double x)
{
    x = fabs(x);
    if (strcmp(r->mode, "linear") == 0)
        return x < 1 ? 1 - x : 0;
    double a = r->cubic;
    if (x <= 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0;
}

/* The matrix [in][size] of axis d; reach: pixels to each side, wider where it is shrunk with antialias. */
static uint32_t matrix(ox_build *b, const resize *r, uint32_t d, int64_t in)
{
    int64_t dims[2] = {in, r->size[d]};
    double wide = r->antialias && r->scale[d] < 1 ? 1 / r->scale[d] : 1;
    double reach = (strcmp(r->mode, "linear") == 0 ? 1 : 2) * wide;
    uint8_t *data;
    uint32_t id = ob_zeros(b, ob_in(b, 0), 2, dims, &data);
    int dtype = ob_value(b, ob_in(b, 0)).dtype;
    for (int64_t o = 0; o < r->size[d] && b->st == MST_OK; o++) {
        double x = source(r, d, in, o), sum = 0;
        int64_t first = (int64_t)ceil(x - reach), last = (int64_t)floor(x + reach);
        for (int64_t i = first; i <= last; i++)
            sum += r->exclude && (i < 0 || i >= in) ? 0 : weight(r, ((double)i - x) / wide);
        for (int64_t i = first; i <= last; i++) {
            if (r->exclude && (i < 0 || i >= in))
                continue;
            int64_t at = i < 0 ? 0 : i >= in ? in - 1
                                             : i;
            size_t e = (size_t)(at * r->size[d] + o);
            double before = ox_get_double(&(ox_value){.dtype = dtype, .data = data}, e);
            ox_put_double(data, dtype, e, before + weight(r, ((double)i - x) / wide) / sum);
        }
    }
    return id;
}

/* Outputs that lie outside of the input become the extrapolation value. */
static uint32_t extrapolate(ox_build *b, const resize *r, uint32_t y, const ox_value *x)
{
    for (uint32_t d = 0; d < x->rank && b->st == MST_OK; d++) {
        int64_t dims[MST_MAX_RANK];
        uint8_t *keep, *fill;
        for (uint32_t k = 0; k < x->rank; k++)
            dims[k] = k == d ? r->size[d] : 1;
        uint32_t k = ob_zeros(b, y, x->rank, dims, &keep), f = ob_zeros(b, y, x->rank, dims, &fill);
        bool any = false;
        for (int64_t i = 0; i < r->size[d] && b->st == MST_OK; i++) {
            double at = source(r, d, x->dims[d], i);
            bool out = at < 0 || at > (double)(x->dims[d] - 1);
            any = any || out;
            ox_put_double(keep, x->dtype, (size_t)i, out ? 0 : 1);
            ox_put_double(fill, x->dtype, (size_t)i, out ? r->outside : 0);
        }
        if (any)
            y = ob_2(b, "Add", ob_2(b, "Mul", y, k), f);
    }
    return y;
}

/* half_pixel_symmetric where the size is not that of the scale: does what float32 rounds off decide which pixel is the
 * nearest? Programs do not agree then. */
static bool undecided(const resize *r, uint32_t d, int64_t in, double x)
{
    if (strcmp(r->where, "half_pixel_symmetric") != 0 || fabs(r->scale[d] * (double)in - (double)r->size[d]) < 1e-6)
        return false;
    double jump = strcmp(r->nearest, "floor") == 0 || strcmp(r->nearest, "ceil") == 0 ? x : x + 0.5;
    return fabs(jump - round(jump)) < 1e-4;
}

static uint32_t along(ox_build *b, const resize *r, uint32_t y, uint32_t d, int64_t in)
{
    if (strcmp(r->mode, "nearest") != 0)
        return ob_along(b, y, d, matrix(b, r, d, in));
    int64_t *table = ob_table(b, r->size[d]);
    for (int64_t i = 0; i < r->size[d] && table != NULL; i++) {
        double x = source(r, d, in, i);
        if (undecided(r, d, in, x))
            ob_fail(b, MST_EUNSUPPORTED,
                    "half_pixel_symmetric: a pixel is right between two of the input but for rounding errors, and "
                    "programs do not agree which is nearest; use half_pixel");
        table[i] = nearest(r->nearest, x, in);
    }
    return table != NULL ? ob_gather(b, y, d, (size_t)r->size[d], table) : OX_NONE;
}

void ox_expand_resize(ox_build *b)
{
    uint32_t y = ob_in(b, 0);
    const ox_value x = ob_value(b, y);
    bool old = strcmp(b->n->op, "Upsample") == 0 || b->c->g->opset < 11;
    resize r = {.mode = ox_attr_string(b->n, "mode", "nearest"),
                .where = ox_attr_string(b->n, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel"),
                .nearest = ox_attr_string(b->n, "nearest_mode", old ? "floor" : "round_prefer_floor"),
                .cubic = (double)ox_attr_float(b->n, "cubic_coeff_a", -0.75f),
                .outside = (double)ox_attr_float(b->n, "extrapolation_value", 0),
                .exclude = ox_attr_int(b->n, "exclude_outside", 0) != 0,
                .antialias = ox_attr_int(b->n, "antialias", 0) != 0};
    bool crop = strcmp(r.where, "tf_crop_and_resize") == 0;
    for (uint32_t d = 0; d < x.rank; d++) {
        r.scale[d] = r.end[d] = 1;
        r.size[d] = x.dims[d];
    }
    if (strcmp(r.mode, "nearest") != 0 && strcmp(r.mode, "linear") != 0 && strcmp(r.mode, "cubic") != 0)
        ob_fail(b, MST_EINVAL, "its mode is neither nearest, linear nor cubic");
    if (b->st != MST_OK || !read_sizes(b, &x, &r))
        return;
    bool resized = crop; /* ONNX Runtime leaves an image of the same size as it is, whatever the scales */
    for (uint32_t d = 0; d < x.rank; d++)
        resized = resized || r.size[d] != x.dims[d];
    for (uint32_t d = 0; d < x.rank && resized; d++)
        if (r.size[d] != x.dims[d] || r.scale[d] != 1 || crop)
            y = along(b, &r, y, d, x.dims[d]);
    if (crop)
        y = extrapolate(b, &r, y, &x);
    ob_return(b, 0, y);
}

/* Einsum as sums, transposes and matrix products, its operands taken in from left to
 * right. */
#include <string.h>

#include "converter/onnx/onnx_expand.h"

#define MAX_OPERANDS 16

/* A tensor whose axes have letters, each once. */
typedef struct labeled {
    uint32_t id, rank;
    char axes[MST_MAX_RANK];
} labeled;

static int find(const labeled *t, char letter)
{
    for (uint32_t d = 0; d < t->rank; d++)
        if (t->axes[d] == letter)
            return (int)d;
    return -1;
}

/* One side of the equation up to a comma or arrow; dots: axes that ... stands for, as digits. */
static const char *read_term(ox_build *b, const char *s, uint32_t dots, labeled *t)
{
    t->rank = 0;
    for (; *s != '\0' && *s != ',' && *s != '-' && b->st == MST_OK; s++) {
        if (*s == ' ')
            continue;
        uint32_t n = 1;
        if (strncmp(s, "...", 3) == 0) {
            n = dots;
            s += 2;
        } else if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z'))) {
            ob_fail(b, MST_EINVAL, "its equation has a character that is no letter");
        }
        for (uint32_t i = 0; i < n && b->st == MST_OK; i++) {
            char letter = *s == '.' ? (char)('0' + MST_MAX_RANK - n + i) : *s;
            if (t->rank == MST_MAX_RANK)
                ob_fail(b, MST_EINVAL, "its equation has a term of too many axes");
            else if (find(t, letter) >= 0)
                ob_fail(b, MST_EUNSUPPORTED, "a letter twice in one term (a diagonal) is not supported");
            else
                t->axes[t->rank++] = letter;
        }
    }
    return s;
}

/* Sum over all axes that are in neither of the two. */
static void sum_out(ox_build *b, labeled *t, const labeled *other, const labeled *wanted)
{
    uint32_t gone = 0, rank = 0;
    for (uint32_t d = 0; d < t->rank; d++)
        if ((other == NULL || find(other, t->axes[d]) < 0) && find(wanted, t->axes[d]) < 0)
            gone |= 1u << d;
    t->id = ob_reduce(b, "ReduceSum", t->id, gone, false);
    for (uint32_t d = 0; d < t->rank; d++)
        if ((gone >> d & 1) == 0)
            t->axes[rank++] = t->axes[d];
    t->rank = rank;
}

/* Axes of a product: in both and wanted, of one alone, in both and summed over. */
enum { BATCH,
       FREE,
       SUMMED };

static int kind(const labeled *t, uint32_t d, const labeled *other, const labeled *wanted)
{
    if (find(other, t->axes[d]) < 0)
        return FREE;
    return find(wanted, t->axes[d]) >= 0 ? BATCH : SUMMED;
}

/* t as [batch..][rows][columns] (in the order of kinds, the letters of shared kinds in that of first). */
static uint32_t as_matrices(ox_build *b, const labeled *t, const labeled *first, const labeled *other,
                            const labeled *wanted, int rows, int columns, uint32_t *n_batch, int64_t *dims)
{
    const ox_value v = ob_value(b, t->id);
    const int order[3] = {BATCH, rows, columns};
    uint32_t perm[MST_MAX_RANK], n = 0;
    int64_t size[2] = {1, 1};
    *n_batch = 0;
    for (int k = 0; k < 3; k++) {
        const labeled *by = order[k] == FREE ? t : first;
        for (uint32_t d = 0; d < by->rank; d++) {
            int at = find(t, by->axes[d]);
            if (at < 0 || kind(t, (uint32_t)at, other, wanted) != order[k])
                continue;
            perm[n++] = (uint32_t)at;
            if (k == 0)
                dims[(*n_batch)++] = v.dims[at];
            else
                size[k - 1] *= v.dims[at];
        }
    }
    if (b->st != MST_OK)
        return OX_NONE;
    int64_t shape[MST_MAX_RANK + 2];
    memcpy(shape, dims, *n_batch * sizeof *dims);
    memcpy(shape + *n_batch, size, sizeof size);
    if (*n_batch + 2 > MST_MAX_RANK) {
        ob_fail(b, MST_ELIMIT, "a product of it would have too many axes");
        return OX_NONE;
    }
    return ob_reshape(b, ob_transpose(b, t->id, perm), *n_batch + 2, shape);
}

static labeled product(ox_build *b, labeled x, labeled y, const labeled *wanted)
{
    labeled out = {.id = OX_NONE};
    int64_t dims[MST_MAX_RANK], shape[2 * MST_MAX_RANK];
    uint32_t n;
    for (uint32_t d = 0; d < x.rank; d++) {
        int at = find(&y, x.axes[d]);
        if (at >= 0 && ob_value(b, x.id).dims[d] != ob_value(b, y.id).dims[at]) {
            ob_fail(b, MST_EUNSUPPORTED, "axes of one letter are not equally long");
            return out;
        }
    }
    if (ob_is_const(b, x.id)) { /* weights are the second factor */
        labeled swap = x;
        x = y;
        y = swap;
    }
    sum_out(b, &x, &y, wanted);
    sum_out(b, &y, &x, wanted);
    const ox_value vx = ob_value(b, x.id), vy = ob_value(b, y.id);
    uint32_t left = as_matrices(b, &x, &x, &y, wanted, FREE, SUMMED, &n, dims);
    uint32_t right = as_matrices(b, &y, &x, &x, wanted, SUMMED, FREE, &n, dims);
    for (uint32_t d = 0; d < x.rank; d++)
        if (kind(&x, d, &y, wanted) == BATCH)
            out.axes[out.rank++] = x.axes[d];
    memcpy(shape, dims, n * sizeof *dims);
    for (int k = 0; k < 2; k++) {
        const labeled *t = k == 0 ? &x : &y, *other = k == 0 ? &y : &x;
        for (uint32_t d = 0; d < t->rank; d++) {
            if (kind(t, d, other, wanted) != FREE)
                continue;
            if (out.rank == MST_MAX_RANK) {
                ob_fail(b, MST_ELIMIT, "a product of it would have too many axes");
                return out;
            }
            shape[out.rank] = (k == 0 ? &vx : &vy)->dims[d];
            out.axes[out.rank++] = t->axes[d];
        }
    }
    if (b->st == MST_OK && n == 0 && ob_is_const(b, right)) /* a matrix for all of them: a synapse */
        right = ob_reshape(b, right, 2, ob_value(b, right).dims);
    out.id = ob_reshape(b, ob_2(b, "MatMul", left, right), out.rank, shape);
    return out;
}

/* The output that an equation without arrow has: dots, then letters that occur once, by the alphabet. */
static void implied(labeled *out, const labeled *t, uint32_t n, uint32_t dots)
{
    out->rank = 0;
    for (uint32_t i = 0; i < dots; i++)
        out->axes[out->rank++] = (char)('0' + MST_MAX_RANK - dots + i);
    for (int letter = 'A'; letter <= 'z'; letter++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < n; i++)
            count += find(&t[i], (char)letter) >= 0;
        if (count == 1 && out->rank < MST_MAX_RANK)
            out->axes[out->rank++] = (char)letter;
    }
}

void ox_expand_einsum(ox_build *b)
{
    labeled t[MAX_OPERANDS], out;
    uint32_t n = b->n->n_in, most_dots = 0, perm[MST_MAX_RANK];
    const char *s = ox_attr_string(b->n, "equation", "");
    for (uint32_t i = 0; i < n && b->st == MST_OK; i++) {
        uint32_t rank = ob_value(b, ob_in(b, i)).rank;
        s = read_term(b, s, 0, &t[i]);
        const char *term = s;
        while (term > ox_attr_string(b->n, "equation", "") && term[-1] != ',')
            term--;
        if (t[i].rank < rank && strstr(term, "...") != NULL && strstr(term, "...") < s) {
            uint32_t dots = rank - t[i].rank;
            most_dots = dots > most_dots ? dots : most_dots;
            read_term(b, term, dots, &t[i]);
        }
        t[i].id = ob_in(b, i);
        if (b->st == MST_OK && (t[i].rank != rank || (i + 1 < n && *s++ != ',')))
            ob_fail(b, MST_EINVAL, "its equation does not fit its inputs");
    }
    if (b->st != MST_OK)
        return;
    if (s[0] == '-' && s[1] == '>')
        s = read_term(b, s + 2, most_dots, &out);
    else
        implied(&out, t, n, most_dots);
    if (*s != '\0')
        ob_fail(b, MST_EINVAL, "its equation does not fit its inputs");
    labeled all = t[0];
    for (uint32_t i = 1; i < n && b->st == MST_OK; i++) {
        labeled wanted = out; /* what is still needed: letters of the output and of later terms */
        for (uint32_t k = i + 1; k < n; k++)
            for (uint32_t d = 0; d < t[k].rank; d++)
                if (find(&wanted, t[k].axes[d]) < 0 && wanted.rank < MST_MAX_RANK)
                    wanted.axes[wanted.rank++] = t[k].axes[d];
        all = product(b, all, t[i], &wanted);
    }
    if (b->st == MST_OK)
        sum_out(b, &all, NULL, &out);
    for (uint32_t d = 0; d < out.rank && b->st == MST_OK; d++) {
        int at = find(&all, out.axes[d]);
        if (at < 0)
            ob_fail(b, MST_EINVAL, "a letter of its output is in no input");
        perm[d] = (uint32_t)at;
    }
    if (b->st == MST_OK && all.rank != out.rank)
        ob_fail(b, MST_EINVAL, "its equation does not fit its inputs");
    if (b->st == MST_OK)
        ob_return(b, 0, ob_transpose(b, all.id, perm));
}

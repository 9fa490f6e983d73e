/* One list of indices, narrowed step by step. */
#include "tools/tool_pick.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/core/philox.h"
#include "tools/tool_hash.h"

#define MAX_NAME 8192
#define MAX_LABEL (1 << 20)

/* "A:B": false where it is not of that form. */
static bool parse_range(const char *text, uint64_t *from, uint64_t *to)
{
    char left[24];
    const char *right = mst_split_at(text, ':', left, sizeof left);
    *from = 0;
    *to = UINT64_MAX;
    return right != NULL && (left[0] == '\0' || mst_parse_uint(left, from)) &&
           (right[0] == '\0' || mst_parse_uint(right, to)) && *from < *to;
}

/* "I/N": false where it is not of that form. */
static bool parse_shard(const char *text, uint64_t *shard, uint64_t *shards)
{
    char left[24];
    const char *right = mst_split_at(text, '/', left, sizeof left);
    return right != NULL && mst_parse_uint(left, shard) && mst_parse_uint(right, shards) && *shard >= 1 &&
           *shard <= *shards && *shards <= MST_MAX_SHARDS;
}

mst_status mst_pick_check(const mst_pick_opts *o, mst_err *err)
{
    uint64_t from, to;
    if (o->shard != NULL && !parse_shard(o->shard, &from, &to))
        return mst_fail(err, MST_EINVAL, "--shard: expected I/N with I of 1..N and N of at most %d, found '%s'",
                        MST_MAX_SHARDS, o->shard);
    if (o->range != NULL && !parse_range(o->range, &from, &to))
        return mst_fail(err, MST_EINVAL, "--range: expected A:B with A < B, found '%s'", o->range);
    if (o->range != NULL && o->list != NULL)
        return mst_fail(err, MST_EINVAL, "--range and --samples: expected one of them");
    if ((o->first.set ? 1 : 0) + (o->limit.set ? 1 : 0) > 1)
        return mst_fail(err, MST_EINVAL, "--first and --limit: expected one of them");
    return MST_OK;
}

/* ---- lists ---- */

typedef struct name_at {
    const char *name;
    uint32_t at;
} name_at;

/* From their ends on; 0: name ends with text. */
static int compare_ends(const char *name, const char *text)
{
    const char *x = name + strlen(name), *y = text + strlen(text);
    while (y > text) {
        if (x == name)
            return -1;
        if (*--x != *--y)
            return (unsigned char)*x < (unsigned char)*y ? -1 : 1;
    }
    return 0;
}

static int by_end(const void *a, const void *b)
{
    const char *x = ((const name_at *)a)->name, *y = ((const name_at *)b)->name;
    int order = compare_ends(x, y);
    return order != 0 ? order : strlen(x) > strlen(y);
}

/* All samples by the ends of their names. */
static name_at *sorted_names(const mst_data *data, mst_arena *arena)
{
    size_t n = mst_data_count(data);
    name_at *names = mst_arena_array(arena, n, sizeof *names);
    char text[MAX_NAME];
    for (size_t i = 0; names != NULL && i < n; i++) {
        mst_data_name(data, i, text, sizeof text);
        names[i] = (name_at){mst_arena_strdup(arena, text), (uint32_t)i};
        if (names[i].name == NULL)
            return NULL;
    }
    if (names != NULL)
        qsort(names, n, sizeof *names, by_end);
    return names;
}

/* Is text all of name, or what stands behind one of its slashes? */
static bool names_it(const char *name, const char *text)
{
    size_t n = strlen(name), k = strlen(text);
    return k <= n && strcmp(name + n - k, text) == 0 && (k == n || name[n - k - 1] == '/');
}

/* The one sample of that name. EINVAL: none, or several. */
static mst_status find_name(const name_at *names, size_t n, const char *text, const char *where, uint32_t *at,
                            mst_err *err)
{
    size_t low = 0, high = n, found = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_ends(names[middle].name, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < n && compare_ends(names[low].name, text) == 0; low++)
        if (names_it(names[low].name, text) && found++ == 0)
            *at = names[low].at;
    return found == 1 ? MST_OK
                      : mst_fail(err, MST_EINVAL, "%s: expected the number or the path of a sample, '%s' is that of %s",
                                 where, text, found == 0 ? "none" : "several");
}

static mst_status take_line(mst_pick *p, const mst_data *data, const name_at **names, char *line, const char *where,
                            mst_err *err)
{
    uint64_t number;
    size_t n = mst_data_count(data);
    line[strcspn(line, "\r\n")] = '\0';
    if (line[0] == '\0' || line[0] == '#')
        return MST_OK;
    if (p->n == n)
        return mst_fail(err, MST_EINVAL, "%s: more lines than the data set has samples (%zu)", where, n);
    if (mst_parse_uint(line, &number)) {
        if (number >= n)
            return mst_fail(err, MST_EINVAL, "%s: sample %s: the data set has %zu", where, line, n);
        p->at[p->n++] = (uint32_t)number;
        return MST_OK;
    }
    if (*names == NULL && (*names = sorted_names(data, &p->arena)) == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for the names of samples");
    return find_name(*names, n, line, where, &p->at[p->n++], err);
}

/* Each once: sums over a sample that is taken twice mean nothing. */
static mst_status check_once(const mst_pick *p, size_t count, const char *path, mst_err *err)
{
    bool *seen = mst_alloc_array(NULL, count, sizeof *seen);
    mst_status st = seen != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory");
    for (size_t i = 0; i < p->n && st == MST_OK; i++) {
        if (seen[p->at[i]])
            st = mst_fail(err, MST_EINVAL, "%s: sample %u stands there twice", path, p->at[i]);
        seen[p->at[i]] = true;
    }
    mst_free_array(NULL, seen, count, sizeof *seen);
    return st;
}

static mst_status take_list(mst_pick *p, const mst_data *data, const char *path, mst_err *err)
{
    char line[MAX_NAME], where[MAX_NAME];
    const name_at *names = NULL;
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return mst_fail(err, MST_EIO, "--samples %s: %s", path, strerror(errno));
    mst_status st = MST_OK;
    p->n = 0;
    for (size_t k = 1; st == MST_OK && fgets(line, sizeof line, f) != NULL; k++) {
        snprintf(where, sizeof where, "--samples %.200s: line %zu", path, k);
        st = take_line(p, data, &names, line, where, err);
    }
    if (st == MST_OK && ferror(f))
        st = mst_fail(err, MST_EIO, "--samples %s: %s", path, strerror(errno));
    fclose(f);
    return st == MST_OK ? check_once(p, mst_data_count(data), path, err) : st;
}

/* ---- narrowing ---- */

static void keep_every(mst_pick *p, size_t k)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i += k)
        p->at[n++] = p->at[i];
    p->n = n;
}

/* Fisher and Yates, drawn by the counter generator that draws masks. */
static void shuffle(mst_pick *p, uint64_t seed)
{
    for (size_t i = p->n; i > 1; i--) {
        const uint32_t counter[4] = {(uint32_t)i, 0, 0, 0};
        uint32_t r[4];
        mst_philox(counter, seed, r);
        size_t k = (size_t)(((uint64_t)r[0] << 32 | r[1]) % i);
        uint32_t kept = p->at[i - 1];
        p->at[i - 1] = p->at[k];
        p->at[k] = kept;
    }
}

static mst_status keep_per_class(mst_pick *p, const mst_data *data, size_t each, mst_err *err)
{
    uint32_t *seen = mst_alloc_array(NULL, MAX_LABEL, sizeof *seen);
    size_t n = 0;
    mst_status st = seen != NULL ? MST_OK : mst_fail(err, MST_ENOMEM, "out of memory");
    for (size_t i = 0; i < p->n && st == MST_OK; i++) {
        int label;
        st = mst_data_label(data, p->at[i], &label, err);
        if (st == MST_OK && (label < 0 || label >= MAX_LABEL))
            st = mst_fail(err, MST_EINVAL, "--per-class: sample %u has no label", p->at[i]);
        if (st == MST_OK && seen[label] < each) {
            seen[label]++;
            p->at[n++] = p->at[i];
        }
    }
    mst_free_array(NULL, seen, MAX_LABEL, sizeof *seen);
    p->n = n;
    return st;
}

/* Do labels never go down, and up at least once? */
static mst_status in_order(const mst_pick *p, const mst_data *data, bool *yes, mst_err *err)
{
    int before = -1, first = -1;
    *yes = true;
    for (size_t i = 0; i < p->n && *yes; i++) {
        int label;
        MST_TRY(mst_data_label(data, p->at[i], &label, err));
        first = i == 0 ? label : first;
        *yes = label >= before;
        before = label;
    }
    *yes = *yes && before != first;
    return MST_OK;
}

static void keep_spread(mst_pick *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p->at[i] = p->at[(size_t)((unsigned __int128)i * p->n / n)];
    p->n = n;
    p->spread = true;
}

static mst_status keep_limit(mst_pick *p, const mst_data *data, const mst_pick_opts *o, mst_err *err)
{
    bool ordered = false;
    uint64_t limit = o->first.set ? o->first.value : o->limit.set ? o->limit.value
                                                                  : UINT64_MAX;
    if (limit >= p->n)
        return MST_OK;
    if (o->limit.set && !o->shuffle.set)
        MST_TRY(in_order(p, data, &ordered, err));
    if (ordered)
        keep_spread(p, (size_t)limit);
    p->n = (size_t)limit;
    return MST_OK;
}

static mst_status narrow(const mst_pick_opts *o, const mst_data *data, mst_pick *p, mst_err *err)
{
    uint64_t from = 0, to = UINT64_MAX;
    if (o->list != NULL)
        MST_TRY(take_list(p, data, o->list, err));
    if (o->range != NULL && parse_range(o->range, &from, &to)) {
        to = to < p->n ? to : p->n;
        p->n = from < to ? (size_t)(to - from) : 0;
        memmove(p->at, p->at + (p->n != 0 ? from : 0), p->n * sizeof *p->at);
    }
    if (o->every.set)
        keep_every(p, (size_t)o->every.value);
    if (o->shuffle.set)
        shuffle(p, o->shuffle.value);
    if (o->per_class.set)
        MST_TRY(keep_per_class(p, data, (size_t)o->per_class.value, err));
    MST_TRY(keep_limit(p, data, o, err));
    return p->n != 0 ? MST_OK : mst_fail(err, MST_EINVAL, "no samples are left of %zu", mst_data_count(data));
}

/* Parts of neighbours, as large as each other but for one: those of files that lie side by side are read by one. */
static mst_status cut_shard(mst_pick *p, const char *text, mst_err *err)
{
    p->selected = p->n;
    p->hash = mst_hash(MST_HASH_START, p->at, p->n * sizeof *p->at);
    if (text == NULL || !parse_shard(text, &p->shard, &p->shards))
        return MST_OK;
    if (p->n < p->shards)
        return mst_fail(err, MST_EINVAL, "--shard %s: %zu samples are fewer than the parts", text, p->n);
    size_t from = (size_t)((unsigned __int128)p->n * (p->shard - 1) / p->shards);
    size_t to = (size_t)((unsigned __int128)p->n * p->shard / p->shards);
    memmove(p->at, p->at + from, (to - from) * sizeof *p->at);
    p->n = to - from;
    return MST_OK;
}

mst_status mst_pick_make(const mst_pick_opts *o, const mst_data *data, mst_pick *p, mst_err *err)
{
    size_t count = mst_data_count(data);
    *p = (mst_pick){.n = count};
    p->n_passed = mst_data_passed_over(data, &p->passed);
    if (count > UINT32_MAX)
        return mst_fail(err, MST_ELIMIT, "%zu samples: limit is %u", count, UINT32_MAX);
    p->at = mst_arena_array(&p->arena, count != 0 ? count : 1, sizeof *p->at);
    if (p->at == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory for the numbers of %zu samples", count);
    for (size_t i = 0; i < count; i++)
        p->at[i] = (uint32_t)i;
    MST_TRY(narrow(o, data, p, err));
    return cut_shard(p, o->shard, err);
}

void mst_pick_free(mst_pick *p)
{
    mst_arena_release(&p->arena);
    *p = (mst_pick){0};
}

/* DVS128 Gesture: one recording holds many samples, told by a label file beside
 * it, NAME_labels.csv: a title line and rows "class,startTime_usec,endTime_usec"
 * with classes from 1. Sample k of a recording is row k, events of start <= t < end.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "runtime/data/data_format.h"
#include "runtime/data/events/event_list.h"

#define MAX_TEXT ((size_t)1 << 20)
#define MAX_CLASSES 100000
#define SUFFIX ".aedat"
#define MARK "\xef\xbb\xbf" /* that some editors begin UTF-8 with */

const char *mst_event_gesture_labels(mst_event_set *set, const char *recording)
{
    if (!mst_data_ends_with(recording, SUFFIX))
        return NULL;
    const char *path = mst_arena_printf(&set->texts, "%.*s_labels.csv", (int)(strlen(recording) - strlen(SUFFIX)),
                                        recording);
    uint64_t size;
    return path != NULL && mst_data_file_size(path, &size, NULL) == MST_OK ? path : NULL;
}

/* A whole text file, ended by a NUL. */
static mst_status read_text(const char *path, char **text, size_t *bytes, mst_err *err)
{
    uint64_t size;
    *text = NULL;
    MST_TRY(mst_data_file_size(path, &size, err));
    if (size > MAX_TEXT)
        return mst_fail(err, MST_ELIMIT, "%s: %" PRIu64 " bytes, limit is %zu", path, size, MAX_TEXT);
    *bytes = (size_t)size + 1;
    if ((*text = mst_alloc(NULL, *bytes)) == NULL)
        return mst_fail(err, MST_ENOMEM, "%s: no memory for %zu bytes", path, *bytes);
    mst_data_file f = {0};
    mst_status st = mst_data_file_open(&f, path, err);
    if (st == MST_OK)
        st = mst_data_file_read(&f, *text, (size_t)size, "text", err);
    mst_data_file_close(&f);
    if (st == MST_OK && strlen(*text) != size)
        st = mst_fail(err, MST_EFORMAT, "%s: offset %zu: expected text, found a zero byte", path, strlen(*text));
    if (st != MST_OK) {
        mst_free(NULL, *text, *bytes);
        *text = NULL;
    }
    return st;
}

/* Its first line: behind a byte order mark. */
static char *first_line(char *text)
{
    const size_t n = sizeof MARK - 1;
    return strncmp(text, MARK, n) == 0 ? text + n : text;
}

/* The next line without its end, NUL-terminated in place; NULL behind the last. */
static char *next_line(char **at)
{
    char *line = *at;
    if (*line == '\0')
        return NULL;
    char *lf = strchr(line, '\n');
    *at = lf != NULL ? lf + 1 : line + strlen(line);
    if (lf != NULL)
        *lf = '\0';
    for (size_t n = strlen(line); n > 0 && (line[n - 1] == '\r' || line[n - 1] == ' ');)
        line[--n] = '\0';
    while (*line == ' ')
        line++;
    return line;
}

/* Digits up to the separator, or the end for '\0'. */
static bool take_number(const char **p, char separator, int64_t *v)
{
    *v = 0;
    const char *start = *p;
    for (; **p >= '0' && **p <= '9'; (*p)++)
        if (__builtin_mul_overflow(*v, 10, v) || __builtin_add_overflow(*v, **p - '0', v))
            return false;
    if (*p == start || **p != separator)
        return false;
    *p += separator != '\0';
    return true;
}

static mst_status add_row(mst_event_set *set, const char *recording, const char *labels, size_t line_number,
                          const char *line, mst_err *err)
{
    int64_t class, from, to;
    const char *p = line;
    if (!take_number(&p, ',', &class) || !take_number(&p, ',', &from) || !take_number(&p, '\0', &to))
        return mst_fail(err, MST_EFORMAT, "%s: line %zu: expected class,start,end, found '%.64s'", labels,
                        line_number, line);
    if (class < 1 || class > MAX_CLASSES)
        return mst_fail(err, MST_EFORMAT, "%s: line %zu: class: expected 1..%d, found %" PRId64, labels,
                        line_number, MAX_CLASSES, class);
    if (to <= from)
        return mst_fail(err, MST_EFORMAT,
                        "%s: line %zu: end: expected a time behind the start %" PRId64 ", found %" PRId64,
                        labels, line_number, from, to);
    if ((size_t) class > set->n_classes)
        set->n_classes = (size_t) class;
    MST_TRY(mst_event_set_add(set, recording, (int32_t)(class - 1), from, to, err));
    set->items[set->n - 1].labels = labels;
    set->items[set->n - 1].line = line_number;
    return MST_OK;
}

mst_status mst_event_gesture_add(mst_event_set *set, const char *recording, const char *labels, mst_err *err)
{
    if (labels == NULL)
        return mst_event_set_add(set, recording, -1, 0, 0, err);
    char *text, *line;
    size_t bytes, number = 0;
    MST_TRY(read_text(labels, &text, &bytes, err));
    mst_status st = MST_OK;
    size_t before = set->n;
    for (char *at = first_line(text); st == MST_OK && (line = next_line(&at)) != NULL;) {
        number++;
        bool title = number == 1 && (*line < '0' || *line > '9');
        if (!title && *line != '\0')
            st = add_row(set, recording, labels, number, line, err);
    }
    if (st == MST_OK && set->n == before)
        st = mst_fail(err, MST_EFORMAT, "%s: expected rows class,start,end, found none", labels);
    mst_free(NULL, text, bytes);
    return st;
}

mst_status mst_event_gesture_add_labelled(mst_event_set *set, const char *recording, mst_err *err)
{
    const char *labels = mst_event_gesture_labels(set, recording);
    if (labels == NULL)
        return mst_fail(err, MST_EFORMAT, "%s: expected its labels beside it (NAME_labels.csv), found none",
                        recording);
    return mst_event_gesture_add(set, recording, labels, err);
}

mst_status mst_event_gesture_list(mst_event_set *set, const char *list, mst_err *err)
{
    char *text, *line;
    size_t bytes, number = 0;
    const char *slash = strrchr(list, '/');
    int folder = slash != NULL ? (int)(slash - list) + 1 : 0;
    MST_TRY(read_text(list, &text, &bytes, err));
    mst_status st = MST_OK;
    for (char *at = first_line(text); st == MST_OK && (line = next_line(&at)) != NULL;) {
        uint64_t size;
        number++;
        if (*line == '\0')
            continue;
        const char *path = mst_arena_printf(&set->texts, "%.*s%s", folder, list, line);
        if (path == NULL)
            st = mst_fail(err, MST_ENOMEM, "out of memory");
        else if ((st = mst_data_file_size(path, &size, err)) == MST_OK)
            st = mst_event_gesture_add_labelled(set, path, err);
        if (st != MST_OK)
            mst_fail_in(err, st, "%s: line %zu: ", list, number);
    }
    mst_free(NULL, text, bytes);
    return st;
}

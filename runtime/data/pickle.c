/* The machine that pickles are programs for: a stack, a memo, and of its instructions those that make plain data and
 * NumPy's arrays. Format: Python's pickletools.
 */
#include "runtime/data/pickle.h"

#include <inttypes.h>
#include <string.h>

#include "runtime/core/bytes.h"
#include "runtime/core/grow.h"

#define MAX_VALUES ((size_t)1 << 20) /* on the stack, in the memo, in a list: CIFAR's training sets have 50,000 */
#define MAX_MEMORY ((size_t)1 << 28)
#define SHORT_TEXT 64u /* texts up to this are kept */

enum { RECONSTRUCT,
       NDARRAY,
       DTYPE,
       N_GLOBALS };

/* All that a pickle may name. */
static const struct {
    const char *name;
    int id;
} globals[] = {
    {"numpy.core.multiarray _reconstruct", RECONSTRUCT},
    {"numpy._core.multiarray _reconstruct", RECONSTRUCT},
    {"numpy ndarray", NDARRAY},
    {"numpy dtype", DTYPE},
};

typedef struct machine {
    mst_data_file *f;
    mst_arena *a;
    mst_pickle_items stack, memo;
    uint64_t at; /* of the instruction */
    mst_err *err;
} machine;

static mst_status bad(const machine *m, const char *expected)
{
    return mst_fail(m->err, MST_EFORMAT, "%s: offset %" PRIu64 ": pickle: expected %s", m->f->path, m->at, expected);
}

static mst_status no_memory(const machine *m)
{
    return mst_fail(m->err, MST_ENOMEM, "%s: offset %" PRIu64 ": pickle: no memory for more values", m->f->path,
                    m->at);
}

/* ---- values ---- */

static mst_status add(const machine *m, mst_pickle_items *list, mst_pickle_value v)
{
    if (list->n == MAX_VALUES)
        return mst_fail(m->err, MST_ELIMIT, "%s: offset %" PRIu64 ": pickle: more than %zu values", m->f->path, m->at,
                        MAX_VALUES);
    if (list->n == list->room) {
        size_t room = list->room == 0 ? 8 : 2 * list->room;
        mst_pickle_value *grown = mst_arena_grow(m->a, list->v, list->n, room, sizeof *grown);
        if (grown == NULL)
            return no_memory(m);
        list->v = grown;
        list->room = room;
    }
    list->v[list->n++] = v;
    return MST_OK;
}

static mst_status push(machine *m, mst_pickle_value v) { return add(m, &m->stack, v); }

static mst_status push_number(machine *m, mst_pickle_kind kind, int64_t n)
{
    return push(m, (mst_pickle_value){.kind = kind, .number = n});
}

/* The value on top, of that kind; NULL: there is none such. */
static mst_pickle_value *top(machine *m, size_t below, mst_pickle_kind kind)
{
    if (m->stack.n <= below)
        return NULL;
    mst_pickle_value *v = &m->stack.v[m->stack.n - 1 - below];
    return v->kind == kind ? v : NULL;
}

/* A new list, tuple or dictionary with the n values on top, which it takes. */
static mst_status collect(machine *m, mst_pickle_kind kind, size_t n)
{
    if (n > m->stack.n)
        return bad(m, "more values before this instruction");
    mst_pickle_items *items = mst_arena_alloc(m->a, sizeof *items);
    if (items == NULL)
        return no_memory(m);
    for (size_t i = m->stack.n - n; i < m->stack.n; i++) {
        if (m->stack.v[i].kind == MST_PICKLE_MARK)
            return bad(m, "values without a mark among them");
        MST_TRY(add(m, items, m->stack.v[i]));
    }
    m->stack.n -= n;
    return push(m, (mst_pickle_value){.kind = kind, .items = items});
}

/* The values above the last mark, as a tuple on the stack in place of it. */
static mst_status collect_marked(machine *m)
{
    size_t n = 0;
    while (n < m->stack.n && m->stack.v[m->stack.n - 1 - n].kind != MST_PICKLE_MARK)
        n++;
    if (n == m->stack.n)
        return bad(m, "a mark before this instruction");
    MST_TRY(collect(m, MST_PICKLE_TUPLE, n));
    m->stack.v[m->stack.n - 2] = m->stack.v[m->stack.n - 1];
    m->stack.n--;
    return MST_OK;
}

/* The tuple on top goes into the list or dictionary below it. */
static mst_status extend(machine *m, mst_pickle_kind kind)
{
    mst_pickle_value *more = top(m, 0, MST_PICKLE_TUPLE), *into = top(m, 1, kind);
    if (more == NULL || into == NULL || (kind == MST_PICKLE_DICT && more->items->n % 2 != 0))
        return bad(m, kind == MST_PICKLE_DICT ? "a dictionary and pairs for it" : "a list and values for it");
    for (size_t i = 0; i < more->items->n; i++)
        MST_TRY(add(m, into->items, more->items->v[i]));
    m->stack.n--;
    return MST_OK;
}

/* ---- bytes ---- */

static mst_status take(machine *m, void *out, size_t n) { return mst_data_file_read(m->f, out, n, "pickle", m->err); }

/* A little-endian number of n bytes, without a sign. */
static mst_status take_number(machine *m, size_t n, uint64_t *v)
{
    uint8_t b[8] = {0};
    MST_TRY(take(m, b, n));
    *v = mst_get_u64(b);
    return MST_OK;
}

/* A text behind a length of so many bytes. */
static mst_status take_text(machine *m, size_t length)
{
    uint64_t n;
    char text[SHORT_TEXT + 1] = "";
    MST_TRY(take_number(m, length, &n));
    if (n > m->f->size || m->f->offset > m->f->size - n)
        return mst_fail(m->err, MST_ECORRUPT,
                        "%s: offset %" PRIu64 ": pickle: expected a text of %" PRIu64 " bytes, found %" PRIu64,
                        m->f->path, m->at, n, m->f->size - m->f->offset);
    mst_pickle_text *t = mst_arena_alloc(m->a, sizeof *t);
    if (t == NULL)
        return no_memory(m);
    *t = (mst_pickle_text){.offset = m->f->offset, .n = n};
    if (n > SHORT_TEXT) {
        MST_TRY(mst_data_file_pass(m->f, n, "pickle", m->err));
    } else {
        MST_TRY(take(m, text, (size_t)n));
        if ((t->text = mst_arena_copy(m->a, text, (size_t)n + 1)) == NULL)
            return no_memory(m);
    }
    return push(m, (mst_pickle_value){.kind = MST_PICKLE_TEXT, .text = t});
}

/* An integer of n bytes with a sign. */
static mst_status take_integer(machine *m, size_t n)
{
    uint64_t v;
    if (n > sizeof v)
        return bad(m, "an integer of at most 64 bits");
    MST_TRY(take_number(m, n, &v));
    unsigned unused = 64 - 8 * (unsigned)n;
    return push_number(m, MST_PICKLE_INT, n == 0 ? 0 : (int64_t)(v << unused) >> unused);
}

/* ---- NumPy ---- */

static mst_status push_global(machine *m, const char *module, const char *name)
{
    char both[2 * SHORT_TEXT + 2];
    snprintf(both, sizeof both, "%s %s", module, name);
    for (char *p = both; *p != '\0'; p++)
        *p = *p < ' ' || *p > '~' ? '?' : *p; /* no name, but it is shown */
    for (size_t i = 0; i < sizeof globals / sizeof globals[0]; i++)
        if (strcmp(globals[i].name, both) == 0)
            return push_number(m, MST_PICKLE_GLOBAL, globals[i].id);
    return mst_fail(m->err, MST_EFORMAT,
                    "%s: offset %" PRIu64 ": pickle: expected plain data and NumPy's arrays, found '%s'", m->f->path,
                    m->at, both);
}

/* "numpy\ndtype\n" */
static mst_status take_global(machine *m)
{
    char line[2][SHORT_TEXT + 1];
    for (int i = 0; i < 2; i++) {
        size_t n = 0;
        for (;; n++) {
            if (n == SHORT_TEXT)
                return bad(m, "a short name of a function");
            MST_TRY(take(m, &line[i][n], 1));
            if (line[i][n] == '\n')
                break;
            if (line[i][n] < ' ')
                return bad(m, "the name of a function");
        }
        line[i][n] = '\0';
    }
    return push_global(m, line[0], line[1]);
}

static mst_status stack_global(machine *m)
{
    const mst_pickle_value *name = top(m, 0, MST_PICKLE_TEXT), *module = top(m, 1, MST_PICKLE_TEXT);
    if (name == NULL || module == NULL || name->text->text == NULL || module->text->text == NULL)
        return bad(m, "a module and the name of a function");
    m->stack.n -= 2;
    return push_global(m, module->text->text, name->text->text);
}

/* A function and its arguments: an array, or its type. */
static mst_status reduce(machine *m)
{
    const mst_pickle_value *args = top(m, 0, MST_PICKLE_TUPLE), *f = top(m, 1, MST_PICKLE_GLOBAL);
    if (args == NULL || f == NULL)
        return bad(m, "a function and its arguments");
    const mst_pickle_items *a = args->items;
    mst_pickle_value made = {0};
    if (f->number == DTYPE && a->n > 0 && a->v[0].kind == MST_PICKLE_TEXT && a->v[0].text->text != NULL) {
        made = (mst_pickle_value){.kind = MST_PICKLE_DTYPE, .text = a->v[0].text};
    } else if (f->number == RECONSTRUCT && a->n == 3 && a->v[0].kind == MST_PICKLE_GLOBAL &&
               a->v[0].number == NDARRAY) {
        made = (mst_pickle_value){.kind = MST_PICKLE_ARRAY, .array = mst_arena_alloc(m->a, sizeof(mst_pickle_array))};
        if (made.array == NULL)
            return no_memory(m);
    } else {
        return bad(m, "the arguments of NumPy's arrays");
    }
    m->stack.n -= 2;
    return push(m, made);
}

/* The state of what was made: of an array (version, shape, dtype, fortran order, bytes). */
static mst_status build(machine *m)
{
    const mst_pickle_value *state = top(m, 0, MST_PICKLE_TUPLE), *array = top(m, 1, MST_PICKLE_ARRAY);
    if (state != NULL && array == NULL && top(m, 1, MST_PICKLE_DTYPE) != NULL) {
        m->stack.n--; /* byte order and sizes: its name says them */
        return MST_OK;
    }
    if (state == NULL || array == NULL || state->items->n != 5)
        return bad(m, "the state of an array");
    const mst_pickle_value *v = state->items->v;
    if (v[1].kind != MST_PICKLE_TUPLE || v[2].kind != MST_PICKLE_DTYPE || v[3].kind != MST_PICKLE_BOOL ||
        v[4].kind != MST_PICKLE_TEXT)
        return bad(m, "the shape, type, order and bytes of an array");
    *array->array = (mst_pickle_array){
        .built = true, .type = v[2].text->text, .shape = v[1].items, .fortran = v[3].number != 0, .bytes = v[4].text};
    m->stack.n--;
    return MST_OK;
}

/* ---- the memo ---- */

static mst_status put(machine *m, uint64_t i)
{
    if (m->stack.n == 0 || i >= MAX_VALUES)
        return bad(m, "a value for the memo");
    while (m->memo.n <= i)
        MST_TRY(add(m, &m->memo, (mst_pickle_value){.kind = MST_PICKLE_MARK}));
    m->memo.v[i] = m->stack.v[m->stack.n - 1];
    return MST_OK;
}

static mst_status put_numbered(machine *m, size_t bytes)
{
    uint64_t i;
    MST_TRY(take_number(m, bytes, &i));
    return put(m, i);
}

static mst_status get(machine *m, size_t bytes)
{
    uint64_t i;
    MST_TRY(take_number(m, bytes, &i));
    if (i >= m->memo.n || m->memo.v[i].kind == MST_PICKLE_MARK)
        return bad(m, "a value that is in the memo");
    return push(m, m->memo.v[i]);
}

/* ---- instructions ---- */

static mst_status pass(machine *m, size_t n) { return mst_data_file_pass(m->f, n, "pickle", m->err); }

static mst_status then_extend(machine *m, mst_status st, mst_pickle_kind kind)
{
    return st == MST_OK ? extend(m, kind) : st;
}

static mst_status long_integer(machine *m)
{
    uint64_t n;
    MST_TRY(take_number(m, 1, &n));
    return take_integer(m, (size_t)n);
}

static mst_status unknown(const machine *m, uint8_t op)
{
    return mst_fail(m->err, MST_EFORMAT,
                    "%s: offset %" PRIu64
                    ": pickle: expected an instruction of plain data and NumPy's arrays, found 0x%02x",
                    m->f->path, m->at, op);
}

static mst_status run_one(machine *m, uint8_t op)
{
    switch (op) {
    case 0x80: return pass(m, 1);                         /* PROTO */
    case 0x95: return pass(m, 8);                         /* FRAME */
    case '(': return push_number(m, MST_PICKLE_MARK, 0);  /* MARK */
    case 'N': return push_number(m, MST_PICKLE_NONE, 0);  /* NONE */
    case 0x88: return push_number(m, MST_PICKLE_BOOL, 1); /* NEWTRUE */
    case 0x89: return push_number(m, MST_PICKLE_BOOL, 0); /* NEWFALSE */
    case 'J': return take_integer(m, 4);                  /* BININT */
    case 0x8a: return long_integer(m);                    /* LONG1 */
    case 'U':
    case 0x8c:
    case 'C': return take_text(m, 1); /* SHORT_BINSTRING, .._BINUNICODE, .._BINBYTES */
    case 'T':
    case 'X':
    case 'B': return take_text(m, 4); /* BINSTRING, BINUNICODE, BINBYTES */
    case 0x8d:
    case 0x8e: return take_text(m, 8);                /* BINUNICODE8, BINBYTES8 */
    case ']': return collect(m, MST_PICKLE_LIST, 0);  /* EMPTY_LIST */
    case '}': return collect(m, MST_PICKLE_DICT, 0);  /* EMPTY_DICT */
    case ')': return collect(m, MST_PICKLE_TUPLE, 0); /* EMPTY_TUPLE */
    case 0x85:
    case 0x86:
    case 0x87: return collect(m, MST_PICKLE_TUPLE, op - 0x84u);                        /* TUPLE1 to 3 */
    case 't': return collect_marked(m);                                                /* TUPLE */
    case 'a': return then_extend(m, collect(m, MST_PICKLE_TUPLE, 1), MST_PICKLE_LIST); /* APPEND */
    case 'e': return then_extend(m, collect_marked(m), MST_PICKLE_LIST);               /* APPENDS */
    case 's': return then_extend(m, collect(m, MST_PICKLE_TUPLE, 2), MST_PICKLE_DICT); /* SETITEM */
    case 'u': return then_extend(m, collect_marked(m), MST_PICKLE_DICT);               /* SETITEMS */
    case 'q': return put_numbered(m, 1);                                               /* BINPUT */
    case 'r': return put_numbered(m, 4);                                               /* LONG_BINPUT */
    case 0x94: return put(m, m->memo.n);                                               /* MEMOIZE */
    case 'h': return get(m, 1);                                                        /* BINGET */
    case 'j': return get(m, 4);                                                        /* LONG_BINGET */
    case 'c': return take_global(m);                                                   /* GLOBAL */
    case 0x93: return stack_global(m);                                                 /* STACK_GLOBAL */
    case 'R': return reduce(m);                                                        /* REDUCE */
    case 'b': return build(m);                                                         /* BUILD */
    default: return unknown(m, op);
    }
}

/* BININT1 and BININT2, which have no sign, are a list's labels: most instructions. */
static mst_status push_small(machine *m, size_t bytes)
{
    uint64_t v;
    MST_TRY(take_number(m, bytes, &v));
    return push_number(m, MST_PICKLE_INT, (int64_t)v);
}

mst_status mst_pickle_read(mst_data_file *f, mst_arena *a, mst_pickle_value *out, mst_err *err)
{
    machine m = {.f = f, .a = a, .err = err};
    a->limit = MAX_MEMORY;
    for (;;) {
        uint8_t op;
        m.at = f->offset;
        MST_TRY(take(&m, &op, 1));
        if (op == '.') /* STOP */
            break;
        MST_TRY(op == 'K' || op == 'M' ? push_small(&m, op == 'K' ? 1 : 2) : run_one(&m, op));
    }
    if (m.stack.n != 1 || m.stack.v[0].kind == MST_PICKLE_MARK)
        return bad(&m, "one value at the end");
    *out = m.stack.v[0];
    return mst_data_file_end(f, err);
}

const mst_pickle_value *mst_pickle_get(const mst_pickle_value *dict, const char *key)
{
    if (dict->kind != MST_PICKLE_DICT)
        return NULL;
    for (size_t i = dict->items->n; i > 1; i -= 2) { /* the last of a key counts */
        const mst_pickle_value *k = &dict->items->v[i - 2];
        if (k->kind == MST_PICKLE_TEXT && k->text->text != NULL && k->text->n == strlen(key) &&
            memcmp(k->text->text, key, k->text->n) == 0)
            return k + 1;
    }
    return NULL;
}

bool mst_pickle_sniff(const uint8_t head[2]) { return head[0] == 0x80 && head[1] >= 2 && head[1] <= 5; }

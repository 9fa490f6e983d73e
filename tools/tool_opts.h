/* Command-line options from a table, with --help and --version. Knows nothing
 * of what the options mean.
 */
#ifndef MST_TOOL_OPTS_H
#define MST_TOOL_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mst/status.h"
#include "tools/tool_list.h"
#include "tools/tool_paths.h"
#include "tools/tool_term.h"

enum { MST_EXIT_DONE = 0,
       MST_EXIT_FAILED = 1,
       MST_EXIT_USAGE = 2 };

#define MST_OPT_MAX_LIST 64

typedef struct mst_opt_uint {
    bool set;
    uint64_t value;
} mst_opt_uint;
typedef struct mst_opt_real {
    bool set;
    double value;
} mst_opt_real;
typedef struct mst_opt_list {
    size_t n;
    const char *values[MST_OPT_MAX_LIST];
} mst_opt_list;
typedef struct mst_opt_uints {
    size_t n;
    uint32_t values[MST_OPT_MAX_LIST];
} mst_opt_uints;
typedef struct mst_opt_reals {
    size_t n;
    double values[MST_OPT_MAX_LIST];
} mst_opt_reals;

/* Numbers with commas between, as an option takes them; false for anything else. */
bool mst_parse_reals(const char *text, mst_opt_reals *out);

typedef enum mst_opt_kind {
    MST_OPT_FLAG,   /* bool: given or not */
    MST_OPT_STRING, /* const char * */
    MST_OPT_WORD,   /* const char *: one of those that value has, "a|b|c" */
    MST_OPT_INPUT,  /* const char *: a file that is read, or what names one among other things */
    MST_OPT_OUTPUT, /* const char *: a file that is written, of the mst_path_kind in min; "-" is stdout */
    MST_OPT_MAYBE,  /* the same: "-" where no value follows */
    MST_OPT_LIST,   /* mst_opt_list: may be repeated */
    MST_OPT_UINT,   /* mst_opt_uint: min..max */
    MST_OPT_REAL,   /* mst_opt_real: finite, >= 0 */
    MST_OPT_UINTS,  /* mst_opt_uints: a,b,c each min..max */
    MST_OPT_REALS   /* mst_opt_reals: a,b,c finite */
} mst_opt_kind;

typedef struct mst_opt {
    const char *name; /* "timesteps" for --timesteps; NULL: only a letter */
    char letter;      /* 'T' for -T; 0: none */
    mst_opt_kind kind;
    void *dest;        /* of the type that kind names */
    const char *value; /* in --help: "N"; NULL for flags */
    const char *help;
    uint64_t min, max; /* MST_OPT_UINT and _UINTS; min of MST_OPT_OUTPUT and _MAYBE */
} mst_opt;

typedef struct mst_tool {
    const char *name, *brief;     /* "mstrun", what it does in half a line */
    const char *synopsis, *about; /* what follows the name, one paragraph */
    const mst_opt *opts;
    size_t n_opts;
    const char *notes;            /* behind the options in --help; NULL: none */
    const mst_list *const *lists; /* of --list; {NAME} in the texts above stands for the names in one. Ends
                                     with NULL */
} mst_tool;

/* Fill every dest and up to cap positional arguments, which are taken for inputs (tool_paths.h). Returns -1 to go on,
 * or the exit code: 0 when --help, --version or a --list was printed, 2 after a line on stderr that says what is
 * wrong. */
int mst_opts_parse(const mst_tool *tool, int argc, char **argv, const char **args, size_t cap,
                   size_t *n_args);

/* An option that was given and is none of these (NULL ends them), as it was written; NULL: there is none. */
const char *mst_opts_beside(const char *const *names);

/* Of --merge: are there parts, and only options that go with it (also: one more; NULL: none)? -1 to go on, or 2. */
int mst_opts_merge(const mst_tool *tool, size_t n_args, const char *also);
#define MST_MERGE_OPTION(on) \
    { \
        "merge", 0, MST_OPT_FLAG, &(on), NULL, \
            "put together the results (--json) of all shards of a run, as those of one run, and exit", 0, 0 \
    }
#define MST_RESUME_OPTION(path) \
    { \
        "resume", 0, MST_OPT_OUTPUT, &(path), "FILE", \
            "keep in FILE how far the run came, every few seconds; go on from there if it exists", MST_PATH_JSON, 0 \
    }

/* Once usage is checked: all outputs against all inputs (2), then made ready (1). -1 to go on. Rank 0 alone writes
 * (tool_ranks.h). */
int mst_opts_open(const mst_tool *tool);

/* One line on stderr, "mstrun: error: ..." with a hint at --help; returns 2. */
int mst_opts_wrong(const mst_tool *tool, const char *fmt, ...) MST_PRINTF(2, 3);
/* "mstrun: error: text" on stderr; returns 1. */
int mst_opts_failed(const mst_tool *tool, const mst_err *err);
/* What is wrong with an option: as ..._wrong, but for want of memory, which is none of the user's. */
int mst_opts_refused(const mst_tool *tool, const mst_err *err);

/* for every tool */
#define MST_OUTPUT_OPTIONS \
    {"force", 0, MST_OPT_FLAG, &mst_paths_force, NULL, \
     "replace existing outputs that none of the tools wrote; never what is read", 0, 0}, \
    { \
        "color", 0, MST_OPT_WORD, &mst_term_colors, "auto|always|never", \
            "colour heads, errors, warnings and the worst layers: on a terminal unless NO_COLOR is set or TERM is " \
            "dumb (auto, the default), always, never", \
            0, 0 \
    }

/* Strict numbers: the whole text, no spaces, no sign for unsigned. False otherwise. */
bool mst_parse_uint(const char *text, uint64_t *out); /* decimal or 0x... */
bool mst_parse_real(const char *text, double *out);   /* finite */
/* "LEFT<sign>RIGHT" at the first sign: what follows it, LEFT copied; NULL: no sign, or LEFT does not fit n bytes. */
const char *mst_split_at(const char *text, char sign, char *left, size_t n);

#endif

/* Status codes and error texts.
 *
 * Every function that can fail returns an mst_status and takes an mst_err as
 * its last parameter. The libraries never print, exit or abort: the text in
 * mst_err is the whole report, one line, ready for a user.
 */
#ifndef MST_STATUS_H
#define MST_STATUS_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mst_status {
    MST_OK = 0,
    MST_EINVAL,       /* the caller passed something that makes no sense */
    MST_ENOMEM,       /* the allocator refused */
    MST_EIO,          /* open, read, write, rename failed */
    MST_EFORMAT,      /* not the format that it claims to be */
    MST_ECORRUPT,     /* the right format, damaged */
    MST_EVERSION,     /* a version or required feature newer than this code */
    MST_EUNSUPPORTED, /* valid, but nothing here can execute it */
    MST_ELIMIT        /* larger than a stated limit */
} mst_status;

/* An error report. Owned by the caller, who may pass NULL where the text is
 * not wanted. Untouched on success. */
typedef struct mst_err {
    mst_status code;
    char text[1000];
} mst_err;

/* MST_API stands before every function and datum that a program may use: the shared libraries show no
 * other symbol. What stands in the headers without it (types, macros, enums) has no symbol. On Windows a program that
 * is linked with the DLL defines MST_USES_DLL before it includes them, one with the static library does not. */
#if defined(_WIN32) && defined(MST_MAKES_DLL)
#define MST_API __declspec(dllexport)
#elif defined(_WIN32) && defined(MST_USES_DLL)
#define MST_API __declspec(dllimport)
#elif defined(__GNUC__) && !defined(_WIN32)
#define MST_API __attribute__((visibility("default")))
#else
#define MST_API
#endif

#if defined(__MINGW32__)
#define MST_PRINTF(fmt, args) __attribute__((format(gnu_printf, fmt, args)))
#elif defined(__GNUC__)
#define MST_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define MST_PRINTF(fmt, args)
#endif

/* Option structs (mst_run_opts, mst_import_opts, mst_convert_opts, mst_calib_opts, mst_tune_opts,
 * mst_data_want) begin with their
 * size, so that a program keeps running with a later library whose structs have grown at the end:
 *
 *     mst_run_opts opts = {.size = sizeof opts, .threads = 4};
 *
 * Fields behind a smaller size have their defaults, which are 0 everywhere; a size of 0 stands for the fields of
 * the first release. What lies behind the library's own struct must be 0, otherwise EINVAL: somebody asks for
 * what this version does not know. All other structs in the headers stay as they are as long as the number in
 * the shared libraries' names (libmst.so.0) does. */

/* Fill *err (when not NULL) with code and the formatted text; return code. */
MST_API mst_status mst_fail(mst_err *err, mst_status code, const char *fmt, ...) MST_PRINTF(3, 4);

/* Put formatted context in front of the text of an error that is being passed
 * on ("model.onnx: node 'x': ..."); return its code. */
MST_API mst_status mst_fail_in(mst_err *err, mst_status code, const char *fmt, ...) MST_PRINTF(3, 4);

/* Short English name of a code ("out of memory"), a static string. */
MST_API const char *mst_status_text(mst_status code);

/* For bindings, which need not know the struct: its bytes, and its text. */
MST_API size_t mst_err_size(void);
MST_API const char *mst_err_text(const mst_err *err);

MST_API const char *mst_version(void); /* "0.1.0": of the library that runs */

/* Pass a failure of expr on to the caller of this function. For functions that
 * hold nothing to release; the others use `goto fail`. */
#define MST_TRY(expr) \
    do { \
        mst_status mst_try_status_ = (expr); \
        if (mst_try_status_ != MST_OK) \
            return mst_try_status_; \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif

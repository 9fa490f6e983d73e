/* Status codes and error texts.
 *
 * Every function that can fail returns an mst_status and takes an mst_err as
 * its last parameter. The libraries never print, exit or abort: the text in
 * mst_err is the whole report, one line, ready for a user.
 */
#ifndef MST_STATUS_H
#define MST_STATUS_H

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
 * other symbol. What stands in the headers without it (types, macros, enums) has no symbol. */
#if defined(__GNUC__)
#define MST_API __attribute__((visibility("default")))
#define MST_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define MST_API
#define MST_PRINTF(fmt, args)
#endif

/* Fill *err (when not NULL) with code and the formatted text; return code. */
MST_API mst_status mst_fail(mst_err *err, mst_status code, const char *fmt, ...) MST_PRINTF(3, 4);

/* Put formatted context in front of the text of an error that is being passed
 * on ("model.onnx: node 'x': ..."); return its code. */
MST_API mst_status mst_fail_in(mst_err *err, mst_status code, const char *fmt, ...) MST_PRINTF(3, 4);

/* Short English name of a code ("out of memory"), a static string. */
MST_API const char *mst_status_text(mst_status code);

/* Pass a failure of expr on to the caller of this function. For functions that
 * hold nothing to release; the others use `goto fail`. */
#define MST_TRY(expr)                                                                              \
    do {                                                                                           \
        mst_status mst_try_status_ = (expr);                                                       \
        if (mst_try_status_ != MST_OK)                                                             \
            return mst_try_status_;                                                                \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif

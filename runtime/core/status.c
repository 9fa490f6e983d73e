/* Error reports: formatting only. Knows nothing of what failed. */
#include "mst/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void keep_one_line(char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = '?'; /* names come from hostile files: no control characters reach a terminal */
}

mst_status mst_fail(mst_err *err, mst_status code, const char *fmt, ...)
{
    if (err == NULL)
        return code;
    va_list args;
    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    keep_one_line(err->text);
    err->code = code;
    return code;
}

mst_status mst_fail_in(mst_err *err, mst_status code, const char *fmt, ...)
{
    if (err == NULL)
        return code;
    char text[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n > 0 && (size_t)n < sizeof text - 1)
        snprintf(text + n, sizeof text - (size_t)n, "%.*s", (int)(sizeof text - (size_t)n - 1), err->text);
    memcpy(err->text, text, sizeof text);
    keep_one_line(err->text);
    err->code = code;
    return code;
}

size_t mst_err_size(void) { return sizeof(mst_err); }
const char *mst_err_text(const mst_err *err) { return err->text; }
const char *mst_version(void) { return MST_VERSION; }

const char *mst_status_text(mst_status code)
{
    switch (code) {
    case MST_OK: return "ok";
    case MST_EINVAL: return "invalid argument";
    case MST_ENOMEM: return "out of memory";
    case MST_EIO: return "input/output error";
    case MST_EFORMAT: return "wrong format";
    case MST_ECORRUPT: return "damaged data";
    case MST_EVERSION: return "unknown version";
    case MST_EUNSUPPORTED: return "not supported";
    case MST_ELIMIT: return "limit exceeded";
    }
    return "unknown status";
}

/* See tool_mistake.h. */
#include "tools/tool_mistake.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD 4096

/* Field 1 of ModelProto, ir_version, a small number, and another field behind it. */
static bool is_onnx(const unsigned char *p, size_t n)
{
    return n > 3 && p[0] == 0x08 && p[1] > 0 && p[1] < 32 &&
           (p[2] == 0x12 || p[2] == 0x1a || p[2] == 0x3a || p[2] == 0x42);
}

static bool begins(const unsigned char *p, size_t n, const char *text, size_t k)
{
    return n >= k && memcmp(p, text, k) == 0;
}

mst_file_kind mst_file_kind_of(const char *path)
{
    unsigned char p[HEAD];
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, p, sizeof p) : -1;
    if (fd >= 0)
        close(fd);
    if (got <= 0)
        return MST_FILE_UNKNOWN;
    size_t n = (size_t)got;
    if (begins(p, n, "\x89MST", 4))
        return MST_FILE_MODEL;
    if (is_onnx(p, n))
        return MST_FILE_ONNX;
    if (begins(p, n, "PK\3\4", 4))
        return memmem(p, n, "/data.pkl", 9) != NULL ? MST_FILE_CHECKPOINT : MST_FILE_DATA;
    if (n > 2 && p[0] == 0x80 && p[1] >= 2 && p[1] <= 5)
        return MST_FILE_CHECKPOINT;
    if (n > 10 && p[8] == '{' && p[9] == '"' && memcmp(p + 4, "\0\0\0\0", 4) == 0)
        return MST_FILE_SAFETENSORS;
    if (begins(p, n, "\x89HDF\r\n", 6))
        return MST_FILE_HDF5;
    if (begins(p, n, "\x93NUMPY", 6) || begins(p, n, "\x89PNG", 4) || begins(p, n, "\xff\xd8\xff", 3) ||
        begins(p, n, "#!AER", 5))
        return MST_FILE_DATA;
    return MST_FILE_UNKNOWN;
}

static const char *export_hint(mst_file_kind found)
{
    return found == MST_FILE_CHECKPOINT
               ? "a PyTorch checkpoint, which has weights and no network: load it into its model in Python, then "
                 "torch.onnx.export(model.eval(), torch.zeros(1, C, H, W), \"model.onnx\", opset_version=17)"
           : found == MST_FILE_SAFETENSORS
               ? "safetensors, which are weights and no network: load them into their model in Python, then "
                 "torch.onnx.export(model.eval(), torch.zeros(1, C, H, W), \"model.onnx\", opset_version=17)"
               : "HDF5: export a Keras model with python3 -m tf2onnx.convert --keras MODEL --output model.onnx";
}

/* The place where an argument like this belongs; n: nowhere, or there is one already. */
static size_t place_of(mst_file_kind found, const char *const *args, const mst_file_kind *kinds, size_t n)
{
    for (size_t k = 0; k < n; k++)
        if (kinds[k] == found && mst_file_kind_of(args[k]) != found)
            return k;
    return n;
}

/* The command with arguments i and k in each other's place. */
static mst_status swapped(const char *usage, const char *const *args, size_t n, size_t i, size_t k, mst_err *err)
{
    char line[1024];
    size_t used = (size_t)snprintf(line, sizeof line, "%.*s", (int)strcspn(usage, " "), usage);
    for (size_t a = 0; a < n && used < sizeof line; a++)
        used += (size_t)snprintf(line + used, sizeof line - used, " %s", args[a == i ? k : a == k ? i
                                                                                                  : a]);
    return mst_fail(err, MST_EINVAL, "arguments are in another order than %s: try %s", usage, line);
}

static mst_status wrong_kind(const char *path, mst_file_kind wanted, mst_file_kind found, mst_err *err)
{
    if (wanted == MST_FILE_DATA)
        return MST_OK;
    if (found == MST_FILE_CHECKPOINT || found == MST_FILE_SAFETENSORS || found == MST_FILE_HDF5)
        return mst_fail(err, MST_EINVAL, "%s: it is %s", path, export_hint(found));
    if (wanted == MST_FILE_MODEL && found == MST_FILE_ONNX)
        return mst_fail(err, MST_EINVAL, "%s: it is an ONNX model, not converted yet: mstconv %s -o model.bin", path,
                        path);
    if (wanted == MST_FILE_ONNX && found == MST_FILE_MODEL)
        return mst_fail(err, MST_EINVAL, "%s: it is a converted network already: mstrun %s DATA runs it", path, path);
    return MST_OK; /* whoever reads it says what is wrong */
}

mst_status mst_mistake_check(const char *usage, const char *const *args, const mst_file_kind *kinds, size_t n,
                             mst_err *err)
{
    for (size_t i = 0; i < n; i++) {
        mst_file_kind found = mst_file_kind_of(args[i]);
        if (found == kinds[i] || (found == MST_FILE_UNKNOWN) || (kinds[i] == MST_FILE_DATA && found == MST_FILE_DATA))
            continue;
        size_t k = place_of(found, args, kinds, n);
        if (k != n && k != i && (found == MST_FILE_MODEL || found == MST_FILE_ONNX))
            return swapped(usage, args, n, i, k, err);
        MST_TRY(wrong_kind(args[i], kinds[i], found, err));
    }
    return MST_OK;
}

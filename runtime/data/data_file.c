/* Files behind the readers: exact reads, gzip or not, sizes checked before
 * anything is allocated. Knows nothing of what is in them.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/data/data_format.h"

/* deflate cannot pack more than this many bytes into one */
#define DEFLATE_MAX_RATIO 1032u
#define READ_CHUNK ((size_t)1 << 28)
#define PASS_CHUNK ((size_t)1 << 16)

mst_status mst_data_file_size(const char *path, uint64_t *size, mst_err *err)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return mst_fail(err, MST_EIO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return mst_fail(err, MST_EIO, "%s: expected a regular file, found %s", path,
                        S_ISDIR(st.st_mode) ? "a folder" : "something else");
    *size = (uint64_t)st.st_size;
    return MST_OK;
}

bool mst_data_ends_with(const char *path, const char *suffix)
{
    size_t n = strlen(path), k = strlen(suffix);
    return n > k && strcmp(path + n - k, suffix) == 0;
}

bool mst_data_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

mst_status mst_data_file_open(mst_data_file *f, const char *path, mst_err *err)
{
    *f = (mst_data_file){.path = path};
    MST_TRY(mst_data_file_size(path, &f->size, err));
    errno = 0;
    f->gz = gzopen(path, "rb");
    if (f->gz == NULL)
        return mst_fail(err, errno != 0 ? MST_EIO : MST_ENOMEM, "%s: %s", path,
                        errno != 0 ? strerror(errno) : "out of memory");
    return MST_OK;
}

void mst_data_file_close(mst_data_file *f)
{
    if (f->gz != NULL)
        gzclose_r(f->gz);
    f->gz = NULL;
}

/* What zlib or the system says of a failed read. Offsets are those of the unpacked bytes. */
static mst_status bad_read(const mst_data_file *f, uint64_t offset, const char *what, mst_err *err)
{
    int code;
    const char *text = gzerror(f->gz, &code);
    size_t n = strlen(f->path); /* zlib puts it in front of its text */
    if (code == Z_ERRNO)
        return mst_fail(err, MST_EIO, "%s: offset %" PRIu64 ": %s: %s", f->path, offset, what,
                        strerror(errno));
    if (code == Z_BUF_ERROR)
        return mst_fail(err, MST_ECORRUPT,
                        "%s: offset %" PRIu64
                        ": %s: expected the rest of the gzip data, found the end of the file",
                        f->path, offset, what);
    if (strncmp(text, f->path, n) == 0 && text[n] == ':')
        text += n + 1 + strspn(text + n + 1, " ");
    return mst_fail(err, code == Z_MEM_ERROR ? MST_ENOMEM : MST_ECORRUPT,
                    "%s: offset %" PRIu64 ": %s: expected sound gzip data, found damage: %s", f->path, offset,
                    what, text);
}

/* n bytes, in parts of at most room: one behind the other into out, or each into its beginning. */
static mst_status take(mst_data_file *f, uint8_t *out, size_t room, bool keep, uint64_t n, const char *what,
                       mst_err *err)
{
    uint64_t done = 0;
    while (done < n) {
        size_t want = n - done < room ? (size_t)(n - done) : room;
        int got = gzread(f->gz, keep ? out + done : out, (unsigned)want);
        if (got < 0)
            return bad_read(f, f->offset + done, what, err);
        if (got == 0)
            return mst_fail(err, MST_ECORRUPT, "%s: offset %" PRIu64 ": %s: expected %" PRIu64 " bytes, found %" PRIu64,
                            f->path, f->offset, what, n, done);
        done += (uint64_t)got;
    }
    f->offset += n;
    return MST_OK;
}

mst_status mst_data_file_read(mst_data_file *f, void *out, size_t n, const char *what, mst_err *err)
{
    return take(f, out, READ_CHUNK, true, n, what, err);
}

mst_status mst_data_file_pass(mst_data_file *f, uint64_t n, const char *what, mst_err *err)
{
    uint8_t part[PASS_CHUNK];
    return take(f, part, sizeof part, false, n, what, err);
}

mst_status mst_data_file_expect(const mst_data_file *f, uint64_t n, const char *what, mst_err *err)
{
    if (n > MST_DATA_MAX_BYTES)
        return mst_fail(err, MST_ELIMIT, "%s: offset %" PRIu64 ": %s of %" PRIu64 " bytes: limit is %zu",
                        f->path, f->offset, what, n, MST_DATA_MAX_BYTES);
    if (gzdirect(f->gz)) {
        uint64_t left = f->size > f->offset ? f->size - f->offset : 0;
        if (left != n)
            return mst_fail(err, MST_ECORRUPT,
                            "%s: offset %" PRIu64 ": %s: the header expects %" PRIu64
                            " bytes, found %" PRIu64,
                            f->path, f->offset, what, n, left);
    } else if (n / DEFLATE_MAX_RATIO > f->size) {
        return mst_fail(err, MST_ECORRUPT,
                        "%s: offset %" PRIu64 ": %s: the header expects %" PRIu64
                        " bytes, a gzip file of %" PRIu64 " cannot hold them",
                        f->path, f->offset, what, n, f->size);
    }
    return MST_OK;
}

mst_status mst_data_file_end(mst_data_file *f, mst_err *err)
{
    uint8_t extra;
    int got = gzread(f->gz, &extra, 1); /* for gzip this also checks the CRC */
    int code;
    gzerror(f->gz, &code); /* a cut trailer reads as an end, and is only told here */
    if (got < 0 || code != Z_OK)
        return bad_read(f, f->offset, "end", err);
    if (got > 0)
        return mst_fail(err, MST_ECORRUPT,
                        "%s: offset %" PRIu64 ": expected the end of the file, found more bytes",
                        f->path, f->offset);
    return MST_OK;
}

bool mst_data_file_peek(const char *path, void *out, size_t n)
{
    mst_data_file f;
    bool ok = mst_data_file_open(&f, path, NULL) == MST_OK && mst_data_file_read(&f, out, n, "header",
                                                                                 NULL) == MST_OK;
    mst_data_file_close(&f);
    return ok;
}

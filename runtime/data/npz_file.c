/* .npz through libzip. What a zip says of its members is checked before room is
 * taken for them.
 */
#include "runtime/data/npz_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <zip.h>

#include "runtime/data/data_format.h"

#define DEFLATE_MAX_RATIO 1032u /* deflate cannot pack more than this many bytes into one */
#define CHUNK ((size_t)1 << 16)

bool mst_npz_sniff(const uint8_t *head, size_t n)
{
    return n >= 4 && memcmp(head, "PK\x03\x04", 4) == 0;
}

mst_status mst_npz_open(mst_npz *z, const char *path, mst_err *err)
{
    int code = 0;
    *z = (mst_npz){.path = path};
    MST_TRY(mst_data_file_size(path, &z->size, err));
    z->zip = zip_open(path, ZIP_RDONLY, &code);
    if (z->zip != NULL)
        return MST_OK;
    zip_error_t e;
    zip_error_init_with_code(&e, code);
    mst_status st = MST_EIO;
    if (code == ZIP_ER_MEMORY)
        st = MST_ENOMEM;
    else if (code == ZIP_ER_NOZIP || code == ZIP_ER_INCONS)
        st = MST_EFORMAT;
    mst_fail(err, st, "%s: expected an npz (a zip of .npy files), found none: %s", path,
             zip_error_strerror(&e));
    zip_error_fini(&e);
    return st;
}

void mst_npz_close(mst_npz *z)
{
    if (z->zip != NULL)
        zip_discard(z->zip);
    z->zip = NULL;
}

bool mst_npz_has(const char *path, const char *name)
{
    mst_npz z;
    bool has = mst_npz_open(&z, path, NULL) == MST_OK && zip_name_locate(z.zip, name, 0) >= 0;
    mst_npz_close(&z);
    return has;
}

/* Does a member's claim fit its file? */
static mst_status check_member(const mst_npz *z, const zip_stat_t *st, const char *name, mst_err *err)
{
    const zip_uint64_t known = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
    if ((st->valid & known) != known)
        return mst_fail(err, MST_ECORRUPT, "%s: %s: expected its size and method, found none", z->path, name);
    if (st->comp_method != ZIP_CM_STORE && st->comp_method != ZIP_CM_DEFLATE)
        return mst_fail(err, MST_EUNSUPPORTED,
                        "%s: %s: compression: expected 0 (stored) or 8 (deflated), found %u",
                        z->path, name, st->comp_method);
    if ((st->valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && st->encryption_method != ZIP_EM_NONE)
        return mst_fail(err, MST_EUNSUPPORTED, "%s: %s: expected no encryption, found method %u", z->path,
                        name,
                        st->encryption_method);
    if (st->size > MST_DATA_MAX_BYTES)
        return mst_fail(err, MST_ELIMIT, "%s: %s: %" PRIu64 " bytes: limit is %zu", z->path, name, st->size,
                        MST_DATA_MAX_BYTES);
    bool fits = st->comp_size <= z->size && (st->comp_method == ZIP_CM_STORE
                                                 ? st->size == st->comp_size
                                                 : st->size / DEFLATE_MAX_RATIO <= st->comp_size);
    if (!fits)
        return mst_fail(err, MST_ECORRUPT,
                        "%s: %s: %" PRIu64 " bytes cannot come from %" PRIu64 " in a file of %" PRIu64, z->path, name,
                        st->size, st->comp_size, z->size);
    return MST_OK;
}

static mst_status no_room(const mst_npz *z, const char *name, mst_err *err)
{
    return mst_fail(err, MST_EIO, "%s: %s: cannot be unpacked into a temporary file in %s: %s", z->path, name,
                    P_tmpdir, strerror(errno));
}

/* Exactly n bytes; asking for one more makes libzip check the CRC. */
static mst_status unpack(const mst_npz *z, zip_file_t *in, const char *name, FILE *out, uint64_t n,
                         mst_err *err)
{
    uint8_t chunk[CHUNK];
    for (uint64_t done = 0, left = n;; done = n - left) {
        zip_int64_t got = zip_fread(in, chunk, left == 0 ? 1 : left < CHUNK ? left
                                                                            : CHUNK);
        if (got < 0)
            return mst_fail(err, MST_ECORRUPT, "%s: %s: offset %" PRIu64 ": %s", z->path, name, done,
                            zip_file_strerror(in));
        if (got == 0 && left == 0)
            return fflush(out) == 0 ? MST_OK : no_room(z, name, err);
        if (got == 0 || left == 0)
            return mst_fail(err, MST_ECORRUPT, "%s: %s: expected %" PRIu64 " bytes, found %s%" PRIu64,
                            z->path, name, n, got == 0 ? "" : "more than ", done);
        if (fwrite(chunk, 1, (size_t)got, out) != (size_t)got)
            return no_room(z, name, err);
        left -= (uint64_t)got;
    }
}

/* Behind a file that has no name, so that nothing is left whatever happens. */
static mst_status read_member(mst_npz *z, const zip_stat_t *st, const char *name, mst_npy_array *a,
                              mst_err *err)
{
    char text[1024];
    MST_TRY(check_member(z, st, name, err));
    zip_file_t *in = zip_fopen_index(z->zip, st->index, 0);
    if (in == NULL)
        return mst_fail(err, MST_ECORRUPT, "%s: %s: %s", z->path, name, zip_strerror(z->zip));
    FILE *out = tmpfile();
    mst_status code = out != NULL ? unpack(z, in, name, out, st->size, err) : no_room(z, name, err);
    zip_fclose(in);
    int fd = code == MST_OK ? fcntl(fileno(out), F_DUPFD_CLOEXEC, 0) : -1;
    if (code == MST_OK && fd < 0)
        code = no_room(z, name, err);
    if (out != NULL)
        fclose(out);
    if (code != MST_OK)
        return code;
    snprintf(text, sizeof text, "%s: %s", z->path, name);
    return mst_npy_array_take(a, text, fd, st->size, err);
}

mst_status mst_npz_array(mst_npz *z, const char *const *names, bool *found, mst_npy_array *a, mst_err *err)
{
    *a = (mst_npy_array){.fd = -1};
    *found = false;
    for (; *names != NULL && !*found; names++) {
        zip_stat_t st;
        zip_int64_t at = zip_name_locate(z->zip, *names, 0);
        if (at < 0)
            continue;
        *found = true;
        if (zip_stat_index(z->zip, (zip_uint64_t)at, 0, &st) != 0)
            return mst_fail(err, MST_ECORRUPT, "%s: %s: %s", z->path, *names, zip_strerror(z->zip));
        MST_TRY(read_member(z, &st, *names, a, err));
    }
    return MST_OK;
}

/* libhdf5 behind one lock, silenced, and told nothing of the file's that was not looked at. */
#include "runtime/data/events/event_hdf5_rows.h"

#ifdef MST_HDF5

#include <hdf5.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define MAX_CHUNK ((uint64_t)1 << 26) /* bytes, unpacked: libhdf5 holds one of each data set */
#define DEFLATE_RATIO 1032u           /* what it makes of a byte at most */
#define PLUGIN_RATIO 65536u           /* zstd's blocks of one value: 128 kB of 4 bytes, twice */
#define MAX_NAME 64
#define MAX_MEMBERS 64
#define SAID 128u /* bytes of what libhdf5 says */

/* Not every build of libhdf5 may be called by two threads. Its errors are printed unless they are told not to be, which
 * is put back, as the program may use it too. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

typedef struct printing {
    H5E_auto2_t print;
    void *data;
} printing;

static printing enter(void)
{
    printing before = {NULL, NULL};
    pthread_mutex_lock(&lock);
    H5Eget_auto2(H5E_DEFAULT, &before.print, &before.data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return before;
}

static void leave(printing before)
{
    H5Eclear2(H5E_DEFAULT);
    H5Eset_auto2(H5E_DEFAULT, before.print, before.data);
    pthread_mutex_unlock(&lock);
}

/* What libhdf5 says of its last failure: the innermost call's text. */
static herr_t take_text(unsigned n, const H5E_error2_t *said, void *out)
{
    if (n == 0)
        snprintf(out, SAID, "%s", said->desc != NULL ? said->desc : "");
    return 0;
}

static mst_status failed(const mst_hdf5 *f, const char *name, mst_err *err)
{
    char said[SAID] = "";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_text, said);
    for (char *p = said; *p != '\0'; p++)
        *p = *p < ' ' || *p > '~' ? '?' : *p;
    return mst_fail(err, MST_ECORRUPT,
                    "%s: '%s': expected what libhdf5 %d.%d.%d reads, found: %s", f->path, name, H5_VERS_MAJOR,
                    H5_VERS_MINOR, H5_VERS_RELEASE, said[0] != '\0' ? said : "damage");
}

mst_status mst_hdf5_open(mst_hdf5 *f, const char *path, uint64_t size, mst_err *err)
{
    printing before = enter();
    hid_t id = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    *f = (mst_hdf5){path, size, id > 0 ? id : 0};
    mst_status st = id > 0 ? MST_OK : failed(f, "/", err);
    leave(before);
    return st;
}

void mst_hdf5_close(mst_hdf5 *f)
{
    printing before = enter();
    if (f->id != 0)
        H5Fclose(f->id);
    leave(before);
    f->id = 0;
}

/* All links on the way are ones that stay in the file. */
static bool is_there(const mst_hdf5 *f, const char *name)
{
    char part[MAX_NAME];
    for (const char *end = name;; end++) {
        H5L_info_t link;
        if (*end != '/' && *end != '\0')
            continue;
        snprintf(part, sizeof part, "%.*s", (int)(end - name), name);
        if (H5Lexists(f->id, part, H5P_DEFAULT) <= 0 || H5Lget_info(f->id, part, &link, H5P_DEFAULT) < 0 ||
            link.type != H5L_TYPE_HARD)
            return false;
        if (*end == '\0')
            return true;
    }
}

bool mst_hdf5_has(const mst_hdf5 *f, const char *name)
{
    printing before = enter();
    bool there = is_there(f, name);
    leave(before);
    return there;
}

/* ---- types ---- */

static bool is_integer(hid_t type)
{
    H5T_class_t class = H5Tget_class(type);
    size_t size = H5Tget_size(type);
    return (class == H5T_INTEGER || class == H5T_ENUM) && size >= 1 && size <= sizeof(int64_t); /* bools are enums */
}

/* Member i of records goes into a field of the row in memory, if it is one that is wanted. */
static bool put_member(hid_t records, unsigned i, mst_hdf5_field field, unsigned n_fields, hid_t row, unsigned *found)
{
    hid_t type = H5Tget_member_type(records, i);
    char *name = H5Tget_member_name(records, i);
    int k = name != NULL ? field(name) : -1;
    bool good = type > 0 && is_integer(type) && name != NULL;
    if (good && k >= 0 && (unsigned)k < n_fields && (*found & 1u << k) == 0) {
        good = H5Tinsert(row, name, sizeof(int64_t) * (unsigned)k, H5T_NATIVE_INT64) >= 0;
        *found |= 1u << k;
    }
    H5free_memory(name);
    if (type > 0)
        H5Tclose(type);
    return good;
}

/* A row in memory; 0: the data set has none such. */
static hid_t row_type(hid_t stored, mst_hdf5_field field, unsigned n_fields)
{
    if (field == NULL)
        return is_integer(stored) ? H5Tcopy(H5T_NATIVE_INT64) : 0;
    int members = H5Tget_class(stored) == H5T_COMPOUND ? H5Tget_nmembers(stored) : 0;
    if (members <= 0 || members > MAX_MEMBERS)
        return 0;
    unsigned found = 0;
    hid_t row = H5Tcreate(H5T_COMPOUND, n_fields * sizeof(int64_t));
    bool good = row > 0;
    for (int i = 0; i < members && good; i++)
        good = put_member(stored, (unsigned)i, field, n_fields, row, &found);
    if (good && found == (1u << n_fields) - 1)
        return row;
    if (row > 0)
        H5Tclose(row);
    return 0;
}

/* ---- what a data set claims ---- */

static mst_status bad(const mst_hdf5 *f, const char *name, const char *expected, mst_err *err)
{
    return mst_fail(err, MST_EFORMAT, "%s: '%s': expected %s", f->path, name, expected);
}

/* *ratio: bytes that one of the file may become. */
static mst_status check_filters(const mst_hdf5 *f, const char *name, hid_t how, uint64_t *ratio, mst_err *err)
{
    for (int i = 0; i < H5Pget_nfilters(how); i++) {
        char filter[MAX_NAME] = "";
        size_t none = 0;
        unsigned flags, config;
        int id = H5Pget_filter2(how, (unsigned)i, &flags, &none, NULL, sizeof filter, filter, &config);
        filter[MAX_NAME - 1] = '\0';
        for (char *p = filter; *p != '\0'; p++)
            *p = *p < ' ' || *p > '~' ? '?' : *p;
        bool own = id == H5Z_FILTER_DEFLATE || id == H5Z_FILTER_SHUFFLE || id == H5Z_FILTER_FLETCHER32;
        if (id < 0 || (!own && (id < H5Z_FILTER_RESERVED || H5Zfilter_avail(id) <= 0)))
            return mst_fail(err, MST_EUNSUPPORTED,
                            "%s: '%s': packed by filter %d (%s), which libhdf5 does not find: put its plugin into "
                            "HDF5_PLUGIN_PATH, or unpack by h5repack -f NONE where it is",
                            f->path, name, id,
                            id == 0x8ecf     ? "Prophesee's ECF codec"
                            : filter[0] != 0 ? filter
                                             : "without a name");
        uint64_t most = !own ? PLUGIN_RATIO : id == H5Z_FILTER_DEFLATE ? DEFLATE_RATIO
                                                                       : 1;
        *ratio = most > *ratio ? most : *ratio;
    }
    return MST_OK;
}

/* Chunks that are all there, of a size that can be held. */
static mst_status check_chunks(const mst_hdf5 *f, const char *name, hid_t set, hid_t how, uint64_t n, size_t size,
                               uint64_t *chunk, mst_err *err)
{
    hsize_t rows = 0, have = 0;
    if (H5Pget_chunk(how, 1, &rows) != 1 || rows == 0)
        return bad(f, name, "chunks of rows", err);
    if (rows > MAX_CHUNK / size)
        return mst_fail(err, MST_ELIMIT,
                        "%s: '%s': chunks of %" PRIu64 " rows of %zu bytes: limit is %" PRIu64
                        " bytes; to part them: h5repack -l CHUNK=65536 FILE NEW",
                        f->path, name, (uint64_t)rows, size, MAX_CHUNK);
    uint64_t need = n / rows + (n % rows != 0);
    hid_t all = H5Dget_space(set);
    bool known = all > 0 && H5Dget_num_chunks(set, all, &have) >= 0;
    if (all > 0)
        H5Sclose(all);
    if (!known || have != need)
        return mst_fail(err, MST_ECORRUPT, "%s: '%s': expected %" PRIu64 " chunks, found %" PRIu64, f->path, name, need,
                        known ? (uint64_t)have : 0);
    *chunk = rows * size;
    return MST_OK;
}

static mst_status check_bytes(const mst_hdf5 *f, const char *name, hid_t set, uint64_t n, size_t size, uint64_t ratio,
                              mst_err *err)
{
    uint64_t stored = H5Dget_storage_size(set);
    if (stored <= f->size && stored <= UINT64_MAX / ratio && n <= stored * ratio / size)
        return MST_OK;
    return mst_fail(err, MST_ECORRUPT,
                    "%s: '%s': %" PRIu64 " rows of %zu bytes: expected them in a file of %" PRIu64
                    " bytes, found %" PRIu64 " bytes for them",
                    f->path, name, n, size, f->size, stored);
}

/* *chunk: bytes of one; 0: there are none. */
static mst_status check_storage(const mst_hdf5 *f, const char *name, hid_t set, hid_t how, uint64_t n, size_t size,
                                uint64_t *chunk, mst_err *err)
{
    H5D_layout_t layout = H5Pget_layout(how);
    bool plain = layout == H5D_CONTIGUOUS || layout == H5D_COMPACT;
    *chunk = 0;
    if ((!plain && layout != H5D_CHUNKED) || H5Pget_external_count(how) != 0)
        return mst_fail(err, MST_EUNSUPPORTED, "%s: '%s': expected its numbers in the file itself", f->path, name);
    uint64_t ratio = 1;
    if (!plain) {
        MST_TRY(check_filters(f, name, how, &ratio, err));
        MST_TRY(check_chunks(f, name, set, how, n, size, chunk, err));
    }
    return check_bytes(f, name, set, n, size, ratio, err);
}

/* ---- rows ---- */

static bool take_shape(hid_t set, uint64_t *n)
{
    hsize_t dims[1] = {0};
    hid_t space = H5Dget_space(set);
    bool good = space > 0 && H5Sget_simple_extent_type(space) == H5S_SIMPLE && H5Sget_simple_extent_ndims(space) == 1 &&
                H5Sget_simple_extent_dims(space, dims, NULL) == 1;
    if (space > 0)
        H5Sclose(space);
    *n = dims[0];
    return good;
}

static mst_status check_set(const mst_hdf5 *f, const char *name, mst_hdf5_field field, mst_hdf5_rows *r,
                            uint64_t *chunk, mst_err *err)
{
    hid_t stored = H5Dget_type(r->set), how = H5Dget_create_plist(r->set);
    mst_status st = MST_OK;
    hid_t row = stored > 0 ? row_type(stored, field, r->n_fields) : 0;
    r->type = row > 0 ? row : 0;
    if (r->type == 0)
        st = bad(f, name, field != NULL ? "records of integers t, x, y, p" : "integers", err);
    else if (!take_shape(r->set, &r->n))
        st = bad(f, name, "one dimension", err);
    else
        st = how > 0 ? check_storage(f, name, r->set, how, r->n, H5Tget_size(stored), chunk, err)
                     : bad(f, name, "to be told how it is stored", err);
    if (how > 0)
        H5Pclose(how);
    if (stored > 0)
        H5Tclose(stored);
    return st;
}

/* Once more, so that a chunk that is read in parts is unpacked once. */
static bool open_again(const mst_hdf5 *f, const char *name, uint64_t chunk, mst_hdf5_rows *r)
{
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    bool good = access > 0 && H5Pset_chunk_cache(access, 3, (size_t)chunk, 1.0) >= 0;
    H5Dclose(r->set);
    hid_t set = good ? H5Dopen2(f->id, name, access) : 0;
    r->set = set > 0 ? set : 0;
    if (access > 0)
        H5Pclose(access);
    return r->set != 0;
}

static mst_status rows_open(const mst_hdf5 *f, const char *name, mst_hdf5_field field, mst_hdf5_rows *r, mst_err *err)
{
    uint64_t chunk = 0;
    if (!is_there(f, name))
        return bad(f, name, "a data set in the file itself, found none", err);
    hid_t set = H5Dopen2(f->id, name, H5P_DEFAULT);
    r->set = set > 0 ? set : 0;
    if (r->set == 0)
        return failed(f, name, err);
    MST_TRY(check_set(f, name, field, r, &chunk, err));
    return chunk == 0 || open_again(f, name, chunk, r) ? MST_OK : failed(f, name, err);
}

mst_status mst_hdf5_rows_open(const mst_hdf5 *f, const char *name, mst_hdf5_field field, unsigned n_fields,
                              mst_hdf5_rows *out, mst_err *err)
{
    *out = (mst_hdf5_rows){.n_fields = n_fields};
    printing before = enter();
    mst_status st = rows_open(f, name, field, out, err);
    leave(before);
    return st;
}

void mst_hdf5_rows_close(mst_hdf5_rows *r)
{
    printing before = enter();
    if (r->set != 0)
        H5Dclose(r->set);
    if (r->type != 0)
        H5Tclose(r->type);
    leave(before);
    r->set = r->type = 0;
}

static bool read_rows(const mst_hdf5_rows *r, uint64_t at, size_t n, int64_t *out)
{
    hsize_t start = at, count = n;
    hid_t part = H5Dget_space(r->set), memory = H5Screate_simple(1, &count, NULL);
    bool good = part > 0 && memory > 0 && H5Sselect_hyperslab(part, H5S_SELECT_SET, &start, NULL, &count, NULL) >= 0 &&
                H5Dread(r->set, r->type, memory, part, H5P_DEFAULT, out) >= 0;
    if (part > 0)
        H5Sclose(part);
    if (memory > 0)
        H5Sclose(memory);
    return good;
}

mst_status mst_hdf5_rows_read(const mst_hdf5 *f, const mst_hdf5_rows *r, uint64_t at, size_t n, int64_t *out,
                              mst_err *err)
{
    printing before = enter();
    char rows[64];
    snprintf(rows, sizeof rows, "rows %" PRIu64 "..%" PRIu64, at, at + n - 1);
    mst_status st = read_rows(r, at, n, out) ? MST_OK : failed(f, rows, err);
    leave(before);
    return st;
}

static bool read_number(const mst_hdf5 *f, const char *name, int64_t *out)
{
    hid_t set = is_there(f, name) ? H5Dopen2(f->id, name, H5P_DEFAULT) : 0;
    if (set <= 0)
        return false;
    hid_t type = H5Dget_type(set), space = H5Dget_space(set), how = H5Dget_create_plist(set);
    bool good = type > 0 && is_integer(type) && space > 0 && H5Sget_simple_extent_npoints(space) == 1 && how > 0 &&
                H5Pget_external_count(how) == 0 && H5Pget_layout(how) != H5D_CHUNKED &&
                H5Pget_layout(how) != H5D_VIRTUAL && H5Dget_storage_size(set) >= H5Tget_size(type) &&
                H5Dread(set, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0;
    if (how > 0)
        H5Pclose(how);
    if (space > 0)
        H5Sclose(space);
    if (type > 0)
        H5Tclose(type);
    H5Dclose(set);
    return good;
}

mst_status mst_hdf5_number(const mst_hdf5 *f, const char *name, int64_t *out, mst_err *err)
{
    printing before = enter();
    bool good = read_number(f, name, out);
    leave(before);
    return good ? MST_OK : mst_fail(err, MST_ECORRUPT, "%s: '%s': expected an integer", f->path, name);
}

/* Fixed texts of up to n bytes, or those behind a pointer. */
static bool read_text(hid_t attribute, hid_t type, char *out, size_t n)
{
    char *text = NULL;
    if (H5Tget_class(type) != H5T_STRING || H5Aget_storage_size(attribute) > MAX_NAME)
        return false;
    if (H5Tis_variable_str(type) <= 0) {
        char fixed[MAX_NAME + 1] = "";
        bool good = H5Tget_size(type) <= MAX_NAME && H5Aread(attribute, type, fixed) >= 0;
        snprintf(out, n, "%s", fixed);
        return good;
    }
    hid_t memory = H5Tcopy(type);
    bool good = memory > 0 && H5Aread(attribute, memory, &text) >= 0 && text != NULL;
    if (good)
        snprintf(out, n, "%s", text);
    H5free_memory(text);
    if (memory > 0)
        H5Tclose(memory);
    return good;
}

bool mst_hdf5_text(const mst_hdf5 *f, const char *name, char *out, size_t n)
{
    printing before = enter();
    hid_t attribute = H5Aexists(f->id, name) > 0 ? H5Aopen(f->id, name, H5P_DEFAULT) : 0;
    hid_t type = attribute > 0 ? H5Aget_type(attribute) : 0, space = attribute > 0 ? H5Aget_space(attribute) : 0;
    bool good = type > 0 && space > 0 && H5Sget_simple_extent_npoints(space) == 1 && read_text(attribute, type, out, n);
    if (space > 0)
        H5Sclose(space);
    if (type > 0)
        H5Tclose(type);
    if (attribute > 0)
        H5Aclose(attribute);
    leave(before);
    return good;
}

#endif

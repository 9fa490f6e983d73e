/* Streams of recordings: opening, the end, the way back, and the table of
 * profiles. Knows no file format itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "mst/alloc.h"
#include "runtime/data/data_format.h"
#include "runtime/data/events/event_decoder.h"

#define SNIFF_BYTES 4096u
#define ATIS_RECORD 5u
#define UPRIGHT (MST_EVENT_FLIP_X | MST_EVENT_FLIP_Y)

/* Where the sources of sizes and turns are told: docs/EVENTS.md. Sniffing takes the
 * first profile of a decoder, so the general one of each stands before the special ones. */
static const mst_event_profile profiles[] = {
    {"aedat2", "other DVS128 and DAVIS recordings: AEDAT 2.0, .aedat",
     ".aedat", &mst_event_aedat2, 128, 128, UPRIGHT, false},
    {"cifar10dvs", "CIFAR10-DVS: AEDAT 2.0, .aedat",
     ".aedat", &mst_event_aedat2, 128, 128, MST_EVENT_SWAP | UPRIGHT, false},
    {"dvsaction", "DVS Action Recognition (Miao 2019): AEDAT 2.0, .aedat", ".aedat", &mst_event_aedat2, 346, 260,
     UPRIGHT, false},
    {"dvsgesture", "DVS128 Gesture: AEDAT 3.1, .aedat", ".aedat", &mst_event_aedat3, 128, 128, 0, false},
    {"ncars", "N-Cars: Prophesee .dat", ".dat", &mst_event_dat, 120, 100, 0, false},
    {"dat", "other Prophesee .dat: Prophesee .dat", ".dat", &mst_event_dat, 304, 240, 0, false},
    {"evt2", "Prophesee EVT 2.0: .raw", ".raw", &mst_event_evt2, 640, 480, 0, false},
    {"asldvs", "ASL-DVS: MATLAB 5, .mat", ".mat", &mst_event_mat, 240, 180, UPRIGHT, false},
    {"ncaltech101", "N-Caltech101: ATIS 40-bit, .bin", ".bin", &mst_event_atis, 240, 180, 0, false},
    {"nmnist", "N-MNIST: ATIS 40-bit, .bin", ".bin", &mst_event_atis, 34, 34, 0, false},
    {"npyevents", "structured NumPy events: t, x, y, p, .npy", ".npy", &mst_event_npy, 0, 0, 0, false},
    {"npzevents", "SpikingJelly's events: arrays t, x, y, p, .npz", ".npz", &mst_event_npz, 0, 0, 0, false},
    {"npzframes", "SpikingJelly's frames: array frames, .npz", ".npz", &mst_event_npz_frames, 0, 0, 0, false},
    {"evt21", "Prophesee EVT 2.1: .raw", ".raw", &mst_event_evt21, 1280, 720, 0, false},
    {"evt3", "Prophesee EVT 3.0: .raw", ".raw", &mst_event_evt3, 1280, 720, 0, false},
    {"aedat4", "iniVation's DV: AEDAT 4.0, .aedat4", ".aedat4", &mst_event_aedat4, 346, 260, 0, false},
    {"hdf5", "Prophesee's recordings: HDF5, .hdf5", ".hdf5", &mst_event_hdf5, 1280, 720, 0, false},
    {"dsec", "DSEC: HDF5, .h5", ".h5", &mst_event_hdf5, 640, 480, 0, false},
    {"tonicgesture", "DVS128 Gesture as tonic has it: arrays x, y, p, t, .npy", ".npy", &mst_event_npy_gesture, 128,
     128, 0, false},
};
#define N_PROFILES (sizeof profiles / sizeof profiles[0])

const mst_event_profile *mst_event_profile_at(size_t k)
{
    return k < N_PROFILES ? &profiles[k] : NULL;
}

const mst_event_profile *mst_event_profile_find(const char *name)
{
    for (size_t i = 0; i < N_PROFILES; i++)
        if (strcmp(profiles[i].name, name) == 0)
            return &profiles[i];
    return NULL;
}

const mst_event_profile *mst_event_profile_sized(const mst_event_profile *p, uint16_t width, uint16_t height,
                                                 bool assumed, mst_arena *a)
{
    mst_event_profile *sized = mst_arena_copy(a, p, sizeof *p);
    if (sized != NULL) {
        sized->width = width;
        sized->height = height;
        sized->assumed = assumed;
    }
    return sized;
}

bool mst_event_profile_unsized(const mst_event_profile *p)
{
    return p->width == 0;
}

const char *mst_event_profile_name(const mst_event_profile *p)
{
    return p->name;
}

const char *mst_event_profile_about(const mst_event_profile *p)
{
    return p->about;
}

const char *mst_event_profile_labels(const mst_event_profile *p)
{
    if (p->decoder == &mst_event_npy_gesture)
        return "the files' names, LABEL.npy";
    return p->decoder == &mst_event_aedat3 ? "NAME_labels.csv beside each NAME.aedat" : "the class folders";
}

const char *mst_event_profile_suffix(const mst_event_profile *p)
{
    return p->suffix;
}

/* N-MNIST and N-Caltech101 differ in nothing but the size of what is seen. A record that the file's
 * end cuts is for the reader to tell. */
static bool fits(const char *path, const mst_event_profile *p)
{
    mst_event_stream *s = NULL;
    mst_event batch[256];
    size_t n = 1;
    mst_status st = mst_event_open(path, p, 0, 0, &s, NULL);
    while (st == MST_OK && n != 0)
        st = mst_event_next(s, batch, sizeof batch / sizeof batch[0], &n, NULL);
    bool cut = s != NULL && s->size - mst_event_offset(s) < ATIS_RECORD;
    mst_event_close(s);
    return st == MST_OK || cut;
}

const mst_event_profile *mst_event_profile_sniff(const char *path)
{
    uint8_t head[SNIFF_BYTES];
    uint64_t size;
    if (mst_data_file_size(path, &size, NULL) != MST_OK)
        return NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    ssize_t n = read(fd, head, sizeof head);
    close(fd);
    if (n <= 0)
        return NULL;
    for (size_t i = 0; i < N_PROFILES; i++) {
        const mst_event_profile *p = &profiles[i];
        if (!mst_data_ends_with(path, p->suffix) || !p->decoder->sniff(path, head, (size_t)n, size))
            continue;
        const mst_event_profile *nmnist = mst_event_profile_find("nmnist");
        return p->decoder == &mst_event_atis && fits(path, nmnist) ? nmnist : p;
    }
    return NULL;
}

/* Read the header again, from the first byte. */
static mst_status start(mst_event_stream *s, mst_err *err)
{
    if (lseek(s->fd, 0, SEEK_SET) != 0)
        return mst_fail(err, MST_EIO, "%s: %s", s->path, strerror(errno));
    s->offset = 0;
    s->at = s->end = 0;
    s->index = s->given = 0;
    s->clock = (mst_event_clock){0};
    s->carries = 0;
    s->frames = 0;
    s->width = s->profile->width;
    s->height = s->profile->height;
    s->turn = s->profile->turn;
    MST_TRY(s->profile->decoder->open(s, err));
    if ((uint32_t)s->width * s->height > MST_EVENT_MAX_PIXELS)
        return mst_fail(err, MST_ELIMIT, "%s: sensor of %ux%u: limit is %u pixels", s->path, s->width,
                        s->height, MST_EVENT_MAX_PIXELS);
    return MST_OK;
}

mst_status mst_event_open(const char *path, const mst_event_profile *p, int64_t t_from, int64_t t_to,
                          mst_event_stream **out, mst_err *err)
{
    *out = NULL;
    uint64_t size;
    MST_TRY(mst_data_file_size(path, &size, err));
    if (size == 0)
        return mst_fail(err, MST_EFORMAT, "%s: offset 0: expected a recording (%s), found an empty file",
                        path, p->decoder->name);
    mst_event_stream *s = mst_alloc(NULL, sizeof *s);
    if (s == NULL)
        return mst_fail(err, MST_ENOMEM, "out of memory");
    s->profile = p;
    s->fd = -1;
    s->size = size;
    s->t_from = t_from;
    s->t_to = t_to;
    s->path_bytes = strlen(path) + 1;
    mst_status st = MST_OK;
    if ((s->path = mst_alloc(NULL, s->path_bytes)) == NULL) {
        st = mst_fail(err, MST_ENOMEM, "out of memory");
        goto done;
    }
    memcpy(s->path, path, s->path_bytes);
    s->fd = open(path, O_RDONLY | O_CLOEXEC);
    st = s->fd < 0 ? mst_fail(err, MST_EIO, "%s: %s", path, strerror(errno)) : start(s, err);
done:
    if (st != MST_OK)
        mst_event_close(s);
    else
        *out = s;
    return st;
}

void mst_event_close(mst_event_stream *s)
{
    if (s == NULL)
        return;
    s->profile->decoder->close(s);
    if (s->fd >= 0)
        close(s->fd);
    mst_free(NULL, s->path, s->path_bytes);
    mst_free(NULL, s, sizeof *s);
}

mst_status mst_event_rewind(mst_event_stream *s, mst_err *err)
{
    if (s->profile->decoder->rewind != NULL) {
        s->profile->decoder->rewind(s);
        s->index = s->given = 0;
        return MST_OK;
    }
    s->profile->decoder->close(s);
    return start(s, err);
}

mst_status mst_event_next(mst_event_stream *s, mst_event *out, size_t cap, size_t *n, mst_err *err)
{
    *n = 0;
    MST_TRY(s->profile->decoder->next(s, out, cap, n, err));
    s->given += *n;
    return MST_OK;
}

uint32_t mst_event_stored(const mst_event_stream *s)
{
    return s->frames;
}

mst_status mst_event_stored_frame(mst_event_stream *s, uint32_t f, float *counts, mst_err *err)
{
    return s->profile->decoder->frame(s, f, counts, err);
}

const char *mst_event_path(const mst_event_stream *s)
{
    return s->path;
}

uint32_t mst_event_width(const mst_event_stream *s)
{
    return s->turn & MST_EVENT_SWAP ? s->height : s->width;
}

uint32_t mst_event_height(const mst_event_stream *s)
{
    return s->turn & MST_EVENT_SWAP ? s->width : s->height;
}

uint64_t mst_event_given(const mst_event_stream *s)
{
    return s->given;
}

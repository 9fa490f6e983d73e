/* Which recordings a path on disk stands for, and their labels. Private to
 * runtime/data; opens no recording except to recognize one.
 *
 *   a recording                 one sample without a label; AEDAT 3.1 with NAME_labels.csv
 *                               beside it: one sample a row of that file
 *   a folder of class folders   labels are the places of the class names in byte order; a
 *                               folder with Test, test or n-cars_test in it stands for that one
 *   a folder of recordings      samples without labels
 *   a folder of AEDAT 3.1, each with its label file, or a list of names (trials_to_test.txt) in one;
 *                               a folder with trials_to_test.txt stands for that list
 */
#ifndef MST_EVENT_SET_H
#define MST_EVENT_SET_H

#include <stdbool.h>

#include "mst/alloc.h"
#include "runtime/data/events/event_stream.h"

typedef struct mst_event_item {
    const char *path;
    int64_t t_from, t_to; /* the sample's part of the recording; t_to 0: all of it */
    int32_t label;        /* -1: none */
    const char *labels;   /* the file that tells the part and the label, and where in it; NULL: none */
    size_t line;
} mst_event_item;

typedef struct mst_event_set {
    const mst_event_profile *profile;
    mst_event_item *items; /* in the order of class and name */
    size_t n, room;
    const char **classes; /* [n_classes] names; NULL where there are no class folders */
    size_t n_classes;     /* labels are below it; 0: unlabelled */
    mst_arena texts;
} mst_event_set;

/* List PATH as profile says, or as what its first recording is (profile NULL).
 * Zero-initialises *set. EIO, EFORMAT (nothing recognized, an empty class), ELIMIT, ENOMEM. */
mst_status mst_event_set_open(const char *path, const mst_event_profile *profile, mst_event_set *set,
                              mst_err *err);
void mst_event_set_close(mst_event_set *set); /* zero-initialised allowed */

/* Might PATH be a tree of recordings? By the first one in it that is recognized; the rest is for open. */
bool mst_event_set_sniff(const char *path);

/* What the sensor is where the files do not tell: [height,width]. assumed: for want of a better one. ENOMEM. */
mst_status mst_event_set_sensor(mst_event_set *set, const uint16_t size[2], bool assumed, mst_err *err);

/* Open the recording of item i at its first event. */
mst_status mst_event_set_stream(const mst_event_set *set, size_t i, mst_event_stream **out, mst_err *err);

#endif

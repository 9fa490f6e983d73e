/* Building the list of a data set: folders, label files. Private to event_set.c
 * and its helpers. */
#ifndef MST_EVENT_LIST_H
#define MST_EVENT_LIST_H

#include <stdbool.h>

#include "runtime/data/events/event_set.h"

typedef struct mst_event_names {
    const char **names; /* sorted by bytes, in the set's arena */
    size_t n, room;
} mst_event_names;

/* Names in a folder that end in suffix (files), or subfolders (suffix NULL), without
 * hidden ones. Release with ..._free. EIO, ELIMIT, ENOMEM. */
mst_status mst_event_names_read(const char *folder, const char *suffix, mst_event_set *set,
                                mst_event_names *out, mst_err *err);
void mst_event_names_free(mst_event_names *names);

mst_status mst_event_set_add(mst_event_set *set, const char *path, int32_t label, int64_t t_from,
                             int64_t t_to, mst_err *err);

/* Does a label file lie beside this recording? Its path, or NULL. */
const char *mst_event_gesture_labels(mst_event_set *set, const char *recording);
/* Samples of one recording from its label file: rows "class,start,end", classes from 1. */
mst_status mst_event_gesture_add(mst_event_set *set, const char *recording, const char *labels, mst_err *err);
/* The same where the label file must be there: of many recordings, one sample without a label is no
 * one's wish. EFORMAT. */
mst_status mst_event_gesture_add_labelled(mst_event_set *set, const char *recording, mst_err *err);
/* Recordings named in a list file, which lies in their folder. */
mst_status mst_event_gesture_list(mst_event_set *set, const char *list, mst_err *err);

#endif

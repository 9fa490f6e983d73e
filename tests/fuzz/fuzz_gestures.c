/* libFuzzer target of the lists of DVS128 Gesture: the list file as it is, in a folder with one
 * recording and its label file. What it names must be there, and be labelled.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/data/events/event_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64], recording[80], labels[80], list[80];

static void remove_folder(void)
{
    unlink(recording);
    unlink(labels);
    unlink(list);
    rmdir(folder);
}

static void put(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(bytes, 1, n, f) != n || fclose(f) != 0)
        abort();
}

static void make_folder(void)
{
    static const char rows[] = "class,start,end\n1,0,10\n3,10,20\n";
    snprintf(folder, sizeof folder, "/tmp/mst-fuzz-XXXXXX");
    if (mkdtemp(folder) == NULL)
        abort();
    snprintf(recording, sizeof recording, "%s/a.aedat", folder);
    snprintf(labels, sizeof labels, "%s/a_labels.csv", folder);
    snprintf(list, sizeof list, "%s/list.txt", folder);
    put(recording, "#!AER-DAT3.1\r\n", 14);
    put(labels, rows, sizeof rows - 1);
    atexit(remove_folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    mst_event_set set = {0};
    mst_err err = {0};
    if (folder[0] == '\0')
        make_folder();
    put(list, data, size);
    mst_status st = mst_event_gesture_list(&set, list, &err);
    if ((st == MST_OK) != (err.text[0] == '\0'))
        abort();
    for (size_t i = 0; i < set.n; i++) {
        const mst_event_item *it = &set.items[i];
        if (it->label < 0 || (size_t)it->label >= set.n_classes || it->t_from >= it->t_to ||
            it->labels == NULL || access(it->path, R_OK) != 0)
            abort();
    }
    mst_event_set_close(&set);
    return 0;
}

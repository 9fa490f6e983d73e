/* Files that are nowhere on disk. */
#include "tests/support/memory_file.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int memory_file(const uint8_t *bytes, size_t n, char path[64])
{
    int fd = memfd_create("test", 0);
    if (fd >= 0 && write(fd, bytes, n) != (ssize_t)n) {
        close(fd);
        return -1;
    }
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

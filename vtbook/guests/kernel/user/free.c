// free: memory, disk and harts of the machine.

#include "lib/user.h"

int main(void) {
    struct system_info info;
    system_info(&info);
    printf("memory  %8lu KiB, %8lu free\n", info.pages * 4, info.free_pages * 4);
    printf("disk    %8lu KiB, %8lu free, %lu blocks read, %lu written\n", info.disk_blocks,
           info.free_disk_blocks, info.disk_reads, info.disk_writes);
    printf("harts   %8lu\nprocesses %6lu, %lu switches\n", info.harts, info.processes,
           info.switches);
    return 0;
}

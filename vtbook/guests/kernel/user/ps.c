// ps: the processes: number, parent, state, hart, ticks of the clock, KiB of memory.

#include "lib/user.h"

int main(void) {
    static struct process_info list[64];
    int count = processes(list, 64);
    printf("  PID PARENT S HART  TICKS    KIB NAME\n");
    for (int i = 0; i < count; i++) {
        struct process_info *p = &list[i];
        printf("%5d %6d %c ", p->pid, p->parent, p->state);
        if (p->hart >= 0) printf("%4d", p->hart);
        else printf("   -");
        printf(" %6lu %6lu %s\n", p->ticks, p->pages * 4, p->name);
    }
    return 0;
}

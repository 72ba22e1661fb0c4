// uptime: ticks of the clock since the start.

#include "lib/user.h"

int main(void) {
    printf("%ld ticks\n", uptime());
    return 0;
}

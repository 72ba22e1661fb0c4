// sync: what was written is on the disk when this ends.

#include "lib/user.h"

int main(void) {
    sync();
    return 0;
}

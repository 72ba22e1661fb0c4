// The first program: it says one sentence and ends.

#include <stdio.h>

int main(void) {
    printf("Hello from a machine that does not exist!\n");
    return 0;
}

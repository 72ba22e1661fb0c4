// Sends back what it is sent, until Ctrl-D.

#include <stdio.h>

int main(void) {
    int count = 0;
    for (int c; (c = getchar()) != EOF; count++) putchar(c);
    printf("\n%d bytes\n", count);
    return 0;
}

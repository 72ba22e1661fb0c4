// The console: a 16550 serial port that is asked, never listened to (no
// interrupts).

#include <machine.h>
#include <stdio.h>

#define END_OF_FILE 4  // what the Ctrl-D key sends

void uart_put(char c) {
    while ((read8(UART0 + UART_STATUS) & UART_CAN_SEND) == 0) {
    }
    write8(UART0 + UART_DATA, (uint8_t)c);
}

int uart_get(void) {
    if ((read8(UART0 + UART_STATUS) & UART_RECEIVED) == 0) return -1;
    return read8(UART0 + UART_DATA);
}

int putchar(int c) {
    uart_put((char)c);
    return (unsigned char)c;
}

int puts(const char *text) {
    while (*text) uart_put(*text++);
    uart_put('\n');
    return 0;
}

int getchar(void) {
    int c;
    do c = uart_get();
    while (c < 0);
    if (c == END_OF_FILE) return EOF;
    return c == '\r' ? '\n' : c;  // the Enter key sends \r
}

// The serial port, a 16550.  It interrupts when something was typed.  Sending is not
// worth an interrupt: when the port says that its buffer of 16 bytes is empty, 16
// bytes go out at once.

#include "devices.h"

enum { DATA = 0, INTERRUPT_ENABLE = 1, FIFO_CONTROL = 2, LINE_CONTROL = 3, LINE_STATUS = 5 };
enum { RECEIVED = 1 << 0, BUFFER_EMPTY = 1 << 5 };  // line status
enum { BUFFER = 16 };

static struct spinlock sending;

void uart_init(void) {
    write8(board.uart + LINE_CONTROL, 3);    // 8 bits, no parity, 1 stop bit
    write8(board.uart + FIFO_CONTROL, 7);    // buffers on, and empty
    write8(board.uart + INTERRUPT_ENABLE, 1);  // when something is received
}

void uart_write(const char *text, uint64_t size) {
    while (size > 0) {
        lock(&sending);
        while (!(read8(board.uart + LINE_STATUS) & BUFFER_EMPTY)) {
        }
        for (int i = 0; i < BUFFER && size > 0; i++, size--)
            write8(board.uart + DATA, (uint8_t)*text++);
        unlock(&sending);
    }
}

void uart_interrupt(void) {
    while (read8(board.uart + LINE_STATUS) & RECEIVED)
        console_typed((char)read8(board.uart + DATA));
}

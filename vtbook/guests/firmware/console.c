// The console: a 16550 UART, polled.

#include <stdarg.h>

#include "firmware.h"

enum { DATA = 0, INTERRUPT_ENABLE = 1, FIFO_CONTROL = 2, LINE_CONTROL = 3, LINE_STATUS = 5 };
enum { DATA_READY = 1, TRANSMITTER_EMPTY = 0x20 };
enum { EIGHT_BITS = 3, FIFO_ENABLE = 1 };

static lock console_lock;

static volatile uint8_t *uart(void) { return (volatile uint8_t *)board.uart; }

void console_start(void) {
    if (!board.uart) return;
    uart()[INTERRUPT_ENABLE] = 0;
    uart()[LINE_CONTROL] = EIGHT_BITS;
    uart()[FIFO_CONTROL] = FIFO_ENABLE;
}

static void put_byte(char byte) {
    if (!board.uart) return;
    while (!(uart()[LINE_STATUS] & TRANSMITTER_EMPTY)) continue;
    uart()[DATA] = byte;
}

// Lines end in "\r\n" on a terminal; OpenSBI adds the "\r", too.
void put(const char *data, size_t size) {
    take(&console_lock);
    for (; size > 0; size--, data++) {
        if (*data == '\n') put_byte('\r');
        put_byte(*data);
    }
    release(&console_lock);
}

int get(void) {
    if (!board.uart || !(uart()[LINE_STATUS] & DATA_READY)) return -1;
    return uart()[DATA];
}

static void put_text(const char *text) { put(text, strlen(text)); }

static void put_number(uint64_t number, unsigned base) {
    char digits[24];
    int at = sizeof digits;
    do digits[--at] = "0123456789abcdef"[number % base];
    while ((number /= base) != 0);
    put(digits + at, sizeof digits - at);
}

// %s text, %d decimal, %x hexadecimal with 0x; numbers have 64 bits.
static void print_list(const char *format, va_list list) {
    for (; *format; format++) {
        if (*format != '%') {
            put(format, 1);
            continue;
        }
        format++;
        if (*format == 's') put_text(va_arg(list, const char *));
        if (*format == 'd') put_number(va_arg(list, uint64_t), 10);
        if (*format == 'x') put_text("0x"), put_number(va_arg(list, uint64_t), 16);
    }
}

void print(const char *format, ...) {
    va_list list;
    va_start(list, format);
    print_list(format, list);
    va_end(list);
}

void panic(const char *format, ...) {
    va_list list;
    va_start(list, format);
    print("firmware: ");
    print_list(format, list);
    print("\n");
    va_end(list);
    power_off(true);
}

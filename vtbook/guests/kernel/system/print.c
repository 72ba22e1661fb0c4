// Messages of the kernel, and its end.

#include "print.h"

#include <stdarg.h>

#include "devices.h"
#include "riscv.h"
#include "sbi.h"
#include "../shared/format.h"

// One message at a time.  Before the UART is known the firmware prints.
static struct spinlock printing;

static void put(char c, void *unused) {
    (void)unused;
    if (board.uart) uart_write(&c, 1);
    else sbi_put(c);
}

void print(const char *text, ...) {
    va_list arguments;
    va_start(arguments, text);
    lock(&printing);
    format(put, 0, text, arguments);
    unlock(&printing);
    va_end(arguments);
}

// The kernel cannot go on: say why, and turn the machine off.  It takes no lock,
// which the code that failed may hold, and goes through the firmware.
static void put_safely(char c, void *unused) {
    (void)unused;
    sbi_put(c);
}

void panic(const char *text, ...) {
    va_list arguments;
    va_start(arguments, text);
    interrupts_off();
    format(put_safely, 0, "\nkernel panic: ", arguments);
    format(put_safely, 0, text, arguments);
    sbi_put('\n');
    va_end(arguments);
    sbi_shutdown(true);
}

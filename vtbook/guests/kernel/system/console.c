// The console: lines that are typed, with corrections, and what a program writes.
//
//   backspace  takes back a character       ctrl-U  the whole line
//   ctrl-C     ends the programs in front   ctrl-D  end of the input
//
// The characters lie in a ring.  Three counts run along it and never backwards,
// except that a correction moves `typed` back to `complete` at most:
//
//   taken <= complete <= typed <= taken + SIZE
//   read by programs   whole lines      the line that is being typed

#include "devices.h"
#include "process.h"
#include "../shared/bytes.h"

enum { SIZE = 256 };
enum { BACKSPACE = 8, DELETE = 127 };
#define CONTROL(letter) ((letter) - '@')

static struct {
    struct spinlock lock;
    char text[SIZE];
    uint32_t taken, complete, typed;
    int foreground;  // group of processes that ctrl-C ends; 0: only the line goes away
} console;

static void take_back(void) {
    console.typed--;
    uart_write("\b \b", 3);
}

// End the line with `last`, so that programs can read it.
static void finish_line(char last) {
    console.text[console.typed++ % SIZE] = last;
    console.complete = console.typed;
    wake_up(&console);
}

static void interrupt_programs(void) {
    uart_write("^C\n", 3);
    console.typed = console.complete;
    if (console.foreground) kill_group(console.foreground);
    else finish_line('\n');
}

static void add(char c) {
    if (console.typed - console.taken >= SIZE - 1) return;  // a place is left for the end
    console.text[console.typed++ % SIZE] = c;
    uart_write(&c, 1);
}

// A character came from the keyboard.  Called by the UART's interrupt.
void console_typed(char c) {
    lock(&console.lock);
    bool room = console.typed - console.taken < SIZE;
    if (c == CONTROL('C')) {
        if (room) interrupt_programs();
    } else if (c == CONTROL('U')) {
        while (console.typed != console.complete) take_back();
    } else if (c == BACKSPACE || c == DELETE) {
        if (console.typed != console.complete) take_back();
    } else if (c == CONTROL('D')) {
        if (room) finish_line(c);
    } else if (c == '\r' || c == '\n') {
        uart_write("\n", 1);
        if (room) finish_line('\n');
    } else if ((unsigned char)c >= ' ' || c == '\t') {
        add(c);
    }
    unlock(&console.lock);
}

void console_foreground(int group) {
    lock(&console.lock);
    console.foreground = group;
    unlock(&console.lock);
}

// Copy at most a line.  ctrl-D ends one without being part of it: an empty line, the
// end of the input, if nothing stands before it.
static uint64_t take_line(char *to, uint64_t size) {
    uint64_t count = 0;
    bool end = false;
    while (count < size && console.taken != console.complete && !end) {
        char c = console.text[console.taken % SIZE];
        console.taken++;
        if (c != CONTROL('D')) to[count++] = c;
        end = c == '\n' || c == CONTROL('D');
    }
    return count;
}

// Read from the line that is typed: its bytes, 0 at ctrl-D, or -EINTR, -EFAULT.
int64_t console_read(uint64_t to, uint64_t size) {
    char line[SIZE];
    struct process *process = current_process();
    if (size > SIZE) size = SIZE;
    lock(&console.lock);
    while (console.taken == console.complete && !is_killed(process))
        sleep_on(&console, &console.lock);
    if (is_killed(process)) {  // the line is for whoever reads next
        unlock(&console.lock);
        return -EINTR;
    }
    uint64_t count = take_line(line, size);
    unlock(&console.lock);
    if (copy_out(&process->space, to, line, count) != 0) return -EFAULT;
    return (int64_t)count;
}

int64_t console_write(uint64_t from, uint64_t size) {
    char part[128];
    struct process *process = current_process();
    for (uint64_t done = 0; done < size;) {
        uint64_t count = size - done < sizeof part ? size - done : sizeof part;
        if (is_killed(process)) return -EINTR;
        if (copy_in(&process->space, part, from + done, count) != 0) return -EFAULT;
        uart_write(part, count);
        done += count;
    }
    return (int64_t)size;
}

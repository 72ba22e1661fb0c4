// A machine monitor, as the first home computers had one: look at memory,
// change it, count instructions, play a game.  Type help.

#include <machine.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE 80
#define MOST_WORDS 8

#define BOLD "\033[1m"
#define GREEN "\033[32m"
#define RED "\033[31m"
#define PLAIN "\033[0m"

// ---- the line editor ----

// Read a line and echo it.  Backspace and Ctrl-U work.  Returns its length,
// or EOF at Ctrl-D.
static int read_line(char *line) {
    int length = 0;
    for (;;) {
        int c = getchar();
        if (c == EOF) return EOF;
        if (c == '\n') break;
        if (c == 127 || c == '\b') {
            if (length > 0) {
                length--;
                printf("\b \b");
            }
        } else if (c == 'U' - '@') {
            for (; length > 0; length--) printf("\b \b");
        } else if (c >= ' ' && length < LINE - 1) {
            line[length++] = (char)c;
            putchar(c);
        }
    }
    line[length] = 0;
    printf("\r\n");
    return length;
}

static int split(char *line, char **words) {
    int count = 0;
    while (count < MOST_WORDS) {
        while (*line == ' ') *line++ = 0;
        if (*line == 0) break;
        words[count++] = line;
        while (*line != ' ' && *line != 0) line++;
    }
    return count;
}

// ---- traps: a bad address is an error message, not the end ----

static volatile int trapped;

void trap_handler(struct trap_frame *frame) {
    if (frame->cause != CAUSE_LOAD_ACCESS && frame->cause != CAUSE_STORE_ACCESS) {
        printf(RED "%s" PLAIN " at %#lx\r\n", cause_name(frame->cause), frame->pc);
        exit(1);
    }
    trapped = 1;
    frame->pc += (uint64_t)instruction_length(frame->pc);
}

static int fault(uint64_t address) {
    if (!trapped) return 0;
    trapped = 0;
    printf(RED "nothing answers at %#lx" PLAIN "\r\n", address);
    return 1;
}

// ---- commands ----

static uint64_t number(const char *word) { return strtoul(word, 0, 0); }

static void peek(int count, char **words) {
    uint64_t address = number(words[1]);
    uint8_t byte = read8(address);
    (void)count;
    if (!fault(address)) printf("%#lx: %#x\r\n", address, byte);
}

static void poke(int count, char **words) {
    uint64_t address = number(words[1]);
    (void)count;
    write8(address, (uint8_t)number(words[2]));
    fault(address);
}

static void dump(int count, char **words) {
    uint64_t address = number(words[1]);
    uint64_t end = address + (count > 2 ? number(words[2]) : 64);
    for (; address < end; address += 16) {
        char text[17] = {0};
        printf("%08lx ", address);
        for (uint64_t i = 0; i < 16; i++) {
            uint8_t byte = read8(address + i);
            if (fault(address + i)) return;
            printf(" %02x", byte);
            text[i] = byte >= ' ' && byte < 127 ? (char)byte : '.';
        }
        printf("  %s\r\n", text);
    }
}

static void registers(int count, char **words) {
    uint64_t sp, gp;
    (void)count, (void)words;
    __asm__ volatile("mv %0, sp" : "=r"(sp));
    __asm__ volatile("mv %0, gp" : "=r"(gp));
    printf("sp      %16lx    gp    %16lx\r\n", sp, gp);
    printf("mstatus %16lx    mtvec %16lx\r\n", csr_read(mstatus), csr_read(mtvec));
    printf("misa    %16lx    mepc  %16lx\r\n", csr_read(misa), csr_read(mepc));
}

static void echo(int count, char **words) {
    for (int i = 1; i < count; i++) printf("%s%s", words[i], i + 1 < count ? " " : "");
    printf("\r\n");
}

static void colours(int count, char **words) {
    static const char *const names[] = {"black", "red",     "green", "yellow",
                                        "blue",  "magenta", "cyan",  "white"};
    (void)count, (void)words;
    for (int i = 0; i < 8; i++)
        printf("\033[3%dm%-8s" PLAIN " " BOLD "\033[9%dm%-8s" PLAIN " \033[4%dm        " PLAIN "\r\n",
               i, names[i], i, names[i], i);
    for (int i = 16; i < 232; i++) printf("\033[48;5;%dm \033[0m%s", i, (i - 15) % 72 ? "" : "\r\n");
}

static void uptime(int count, char **words) {
    (void)count, (void)words;
    printf("%lu instructions since power-on\r\n", instructions());
}

// Guess the number.  The secret comes from the instruction counter, and that
// depends on when you typed: waiting costs nothing, but every key does.
static void game(int count, char **words) {
    unsigned secret = (unsigned)(instructions() * 2654435761u >> 7) % 100 + 1;
    char line[LINE];
    (void)count, (void)words;
    printf("I think of a number from 1 to 100.\r\n");
    for (int tries = 1;; tries++) {
        printf("guess %d: ", tries);
        int length = read_line(line);
        if (length <= 0) {
            printf("it was %u\r\n", secret);
            return;
        }
        unsigned guess = (unsigned)number(line);
        if (guess == secret) {
            printf(GREEN "yes! " PLAIN "%d %s\r\n", tries, tries == 1 ? "try" : "tries");
            return;
        }
        printf("%s\r\n", guess < secret ? "more" : "less");
    }
}

static void clear(int count, char **words) {
    (void)count, (void)words;
    printf("\033[H\033[2J");
}

static void leave(int count, char **words) {
    printf("bye\r\n");
    exit(count > 1 ? (int)number(words[1]) : 0);
}

static void help(int count, char **words);

static const struct command {
    const char *name, *arguments, *what;
    int least;  // words, the name included
    void (*run)(int count, char **words);
} commands[] = {
    {"help", "", "this list", 1, help},
    {"peek", "ADDRESS", "one byte of memory, or of a device", 2, peek},
    {"poke", "ADDRESS BYTE", "change it", 3, poke},
    {"dump", "ADDRESS [BYTES]", "memory as numbers and text", 2, dump},
    {"regs", "", "some registers of the hart", 1, registers},
    {"echo", "WORDS", "say them", 1, echo},
    {"colours", "", "what the terminal can show", 1, colours},
    {"uptime", "", "time, as this machine counts it", 1, uptime},
    {"game", "", "guess the number", 1, game},
    {"clear", "", "an empty screen", 1, clear},
    {"exit", "[CODE]", "switch the machine off", 1, leave},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static void help(int count, char **words) {
    (void)count, (void)words;
    for (const struct command *c = commands; c < commands + COMMANDS; c++)
        printf(BOLD "%-8s" PLAIN "%-17s%s\r\n", c->name, c->arguments, c->what);
}

static void obey(int count, char **words) {
    for (const struct command *c = commands; c < commands + COMMANDS; c++) {
        if (strcmp(words[0], c->name) != 0) continue;
        if (count < c->least)
            printf("usage: %s %s\r\n", c->name, c->arguments);
        else
            c->run(count, words);
        return;
    }
    printf(RED "%s?" PLAIN " Type help.\r\n", words[0]);
}

int main(void) {
    char line[LINE];
    char *words[MOST_WORDS];
    printf(BOLD "A machine of yours." PLAIN " RAM from 0x80000000. Type help.\r\n");
    for (;;) {
        printf(GREEN "> " PLAIN);
        if (read_line(line) == EOF) {
            printf("\r\n");
            exit(0);
        }
        int count = split(line, words);
        if (count > 0) obey(count, words);
    }
}

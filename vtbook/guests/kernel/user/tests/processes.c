// fork, exit, wait, exec, kill, and the clock.

#include "tests.h"

static void exit_with_7(void) { exit(7); }

static void fork_exit_wait(void) {
    CHECK_EQUAL(run(exit_with_7), 7);
    CHECK_EQUAL(wait(NULL), -ECHILD);
}

static void wait_gets_every_child(void) {
    int seen = 0, status;
    for (int i = 0; i < 5; i++)
        if (fork() == 0) exit(i);
    for (int i = 0; i < 5; i++) {
        CHECK(wait(&status) > 0);
        seen |= 1 << status;
    }
    CHECK_EQUAL(seen, 31);
}

static void wait_forever(void) {
    for (;;) sleep(1000);
}

static void spin(void) {
    for (;;) {
    }
}

// As many children as the table has places, and not one place is lost.
static void fork_until_it_is_full(void) {
    int counts[2];
    for (int round = 0; round < 2; round++) {
        static int pids[100];
        int count = 0, pid;
        while ((pid = fork()) > 0) pids[count++] = pid;
        if (pid == 0) wait_forever();
        CHECK_EQUAL(pid, -EAGAIN);
        for (int i = 0; i < count; i++) CHECK_EQUAL(kill(pids[i]), 0);
        for (int i = 0; i < count; i++) CHECK(wait(NULL) > 0);
        counts[round] = count;
    }
    CHECK(counts[0] > 30);
    CHECK_EQUAL(counts[1], counts[0]);
}

static int parent_of(int pid) {
    static struct process_info list[64];
    int count = processes(list, 64);
    for (int i = 0; i < count; i++)
        if (list[i].pid == pid) return list[i].parent;
    return -1;
}

static int numbers[2];

static void leave_an_orphan(void) {
    int pid = start(wait_forever);
    write(numbers[1], &pid, sizeof pid);
}

static void orphans_go_to_init(void) {
    int orphan = 0;
    CHECK_EQUAL(pipe(numbers), 0);
    CHECK_EQUAL(run(leave_an_orphan), 0);
    CHECK_EQUAL(read(numbers[0], &orphan, sizeof orphan), sizeof orphan);
    CHECK_EQUAL(parent_of(orphan), 1);
    CHECK_EQUAL(kill(orphan), 0);
    for (int i = 0; parent_of(orphan) != -1; i++) {
        CHECK(i < 100);
        sleep(1);
    }
}

static void exec_arguments(void) {
    char *argv[] = {"tests", "--arguments", "one", "", "two words", NULL};
    exec("/bin/tests", argv);
}

static void exec_passes_arguments(void) { CHECK_EQUAL(run(exec_arguments), 42); }

static void exec_refuses(void) {
    char *argv[] = {"x", NULL};
    static char *many[MAX_ARGUMENTS + 2];
    static char long_word[5000];
    for (int i = 0; i <= MAX_ARGUMENTS; i++) many[i] = "x";
    memset(long_word, 'x', sizeof long_word - 1);
    char *too_long[] = {long_word, NULL};
    write_file("text", "this is no program");
    write_file("short", "\177ELF");
    CHECK_EQUAL(exec("text", argv), -ENOEXEC);
    CHECK_EQUAL(exec("short", argv), -ENOEXEC);
    CHECK_EQUAL(exec("/bin", argv), -ENOEXEC);
    CHECK_EQUAL(exec("/bin/nothing", argv), -ENOENT);
    CHECK_EQUAL(exec("text/x", argv), -ENOTDIR);
    CHECK_EQUAL(exec("/bin/echo", many), -E2BIG);
    CHECK_EQUAL(exec("/bin/echo", too_long), -E2BIG);
    CHECK_EQUAL(unlink("text"), 0);
    CHECK_EQUAL(unlink("short"), 0);
}

// Bytes of an ELF file are changed one after the other; exec may refuse the program or
// run it, but nothing else may happen.
static void exec_of_damaged_programs(void) {
    static char program[16384];
    int file = open("/bin/echo", O_READ);
    long size = read(file, program, sizeof program);
    close(file);
    CHECK(size > 300);
    for (int at = 4; at < 240; at += 3) {
        char right = program[at];
        program[at] = (char)(right ^ 0x91);
        file = open("damaged", O_WRITE | O_CREATE | O_TRUNCATE);
        CHECK_EQUAL(write(file, program, (size_t)size), size);
        close(file);
        program[at] = right;
        int pid = fork();
        if (pid == 0) {
            char *argv[] = {"damaged", NULL};
            close(1);
            exec("damaged", argv);
            exit(0);
        }
        CHECK(pid > 0);
        for (int i = 0; i < 2; i++) yield();
        kill(pid);
        CHECK_EQUAL(wait(NULL), pid);
    }
    CHECK_EQUAL(unlink("damaged"), 0);
}

static void kill_ends(void (*body)(void)) {
    int status = 0, pid = start(body);
    sleep(2);
    CHECK_EQUAL(kill(pid), 0);
    CHECK_EQUAL(wait(&status), pid);
    CHECK_EQUAL(status, -1);
}

static void read_from_silent_pipe(void) {
    char c;
    int files[2];
    pipe(files);
    read(files[0], &c, 1);
}

static void write_to_full_pipe(void) {
    int files[2];
    pipe(files);
    for (;;) write(files[1], "x", 1);
}

static void wait_for_a_child(void) {
    int pid = start(wait_forever);
    wait(NULL);
    kill(pid);
}

static void kill_reaches_everywhere(void) {
    kill_ends(wait_forever);
    kill_ends(spin);
    kill_ends(read_from_silent_pipe);
    kill_ends(write_to_full_pipe);
    CHECK_EQUAL(kill(1000000), -ESRCH);
}

static void kill_ends_a_waiting_parent(void) {
    static struct process_info list[64];
    kill_ends(wait_for_a_child);
    int count = processes(list, 64);  // its child went to init: end it, too
    for (int i = 0; i < count; i++)
        if (list[i].parent == 1 && strcmp(list[i].name, "tests") == 0) kill(list[i].pid);
}

// More programs that never let go than there are harts; this one still gets its turn.
static void preemption(void) {
    int pids[10];
    for (int i = 0; i < 10; i++) pids[i] = start(spin);
    for (int i = 0; i < 3; i++) sleep(2);
    for (int i = 0; i < 10; i++) CHECK_EQUAL(kill(pids[i]), 0);
    for (int i = 0; i < 10; i++) CHECK(wait(NULL) > 0);
}

// Keep a value in every register that C leaves alone for `rounds` rounds; count those
// that changed.
static uint64_t hold_registers(uint64_t value, uint64_t rounds) {
    uint64_t wrong;
    __asm__ volatile(
        "mv t0, %1\n mv t1, %1\n mv t2, %1\n mv t3, %1\n mv t4, %1\n mv t5, %1\n mv t6, %1\n"
        "mv a3, %1\n mv a4, %1\n mv a5, %1\n mv a6, %1\n mv a7, %1\n"
        "1: addi %2, %2, -1\n bnez %2, 1b\n"
        "xor t0, t0, %1\n xor t1, t1, %1\n xor t2, t2, %1\n xor t3, t3, %1\n"
        "xor t4, t4, %1\n xor t5, t5, %1\n xor t6, t6, %1\n"
        "xor a3, a3, %1\n xor a4, a4, %1\n xor a5, a5, %1\n xor a6, a6, %1\n xor a7, a7, %1\n"
        "or t0, t0, t1\n or t0, t0, t2\n or t0, t0, t3\n or t0, t0, t4\n or t0, t0, t5\n"
        "or t0, t0, t6\n or t0, t0, a3\n or t0, t0, a4\n or t0, t0, a5\n or t0, t0, a6\n"
        "or %0, t0, a7\n"
        : "=&r"(wrong), "+r"(value), "+r"(rounds)
        :
        : "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a3", "a4", "a5", "a6", "a7");
    return wrong;
}

static void hold_own_pattern(void) {
    uint64_t value = 0x0101010101010101UL * (uint64_t)(getpid() & 0xff);
    long end = uptime() + 5;
    do CHECK_EQUAL(hold_registers(value, 20000), 0);
    while (uptime() < end);
}

static void registers_survive_preemption(void) {
    int status;
    for (int i = 0; i < 6; i++) start(hold_own_pattern);
    for (int i = 0; i < 6; i++) {
        CHECK(wait(&status) > 0);
        CHECK_EQUAL(status, 0);
    }
}

static void sleep_takes_its_time(void) {
    long before = uptime();
    CHECK_EQUAL(sleep(5), 0);
    CHECK(uptime() - before >= 5);
    CHECK_EQUAL(sleep(0), 0);
}

static void counters_grow(void) {
    uint64_t cycles = read_cycles(), instructions = read_instructions();
    CHECK(read_cycles() > cycles);
    CHECK(read_instructions() > instructions);
}

const struct test process_tests[] = {
    {"fork_exit_wait", fork_exit_wait},
    {"wait_gets_every_child", wait_gets_every_child},
    {"fork_until_it_is_full", fork_until_it_is_full},
    {"orphans_go_to_init", orphans_go_to_init},
    {"exec_passes_arguments", exec_passes_arguments},
    {"exec_refuses", exec_refuses},
    {"exec_of_damaged_programs", exec_of_damaged_programs},
    {"kill_reaches_everywhere", kill_reaches_everywhere},
    {"kill_ends_a_waiting_parent", kill_ends_a_waiting_parent},
    {"preemption", preemption},
    {"registers_survive_preemption", registers_survive_preemption},
    {"sleep_takes_its_time", sleep_takes_its_time},
    {"counters_grow", counters_grow},
    {NULL, NULL},
};

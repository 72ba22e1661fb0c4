// Bad arguments of system calls: an error, and nothing else.

#include "tests.h"
#include "../../shared/disk.h"

static void *const bad[] = {
    (void *)0,
    (void *)8,
    (void *)0x3fffffffUL,          // the last byte of the stack, then nothing
    (void *)0x40000000UL,
    (void *)0x3fffffff00UL,
    (void *)0x4000000000UL,        // no address of Sv39
    (void *)0xffffffc080200000UL,  // the kernel
    (void *)-1UL,
    (void *)-9UL,
};

static void bad_pointers(void) {
    char *argv[] = {"x", NULL};
    int files[2], file = open("/bin/echo", O_READ);
    CHECK_EQUAL(pipe(files), 0);
    CHECK_EQUAL(write(files[1], "0123456789", 10), 10);
    for (int i = 0; i < ARRAY_SIZE(bad); i++) {
        if (i != 2) CHECK(open(bad[i], O_READ) == -EFAULT);
        CHECK_EQUAL(read(file, bad[i], 16), -EFAULT);
        CHECK_EQUAL(write(files[1], bad[i], 16), -EFAULT);
        CHECK_EQUAL(write(1, bad[i], 16), -EFAULT);
        CHECK_EQUAL(fstat(file, bad[i]), -EFAULT);
        CHECK_EQUAL(pipe(bad[i]), -EFAULT);
        CHECK_EQUAL(exec("/bin/echo", bad[i]), -EFAULT);
        if (i != 2) CHECK(exec(bad[i], argv) == -EFAULT);
        CHECK_EQUAL(processes(bad[i], 1), -EFAULT);
        CHECK_EQUAL(system_info(bad[i]), -EFAULT);
    }
    for (int i = 3; i < ARRAY_SIZE(bad); i++) {
        argv[0] = bad[i];
        CHECK_EQUAL(exec("/bin/echo", argv), -EFAULT);
        CHECK_EQUAL(mkdir(bad[i]), -EFAULT);
        CHECK_EQUAL(chdir(bad[i]), -EFAULT);
        CHECK_EQUAL(unlink(bad[i]), -EFAULT);
        CHECK_EQUAL(link("/bin/echo", bad[i]), -EFAULT);
    }
}

static void the_kernel_heeds_rights(void) {
    int file = open("/bin/echo", O_READ);
    CHECK_EQUAL(read(file, (void *)(uint64_t)bad_pointers, 4), -EFAULT);
    CHECK_EQUAL(read(file, (void *)(uint64_t)bad, 4), -EFAULT);
    CHECK_EQUAL(seek(file, 0), 0);
    int copy = open("copy", O_WRITE | O_CREATE);
    CHECK_EQUAL(write(copy, (void *)(uint64_t)bad_pointers, 64), 64);  // code can be read
    close(copy);
    CHECK_EQUAL(unlink("copy"), 0);
}

static void bad_numbers(void) {
    static const int numbers[] = {-1, MAX_FILES, 9, 1000000, INT32_MIN};
    struct stat stat;
    char c;
    for (int i = 0; i < ARRAY_SIZE(numbers); i++) {
        CHECK_EQUAL(read(numbers[i], &c, 1), -EBADF);
        CHECK_EQUAL(write(numbers[i], &c, 1), -EBADF);
        CHECK_EQUAL(seek(numbers[i], 0), -EBADF);
        CHECK_EQUAL(close(numbers[i]), -EBADF);
        CHECK_EQUAL(dup(numbers[i]), -EBADF);
        CHECK_EQUAL(fstat(numbers[i], &stat), -EBADF);
    }
    CHECK_EQUAL(processes(NULL, 0), 0);
    CHECK_EQUAL(kill(0), -ESRCH);
    CHECK_EQUAL(kill(-1), -ESRCH);
}

static long raw_call(long number, long first, long second, long third) {
    register long a0 __asm__("a0") = first;
    register long a1 __asm__("a1") = second;
    register long a2 __asm__("a2") = third;
    register long a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return a0;
}

static void unknown_calls(void) {
    static const long numbers[] = {0, SYS_COUNT, 1000, -1, INT64_MIN};
    for (int i = 0; i < ARRAY_SIZE(numbers); i++)
        CHECK_EQUAL(raw_call(numbers[i], 1, 0, 0), -ENOSYS);
}

// Sizes that nothing has: reading stops where the file ends, or memory does.
static void huge_sizes(void) {
    static char place[4096];
    int file = open("/welcome.txt", O_READ);
    if (file < 0) file = open("/bin/echo", O_READ);
    CHECK(read(file, place, (size_t)-1) != 0);
    CHECK(write(file, place, (size_t)-1) == -EBADF);
    close(file);
    file = open("huge", O_READWRITE | O_CREATE);
    CHECK_EQUAL(seek(file, INT64_MAX), INT64_MAX);
    CHECK_EQUAL(read(file, place, 10), 0);
    CHECK_EQUAL(write(file, place, 10), -EFBIG);
    close(file);
    CHECK_EQUAL(unlink("huge"), 0);
}

// ---- calls at random ----

static char place[8192];
static uint64_t seed;

static long random_argument(uint64_t random) {
    const long values[] = {
        0, 1, 2, 3, 4, 7, 15, 16, 4096, 100000, -1, -4096, INT32_MAX, INT64_MAX, INT64_MIN,
        (long)place, (long)place + 4090, (long)"x", (long)"y", (long)"x/y", (long)"x/../y",
        (long)bad_pointers, (long)bad[random / 64 % ARRAY_SIZE(bad)],
    };
    return values[random % ARRAY_SIZE(values)];
}

// All calls but those that end or disturb others, or take long by right.
static bool is_harmless(long number) {
    switch (number) {
    case SYS_EXIT:
    case SYS_FORK:
    case SYS_KILL:
    case SYS_SLEEP:
    case SYS_FOREGROUND:
    case SYS_POWEROFF:
        return false;
    default:
        return true;
    }
}

static void call_at_random(void) {
    for (int i = 0; i < 3; i++) close(i);  // no noise on the console
    for (;;) {
        long number = (long)(next_random(&seed) % SYS_COUNT);
        if (!is_harmless(number)) continue;
        long first = random_argument(next_random(&seed));
        long second = random_argument(next_random(&seed));
        raw_call(number, first, second, random_argument(next_random(&seed)));
    }
}

// The first name in the current directory but . and .., if there is one.
static bool first_name(char name[NAME_SIZE + 1]) {
    struct disk_entry entry;
    bool found = false;
    int file = open(".", O_READ);
    CHECK(file >= 0);
    while (!found && read(file, &entry, sizeof entry) == sizeof entry) {
        memcpy(name, entry.name, NAME_SIZE);
        found = entry.inode && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
    }
    close(file);
    return found;
}

static void empty_directory(void) {
    char name[NAME_SIZE + 1] = "";
    while (first_name(name)) {
        if (chdir(name) == 0) {
            empty_directory();
            CHECK_EQUAL(chdir(".."), 0);
        }
        CHECK_EQUAL(unlink(name), 0);
    }
}

// The kernel stays whole, and so do its files; a call that waits for ever is killed.
static void random_calls(void) {
    CHECK_EQUAL(mkdir("fuzz"), 0);
    CHECK_EQUAL(chdir("fuzz"), 0);
    for (seed = 1; seed <= 12; seed++) {
        int pid = start(call_at_random);
        sleep(2);
        CHECK_EQUAL(kill(pid), 0);
        CHECK_EQUAL(wait(NULL), pid);
    }
    empty_directory();
    CHECK_EQUAL(chdir("/tmp"), 0);
    CHECK_EQUAL(unlink("fuzz"), 0);
}

const struct test argument_tests[] = {
    {"bad_pointers", bad_pointers},
    {"the_kernel_heeds_rights", the_kernel_heeds_rights},
    {"bad_numbers", bad_numbers},
    {"unknown_calls", unknown_calls},
    {"huge_sizes", huge_sizes},
    {"random_calls", random_calls},
    {NULL, NULL},
};

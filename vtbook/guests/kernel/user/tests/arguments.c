// Bad arguments of system calls: an error, and nothing else.

#include "tests.h"

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

static void unknown_calls(void) {
    static const long numbers[] = {0, SYS_COUNT, 1000, -1, INT64_MIN};
    for (int i = 0; i < ARRAY_SIZE(numbers); i++) {
        register long a0 __asm__("a0") = 1;
        register long a7 __asm__("a7") = numbers[i];
        __asm__ volatile("ecall" : "+r"(a0) : "r"(a7) : "memory");
        CHECK_EQUAL(a0, -ENOSYS);
    }
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

const struct test argument_tests[] = {
    {"bad_pointers", bad_pointers},
    {"the_kernel_heeds_rights", the_kernel_heeds_rights},
    {"bad_numbers", bad_numbers},
    {"unknown_calls", unknown_calls},
    {"huge_sizes", huge_sizes},
    {NULL, NULL},
};

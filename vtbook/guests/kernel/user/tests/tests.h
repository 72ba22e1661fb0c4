// What the kernel's tests have in common.
#pragma once

#include "../lib/user.h"

struct test {
    const char *name;
    void (*body)(void);
};

// One table for each file of tests; each ends with a NULL name.
extern const struct test process_tests[], memory_tests[], pipe_tests[], file_tests[],
    directory_tests[], argument_tests[];

// A test runs in a child.  Where something is not as it must be, it says so and ends.
#define CHECK(condition) check(condition, __FILE_NAME__, __LINE__, #condition)
#define CHECK_EQUAL(a, b) check_equal((long)(a), (long)(b), __FILE_NAME__, __LINE__, #a)
void check(bool good, const char *file, int line, const char *what);
void check_equal(long value, long expected, const char *file, int line, const char *what);

int start(void (*body)(void));    // a child that does that and exits with 0; its pid
int run(void (*body)(void));      // the same, and wait: its status
bool is_killed_by(void (*body)(void));  // the kernel ends it before it is done
uint64_t free_pages(void);
void write_file(const char *name, const char *text);
void check_file(const char *name, const char *text);

#define ARRAY_SIZE(array) ((long)(sizeof(array) / sizeof(array)[0]))

// tests [name...]: the kernel tests itself, all or the ones named.  One line a test; the
// last one says ALL TESTS PASSED, or which failed.

#include "tests.h"

static const struct test *const tables[] = {
    process_tests, memory_tests, pipe_tests, file_tests, directory_tests, argument_tests,
};

static int failed;

void check(bool good, const char *file, int line, const char *what) {
    if (good) return;
    printf("%s:%d: %s is not so\n", file, line, what);
    exit(1);
}

void check_equal(long value, long expected, const char *file, int line, const char *what) {
    if (value == expected) return;
    printf("%s:%d: %s is %ld, not %ld\n", file, line, what, value, expected);
    exit(1);
}

int start(void (*body)(void)) {
    int pid = fork();
    if (pid == 0) {
        body();
        exit(0);
    }
    CHECK(pid > 0);
    return pid;
}

int run(void (*body)(void)) {
    int status = 0, pid = start(body);
    CHECK_EQUAL(wait(&status), pid);
    return status;
}

bool is_killed_by(void (*body)(void)) { return run(body) == -1; }

uint64_t free_pages(void) {
    struct system_info info;
    CHECK_EQUAL(system_info(&info), 0);
    return info.free_pages;
}

void write_file(const char *name, const char *text) {
    int file = open(name, O_WRITE | O_CREATE | O_TRUNCATE);
    CHECK(file >= 0);
    CHECK_EQUAL(write(file, text, strlen(text)), strlen(text));
    CHECK_EQUAL(close(file), 0);
}

void check_file(const char *name, const char *text) {
    char found[256];
    int file = open(name, O_READ);
    CHECK(file >= 0);
    long count = read(file, found, sizeof found);
    CHECK_EQUAL(count, strlen(text));
    CHECK(memcmp(found, text, strlen(text)) == 0);
    CHECK_EQUAL(close(file), 0);
}

static bool is_wanted(const char *name, int argc, char *argv[]) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0) return true;
    return argc == 1;
}

static void run_table(const struct test *test, int argc, char *argv[]) {
    for (; test->name; test++) {
        if (!is_wanted(test->name, argc, argv)) continue;
        int status = run(test->body);
        printf("%s: %s\n", test->name, status == 0 ? "ok" : "FAILED");
        failed += status != 0;
    }
}

// exec_passes_arguments (processes.c) starts this program again.
static int check_arguments(int argc, char *argv[]) {
    bool right = argc == 5 && strcmp(argv[2], "one") == 0 && strcmp(argv[3], "") == 0 &&
                 strcmp(argv[4], "two words") == 0 && argv[5] == NULL;
    return right ? 42 : 1;
}

int main(int argc, char *argv[]) {
    program_name = "tests";
    if (argc > 1 && strcmp(argv[1], "--arguments") == 0) return check_arguments(argc, argv);
    mkdir("/tmp");
    CHECK_EQUAL(chdir("/tmp"), 0);
    for (int i = 0; i < ARRAY_SIZE(tables); i++) run_table(tables[i], argc, argv);
    if (failed) printf("%d TESTS FAILED\n", failed);
    else printf("ALL TESTS PASSED\n");
    return failed != 0;
}

// Pipes, and the numbers of open files.

#include "tests.h"

enum { TOTAL = 64 * 1024 };

static int files[2];

static void send_pattern(void) {
    static unsigned char part[777];
    close(files[0]);
    for (int sent = 0; sent < TOTAL;) {
        int count = TOTAL - sent < (int)sizeof part ? TOTAL - sent : (int)sizeof part;
        for (int i = 0; i < count; i++) part[i] = (unsigned char)((sent + i) * 31 >> 3);
        CHECK_EQUAL(write(files[1], part, (size_t)count), count);
        sent += count;
    }
}

static void pipe_keeps_the_order(void) {
    static unsigned char part[1000];
    int got = 0, status;
    CHECK_EQUAL(pipe(files), 0);
    start(send_pattern);
    close(files[1]);
    for (;;) {
        long count = read(files[0], part, sizeof part);
        CHECK(count >= 0);
        if (count == 0) break;
        for (int i = 0; i < count; i++, got++) CHECK(part[i] == (unsigned char)(got * 31 >> 3));
    }
    CHECK_EQUAL(got, TOTAL);
    wait(&status);
    CHECK_EQUAL(status, 0);
}

static void pipe_has_two_ends(void) {
    char c;
    CHECK_EQUAL(pipe(files), 0);
    CHECK_EQUAL(read(files[1], &c, 1), -EBADF);
    CHECK_EQUAL(write(files[0], &c, 1), -EBADF);
    CHECK_EQUAL(write(files[1], "ab", 2), 2);
    close(files[1]);
    CHECK_EQUAL(read(files[0], &c, 1), 1);
    CHECK_EQUAL(read(files[0], &c, 1), 1);
    CHECK_EQUAL(c, 'b');
    CHECK_EQUAL(read(files[0], &c, 1), 0);
    close(files[0]);
    CHECK_EQUAL(pipe(files), 0);
    close(files[0]);
    CHECK_EQUAL(write(files[1], "ab", 2), -EPIPE);
}

static void write_many(void) {
    for (int i = 0; i < 500; i++) CHECK_EQUAL(write(files[1], "x", 1), 1);
}

static void many_writers(void) {
    static char part[100];
    long got = 0, count;
    CHECK_EQUAL(pipe(files), 0);
    for (int i = 0; i < 4; i++) start(write_many);
    close(files[1]);
    while ((count = read(files[0], part, sizeof part)) > 0) got += count;
    CHECK_EQUAL(got, 2000);
    for (int i = 0; i < 4; i++) CHECK(wait(NULL) > 0);
}

static void numbers_of_files(void) {
    int opened = 0, file;
    while ((file = dup(1)) >= 0) opened++;
    CHECK_EQUAL(file, -EMFILE);
    CHECK_EQUAL(opened, MAX_FILES - 3);
    CHECK_EQUAL(pipe(files), -EMFILE);
    CHECK_EQUAL(close(5), 0);
    CHECK_EQUAL(pipe(files), -EMFILE);  // it needs two, and keeps none
    CHECK_EQUAL(dup(1), 5);
    CHECK_EQUAL(close(MAX_FILES), -EBADF);
    CHECK_EQUAL(close(-1), -EBADF);
}

const struct test pipe_tests[] = {
    {"pipe_keeps_the_order", pipe_keeps_the_order},
    {"pipe_has_two_ends", pipe_has_two_ends},
    {"many_writers", many_writers},
    {"numbers_of_files", numbers_of_files},
    {NULL, NULL},
};

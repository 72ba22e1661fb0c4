// Files as sequences of bytes.

#include "tests.h"

static unsigned char pattern(long at) { return (unsigned char)(at * 13 + (at >> 8) * 7 + 1); }

static void write_and_read(void) {
    struct stat stat;
    char c;
    write_file("a", "some text");
    check_file("a", "some text");
    write_file("a", "new");
    check_file("a", "new");
    int file = open("a", O_READWRITE);
    CHECK_EQUAL(fstat(file, &stat), 0);
    CHECK_EQUAL(stat.size, 3);
    CHECK_EQUAL(stat.type, FILE_PLAIN);
    CHECK_EQUAL(read(file, &c, 1), 1);
    CHECK_EQUAL(write(file, "XY", 2), 2);
    CHECK_EQUAL(seek(file, 1), 1);
    CHECK_EQUAL(read(file, &c, 1), 1);
    CHECK_EQUAL(c, 'X');
    close(file);
    check_file("a", "nXY");
    CHECK_EQUAL(unlink("a"), 0);
    CHECK_EQUAL(open("a", O_READ), -ENOENT);
}

static void append(void) {
    write_file("a", "one");
    int first = open("a", O_WRITE | O_APPEND), second = open("a", O_WRITE | O_APPEND);
    CHECK_EQUAL(write(first, " two", 4), 4);
    CHECK_EQUAL(write(second, " three", 6), 6);
    CHECK_EQUAL(write(first, " four", 5), 5);
    close(first);
    close(second);
    check_file("a", "one two three four");
    CHECK_EQUAL(unlink("a"), 0);
}

static void dup_shares_the_offset(void) {
    int file = open("a", O_WRITE | O_CREATE), other = dup(file);
    CHECK_EQUAL(write(file, "ab", 2), 2);
    if (fork() == 0) exit((int)write(other, "cd", 2));
    wait(NULL);
    CHECK_EQUAL(write(other, "ef", 2), 2);
    check_file("a", "abcdef");
    CHECK_EQUAL(unlink("a"), 0);
}

static void rights(void) {
    char c = 'x';
    write_file("a", "text");
    int reader = open("a", O_READ), writer = open("a", O_WRITE);
    CHECK_EQUAL(write(reader, &c, 1), -EBADF);
    CHECK_EQUAL(read(writer, &c, 1), -EBADF);
    CHECK_EQUAL(open("a", 0), -EINVAL);
    CHECK_EQUAL(open("a", O_READ | O_TRUNCATE), -EINVAL);
    CHECK_EQUAL(open("/bin", O_WRITE), -EISDIR);
    CHECK_EQUAL(open("/bin", O_READ | O_CREATE), -EISDIR);
    CHECK_EQUAL(seek(1, 0), -EINVAL);
    CHECK_EQUAL(seek(reader, -1), -EINVAL);
    CHECK_EQUAL(unlink("a"), 0);
}

// Direct blocks, one indirect block and some below the twice indirect one.
static void large_file(void) {
    static unsigned char part[10000];
    enum { PARTS = 32 };
    int file = open("large", O_READWRITE | O_CREATE);
    for (long i = 0; i < PARTS; i++) {
        for (long j = 0; j < ARRAY_SIZE(part); j++) part[j] = pattern(i * ARRAY_SIZE(part) + j);
        CHECK_EQUAL(write(file, part, sizeof part), sizeof part);
    }
    for (long i = PARTS - 1; i >= 0; i--) {
        seek(file, i * ARRAY_SIZE(part));
        CHECK_EQUAL(read(file, part, sizeof part), sizeof part);
        for (long j = 0; j < ARRAY_SIZE(part); j++)
            CHECK(part[j] == pattern(i * ARRAY_SIZE(part) + j));
    }
    close(file);
    CHECK_EQUAL(unlink("large"), 0);
}

static void holes_are_zeros(void) {
    struct system_info before, after;
    char part[100];
    system_info(&before);
    int file = open("holes", O_READWRITE | O_CREATE);
    CHECK_EQUAL(seek(file, 40L << 20), 40L << 20);
    CHECK_EQUAL(write(file, "end", 3), 3);
    seek(file, 1000000);
    CHECK_EQUAL(read(file, part, sizeof part), sizeof part);
    for (int i = 0; i < ARRAY_SIZE(part); i++) CHECK_EQUAL(part[i], 0);
    seek(file, (40L << 20) - 1);
    CHECK_EQUAL(read(file, part, sizeof part), 4);
    CHECK(memcmp(part, "\0end", 4) == 0);
    system_info(&after);
    CHECK(before.free_disk_blocks - after.free_disk_blocks <= 4);
    CHECK_EQUAL(seek(file, 1L << 40), 1L << 40);
    CHECK_EQUAL(write(file, "x", 1), -EFBIG);
    close(file);
    CHECK_EQUAL(unlink("holes"), 0);
    system_info(&after);
    CHECK_EQUAL(after.free_disk_blocks, before.free_disk_blocks);
}

static void a_file_without_names_lives_while_open(void) {
    char part[8] = "";
    struct stat stat;
    write_file("a", "still");
    int file = open("a", O_READWRITE);
    CHECK_EQUAL(unlink("a"), 0);
    CHECK_EQUAL(open("a", O_READ), -ENOENT);
    CHECK_EQUAL(fstat(file, &stat), 0);
    CHECK_EQUAL(stat.links, 0);
    CHECK_EQUAL(read(file, part, sizeof part), 5);
    CHECK(strcmp(part, "still") == 0);
    CHECK_EQUAL(write(file, " here", 5), 5);
    close(file);
}

static void the_disk_gets_full(void) {
    static char part[8192];
    struct system_info before, after;
    system_info(&before);
    if (before.free_disk_blocks > 16384) return;  // it would take too long
    int file = open("full", O_WRITE | O_CREATE);
    long count;
    while ((count = write(file, part, sizeof part)) == sizeof part) {
    }
    if (count >= 0) count = write(file, part, sizeof part);
    CHECK_EQUAL(count, -ENOSPC);
    CHECK_EQUAL(mkdir("directory"), -ENOSPC);
    close(file);
    CHECK_EQUAL(unlink("full"), 0);
    system_info(&after);
    CHECK_EQUAL(after.free_disk_blocks, before.free_disk_blocks);
    CHECK_EQUAL(mkdir("directory"), 0);
    CHECK_EQUAL(unlink("directory"), 0);
}

static int worker;

static void work_on_files(void) {
    char name[16], text[32];
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "w%d-%d", worker, i % 3);
        snprintf(text, sizeof text, "%d wrote %d", worker, i);
        write_file(name, text);
        check_file(name, text);
        if (i % 4 == 3) CHECK_EQUAL(unlink(name), 0);
    }
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "w%d-%d", worker, i);
        unlink(name);
    }
}

static void several_at_once(void) {
    struct system_info before, after;
    int status;
    write_file("a", "");  // the directory has room for more names
    CHECK_EQUAL(unlink("a"), 0);
    system_info(&before);
    for (worker = 0; worker < 4; worker++) start(work_on_files);
    for (int i = 0; i < 4; i++) {
        CHECK(wait(&status) > 0);
        CHECK_EQUAL(status, 0);
    }
    system_info(&after);
    CHECK(before.free_disk_blocks - after.free_disk_blocks <= 1);  // the directory may have grown
}

const struct test file_tests[] = {
    {"write_and_read", write_and_read},
    {"append", append},
    {"dup_shares_the_offset", dup_shares_the_offset},
    {"rights", rights},
    {"large_file", large_file},
    {"holes_are_zeros", holes_are_zeros},
    {"a_file_without_names_lives_while_open", a_file_without_names_lives_while_open},
    {"the_disk_gets_full", the_disk_gets_full},
    {"several_at_once", several_at_once},
    {NULL, NULL},
};

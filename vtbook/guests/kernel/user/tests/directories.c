// Directories, names and links.

#include "tests.h"

static int links_of(const char *name) {
    struct stat stat;
    int file = open(name, O_READ);
    CHECK(file >= 0);
    CHECK_EQUAL(fstat(file, &stat), 0);
    close(file);
    return (int)stat.links;
}

static void directories(void) {
    CHECK_EQUAL(mkdir("d"), 0);
    CHECK_EQUAL(mkdir("d"), -EEXIST);
    CHECK_EQUAL(links_of("d"), 2);
    CHECK_EQUAL(mkdir("d/inner"), 0);
    CHECK_EQUAL(links_of("d"), 3);
    write_file("d/inner/file", "deep");
    check_file("/tmp//d/./inner/../inner/file", "deep");
    CHECK_EQUAL(chdir("d/inner"), 0);
    check_file("file", "deep");
    CHECK_EQUAL(chdir("file"), -ENOTDIR);
    CHECK_EQUAL(chdir("../.."), 0);
    CHECK_EQUAL(unlink("d"), -ENOTEMPTY);
    CHECK_EQUAL(unlink("d/inner"), -ENOTEMPTY);
    CHECK_EQUAL(unlink("d/inner/file"), 0);
    CHECK_EQUAL(unlink("d/inner/."), -EINVAL);
    CHECK_EQUAL(unlink("d/inner/.."), -EINVAL);
    CHECK_EQUAL(unlink("d/inner"), 0);
    CHECK_EQUAL(links_of("d"), 2);
    CHECK_EQUAL(unlink("d"), 0);
    CHECK_EQUAL(chdir("d"), -ENOENT);
    CHECK_EQUAL(unlink("/"), -EEXIST);
}

static void a_removed_directory_is_empty(void) {
    CHECK_EQUAL(mkdir("d"), 0);
    CHECK_EQUAL(chdir("d"), 0);
    CHECK_EQUAL(unlink("../d"), 0);
    CHECK_EQUAL(open("file", O_WRITE | O_CREATE), -ENOENT);
    CHECK_EQUAL(mkdir("inner"), -ENOENT);
    CHECK_EQUAL(chdir(".."), -ENOENT);
    CHECK_EQUAL(chdir("/tmp"), 0);
}

static void links(void) {
    write_file("a", "text");
    CHECK_EQUAL(link("a", "b"), 0);
    CHECK_EQUAL(links_of("a"), 2);
    CHECK_EQUAL(link("a", "b"), -EEXIST);
    CHECK_EQUAL(link("nothing", "c"), -ENOENT);
    CHECK_EQUAL(link("/bin", "c"), -EISDIR);
    CHECK_EQUAL(unlink("a"), 0);
    check_file("b", "text");
    CHECK_EQUAL(links_of("b"), 1);
    CHECK_EQUAL(unlink("b"), 0);
    CHECK_EQUAL(unlink("b"), -ENOENT);
}

static void names(void) {
    char longest[30] = "abcdefghijklmnopqrstuvwxyz12";  // 28 bytes
    write_file(longest, "x");
    check_file(longest, "x");
    CHECK_EQUAL(unlink(longest), 0);
    strchr(longest, 0)[1] = 0;
    *strchr(longest, 0) = '3';
    CHECK_EQUAL(open(longest, O_WRITE | O_CREATE), -ENAMETOOLONG);
    CHECK_EQUAL(open(longest, O_READ), -ENAMETOOLONG);
    CHECK_EQUAL(mkdir(longest), -ENAMETOOLONG);
    CHECK_EQUAL(open("", O_READ), -ENOENT);
    CHECK_EQUAL(open("", O_WRITE | O_CREATE), -ENOENT);
    char path[MAX_PATH + 8];
    memset(path, '/', sizeof path);
    path[sizeof path - 1] = 0;
    CHECK_EQUAL(open(path, O_READ), -ENAMETOOLONG);
}

static void many_names(void) {
    char name[16];
    enum { COUNT = 70 };
    CHECK_EQUAL(mkdir("many"), 0);
    CHECK_EQUAL(chdir("many"), 0);
    write_file("0", "x");
    for (int i = 1; i < COUNT; i++) {
        snprintf(name, sizeof name, "%d", i);
        CHECK_EQUAL(link("0", name), 0);
    }
    CHECK_EQUAL(links_of("0"), COUNT);
    for (int i = COUNT - 1; i >= 0; i--) {
        snprintf(name, sizeof name, "%d", i * 31 % COUNT);
        check_file(name, "x");
        CHECK_EQUAL(unlink(name), 0);
    }
    CHECK_EQUAL(chdir(".."), 0);
    CHECK_EQUAL(unlink("many"), 0);
}

// Create files until there are no inodes left; none is lost.
static void inodes_run_out(void) {
    char name[16];
    int counts[2] = {0, 0}, file;
    for (int round = 0; round < 2; round++) {
        for (;;) {
            snprintf(name, sizeof name, "i%d", counts[round]);
            file = open(name, O_WRITE | O_CREATE);
            if (file < 0) break;
            close(file);
            counts[round]++;
            if (counts[round] == 2000) return;  // a large disk
        }
        CHECK_EQUAL(file, -ENOSPC);
        for (int i = 0; i < counts[round]; i++) {
            snprintf(name, sizeof name, "i%d", i);
            CHECK_EQUAL(unlink(name), 0);
        }
    }
    CHECK(counts[0] > 10);
    CHECK_EQUAL(counts[1], counts[0]);
}

const struct test directory_tests[] = {
    {"directories", directories},
    {"a_removed_directory_is_empty", a_removed_directory_is_empty},
    {"links", links},
    {"names", names},
    {"many_names", many_names},
    {"inodes_run_out", inodes_run_out},
    {NULL, NULL},
};

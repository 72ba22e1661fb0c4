// ls [path...]: list directories: kind, links, size, inode, name.

#include "lib/user.h"
#include "../shared/disk.h"

static void show(const char *path, const char *name) {
    struct stat stat;
    int file = open(path, O_READ);
    if (file < 0) fail(path, file);
    fstat(file, &stat);
    close(file);
    printf("%c %3u %8lu %5u  %s\n", stat.type == FILE_DIRECTORY ? 'd' : '-', stat.links,
           stat.size, stat.inode, name);
}

static void list(const char *path) {
    struct stat stat;
    struct disk_entry entry;
    char whole[MAX_PATH + NAME_SIZE + 2], name[NAME_SIZE + 1] = "";
    int file = open(path, O_READ);
    if (file < 0) fail(path, file);
    fstat(file, &stat);
    if (stat.type != FILE_DIRECTORY) {
        show(path, path);
        close(file);
        return;
    }
    while (read(file, &entry, sizeof entry) == sizeof entry) {
        if (entry.inode == 0) continue;
        memcpy(name, entry.name, NAME_SIZE);
        snprintf(whole, sizeof whole, "%s/%s", path, name);
        show(whole, name);
    }
    close(file);
}

int main(int argc, char *argv[]) {
    program_name = "ls";
    if (argc == 1) list(".");
    for (int i = 1; i < argc; i++) {
        if (argc > 2) printf("%s:\n", argv[i]);
        list(argv[i]);
    }
    return 0;
}

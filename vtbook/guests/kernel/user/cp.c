// cp from to: copy a file.

#include "lib/user.h"

int main(int argc, char *argv[]) {
    static char part[4096];
    long count;
    program_name = "cp";
    if (argc != 3) {
        fprintf(2, "usage: cp from to\n");
        return 2;
    }
    int from = open(argv[1], O_READ);
    if (from < 0) fail(argv[1], from);
    int to = open(argv[2], O_WRITE | O_CREATE | O_TRUNCATE);
    if (to < 0) fail(argv[2], to);
    while ((count = read(from, part, sizeof part)) > 0) {
        long done = write(to, part, (size_t)count);
        if (done != count) fail(argv[2], done < 0 ? done : -ENOSPC);
    }
    if (count < 0) fail(argv[1], count);
    return 0;
}

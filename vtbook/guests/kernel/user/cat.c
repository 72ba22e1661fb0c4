// cat [file...]: copy files, or the input, to the output.

#include "lib/user.h"

static void copy(int file, const char *name) {
    static char part[1024];
    long count;
    while ((count = read(file, part, sizeof part)) > 0)
        if (write(1, part, (size_t)count) != count) exit(1);
    if (count < 0) fail(name, count);
}

int main(int argc, char *argv[]) {
    program_name = "cat";
    if (argc == 1) copy(0, "input");
    for (int i = 1; i < argc; i++) {
        int file = open(argv[i], O_READ);
        if (file < 0) fail(argv[i], file);
        copy(file, argv[i]);
        close(file);
    }
    return 0;
}

// head [-lines] [file]: print the first lines, 10 if not told.

#include "lib/user.h"

int main(int argc, char *argv[]) {
    struct reader reader = {0};
    char line[512];
    program_name = "head";
    long lines = argc > 1 && argv[1][0] == '-' ? to_number(argv[1] + 1) : 10;
    const char *name = argc > 1 && argv[argc - 1][0] != '-' ? argv[argc - 1] : NULL;
    if (name) reader.file = open(name, O_READ);
    if (reader.file < 0) fail(name, reader.file);
    while (lines-- > 0 && read_line(&reader, line, sizeof line)) printf("%s\n", line);
    return 0;
}

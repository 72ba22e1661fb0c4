// wc [file...]: count lines, words and bytes.

#include "lib/user.h"

static void count(int file, const char *name) {
    static char part[1024];
    long lines = 0, words = 0, bytes = 0, got;
    bool inside = false;
    while ((got = read(file, part, sizeof part)) > 0) {
        bytes += got;
        for (long i = 0; i < got; i++) {
            bool blank = part[i] == ' ' || part[i] == '\n' || part[i] == '\t';
            lines += part[i] == '\n';
            words += !blank && !inside;
            inside = !blank;
        }
    }
    if (got < 0) fail(name, got);
    printf("%7ld %7ld %7ld %s\n", lines, words, bytes, name);
}

int main(int argc, char *argv[]) {
    program_name = "wc";
    if (argc == 1) count(0, "");
    for (int i = 1; i < argc; i++) {
        int file = open(argv[i], O_READ);
        if (file < 0) fail(argv[i], file);
        count(file, argv[i]);
        close(file);
    }
    return 0;
}

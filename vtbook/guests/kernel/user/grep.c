// grep [-v] text [file...]: print the lines that have the text in them, or with -v
// those that have not.  ^ at the start and $ at the end stand for the ends of a line,
// and . for any character.  The status is 0 if a line was printed.

#include "lib/user.h"

static bool begins(const char *line, const char *text) {
    for (; *text; text++, line++) {
        if (*text == '$' && text[1] == 0) return *line == 0;
        if (*line == 0 || (*text != '.' && *text != *line)) return false;
    }
    return true;
}

static bool has(const char *line, const char *text) {
    if (*text == '^') return begins(line, text + 1);
    do
        if (begins(line, text)) return true;
    while (*line++);
    return false;
}

static bool search(int file, const char *text, bool wanted) {
    struct reader reader = {.file = file};
    char line[512];
    bool found = false;
    while (read_line(&reader, line, sizeof line)) {
        if (has(line, text) != wanted) continue;
        printf("%s\n", line);
        found = true;
    }
    return found;
}

int main(int argc, char *argv[]) {
    program_name = "grep";
    bool wanted = !(argc > 1 && strcmp(argv[1], "-v") == 0), found = false;
    int first = wanted ? 1 : 2;
    if (argc <= first) {
        fprintf(2, "usage: grep [-v] text [file...]\n");
        return 2;
    }
    if (argc == first + 1) found = search(0, argv[first], wanted);
    for (int i = first + 1; i < argc; i++) {
        int file = open(argv[i], O_READ);
        if (file < 0) fail(argv[i], file);
        found |= search(file, argv[first], wanted);
        close(file);
    }
    return !found;
}

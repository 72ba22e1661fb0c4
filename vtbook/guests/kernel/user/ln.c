// ln old new: one more name for a file.

#include "lib/user.h"

int main(int argc, char *argv[]) {
    program_name = "ln";
    if (argc != 3) {
        fprintf(2, "usage: ln old new\n");
        return 2;
    }
    int error = link(argv[1], argv[2]);
    if (error) fail(argv[2], error);
    return 0;
}

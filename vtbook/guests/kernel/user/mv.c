// mv old new: another name for a file.  What had the new name goes.

#include "lib/user.h"

int main(int argc, char *argv[]) {
    program_name = "mv";
    if (argc != 3) {
        fprintf(2, "usage: mv old new\n");
        return 2;
    }
    int error = link(argv[1], argv[2]);
    if (error == -EEXIST && strcmp(argv[1], argv[2]) != 0) {
        error = unlink(argv[2]);
        if (!error) error = link(argv[1], argv[2]);
    }
    if (!error) error = unlink(argv[1]);
    if (error) fail(argv[1], error);
    return 0;
}

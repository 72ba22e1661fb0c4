// rm name...: take names away; a file goes with its last one.  Directories must be
// empty.

#include "lib/user.h"

int main(int argc, char *argv[]) {
    program_name = "rm";
    for (int i = 1; i < argc; i++) {
        int error = unlink(argv[i]);
        if (error) fail(argv[i], error);
    }
    return 0;
}

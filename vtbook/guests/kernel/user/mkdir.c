// mkdir directory...

#include "lib/user.h"

int main(int argc, char *argv[]) {
    program_name = "mkdir";
    for (int i = 1; i < argc; i++) {
        int error = mkdir(argv[i]);
        if (error) fail(argv[i], error);
    }
    return 0;
}

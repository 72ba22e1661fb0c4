// kill pid...: end processes.

#include "lib/user.h"

int main(int argc, char *argv[]) {
    program_name = "kill";
    for (int i = 1; i < argc; i++) {
        int error = kill((int)to_number(argv[i]));
        if (error) fail(argv[i], error);
    }
    return 0;
}

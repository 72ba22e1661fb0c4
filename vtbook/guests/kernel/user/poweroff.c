// poweroff [1]: turn the machine off; 1 tells it that something failed.

#include "lib/user.h"

int main(int argc, char *argv[]) { poweroff(argc > 1 && to_number(argv[1]) != 0); }

// sleep ticks: a hundred are a second.

#include "lib/user.h"

int main(int argc, char *argv[]) { return argc > 1 ? sleep(to_number(argv[1])) : 0; }

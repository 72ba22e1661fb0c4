// time command [word...]: what a command costs, in ticks of the clock, and in cycles
// and instructions of this hart.

#include "lib/user.h"

int main(int argc, char *argv[]) {
    char path[MAX_PATH];
    int status = 0;
    program_name = "time";
    if (argc < 2) return 2;
    snprintf(path, sizeof path, strchr(argv[1], '/') ? "%s" : "/bin/%s", argv[1]);
    long ticks = uptime();
    uint64_t cycles = read_cycles(), instructions = read_instructions();
    int pid = fork();
    if (pid < 0) fail("fork", pid);
    if (pid == 0) fail(argv[1], exec(path, argv + 1));
    wait(&status);
    fprintf(2, "%ld ticks, %lu cycles, %lu instructions\n", uptime() - ticks,
            read_cycles() - cycles, read_instructions() - instructions);
    return status;
}

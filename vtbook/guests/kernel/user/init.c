// The first program.  It starts shells: one for the commands of the boot command line
// (-c "..."), then one after the other to talk to.  It also waits for processes whose
// parents have gone.

#include "lib/user.h"

static int start_shell(int argc, char *argv[]) {
    char *with_commands[] = {"sh", "-c", argc > 2 ? argv[2] : NULL, NULL};
    char *to_talk_to[] = {"sh", NULL};
    int pid = fork();
    if (pid == 0) {
        setgroup();
        if (argc > 2) foreground(getpid());
        long error = exec("/bin/sh", argc > 2 ? with_commands : to_talk_to);
        fail("/bin/sh", error);
    }
    if (pid < 0) fail("fork", pid);
    return pid;
}

int main(int argc, char *argv[]) {
    program_name = "init";
    for (;;) {
        int shell = start_shell(argc, argv), pid;
        do pid = wait(NULL);
        while (pid != shell && pid != -ECHILD);
        foreground(0);
        argc = 1;
    }
}

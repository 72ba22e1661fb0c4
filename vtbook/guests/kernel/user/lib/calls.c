// System calls: the number in a7, arguments from a0 on, ecall.

#include "user.h"

static long call(long number, uint64_t a, uint64_t b, uint64_t c) {
    register uint64_t a0 __asm__("a0") = a;
    register uint64_t a1 __asm__("a1") = b;
    register uint64_t a2 __asm__("a2") = c;
    register long a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
    return (long)a0;
}

#define ADDRESS(pointer) ((uint64_t)(pointer))

void exit(int status) {
    call(SYS_EXIT, (uint64_t)status, 0, 0);
    __builtin_unreachable();
}
int fork(void) { return (int)call(SYS_FORK, 0, 0, 0); }
int wait(int *status) { return (int)call(SYS_WAIT, ADDRESS(status), 0, 0); }
int exec(const char *path, char *argv[]) {
    return (int)call(SYS_EXEC, ADDRESS(path), ADDRESS(argv), 0);
}
int getpid(void) { return (int)call(SYS_GETPID, 0, 0, 0); }
int kill(int pid) { return (int)call(SYS_KILL, (uint64_t)pid, 0, 0); }
char *sbrk(long change) { return (char *)call(SYS_SBRK, (uint64_t)change, 0, 0); }
int sleep(long ticks) { return (int)call(SYS_SLEEP, (uint64_t)ticks, 0, 0); }
long uptime(void) { return call(SYS_UPTIME, 0, 0, 0); }
void yield(void) { call(SYS_YIELD, 0, 0, 0); }
int open(const char *path, int flags) {
    return (int)call(SYS_OPEN, ADDRESS(path), (uint64_t)flags, 0);
}
int close(int file) { return (int)call(SYS_CLOSE, (uint64_t)file, 0, 0); }
long read(int file, void *to, size_t size) {
    return call(SYS_READ, (uint64_t)file, ADDRESS(to), size);
}
long write(int file, const void *from, size_t size) {
    return call(SYS_WRITE, (uint64_t)file, ADDRESS(from), size);
}
long seek(int file, long offset) { return call(SYS_SEEK, (uint64_t)file, (uint64_t)offset, 0); }
int dup(int file) { return (int)call(SYS_DUP, (uint64_t)file, 0, 0); }
int pipe(int files[2]) { return (int)call(SYS_PIPE, ADDRESS(files), 0, 0); }
int fstat(int file, struct stat *stat) {
    return (int)call(SYS_FSTAT, (uint64_t)file, ADDRESS(stat), 0);
}
int mkdir(const char *path) { return (int)call(SYS_MKDIR, ADDRESS(path), 0, 0); }
int link(const char *old, const char *new) {
    return (int)call(SYS_LINK, ADDRESS(old), ADDRESS(new), 0);
}
int unlink(const char *path) { return (int)call(SYS_UNLINK, ADDRESS(path), 0, 0); }
int chdir(const char *path) { return (int)call(SYS_CHDIR, ADDRESS(path), 0, 0); }
void sync(void) { call(SYS_SYNC, 0, 0, 0); }
void setgroup(void) { call(SYS_SETGROUP, 0, 0, 0); }
void foreground(int group) { call(SYS_FOREGROUND, (uint64_t)group, 0, 0); }
int processes(struct process_info *list, int count) {
    return (int)call(SYS_PROCESSES, ADDRESS(list), (uint64_t)count, 0);
}
int system_info(struct system_info *info) { return (int)call(SYS_SYSTEM, ADDRESS(info), 0, 0); }
void poweroff(int failed) {
    call(SYS_POWEROFF, (uint64_t)failed, 0, 0);
    __builtin_unreachable();
}

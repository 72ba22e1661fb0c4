// What the kernel and its programs agree on: system calls, errors, structures.
#pragma once

#include <stdint.h>

// A system call: its number in a7, arguments in a0..a5, then ecall.  The result
// comes back in a0; a negative one is an error.
enum {
    SYS_EXIT = 1,
    SYS_FORK,
    SYS_WAIT,
    SYS_EXEC,
    SYS_GETPID,
    SYS_KILL,
    SYS_SBRK,
    SYS_SLEEP,
    SYS_UPTIME,
    SYS_YIELD,
    SYS_OPEN,
    SYS_CLOSE,
    SYS_READ,
    SYS_WRITE,
    SYS_SEEK,
    SYS_DUP,
    SYS_PIPE,
    SYS_FSTAT,
    SYS_MKDIR,
    SYS_LINK,
    SYS_UNLINK,
    SYS_CHDIR,
    SYS_SYNC,
    SYS_SETGROUP,
    SYS_FOREGROUND,
    SYS_PROCESSES,
    SYS_SYSTEM,
    SYS_POWEROFF,
    SYS_COUNT,
};

// Errors, numbered as on Linux.
enum {
    ENOENT = 2,
    ESRCH = 3,
    EINTR = 4,
    EIO = 5,
    E2BIG = 7,
    ENOEXEC = 8,
    EBADF = 9,
    ECHILD = 10,
    EAGAIN = 11,
    ENOMEM = 12,
    EFAULT = 14,
    EBUSY = 16,
    EEXIST = 17,
    ENOTDIR = 20,
    EISDIR = 21,
    EINVAL = 22,
    ENFILE = 23,
    EMFILE = 24,
    EFBIG = 27,
    ENOSPC = 28,
    EMLINK = 31,
    EPIPE = 32,
    ENAMETOOLONG = 36,
    ENOSYS = 38,
    ENOTEMPTY = 39,
};

// open(): one of the first three, and any of the others.
enum { O_READ = 1, O_WRITE = 2, O_READWRITE = 3, O_CREATE = 4, O_TRUNCATE = 8, O_APPEND = 16 };

enum { MAX_FILES = 16 };       // open files of a process
enum { MAX_PATH = 128 };       // bytes, with the zero at the end
enum { MAX_ARGUMENTS = 32 };   // words of a command line
enum { TICKS_PER_SECOND = 100 };

enum file_type { FILE_NONE, FILE_PLAIN, FILE_DIRECTORY, FILE_CONSOLE, FILE_PIPE };

struct stat {
    uint32_t type;  // enum file_type
    uint32_t inode;
    uint32_t links;
    uint32_t reserved;
    uint64_t size;    // bytes
};

struct process_info {
    int32_t pid;
    int32_t parent;
    int32_t hart;  // where it runs, or -1
    char state;    // R running, r ready, S sleeping, Z dead and not waited for
    char name[19];
    uint64_t ticks;  // of the clock, while it ran
    uint64_t pages;  // of memory
};

struct system_info {
    uint64_t pages;  // of memory, of 4 KiB
    uint64_t free_pages;
    uint64_t harts;
    uint64_t processes;
    uint64_t disk_blocks;  // of 1 KiB
    uint64_t free_disk_blocks;
    uint64_t disk_reads, disk_writes;  // blocks moved since the start
    uint64_t switches;                 // from one process to another
};

// The library of the programs: system calls, text, memory.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../shared/abi.h"
#include "../../shared/bytes.h"

// ---- system calls; a negative result is an error of abi.h ----
void exit(int status) __attribute__((noreturn));
int fork(void);
int wait(int *status);  // pid of a child that ended; status may be NULL
int exec(const char *path, char *argv[]);
int getpid(void);
int kill(int pid);
char *sbrk(long change);  // the old end of the heap; SBRK_FAILED
#define SBRK_FAILED ((char *)-ENOMEM)
int sleep(long ticks);
long uptime(void);  // ticks since the start
void yield(void);
int open(const char *path, int flags);
int close(int file);
long read(int file, void *to, size_t size);
long write(int file, const void *from, size_t size);
long seek(int file, long offset);  // from the start of the file
int dup(int file);
int pipe(int files[2]);  // [0] to read, [1] to write
int fstat(int file, struct stat *stat);
int mkdir(const char *path);
int link(const char *old, const char *new);
int unlink(const char *path);
int chdir(const char *path);
void sync(void);
void setgroup(void);         // begin a group of processes, which ctrl-C ends together
void foreground(int group);  // that one; 0: none
int processes(struct process_info *list, int count);
int system_info(struct system_info *info);
void poweroff(int failed) __attribute__((noreturn));

// ---- counters of the hart ----
static inline uint64_t read_cycles(void) {
    uint64_t value;
    __asm__ volatile("rdcycle %0" : "=r"(value));
    return value;
}
static inline uint64_t read_instructions(void) {
    uint64_t value;
    __asm__ volatile("rdinstret %0" : "=r"(value));
    return value;
}

// ---- text ----
void printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fprintf(int file, const char *format, ...) __attribute__((format(printf, 2, 3)));
int snprintf(char *to, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
long to_number(const char *text);  // decimal; -1: it is none
const char *error_name(long error);
void fail(const char *what, long error) __attribute__((noreturn));  // "program: what: error"
extern const char *program_name;

// Lines of a file, one by one: the line without its end, or NULL after the last.
struct reader {
    int file;
    size_t start, end;
    char text[512];
};
char *read_line(struct reader *reader, char *line, size_t size);

// ---- memory ----
void *malloc(size_t size);
void free(void *memory);

// ---- repeatable numbers, for the programs that measure: SplitMix64 ----
uint64_t next_random(uint64_t *state);
uint64_t mix_in(uint64_t checksum, uint64_t value);

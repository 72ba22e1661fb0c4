// System calls: fetch the arguments from the program's registers and memory, check
// them, and call the part of the kernel that does the work.

#include "syscall.h"

#include "devices.h"
#include "fs.h"
#include "hart.h"
#include "print.h"
#include "process.h"
#include "sbi.h"
#include "../shared/bytes.h"

// ---- arguments ----

static uint64_t argument(int n) { return current_process()->frame->x[A0 + n]; }

static int path_argument(int n, char path[MAX_PATH]) {
    return copy_in_string(&current_process()->space, path, argument(n), MAX_PATH);
}

static struct file *file_argument(int n) {
    uint64_t number = argument(n);
    return number < MAX_FILES ? current_process()->files[number] : NULL;
}

static int give(uint64_t to, const void *from, size_t size) {
    return copy_out(&current_process()->space, to, from, size);
}

// ---- processes ----

static int64_t sys_exit(void) { process_exit((int)argument(0)); }

static int64_t sys_fork(void) { return process_fork(); }

static int64_t sys_wait(void) {
    int status;
    int pid = process_wait(&status);
    if (pid > 0 && argument(0) && give(argument(0), &status, sizeof status) != 0) return -EFAULT;
    return pid;
}

// Gather the words of argv in one page of strings; how many, or an error.
static int gather(uint64_t argv, char *page, char *words[MAX_ARGUMENTS]) {
    struct space *space = &current_process()->space;
    char *end = page;
    for (int count = 0; count <= MAX_ARGUMENTS; count++) {
        uint64_t word;
        if (copy_in(space, &word, argv + 8 * (uint64_t)count, sizeof word) != 0) return -EFAULT;
        if (word == 0) return count;
        if (count == MAX_ARGUMENTS) return -E2BIG;
        size_t room = (size_t)(page + PAGE_SIZE - end);
        int error = copy_in_string(space, end, word, room);
        if (error) return error == -ENAMETOOLONG ? -E2BIG : error;
        words[count] = end;
        end += strlen(end) + 1;
    }
    return -E2BIG;
}

static int64_t sys_exec(void) {
    char path[MAX_PATH], *words[MAX_ARGUMENTS];
    int error = path_argument(0, path);
    if (error) return error;
    char *page = page_new();
    if (!page) return -ENOMEM;
    int count = gather(argument(1), page, words);
    if (count >= 0) count = process_exec(path, words, count);
    page_drop(page);
    return count;
}

static int64_t sys_getpid(void) { return current_process()->pid; }

static int64_t sys_kill(void) { return process_kill((int)argument(0)); }

static int64_t sys_sbrk(void) {
    return space_move_break(&current_process()->space, (int64_t)argument(0));
}

static int64_t sys_sleep(void) { return sleep_ticks(argument(0)); }

static int64_t sys_uptime(void) { return (int64_t)ticks(); }

static int64_t sys_yield(void) {
    yield();
    return 0;
}

static int64_t sys_setgroup(void) {
    struct process *process = current_process();
    process->group = process->pid;
    return 0;
}

static int64_t sys_foreground(void) {
    console_foreground((int)argument(0));
    return 0;
}

// ---- files ----

static int64_t new_number(struct file *file) {
    struct process *process = current_process();
    for (int i = 0; i < MAX_FILES; i++) {
        if (process->files[i]) continue;
        process->files[i] = file;
        return i;
    }
    file_close(file);
    return -EMFILE;
}

static int64_t sys_open(void) {
    char path[MAX_PATH];
    struct file *file;
    int error = path_argument(0, path);
    if (!error) error = file_open(path, (int)argument(1), &file);
    return error ? error : new_number(file);
}

static int64_t sys_close(void) {
    struct file *file = file_argument(0);
    if (!file) return -EBADF;
    current_process()->files[argument(0)] = NULL;
    file_close(file);
    return 0;
}

static int64_t sys_read(void) {
    struct file *file = file_argument(0);
    return file ? file_read(file, argument(1), argument(2)) : -EBADF;
}

static int64_t sys_write(void) {
    struct file *file = file_argument(0);
    return file ? file_write(file, argument(1), argument(2)) : -EBADF;
}

static int64_t sys_seek(void) {
    struct file *file = file_argument(0);
    return file ? file_seek(file, (int64_t)argument(1)) : -EBADF;
}

static int64_t sys_dup(void) {
    struct file *file = file_argument(0);
    return file ? new_number(file_share(file)) : -EBADF;
}

// int numbers[2]: to read from, to write to.
static int64_t sys_pipe(void) {
    struct file *reader, *writer;
    int error = pipe_new(&reader, &writer);
    if (error) return error;
    int32_t numbers[2] = {(int32_t)new_number(reader), -1};
    if (numbers[0] >= 0) numbers[1] = (int32_t)new_number(writer);
    else file_close(writer);
    if (numbers[0] < 0 || numbers[1] < 0) error = -EMFILE;
    else error = give(argument(0), numbers, sizeof numbers);
    for (int i = 0; i < 2 && error; i++) {
        if (numbers[i] < 0) continue;
        file_close(current_process()->files[numbers[i]]);
        current_process()->files[numbers[i]] = NULL;
    }
    return error;
}

static int64_t sys_fstat(void) {
    struct stat stat;
    struct file *file = file_argument(0);
    int error = file ? file_stat(file, &stat) : -EBADF;
    return error ? error : give(argument(1), &stat, sizeof stat);
}

static int64_t sys_mkdir(void) {
    char path[MAX_PATH];
    int error = path_argument(0, path);
    if (error) return error;
    fs_begin();
    struct inode *inode = path_create(path, FILE_DIRECTORY, &error);
    if (inode) inode_drop(inode);
    fs_end();
    return error;
}

static int64_t sys_link(void) {
    char old[MAX_PATH], new[MAX_PATH];
    int error = path_argument(0, old);
    if (!error) error = path_argument(1, new);
    if (error) return error;
    fs_begin();
    error = path_link(old, new);
    fs_end();
    return error;
}

static int64_t sys_unlink(void) {
    char path[MAX_PATH];
    int error = path_argument(0, path);
    if (error) return error;
    fs_begin();
    error = path_unlink(path);
    fs_end();
    return error;
}

static int64_t sys_chdir(void) {
    char path[MAX_PATH];
    int error = path_argument(0, path);
    if (error) return error;
    fs_begin();
    struct inode *inode = path_find(path, &error);
    if (inode && inode->disk.type != FILE_DIRECTORY) {
        inode_drop(inode);
        error = -ENOTDIR;
    } else if (inode) {
        inode_drop(current_process()->directory);
        current_process()->directory = inode;
    }
    fs_end();
    return error;
}

static int64_t sys_sync(void) {
    fs_sync();
    return 0;
}

// ---- the system ----

// processes(list, count): how many entries were filled in.
static int64_t sys_processes(void) {
    struct process_info *list = page_new();
    if (!list) return -ENOMEM;
    int most = PAGE_SIZE / sizeof *list;
    uint64_t wanted = argument(1);
    int count = list_processes(list, wanted < (uint64_t)most ? (int)wanted : most);
    int error = give(argument(0), list, (size_t)count * sizeof *list);
    page_drop(list);
    return error ? error : count;
}

static int64_t sys_system(void) {
    struct system_info info = {
        .pages = pages_total(),
        .free_pages = pages_free(),
        .harts = (uint64_t)hart_count,
        .processes = (uint64_t)count_processes(),
        .disk_blocks = disk_blocks(),
        .free_disk_blocks = free_disk_blocks(),
        .disk_reads = disk_reads,
        .disk_writes = disk_writes,
        .switches = switches,
    };
    return give(argument(0), &info, sizeof info);
}

static int64_t sys_poweroff(void) {
    fs_begin();  // and never end it: nothing is written any more
    disk_flush();
    sbi_shutdown(argument(0) != 0);
}

static int64_t (*const calls[SYS_COUNT])(void) = {
    [SYS_EXIT] = sys_exit,
    [SYS_FORK] = sys_fork,
    [SYS_WAIT] = sys_wait,
    [SYS_EXEC] = sys_exec,
    [SYS_GETPID] = sys_getpid,
    [SYS_KILL] = sys_kill,
    [SYS_SBRK] = sys_sbrk,
    [SYS_SLEEP] = sys_sleep,
    [SYS_UPTIME] = sys_uptime,
    [SYS_YIELD] = sys_yield,
    [SYS_OPEN] = sys_open,
    [SYS_CLOSE] = sys_close,
    [SYS_READ] = sys_read,
    [SYS_WRITE] = sys_write,
    [SYS_SEEK] = sys_seek,
    [SYS_DUP] = sys_dup,
    [SYS_PIPE] = sys_pipe,
    [SYS_FSTAT] = sys_fstat,
    [SYS_MKDIR] = sys_mkdir,
    [SYS_LINK] = sys_link,
    [SYS_UNLINK] = sys_unlink,
    [SYS_CHDIR] = sys_chdir,
    [SYS_SYNC] = sys_sync,
    [SYS_SETGROUP] = sys_setgroup,
    [SYS_FOREGROUND] = sys_foreground,
    [SYS_PROCESSES] = sys_processes,
    [SYS_SYSTEM] = sys_system,
    [SYS_POWEROFF] = sys_poweroff,
};

void syscall(struct frame *frame) {
    uint64_t number = frame->x[A7];
    bool known = number < SYS_COUNT && calls[number];
    frame->x[A0] = (uint64_t)(known ? calls[number]() : -ENOSYS);
}

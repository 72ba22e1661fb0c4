// Open files: what a number that open() returned stands for.  fork() and dup() share
// an open file, and with it the offset.

#include "fs.h"
#include "devices.h"
#include "hart.h"
#include "process.h"
#include "../shared/bytes.h"

enum { MAX_OPEN = 128 };            // in the whole system
enum { WRITE_PART = 16 * 1024 };    // bytes of one transaction: fits the log

static struct file files[MAX_OPEN];
static struct spinlock files_lock;

struct file *file_new(int type, bool readable, bool writable) {
    struct file *found = NULL;
    lock(&files_lock);
    for (struct file *file = files; file < &files[MAX_OPEN] && !found; file++)
        if (file->owners == 0) found = file;
    if (found) *found = (struct file){type, 1, readable, writable, false, NULL, NULL, 0};
    unlock(&files_lock);
    return found;
}

struct file *file_share(struct file *file) {
    lock(&files_lock);
    file->owners++;
    unlock(&files_lock);
    return file;
}

void file_close(struct file *file) {
    lock(&files_lock);
    struct file last = *file;
    if (--file->owners > 0) last.type = FILE_NONE;
    unlock(&files_lock);
    if (last.type == FILE_PIPE) pipe_close(last.pipe, last.writable);
    if (last.type == FILE_PLAIN && last.inode) {
        fs_begin();
        inode_drop(last.inode);
        fs_end();
    }
}

int64_t file_read(struct file *file, uint64_t to, uint64_t size) {
    if (!file->readable) return -EBADF;
    if (file->type == FILE_PIPE) return pipe_read(file->pipe, to, size);
    if (file->type == FILE_CONSOLE) return console_read(to, size);
    fs_begin();
    int64_t count = inode_read(file->inode, &current_process()->space, to, file->offset, size);
    if (count > 0) file->offset += (uint64_t)count;
    fs_end();
    return count;
}

// Write a part in one transaction.
static int64_t write_part(struct file *file, uint64_t from, uint64_t size) {
    fs_begin();
    if (file->append) file->offset = file->inode->disk.size;
    int64_t count = inode_write(file->inode, &current_process()->space, from, file->offset, size);
    if (count > 0) file->offset += (uint64_t)count;
    fs_end();
    return count;
}

int64_t file_write(struct file *file, uint64_t from, uint64_t size) {
    if (!file->writable) return -EBADF;
    if (file->type == FILE_PIPE) return pipe_write(file->pipe, from, size);
    if (file->type == FILE_CONSOLE) return console_write(from, size);
    uint64_t done = 0;
    while (done < size) {
        uint64_t part = size - done < WRITE_PART ? size - done : WRITE_PART;
        int64_t count = write_part(file, from + done, part);
        if (count < 0) return done > 0 ? (int64_t)done : count;
        done += (uint64_t)count;
        if ((uint64_t)count < part) break;  // the disk is full, or a bad address
    }
    return (int64_t)done;
}

int64_t file_seek(struct file *file, int64_t offset) {
    if (file->type != FILE_PLAIN || offset < 0) return -EINVAL;
    file->offset = (uint64_t)offset;
    return offset;
}

int file_stat(struct file *file, struct stat *stat) {
    *stat = (struct stat){.type = (uint32_t)file->type};
    if (file->type != FILE_PLAIN) return 0;
    fs_begin();
    struct disk_inode *disk = &file->inode->disk;
    *stat = (struct stat){
        .type = disk->type,
        .inode = file->inode->number,
        .links = disk->links,
        .size = disk->size,
    };
    fs_end();
    return 0;
}

static struct inode *find_or_create(const char *path, int flags, int *error) {
    struct inode *inode =
        flags & O_CREATE ? path_create(path, FILE_PLAIN, error) : path_find(path, error);
    if (inode && inode->disk.type == FILE_DIRECTORY && flags != O_READ) {
        *error = -EISDIR;
        inode_drop(inode);
        return NULL;
    }
    if (inode && flags & O_TRUNCATE) inode_truncate(inode);
    return inode;
}

// A file or, for reading only, a directory.  An open directory has type FILE_PLAIN
// here, too: its bytes are its entries.
int file_open(const char *path, int flags, struct file **result) {
    int error = 0;
    if ((flags & O_READWRITE) == 0 || (flags & O_TRUNCATE && !(flags & O_WRITE))) return -EINVAL;
    struct file *file = file_new(FILE_PLAIN, flags & O_READ, flags & O_WRITE);
    if (!file) return -ENFILE;
    file->append = flags & O_APPEND;
    fs_begin();
    file->inode = find_or_create(path, flags, &error);
    fs_end();
    if (!file->inode) {
        file_close(file);
        return error;
    }
    *result = file;
    return 0;
}

// The file system, from the disk up to open files.
//
//   file.c       open files: numbers, offsets      pipe.c, console.c
//   directory.c  names, paths
//   inode.c      files as sequences of bytes
//   buffer.c     blocks in memory, and transactions of changed blocks
//   disk.c       where blocks are: virtio_disk.c or ramdisk.c
//
// One mutex covers all of it below file.c: fs_begin() takes it, fs_end() puts the
// changes on the disk, all or none, and gives it back.  What is done in between is
// a transaction.  Whoever calls a function from inode.c or directory.c is in one.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"
#include "../shared/abi.h"
#include "../shared/disk.h"

// ---- disk.c ----
struct transfer {
    uint32_t block;
    uint8_t *data;  // BLOCK_SIZE bytes; not on a kernel stack
};
struct disk {
    const char *name;
    uint64_t blocks;
    void (*move)(struct transfer *list, int count, bool write);
    void (*flush)(void);  // what was written stays, even if the power fails
};
void disk_init(const char *wanted);
void disk_move(struct transfer *list, int count, bool write);
void disk_flush(void);
uint64_t disk_blocks(void);
extern uint64_t disk_reads, disk_writes;
extern struct disk virtio_disk, ram_disk;
bool virtio_disk_init(void);
void virtio_disk_interrupt(void);
void ram_disk_init(void);

// ---- buffer.c ----
extern struct superblock super;
void buffers_init(void);
uint8_t *block_get(uint32_t block);   // valid until 64 others have been asked for
uint8_t *block_clear(uint32_t block); // the same, as zeros, and changed
void block_changed(uint8_t *data);    // write it with the transaction
void fs_begin(void);
void fs_end(void);
void fs_sync(void);

// ---- inode.c ----
struct inode {
    uint32_t number;
    int owners;  // 0: this place is free
    struct disk_inode disk;
};
void inodes_init(void);
struct inode *inode_get(uint32_t number);
struct inode *inode_new(int type);
struct inode *inode_share(struct inode *inode);  // outside a transaction
void inode_drop(struct inode *inode);
void inode_update(struct inode *inode);
int64_t inode_read(struct inode *inode, struct space *space, uint64_t to, uint64_t offset,
                   uint64_t size);
int64_t inode_write(struct inode *inode, struct space *space, uint64_t from, uint64_t offset,
                    uint64_t size);
void inode_truncate(struct inode *inode);
uint64_t free_disk_blocks(void);

// ---- directory.c ----
struct inode *path_find(const char *path, int *error);
struct inode *path_parent(const char *path, char name[NAME_SIZE], int *error);
struct inode *path_create(const char *path, int type, int *error);
int path_link(const char *old, const char *new);
int path_unlink(const char *path);

// ---- file.c ----
struct pipe;
struct file {
    int type;  // enum file_type
    int owners;
    bool readable, writable, append;
    struct pipe *pipe;
    struct inode *inode;
    uint64_t offset;
};
struct file *file_new(int type, bool readable, bool writable);
struct file *file_share(struct file *file);
void file_close(struct file *file);
int64_t file_read(struct file *file, uint64_t to, uint64_t size);
int64_t file_write(struct file *file, uint64_t from, uint64_t size);
int64_t file_seek(struct file *file, int64_t offset);
int file_stat(struct file *file, struct stat *stat);
int file_open(const char *path, int flags, struct file **file);

// ---- pipe.c ----
int pipe_new(struct file **reader, struct file **writer);
void pipe_close(struct pipe *pipe, bool writer);
int64_t pipe_read(struct pipe *pipe, uint64_t to, uint64_t size);
int64_t pipe_write(struct pipe *pipe, uint64_t from, uint64_t size);

// ---- exec.c ----
int process_exec(const char *path, char *arguments[], int count);

// ---- main.c ----
void become_init(void);

// The file system on the disk.  vtbook/guests/kernel/mkfs.py has the same table.
//
//   block 0         superblock
//   1 ..            log: a header, then the blocks of one transaction (none on a RAM disk)
//   inode_start ..  inodes, 16 a block
//   bitmap_start .. one bit a block of the disk: 1 = taken (all blocks before data_start are)
//   data_start ..   contents of files and directories, and indirect blocks
//
// All numbers are little-endian.
#pragma once

#include <stdint.h>

enum { BLOCK_SIZE = 1024, MOST_BLOCKS = 32 * 8 * BLOCK_SIZE };  // a bitmap of 32 blocks

#define DISK_MAGIC 0x3153466b6f6f4274ULL  // "tBookFS1"

struct superblock {
    uint64_t magic;
    uint32_t blocks;  // of the whole disk
    uint32_t log_start;
    uint32_t log_blocks;  // with the header; 0: no log
    uint32_t inode_start;
    uint32_t inodes;  // numbers 0 .. inodes-1; 0 is never used, 1 is the root directory
    uint32_t bitmap_start;
    uint32_t data_start;
};

// What file_type means on the disk: FILE_NONE (free), FILE_PLAIN, FILE_DIRECTORY of abi.h.
enum {
    DIRECT = 10,                 // blocks named in the inode itself
    PER_BLOCK = BLOCK_SIZE / 4,  // block numbers in an indirect block
    INODES_PER_BLOCK = BLOCK_SIZE / 64,
    BITS_PER_BLOCK = BLOCK_SIZE * 8,
    ROOT_INODE = 1,
};

// 64 bytes.  A block number 0 is a hole: it reads as zeros.
struct disk_inode {
    uint16_t type;
    uint16_t links;  // names in directories
    uint32_t reserved;
    uint64_t size;            // bytes
    uint32_t direct[DIRECT];  // blocks 0..9 of the file
    uint32_t indirect;        // block with the numbers of the next 256
    uint32_t twice_indirect;  // block with the numbers of 256 such blocks
};

enum { NAME_SIZE = 28 };  // bytes of a name, filled up with zeros; 28 have no zero at the end

// 32 bytes.  A directory is a file of these.  inode 0: a free place.
struct disk_entry {
    uint32_t inode;
    char name[NAME_SIZE];
};

// The log's header.  A transaction counts when the checksum is right.
enum { LOG_CAPACITY = 62 };  // blocks of one transaction

struct log_header {
    uint64_t checksum;              // of the rest of this block and of the logged blocks
    uint64_t sequence;              // grows by one a transaction
    uint32_t count;                 // blocks logged, from log_start + 1 on
    uint32_t blocks[LOG_CAPACITY];  // where each belongs
    uint32_t unused[PER_BLOCK - LOG_CAPACITY - 5];
};

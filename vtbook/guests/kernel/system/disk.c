// Which disk it is: the first virtio block device that has our file system on it,
// or else the RAM disk that is part of the kernel.

#include "fs.h"
#include "print.h"
#include "../shared/bytes.h"

uint64_t disk_reads, disk_writes;

static struct disk *disk;

void disk_move(struct transfer *list, int count, bool write) {
    for (int i = 0; i < count; i++)
        if (list[i].block >= disk->blocks)
            panic("%s has no block %u", disk->name, list[i].block);
    if (write) disk_writes += (uint64_t)count;
    else disk_reads += (uint64_t)count;
    disk->move(list, count, write);
}

void disk_flush(void) { disk->flush(); }

uint64_t disk_blocks(void) { return disk->blocks; }

// Do the parts follow each other, and is each large enough?
static bool is_sound(void) {
    uint64_t inode_blocks = (super.inodes + INODES_PER_BLOCK - 1UL) / INODES_PER_BLOCK;
    uint64_t bitmap_blocks = (super.blocks + BITS_PER_BLOCK - 1UL) / BITS_PER_BLOCK;
    return super.log_start >= 1 &&
           super.inode_start >= (uint64_t)super.log_start + super.log_blocks &&
           super.bitmap_start >= super.inode_start + inode_blocks &&
           super.data_start >= super.bitmap_start + bitmap_blocks &&
           super.data_start <= super.blocks && super.inodes > ROOT_INODE &&
           super.blocks <= MOST_BLOCKS &&
           (super.log_blocks == 0 || super.log_blocks == 1 + LOG_CAPACITY);
}

static bool has_file_system(struct disk *candidate) {
    static uint8_t block[BLOCK_SIZE] __attribute__((aligned(8)));
    struct transfer first = {0, block};
    if (candidate->blocks == 0) return false;
    candidate->move(&first, 1, false);
    memcpy(&super, block, sizeof super);
    return super.magic == DISK_MAGIC && super.blocks <= candidate->blocks && is_sound();
}

// wanted: "ram", or anything else for a virtio disk if there is one.
void disk_init(const char *wanted) {
    disk = &virtio_disk;
    if (strcmp(wanted, "ram") != 0 && virtio_disk_init()) {
        if (has_file_system(disk)) return;
        print("disk: there is none of our file systems on it; going on with the RAM disk\n");
    }
    disk = &ram_disk;
    ram_disk_init();
    if (!has_file_system(disk)) panic("the RAM disk is damaged");
}

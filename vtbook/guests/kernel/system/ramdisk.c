// A disk in memory.  Its first blocks are in the kernel's image and are never
// changed there: a page of it that is written to gets a copy.  What comes after the
// image is zeros.

#include "fs.h"
#include "memory.h"
#include "print.h"
#include "../shared/bytes.h"

enum { MOST_PAGES = 2048 };  // 8 MiB

extern const uint8_t ramdisk_start[], ramdisk_end[];

static uint8_t *own[MOST_PAGES];  // pages that were written to, or NULL

static const uint8_t zeros[BLOCK_SIZE];

static const uint8_t *image_at(uint64_t offset) {
    uint64_t size = (uint64_t)(ramdisk_end - ramdisk_start);
    return offset < size ? ramdisk_start + offset : zeros;
}

static uint8_t *own_page(uint64_t number) {
    if (own[number]) return own[number];
    own[number] = page_new();
    if (!own[number]) panic("no memory for the RAM disk");
    for (uint64_t at = 0; at < PAGE_SIZE; at += BLOCK_SIZE)
        memcpy(own[number] + at, image_at(number * PAGE_SIZE + at), BLOCK_SIZE);
    return own[number];
}

static void move(struct transfer *list, int count, bool write) {
    for (; count > 0; list++, count--) {
        uint64_t offset = (uint64_t)list->block * BLOCK_SIZE;
        uint64_t page = offset / PAGE_SIZE, inside = offset % PAGE_SIZE;
        if (write) memcpy(own_page(page) + inside, list->data, BLOCK_SIZE);
        else if (own[page]) memcpy(list->data, own[page] + inside, BLOCK_SIZE);
        else memcpy(list->data, image_at(offset), BLOCK_SIZE);
    }
}

static void flush(void) {}

struct disk ram_disk = {"RAM disk", 0, move, flush};

void ram_disk_init(void) {
    const struct superblock *first = (const struct superblock *)ramdisk_start;
    ram_disk.blocks = first->blocks;
    if (first->blocks > MOST_PAGES * (PAGE_SIZE / BLOCK_SIZE)) panic("the RAM disk is too large");
}

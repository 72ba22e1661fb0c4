// Inodes: files as sequences of bytes.  An inode in use is kept in a table here;
// each change of it is written to its block with inode_update().

#include "fs.h"
#include "print.h"
#include "../shared/bytes.h"

enum { MAX_INODES = 64 };  // in use at a time

static struct inode inodes[MAX_INODES];
static uint32_t first_maybe_free;  // no block below is free
static uint64_t free_blocks;

// ---- blocks: the bitmap ----

static uint8_t *bitmap_byte(uint32_t block, uint8_t **data) {
    *data = block_get(super.bitmap_start + block / BITS_PER_BLOCK);
    return *data + block % BITS_PER_BLOCK / 8;
}

// A block of zeros, or 0 if the disk is full.
static uint32_t block_new(void) {
    uint8_t *data;
    for (uint32_t block = first_maybe_free; block < super.blocks; block++) {
        uint8_t *byte = bitmap_byte(block, &data);
        if (*byte == 0xff && block % 8 == 0) {
            block += 7;
            continue;
        }
        if (*byte & 1 << block % 8) continue;
        *byte |= (uint8_t)(1 << block % 8);
        block_changed(data);
        block_clear(block);
        first_maybe_free = block + 1;
        free_blocks--;
        return block;
    }
    return 0;
}

static void block_free(uint32_t block) {
    uint8_t *data, *byte = bitmap_byte(block, &data);
    if (block < super.data_start || !(*byte & 1 << block % 8))
        panic("block %u is freed, but was not taken", block);
    *byte &= (uint8_t) ~(1 << block % 8);
    block_changed(data);
    if (block < first_maybe_free) first_maybe_free = block;
    free_blocks++;
}

uint64_t free_disk_blocks(void) { return free_blocks; }

static void count_free_blocks(void) {
    uint8_t *data;
    first_maybe_free = super.data_start;
    free_blocks = 0;
    for (uint32_t block = super.data_start; block < super.blocks; block++)
        free_blocks += !(*bitmap_byte(block, &data) & 1 << block % 8);
}

// ---- inodes on the disk ----

static struct disk_inode *disk_inode(uint32_t number, uint8_t **data) {
    *data = block_get(super.inode_start + number / INODES_PER_BLOCK);
    return (struct disk_inode *)*data + number % INODES_PER_BLOCK;
}

void inode_update(struct inode *inode) {
    uint8_t *data;
    *disk_inode(inode->number, &data) = inode->disk;
    block_changed(data);
}

// One more user of the inode.  NULL: the table is full.
struct inode *inode_get(uint32_t number) {
    uint8_t *data;
    struct inode *found = NULL;
    for (struct inode *inode = inodes; inode < &inodes[MAX_INODES]; inode++) {
        if (inode->owners > 0 && inode->number == number) {
            inode->owners++;
            return inode;
        }
        if (inode->owners == 0 && !found) found = inode;
    }
    if (number == 0 || number >= super.inodes) panic("there is no inode %u", number);
    if (found) *found = (struct inode){number, 1, *disk_inode(number, &data)};
    return found;
}

// A new file without a name: links is 0.  NULL: the disk or the table is full.
struct inode *inode_new(int type) {
    uint8_t *data;
    for (uint32_t number = ROOT_INODE; number < super.inodes; number++) {
        struct disk_inode *place = disk_inode(number, &data);
        if (place->type != FILE_NONE) continue;
        *place = (struct disk_inode){.type = (uint16_t)type};
        block_changed(data);
        struct inode *inode = inode_get(number);
        if (!inode) place->type = FILE_NONE;
        return inode;
    }
    return NULL;
}

struct inode *inode_share(struct inode *inode) {
    fs_begin();
    inode->owners++;
    fs_end();
    return inode;
}

// One user less.  A file without users and names goes away.
void inode_drop(struct inode *inode) {
    if (inode->owners == 1 && inode->disk.links == 0) {
        inode_truncate(inode);
        inode->disk = (struct disk_inode){.type = FILE_NONE};
        inode_update(inode);
    }
    inode->owners--;
}

// ---- the blocks of a file ----

// Follow a block number; if it is 0 and `create`, fill it in.  `holder` is the
// indirect block that it is in, or NULL if it is in the inode.
static uint32_t follow(uint32_t *number, uint8_t *holder, bool create) {
    if (*number || !create) return *number;
    uint32_t new = block_new();
    if (new == 0) return 0;
    *number = new;
    if (holder) block_changed(holder);
    return new;
}

static uint32_t follow_in(uint32_t table, uint32_t index, bool create) {
    if (table == 0) return 0;
    uint8_t *data = block_get(table);
    return follow((uint32_t *)data + index, data, create);
}

// The block with byte index * BLOCK_SIZE of the file; 0: a hole, or no room.
//   0 .. 9        direct
//   10 .. 265     indirect[index - 10]
//   266 .. 65801  twice_indirect[(index - 266) / 256] [(index - 266) % 256]
static uint32_t file_block(struct inode *inode, uint64_t index, bool create) {
    struct disk_inode *disk = &inode->disk;
    if (index < DIRECT) return follow(&disk->direct[index], NULL, create);
    uint32_t rest = (uint32_t)(index - DIRECT);
    if (rest < PER_BLOCK) {
        uint32_t table = follow(&disk->indirect, NULL, create);
        return follow_in(table, rest, create);
    }
    rest -= PER_BLOCK;
    uint32_t tables = follow(&disk->twice_indirect, NULL, create);
    uint32_t table = follow_in(tables, rest / PER_BLOCK, create);
    return follow_in(table, rest % PER_BLOCK, create);
}

static const uint64_t most_bytes =
    (DIRECT + PER_BLOCK + (uint64_t)PER_BLOCK * PER_BLOCK) * BLOCK_SIZE;

static uint64_t part_of_block(uint64_t offset, uint64_t size) {
    uint64_t rest = BLOCK_SIZE - offset % BLOCK_SIZE;
    return rest < size ? rest : size;
}

// Read to a program's memory, or to the kernel's if `space` is NULL.  The bytes
// read, fewer at the end of the file; or -EFAULT.
int64_t inode_read(struct inode *inode, struct space *space, uint64_t to, uint64_t offset,
                   uint64_t size) {
    static uint8_t hole[BLOCK_SIZE] __attribute__((aligned(8)));
    if (offset >= inode->disk.size) return 0;
    if (size > inode->disk.size - offset) size = inode->disk.size - offset;
    for (uint64_t done = 0; done < size;) {
        uint64_t at = offset + done, part = part_of_block(at, size - done);
        uint32_t block = file_block(inode, at / BLOCK_SIZE, false);
        uint8_t *from = (block ? block_get(block) : hole) + at % BLOCK_SIZE;
        if (!space) memcpy((void *)(to + done), from, part);
        else if (copy_out(space, to + done, from, part) != 0) return -EFAULT;
        done += part;
    }
    return (int64_t)size;
}

// The bytes written, fewer if the disk is full; or -ENOSPC, -EFBIG, -EFAULT.
int64_t inode_write(struct inode *inode, struct space *space, uint64_t from, uint64_t offset,
                    uint64_t size) {
    uint64_t done = 0;
    int error = 0;
    if (offset > most_bytes || size > most_bytes - offset) return -EFBIG;
    while (done < size && !error) {
        uint64_t at = offset + done, part = part_of_block(at, size - done);
        uint32_t block = file_block(inode, at / BLOCK_SIZE, true);
        if (block == 0) {
            error = -ENOSPC;
            break;
        }
        uint8_t *to = block_get(block) + at % BLOCK_SIZE;
        if (!space) memcpy(to, (void *)(from + done), part);
        else error = copy_in(space, to, from + done, part);
        block_changed(to - at % BLOCK_SIZE);
        if (!error) done += part;
    }
    if (offset + done > inode->disk.size) inode->disk.size = offset + done;
    inode_update(inode);
    return done > 0 ? (int64_t)done : error;
}

// Free a block and, `levels` deep, those whose numbers are in it.
static void free_blocks_below(uint32_t block, int levels) {
    if (block == 0) return;
    for (uint32_t i = 0; levels > 0 && i < PER_BLOCK; i++)
        free_blocks_below(((uint32_t *)block_get(block))[i], levels - 1);
    block_free(block);
}

void inode_truncate(struct inode *inode) {
    for (int i = 0; i < DIRECT; i++) {
        free_blocks_below(inode->disk.direct[i], 0);
        inode->disk.direct[i] = 0;
    }
    free_blocks_below(inode->disk.indirect, 1);
    free_blocks_below(inode->disk.twice_indirect, 2);
    inode->disk.indirect = inode->disk.twice_indirect = 0;
    inode->disk.size = 0;
    inode_update(inode);
}

// Count what is free, and take back files whose last name went while they were in
// use when the machine stopped.
void inodes_init(void) {
    uint8_t *data;
    count_free_blocks();
    for (uint32_t number = ROOT_INODE; number < super.inodes; number++) {
        struct disk_inode *found = disk_inode(number, &data);
        if (found->type == FILE_NONE || found->links > 0) continue;
        fs_begin();
        inode_drop(inode_get(number));
        fs_end();
    }
}

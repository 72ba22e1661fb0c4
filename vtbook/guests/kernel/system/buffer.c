// Blocks of the disk in memory, and transactions.
//
// A changed block stays in memory until the transaction ends.  Then all changed
// blocks are written to the log, together with a header that names their places
// and has a checksum of everything.  From then on the transaction has happened:
// only now are the blocks written to their places, and if the power fails in
// between, the next start reads the log and does it again.  A header whose
// checksum is wrong was not written to its end: that transaction never happened.
//
//   1. flush: what the transaction before wrote to its places stays
//   2. write the log: header, blocks
//   3. flush: the transaction stays
//   4. write the blocks to their places

#include "fs.h"
#include "print.h"
#include "process.h"
#include "../shared/bytes.h"

enum { BUFFERS = 160 };

struct buffer {
    struct buffer *newer, *older;
    uint32_t block;
    bool valid, changed;
    uint8_t *data;
};

struct superblock super;

static struct mutex fs_mutex;
static struct buffer buffers[BUFFERS];
static struct buffer ring;  // ring.older is the buffer used last, ring.newer the one used first
static uint8_t storage[BUFFERS][BLOCK_SIZE] __attribute__((aligned(8)));

static struct buffer *changed[LOG_CAPACITY];
static int changed_count;
static union {
    struct log_header header;
    uint8_t block[BLOCK_SIZE];
} log;

// ---- the buffers, those used last in front ----

static void take_out(struct buffer *buffer) {
    buffer->newer->older = buffer->older;
    buffer->older->newer = buffer->newer;
}

static void put_in_front(struct buffer *buffer) {
    buffer->newer = &ring;
    buffer->older = ring.older;
    ring.older->newer = buffer;
    ring.older = buffer;
}

static struct buffer *find_buffer(uint32_t block) {
    struct buffer *buffer = ring.older;
    while (buffer != &ring && !(buffer->valid && buffer->block == block)) buffer = buffer->older;
    if (buffer == &ring) {
        buffer = ring.newer;
        while (buffer->changed) buffer = buffer->newer;
        buffer->block = block;
        buffer->valid = false;
    }
    take_out(buffer);
    put_in_front(buffer);
    return buffer;
}

uint8_t *block_get(uint32_t block) {
    struct buffer *buffer = find_buffer(block);
    if (!buffer->valid) {
        struct transfer one = {block, buffer->data};
        disk_move(&one, 1, false);
        buffer->valid = true;
    }
    return buffer->data;
}

uint8_t *block_clear(uint32_t block) {
    struct buffer *buffer = find_buffer(block);
    buffer->valid = true;
    memset(buffer->data, 0, BLOCK_SIZE);
    block_changed(buffer->data);
    return buffer->data;
}

void block_changed(uint8_t *data) {
    struct buffer *buffer = &buffers[(data - storage[0]) / BLOCK_SIZE];
    if (buffer->changed) return;
    if (changed_count == LOG_CAPACITY) panic("a transaction is too large for the log");
    buffer->changed = true;
    changed[changed_count++] = buffer;
}

// ---- the log ----

// FNV-1a, but with words of 64 bits.
static uint64_t add_to_checksum(uint64_t sum, const void *data, size_t size) {
    for (const uint64_t *word = data; size > 0; word++, size -= 8)
        sum = (sum ^ *word) * 0x100000001b3UL;
    return sum;
}

static uint64_t header_checksum(void) {
    return add_to_checksum(0xcbf29ce484222325UL, log.block + 8, BLOCK_SIZE - 8);
}

static void write_log(void) {
    static struct transfer list[1 + LOG_CAPACITY];
    log.header.sequence++;
    log.header.count = (uint32_t)changed_count;
    memset(log.header.blocks, 0, sizeof log.header.blocks);
    for (int i = 0; i < changed_count; i++) log.header.blocks[i] = changed[i]->block;
    uint64_t sum = header_checksum();
    list[0] = (struct transfer){super.log_start, log.block};
    for (int i = 0; i < changed_count; i++) {
        sum = add_to_checksum(sum, changed[i]->data, BLOCK_SIZE);
        list[1 + i] = (struct transfer){super.log_start + 1 + (uint32_t)i, changed[i]->data};
    }
    log.header.checksum = sum;
    disk_move(list, 1 + changed_count, true);
}

static void commit(void) {
    static struct transfer list[LOG_CAPACITY];
    if (super.log_blocks) {
        disk_flush();
        write_log();
        disk_flush();
    }
    for (int i = 0; i < changed_count; i++) {
        list[i] = (struct transfer){changed[i]->block, changed[i]->data};
        changed[i]->changed = false;
    }
    disk_move(list, changed_count, true);
    changed_count = 0;
}

// Do the last transaction again, if it was written to the log whole.
static void recover(void) {
    struct transfer first = {super.log_start, log.block};
    disk_move(&first, 1, false);
    if (log.header.count == 0 || log.header.count > LOG_CAPACITY) return;
    uint64_t sum = header_checksum();
    for (uint32_t i = 0; i < log.header.count; i++)
        sum = add_to_checksum(sum, block_get(super.log_start + 1 + i), BLOCK_SIZE);
    if (sum != log.header.checksum) return;
    for (uint32_t i = 0; i < log.header.count; i++) {
        struct transfer again = {log.header.blocks[i], block_get(super.log_start + 1 + i)};
        disk_move(&again, 1, true);
    }
    disk_flush();
}

// ---- for everybody ----

void fs_begin(void) { mutex_lock(&fs_mutex); }

void fs_end(void) {
    if (changed_count > 0) commit();
    mutex_unlock(&fs_mutex);
}

void fs_sync(void) {
    fs_begin();
    disk_flush();
    fs_end();
}

void buffers_init(void) {
    ring.newer = ring.older = &ring;
    for (int i = 0; i < BUFFERS; i++) {
        buffers[i].data = storage[i];
        put_in_front(&buffers[i]);
    }
    if (super.log_blocks == 0) return;
    recover();
    for (int i = 0; i < BUFFERS; i++) buffers[i].valid = false;  // some were written past us
}

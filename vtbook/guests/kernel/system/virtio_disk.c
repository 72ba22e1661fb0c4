// A virtio block device on virtio-mmio (virtio 1.2, sections 2.7, 4.2 and 5.2).
// Only the modern interface, version 2 of the registers.
//
// Driver and device share three arrays, here of `size` places each:
//
//   descriptors  pieces of memory, linked to chains: one chain is one request
//   available    the driver puts the first descriptor of a request here
//   used         the device puts it here when it has done the request
//
// A request to a disk is a chain of a header (what, which sector), the data, and a
// byte for the status.  One caller at a time is here, with fs_mutex: so each batch
// of requests starts with all descriptors free, and waits for all to be done.

#include "devices.h"
#include "fs.h"
#include "print.h"
#include "process.h"
#include "riscv.h"
#include "../shared/bytes.h"

// Registers, as offsets.
enum {
    MAGIC = 0x00,  // "virt"
    VERSION = 0x04,
    DEVICE_ID = 0x08,
    DEVICE_FEATURES = 0x10,
    DEVICE_FEATURES_SELECT = 0x14,
    DRIVER_FEATURES = 0x20,
    DRIVER_FEATURES_SELECT = 0x24,
    QUEUE_SELECT = 0x30,
    QUEUE_SIZE_MAX = 0x34,
    QUEUE_SIZE = 0x38,
    QUEUE_READY = 0x44,
    QUEUE_NOTIFY = 0x50,
    INTERRUPT_STATUS = 0x60,
    INTERRUPT_ACKNOWLEDGE = 0x64,
    STATUS = 0x70,
    QUEUE_DESCRIPTORS = 0x80,
    QUEUE_AVAILABLE = 0x90,
    QUEUE_USED = 0xa0,
    CONFIGURATION = 0x100,  // of a disk: capacity in sectors; at 12: pieces a request
};
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, NEEDS_RESET = 64 };
enum { DISK_ID = 2 };

// Features, by the number of their bit.
#define FEATURE_SEGMENTS (1UL << 2)   // the configuration says how many pieces a request has
#define FEATURE_READ_ONLY (1UL << 5)
#define FEATURE_FLUSH (1UL << 9)
#define FEATURE_EVENTS (1UL << 29)    // both sides say from which index on they want to be told
#define FEATURE_VERSION_1 (1UL << 32)

enum { MOST = 128, SECTOR = 512 };
enum { READ = 0, WRITE = 1, FLUSH = 4 };  // a request's type
enum { LINKED = 1, DEVICE_WRITES = 2 };   // a descriptor's flags
enum { NO_NOTIFY = 1 };                   // a used ring's flag

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

struct request {
    uint32_t type, reserved;
    uint64_t sector;
    uint8_t status;  // 0: done
};

static struct descriptor descriptors[MOST] __attribute__((aligned(16)));
// flags, index, size places, then used_event
static volatile uint16_t available[2 + MOST + 1];
static volatile struct {
    uint16_t flags, index;
    struct {
        uint32_t first, length;
    } ring[MOST];
    uint16_t event;  // only here if size is MOST: see available_event()
} used __attribute__((aligned(4)));
static struct request requests[MOST];  // by their first descriptor

static struct {
    struct spinlock lock;
    uint64_t registers, features;
    uint16_t size;   // of the rings
    uint16_t index;  // requests made available so far, modulo 2^16
    uint32_t most_segments;
} device;

uint64_t virtio_disk_source;

static uint32_t get(uint64_t offset) { return read32(device.registers + offset); }
static void set(uint64_t offset, uint32_t value) { write32(device.registers + offset, value); }

static void set_address(uint64_t offset, const volatile void *pointer) {
    uint64_t address = to_physical((const void *)pointer);
    set(offset, (uint32_t)address);
    set(offset + 4, (uint32_t)(address >> 32));
}

// ---- starting (virtio 3.1.1) ----

static uint64_t offered_features(void) {
    set(DEVICE_FEATURES_SELECT, 1);
    uint64_t high = get(DEVICE_FEATURES);
    set(DEVICE_FEATURES_SELECT, 0);
    return high << 32 | get(DEVICE_FEATURES);
}

// Say which features the driver uses; false if the device does not like it.
static bool agree_on_features(void) {
    uint64_t known = FEATURE_SEGMENTS | FEATURE_FLUSH | FEATURE_EVENTS | FEATURE_VERSION_1;
    uint64_t offered = offered_features();
    if (!(offered & FEATURE_VERSION_1) || offered & FEATURE_READ_ONLY) return false;
    device.features = offered & known;
    set(DRIVER_FEATURES_SELECT, 0);
    set(DRIVER_FEATURES, (uint32_t)device.features);
    set(DRIVER_FEATURES_SELECT, 1);
    set(DRIVER_FEATURES, (uint32_t)(device.features >> 32));
    set(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    return get(STATUS) & FEATURES_OK;
}

static bool set_up_queue(void) {
    set(QUEUE_SELECT, 0);
    uint32_t most = get(QUEUE_SIZE_MAX);
    if (most < 4) return false;
    device.size = (uint16_t)(most < MOST ? most : MOST);
    set(QUEUE_SIZE, device.size);
    set_address(QUEUE_DESCRIPTORS, descriptors);
    set_address(QUEUE_AVAILABLE, available);
    set_address(QUEUE_USED, &used);
    set(QUEUE_READY, 1);
    return true;
}

static bool is_disk(uint64_t registers) {
    device.registers = registers;
    return get(MAGIC) == 0x74726976 && get(VERSION) == 2 && get(DEVICE_ID) == DISK_ID;
}

static uint64_t capacity(void) {
    return (uint64_t)get(CONFIGURATION + 4) << 32 | get(CONFIGURATION);
}

static bool start(void) {
    set(STATUS, 0);
    set(STATUS, ACKNOWLEDGE);
    set(STATUS, ACKNOWLEDGE | DRIVER);
    if (!agree_on_features() || !set_up_queue()) {
        print("disk: a virtio disk cannot be used (read-only, or not virtio 1)\n");
        set(STATUS, 0);
        return false;
    }
    device.most_segments = device.size - 2U;
    if (device.features & FEATURE_SEGMENTS && get(CONFIGURATION + 12) < device.most_segments)
        device.most_segments = get(CONFIGURATION + 12) ? get(CONFIGURATION + 12) : 1;
    virtio_disk.blocks = capacity() / (BLOCK_SIZE / SECTOR);
    set(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    return true;
}

// Start the first disk there is.
bool virtio_disk_init(void) {
    for (int i = 0; i < board.virtio_count; i++) {
        if (!is_disk(board.virtio[i]) || !start()) continue;
        virtio_disk_source = board.virtio_interrupts[i];
        plic_enable(virtio_disk_source);
        return true;
    }
    return false;
}

// ---- requests ----

static void describe(uint16_t place, const void *data, uint32_t length, int flags) {
    descriptors[place] = (struct descriptor){
        .address = to_physical(data),
        .length = length,
        .flags = (uint16_t)flags,
        .next = (uint16_t)(flags & LINKED ? place + 1 : 0),
    };
}

// A chain from descriptor `place` on: `count` blocks that follow each other on the
// disk.  The place after it.
static uint16_t make_chain(uint16_t place, struct transfer *list, int count, uint32_t type) {
    struct request *request = &requests[place];
    uint64_t sector = count ? (uint64_t)list->block * (BLOCK_SIZE / SECTOR) : 0;
    *request = (struct request){.type = type, .sector = sector, .status = 0xff};
    available[2 + device.index++ % device.size] = place;
    describe(place++, request, 16, LINKED);
    for (; count > 0; list++, count--)
        describe(place++, list->data, BLOCK_SIZE, LINKED | (type == READ ? DEVICE_WRITES : 0));
    describe(place++, &request->status, 1, DEVICE_WRITES);
    return place;
}

// avail_event: the device wants to hear of requests from this index on.
static uint16_t available_event(void) {
    return *(volatile uint16_t *)((char *)&used.ring[0] + sizeof used.ring[0] * device.size);
}

// Show the device the requests from index `old` on, and tell it if it wants to know.
static void show(uint16_t old) {
    available[2 + device.size] = (uint16_t)(device.index - 1);  // interrupt after the last
    device_fence();
    available[1] = device.index;
    device_fence();
    bool tell = !(used.flags & NO_NOTIFY);
    if (device.features & FEATURE_EVENTS)
        tell = (uint16_t)(device.index - available_event() - 1) < (uint16_t)(device.index - old);
    if (tell) set(QUEUE_NOTIFY, 0);
}

static void wait_for_all(void) {
    lock(&device.lock);
    while (used.index != device.index) {
        sleep_on(&device, &device.lock);
        if (used.index != device.index && get(STATUS) & NEEDS_RESET)
            panic("the disk's device has broken down");
    }
    unlock(&device.lock);
    device_fence();
}

void virtio_disk_interrupt(void) {
    lock(&device.lock);
    set(INTERRUPT_ACKNOWLEDGE, get(INTERRUPT_STATUS));
    wake_up(&device);
    unlock(&device.lock);
}

// How many blocks at the start of the list follow each other on the disk.
static int run_length(struct transfer *list, int count) {
    int length = 1;
    while (length < count && length < (int)device.most_segments &&
           list[length].block == list[0].block + (uint32_t)length)
        length++;
    return length;
}

static void move(struct transfer *list, int count, bool write) {
    while (count > 0) {
        uint16_t old = device.index, place = 0;
        while (count > 0) {
            int length = run_length(list, count);
            if (place + length + 2 > device.size) break;
            place = make_chain(place, list, length, write ? WRITE : READ);
            list += length;
            count -= length;
        }
        show(old);
        wait_for_all();
        for (; old != device.index; old++) {
            struct request *request = &requests[available[2 + old % device.size]];
            if (request->status != 0)
                panic("the disk cannot %s sector %lu", write ? "write" : "read", request->sector);
        }
    }
}

static void flush(void) {
    if (!(device.features & FEATURE_FLUSH)) return;
    uint16_t old = device.index;
    make_chain(0, NULL, 0, FLUSH);
    show(old);
    wait_for_all();
    if (requests[0].status != 0) panic("the disk cannot flush");
}

struct disk virtio_disk = {"virtio disk", 0, move, flush};

// The first hart, after entry.S: learn what the board has, say so, and start what comes next.

#include "firmware.h"

// What the boot ROM tells in a2 (OpenSBI, include/sbi/fw_dynamic.h).
struct dynamic_info {
    uint64_t magic, version, next_address, next_mode, options, boot_hart;
};
#define DYNAMIC_MAGIC 0x4942534f // "OSBI"
enum { NO_BANNER = 1 };          // in options

// A copy of what a2 points to, if it is such a record; a2 may be anything.
static struct dynamic_info read_info(uint64_t address) {
    struct dynamic_info info = {.next_mode = SUPERVISOR, .boot_hart = -1};
    uint64_t word = address;
    if (address & 7 || !TRY("ld %[x], 0(%[x])", word) || word != DYNAMIC_MAGIC) return info;
    memcpy(&info, (void *)address, sizeof info);
    if (info.version < 2) info.boot_hart = -1; // version 1 ends before it
    return info;
}

static void banner(const struct dynamic_info *info, uint64_t boot_hart, void *tree) {
    print("\nvtbook firmware, SBI 2.0, on %s\n", board.model);
    print("  RAM       %x to %x, the firmware's up to %x\n", board.ram_base,
          board.ram_base + board.ram_size - 1, (uint64_t)firmware_start + FIRMWARE_SIZE - 1);
    print("  harts     %d, boot hart %d\n", (uint64_t)__builtin_popcountl(board.harts), boot_hart);
    print("  timer     %s\n", has_stimecmp ? "stimecmp of the hart" : "mtimecmp of the CLINT");
    print("  memory    %s\n", has_protection ? "protected by PMP" : "not protected, there is no PMP");
    print("  next      %x in %s mode, device tree at %x\n\n", info->next_address,
          info->next_mode == MACHINE ? "machine" : "supervisor", (uint64_t)tree);
}

__attribute__((noreturn)) void boot(uint64_t hart, void *tree, uint64_t info_address) {
    if (!read_device_tree(tree)) panic("no device tree at %x", (uint64_t)tree);
    console_start();
    if (!(board.harts >> hart & 1)) panic("hart %d is not in the device tree", hart);
    struct dynamic_info info = read_info(info_address);
    if (!info.next_address) info.next_address = (uint64_t)firmware_start + PAYLOAD_OFFSET;
    uint64_t boot_hart = info.boot_hart;
    if (boot_hart >= MOST_HARTS || !(board.harts >> boot_hart & 1)) boot_hart = hart;

    set_up_hart();
    if (!(info.options & NO_BANNER)) banner(&info, boot_hart, tree);
    if (!reserve_firmware(tree)) panic("the device tree at %x is damaged", (uint64_t)tree);
    if (info.next_address - board.ram_base >= board.ram_size)
        panic("nothing to start at %x: it is not RAM", info.next_address);
    if (*(uint32_t *)info.next_address == 0)
        panic("nothing to start at %x: all is zero there", info.next_address);

    // All harts are stopped; the boot hart is asked to start.  This one may be it.
    for (int i = 0; i < MOST_HARTS; i++) harts[i].state = STOPPED;
    start_hart(boot_hart, info.next_address, (uint64_t)tree, info.next_mode);
    asm volatile("fence" ::: "memory");
    board_is_ready = 1;
    for (uint64_t i = 0; i < MOST_HARTS; i++)
        if (board.harts >> i & 1 && i != hart) send_ipi(i, 0);
    wait_to_be_started();
}

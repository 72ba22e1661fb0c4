// The flattened device tree (devicetree.org specification 0.4, chapter 5): a
// header, a block of tokens and a block of names.  All numbers are big-endian.
//
//   token 1 "begin node"  name, zero, filled up to 4 bytes
//   token 2 "end node"
//   token 3 "property"    length, place of its name in the names, value, filled up
//   token 4 "nothing"
//   token 9 "end"
//
// It is read once, front to back.  A node's properties come before its children, so
// at the first child or at the end of a node all is known of it.

#include "devices.h"
#include "print.h"
#include "../shared/bytes.h"

enum { BEGIN_NODE = 1, END_NODE = 2, PROPERTY = 3, NOTHING = 4 };
enum { MAX_DEPTH = 8 };

struct value {
    const uint8_t *bytes;
    uint32_t size;
};

struct node {
    const char *name;
    uint32_t address_cells, size_cells;  // of its children
    struct value reg, compatible, interrupts, extended, status, handle;
    uint64_t hart_id;  // of a cpu
};

struct board board;

// Of each hart's interrupt controller, for the PLIC's list of contexts.
static uint64_t handles[MAX_HARTS];
static struct value plic_contexts;

static uint64_t big_endian(const uint8_t *bytes, int size) {
    uint64_t value = 0;
    while (size-- > 0) value = value << 8 | *bytes++;
    return value;
}

static uint64_t number(struct value value) {
    return value.size == 4 || value.size == 8 ? big_endian(value.bytes, (int)value.size) : 0;
}

static bool is_compatible(struct node *node, const char *wanted) {
    const char *text = (const char *)node->compatible.bytes;
    const char *end = text + node->compatible.size;
    for (; text < end; text += strlen(text) + 1)
        if (strcmp(text, wanted) == 0) return true;
    return false;
}

static bool begins_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

static uint64_t address_of(struct node *node, struct node *parent) {
    if (node->reg.size < 4 * parent->address_cells) return 0;
    return big_endian(node->reg.bytes, 4 * (int)parent->address_cells);
}

static uint64_t size_of(struct node *node, struct node *parent) {
    uint32_t before = 4 * parent->address_cells;
    if (node->reg.size < before + 4 * parent->size_cells) return 0;
    return big_endian(node->reg.bytes + before, 4 * (int)parent->size_cells);
}

static bool is_disabled(struct node *node) {
    return node->status.size > 0 && !begins_with((const char *)node->status.bytes, "ok");
}

// ---- what the kernel wants to know ----

static void note_virtio(uint64_t address, uint64_t interrupt) {
    if (board.virtio_count == MAX_VIRTIO) return;
    int at = board.virtio_count++;  // kept in the order of addresses
    for (; at > 0 && board.virtio[at - 1] > address; at--) {
        board.virtio[at] = board.virtio[at - 1];
        board.virtio_interrupts[at] = board.virtio_interrupts[at - 1];
    }
    board.virtio[at] = address;
    board.virtio_interrupts[at] = interrupt;
}

static void note_device(struct node *node, struct node *parent) {
    uint64_t address = address_of(node, parent);
    if (is_disabled(node) || address == 0 || address >= DEVICES_SIZE) return;
    address += KERNEL_OFFSET;
    if (is_compatible(node, "ns16550a")) {
        board.uart = address;
        board.uart_interrupt = number(node->interrupts);
    } else if (is_compatible(node, "riscv,plic0") || is_compatible(node, "sifive,plic-1.0.0")) {
        board.plic = address;
        plic_contexts = node->extended;
    } else if (is_compatible(node, "virtio,mmio")) {
        note_virtio(address, number(node->interrupts));
    }
}

static void note_hart(struct node *node) {
    if (is_disabled(node) || board.harts == MAX_HARTS) return;
    board.hart_ids[board.harts++] = node->hart_id;
}

static void note_node(struct node *node, int depth) {
    struct node *parent = node - 1;
    if (depth == 0) return;
    if (begins_with(node->name, "memory@")) {
        if (board.ram_size == 0) {
            board.ram_start = address_of(node, parent);
            board.ram_size = size_of(node, parent);
        }
    } else if (begins_with(node->name, "cpu@")) {
        node->hart_id = address_of(node, parent);
        note_hart(node);
    } else if (is_compatible(node, "riscv,cpu-intc")) {
        for (int i = 0; i < board.harts; i++)
            if (board.hart_ids[i] == parent->hart_id) handles[i] = number(node->handle);
    } else {
        note_device(node, parent);
    }
}

static void note_command_line(struct value value) {
    if (value.size >= sizeof board.command_line)
        panic("the boot command line has %u bytes, which is too long", value.size);
    memcpy(board.command_line, value.bytes, value.size);
}

static void note_property(struct node *node, const char *name, struct value value) {
    if (strcmp(name, "#address-cells") == 0) node->address_cells = (uint32_t)number(value);
    else if (strcmp(name, "#size-cells") == 0) node->size_cells = (uint32_t)number(value);
    else if (strcmp(name, "reg") == 0) node->reg = value;
    else if (strcmp(name, "compatible") == 0) node->compatible = value;
    else if (strcmp(name, "interrupts") == 0) node->interrupts = value;
    else if (strcmp(name, "interrupts-extended") == 0) node->extended = value;
    else if (strcmp(name, "status") == 0) node->status = value;
    else if (strcmp(name, "phandle") == 0) node->handle = value;
    else if (strcmp(name, "timebase-frequency") == 0) board.clock_frequency = number(value);
    else if (strcmp(name, "bootargs") == 0) note_command_line(value);
}

// The PLIC's contexts are numbered in the order of this list: pairs of a hart's
// interrupt controller and its line, 9 for S mode's external interrupt.
static void find_contexts(void) {
    for (uint32_t i = 0; i < plic_contexts.size / 8; i++) {
        uint64_t handle = big_endian(plic_contexts.bytes + 8 * i, 4);
        uint64_t line = big_endian(plic_contexts.bytes + 8 * i + 4, 4);
        for (int hart = 0; hart < board.harts && line == 9; hart++)
            if (handles[hart] == handle) board.plic_contexts[hart] = (int)i;
    }
}

// ---- the walk ----

static uint32_t take_number(const uint8_t **at) {
    uint32_t value = (uint32_t)big_endian(*at, 4);
    *at += 4;
    return value;
}

static const uint8_t *fill_up(const uint8_t *at, uint64_t size) {
    return at + (size + 3) / 4 * 4;
}

static void walk(const uint8_t *at, const char *names) {
    static struct node nodes[MAX_DEPTH + 1];
    int depth = -1;
    bool noted = true;  // is the node that is open already known
    for (;;) {
        uint32_t token = take_number(&at);
        if (token == PROPERTY) {
            uint32_t size = take_number(&at), name = take_number(&at);
            if (!noted) note_property(&nodes[depth], names + name, (struct value){at, size});
            at = fill_up(at, size);
            continue;
        }
        if (token == NOTHING) continue;
        if (!noted) note_node(&nodes[depth], depth);
        noted = true;
        if (token == BEGIN_NODE) {
            if (++depth > MAX_DEPTH) panic("the device tree is nested too deeply");
            const char *name = (const char *)at;
            nodes[depth] = (struct node){.name = name, .address_cells = 2, .size_cells = 1};
            at = fill_up(at, strlen(name) + 1);
            noted = false;
        } else if (token == END_NODE) {
            depth--;
        } else {
            return;
        }
    }
}

void read_device_tree(const void *tree) {
    const uint8_t *bytes = tree;
    if (big_endian(bytes, 4) != 0xd00dfeed) panic("there is no device tree where a1 points");
    walk(bytes + big_endian(bytes + 8, 4), (const char *)bytes + big_endian(bytes + 12, 4));
    find_contexts();
    if (board.ram_size == 0) panic("the device tree names no memory");
    if (board.clock_frequency == 0) panic("the device tree names no frequency of the clock");
    if (board.plic == 0 || board.uart == 0) panic("the device tree names no PLIC or no UART");
}

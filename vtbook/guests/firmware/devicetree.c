// The device tree: what the board has, and a note in it that the firmware's memory is taken.
//
// The binary form (Devicetree Specification 0.4, chapter 5) is a header of ten words, then blocks:
// reservations, structure, strings.  All numbers are big-endian.  The structure is a list of
// tokens: BEGIN_NODE name, PROP length name-offset value, END_NODE, and END.

#include "firmware.h"

enum { MAGIC = 0, TOTAL_SIZE, STRUCTURE, STRINGS, STRINGS_SIZE = 8, STRUCTURE_SIZE };
enum { BEGIN_NODE = 1, END_NODE, PROP, NOP, END = 9 };
#define TREE_MAGIC 0xd00dfeed
#define MOST_DEPTH 16
#define OUR_NODE "firmware@80000000"

struct board board;

// What the properties of one node say, as far as we want to know.
struct node {
    const char *name, *compatible, *device_type, *status, *isa, *model;
    uint32_t compatible_size, isa_size;
    const uint32_t *reg;
    uint32_t reg_size;
    uint32_t address_cells, size_cells; // for its children
};

static uint32_t big_endian(uint32_t word) { return __builtin_bswap32(word); }

static uint64_t cells(const uint32_t *at, uint32_t count) {
    uint64_t value = 0;
    for (; count > 0; count--) value = value << 32 | big_endian(*at++);
    return value;
}

static bool lists(const char *texts, uint32_t size, const char *wanted) {
    for (uint32_t at = 0; texts && at < size; at += strlen(texts + at) + 1)
        if (same(texts + at, wanted)) return true;
    return false;
}

static bool is_compatible(const struct node *node, const char *with) {
    return lists(node->compatible, node->compatible_size, with);
}

static void note_property(struct node *node, const char *name, const void *value, uint32_t size) {
    if (same(name, "compatible")) node->compatible = value, node->compatible_size = size;
    if (same(name, "reg")) node->reg = value, node->reg_size = size;
    if (same(name, "device_type")) node->device_type = value;
    if (same(name, "status")) node->status = value;
    if (same(name, "model")) node->model = value;
    if (same(name, "riscv,isa-extensions")) node->isa = value, node->isa_size = size;
    if (same(name, "#address-cells")) node->address_cells = cells(value, 1);
    if (same(name, "#size-cells")) node->size_cells = cells(value, 1);
}

static void note_node(const struct node *node, const struct node *parent) {
    if (node->status && !same(node->status, "okay")) return;
    if (node->model) {
        size_t size = strlen(node->model);
        if (size > sizeof board.model - 1) size = sizeof board.model - 1;
        memcpy(board.model, node->model, size);
    }
    if (node->reg_size < 4 * (parent->address_cells + parent->size_cells)) return;
    if (!node->reg || parent->address_cells > 2 || parent->size_cells > 2) return;
    uint64_t base = cells(node->reg, parent->address_cells);
    uint64_t size = cells(node->reg + parent->address_cells, parent->size_cells);

    if (node->device_type && same(node->device_type, "memory")) {
        if (!board.ram_size) board.ram_base = base;
        if (base == board.ram_base + board.ram_size) board.ram_size += size;
    }
    if (node->device_type && same(node->device_type, "cpu") && base < MOST_HARTS) {
        board.harts |= BIT(base);
        if (lists(node->isa, node->isa_size, "svadu") && !lists(node->isa, node->isa_size, "svade"))
            board.hardware_updates = true;
    }
    if (same(node->name, OUR_NODE)) board.is_reserved = true;
    if (is_compatible(node, "ns16550a") && !board.uart) board.uart = base;
    if (is_compatible(node, "riscv,clint0") || is_compatible(node, "sifive,clint0"))
        board.clint = base;
    if (is_compatible(node, "sifive,test0")) board.finisher = base;
}

// Go through the structure.  Returns where the node `name` of the root ends, or, if there is none,
// where the root ends, as an offset from the start of the tree; 0: the tree is damaged.
static uint32_t walk(const char *tree, const char *name, bool *found, bool note) {
    const uint32_t *header = (const uint32_t *)tree;
    uint32_t at = big_endian(header[STRUCTURE]), total = big_endian(header[TOTAL_SIZE]);
    const char *strings = tree + big_endian(header[STRINGS]);
    struct node open[MOST_DEPTH + 1] = {0};
    int depth = 0;
    *found = false;
    while (at + 12 <= total) {
        const uint32_t *token = (const uint32_t *)(tree + at);
        switch (big_endian(*token)) {
        case BEGIN_NODE:
            if (++depth > MOST_DEPTH) return 0;
            open[depth] = (struct node){.name = tree + at + 4, .address_cells = 2, .size_cells = 1};
            at += 4 + (strlen(tree + at + 4) + 4) / 4 * 4;
            break;
        case PROP:
            note_property(&open[depth], strings + big_endian(token[2]), token + 3,
                          big_endian(token[1]));
            at += 12 + (big_endian(token[1]) + 3) / 4 * 4;
            break;
        case END_NODE:
            if (depth == 0) return 0;
            if (note) note_node(&open[depth], &open[depth - 1]);
            if (depth == 2 && name && same(open[depth].name, name)) {
                *found = true;
                return at;
            }
            if (--depth == 0) return at;
            at += 4;
            break;
        case NOP:
            at += 4;
            break;
        default:
            return 0;
        }
    }
    return 0;
}

bool read_device_tree(void *tree) {
    bool found;
    if (!tree || (uint64_t)tree & 7 || big_endian(*(uint32_t *)tree) != TREE_MAGIC) return false;
    return walk(tree, NULL, &found, true) != 0;
}

// ---- writing ----

// What is written: words of a structure, and after them the names of properties.
struct patch {
    uint32_t words[48];
    int count;
};

static void word(struct patch *patch, uint32_t value) {
    patch->words[patch->count++] = big_endian(value);
}

static void begin(struct patch *patch, const char *name) {
    word(patch, BEGIN_NODE);
    memcpy(patch->words + patch->count, name, strlen(name)); // what follows the name is zero
    patch->count += (strlen(name) + 4) / 4;
}

static void property(struct patch *patch, uint32_t name, const uint32_t *value, int count) {
    word(patch, PROP);
    word(patch, count * 4);
    word(patch, name);
    for (int i = 0; i < count; i++) word(patch, value[i]);
}

static void move(uint32_t *field, int32_t by) { *field = big_endian(big_endian(*field) + by); }

// Make room at an offset and fill it.
static void insert(char *tree, uint32_t at, const void *data, uint32_t size) {
    uint32_t *header = (uint32_t *)tree;
    memmove(tree + at + size, tree + at, big_endian(header[TOTAL_SIZE]) - at);
    memcpy(tree + at, data, size);
    move(&header[TOTAL_SIZE], size);
}

// Write a node below /reserved-memory, so that no kernel uses or maps the firmware's memory
// (Linux, Documentation/arch/riscv/boot.rst).  The new strings follow the old ones.  After a reset
// that keeps RAM the node is there already.
bool reserve_firmware(void *where) {
    static const char names[] = "#address-cells\0#size-cells\0ranges\0reg\0no-map";
    enum { ADDRESS_CELLS = 0, SIZE_CELLS = 15, RANGES = 27, REG = 34, NO_MAP = 38 };
    char *tree = where;
    uint32_t *header = where;
    bool found;
    if (board.is_reserved) return true;
    uint32_t at = walk(tree, "reserved-memory", &found, false);
    uint32_t strings = big_endian(header[STRINGS]), names_at = big_endian(header[STRINGS_SIZE]);
    if (at == 0 || strings < at) return false;

    struct patch patch = {0};
    if (!found) {
        begin(&patch, "reserved-memory");
        property(&patch, names_at + ADDRESS_CELLS, (uint32_t[]){2}, 1);
        property(&patch, names_at + SIZE_CELLS, (uint32_t[]){2}, 1);
        property(&patch, names_at + RANGES, NULL, 0);
    }
    begin(&patch, OUR_NODE);
    property(&patch, names_at + REG, (uint32_t[]){0, 0x80000000, 0, FIRMWARE_SIZE}, 4);
    property(&patch, names_at + NO_MAP, NULL, 0);
    word(&patch, END_NODE);
    if (!found) word(&patch, END_NODE);

    insert(tree, strings + names_at, names, sizeof names);
    move(&header[STRINGS_SIZE], sizeof names);
    insert(tree, at, patch.words, patch.count * 4);
    move(&header[STRUCTURE_SIZE], patch.count * 4);
    move(&header[STRINGS], patch.count * 4);
    return true;
}

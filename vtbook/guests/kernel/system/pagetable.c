// Page tables of Sv39.  Every change of one is a pte_set().
//
//   virtual address    38..30     29..21     20..12     11..0
//                      index 2    index 1    index 0    offset
//   entry (PTE)        53..10 physical page, 9..8 ours, then D A G U X W R V
//
// A valid entry with none of R, W, X leads to the table of the next level; any
// other is a leaf: a page of 4 KiB at level 0, of 2 MiB at level 1, of 1 GiB at
// level 2.  A and D are always set: no hart need ever write to a table.

#include "memory.h"
#include "print.h"
#include "riscv.h"
#include "../shared/bytes.h"

extern char kernel_start[], kernel_code_end[], kernel_constants_end[];

static pte *kernel_root;

static uint64_t level_size(int level) { return (uint64_t)PAGE_SIZE << 9 * level; }

static unsigned index_at(uint64_t address, int level) {
    return address >> (12 + 9 * level) & (ENTRIES - 1);
}

void pte_set(pte *place, pte value) { *(volatile pte *)place = value; }

static pte entry_for(uint64_t physical, int bits) {
    return physical >> 12 << 10 | (uint64_t)bits | PTE_V;
}

pte pte_leaf(void *page, int rights) {
    return entry_for(to_physical(page), rights | PTE_A | PTE_D);
}

void *pte_page(pte entry) { return to_pointer(entry >> 10 << 12 & 0xfffffffffff000); }

// Go down to the entry for `address` at `level`, and make missing tables if
// `create`.  NULL: there is none, no memory for it, or a larger page is in the way.
static pte *find_at(pte *table, uint64_t address, int level, bool create) {
    for (int here = 2; here > level; here--) {
        pte *place = &table[index_at(address, here)];
        if (!(*place & PTE_V)) {
            pte *new = create ? page_new() : NULL;
            if (!new) return NULL;
            pte_set(place, entry_for(to_physical(new), 0));
        } else if (pte_is_leaf(*place)) {
            return NULL;
        }
        table = pte_page(*place);
    }
    return &table[index_at(address, level)];
}

pte *pte_find(pte *root, uint64_t address, bool create) {
    return find_at(root, address, 0, create);
}

// ---- the kernel's half ----

// Map RAM or devices at physical + KERNEL_OFFSET, with the largest pages that fit.
static void map_range(uint64_t physical, uint64_t end, int rights) {
    while (physical < end) {
        int level = 2;
        while (level > 0 && (physical % level_size(level) || end - physical < level_size(level)))
            level--;
        pte *place = find_at(kernel_root, physical + KERNEL_OFFSET, level, true);
        if (!place) panic("no memory for the kernel's page table");
        pte_set(place, entry_for(physical, rights | PTE_G | PTE_A | PTE_D));
        physical += level_size(level);
    }
}

// Devices; the kernel's code, which nothing can write; its constants, which
// nothing can run either; the rest of RAM.
void kernel_table_init(uint64_t ram_start, uint64_t ram_end) {
    kernel_root = page_new();
    if (to_physical(kernel_start) < ram_start) panic("the kernel is not in RAM");
    map_range(0, DEVICES_SIZE, PTE_R | PTE_W);
    map_range(to_physical(kernel_start), to_physical(kernel_code_end), PTE_R | PTE_X);
    map_range(to_physical(kernel_code_end), to_physical(kernel_constants_end), PTE_R);
    map_range(to_physical(kernel_constants_end), page_floor(ram_end), PTE_R | PTE_W);
    find_at(kernel_root, STACKS_BASE, 0, true);  // before any copy of the upper half is made
}

// The table below is shared by all address spaces, so all see the new stack.
bool map_kernel_stack(uint64_t top) {
    for (uint64_t address = top - STACK_SIZE; address < top; address += PAGE_SIZE) {
        pte *place = find_at(kernel_root, address, 0, false);
        if (*place & PTE_V) continue;
        void *page = page_new();
        if (!page) return false;
        pte_set(place, pte_leaf(page, PTE_R | PTE_W | PTE_G));
        flush_page(address);
    }
    return true;
}

uint64_t kernel_table_root(void) { return to_physical(kernel_root); }

// ---- tables with a program's half ----

pte *table_new(void) {
    pte *root = page_new();
    if (!root) return NULL;
    for (int i = ENTRIES / 2; i < ENTRIES; i++)
        if (kernel_root[i]) pte_set(&root[i], kernel_root[i]);
    return root;
}

static void free_entries(pte *table, int count) {
    for (int i = 0; i < count; i++) {
        if (!(table[i] & PTE_V)) continue;
        if (!pte_is_leaf(table[i])) free_entries(pte_page(table[i]), ENTRIES);
        page_drop(pte_page(table[i]));
    }
}

void table_free(pte *root) {
    free_entries(root, ENTRIES / 2);
    page_drop(root);
}

// Give `to` all pages of `from`.  A page that can be written to becomes read-only
// in both: who writes first makes a copy (space_fault).
static bool copy_entries(pte *from, pte *to, int count) {
    for (int i = 0; i < count; i++) {
        if (!(from[i] & PTE_V)) continue;
        if (!pte_is_leaf(from[i])) {
            pte *table = page_new();
            if (!table) return false;
            pte_set(&to[i], entry_for(to_physical(table), 0));
            if (!copy_entries(pte_page(from[i]), table, ENTRIES)) return false;
            continue;
        }
        if (from[i] & PTE_W) pte_set(&from[i], (from[i] & ~(pte)PTE_W) | PTE_COPY);
        page_share(pte_page(from[i]));
        pte_set(&to[i], from[i]);
    }
    return true;
}

bool table_copy(pte *from, pte *to) {
    bool done = copy_entries(from, to, ENTRIES / 2);
    flush_all_pages();  // this hart may remember that it could write
    return done;
}

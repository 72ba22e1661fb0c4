// Memory: pages, page tables, and the address spaces of programs.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAGE_SIZE = 4096 };

// Sv39 has two halves of 256 GiB each.  Programs live in the lower one.  The
// upper one is the kernel's and the same in all address spaces: all devices and
// all of RAM, each at its physical address plus KERNEL_OFFSET.
#define KERNEL_OFFSET 0xffffffc000000000UL
#define DEVICES_SIZE 0x40000000UL  // from physical address 0

// Kernel stacks of the processes: 8 KiB each, and 8 KiB of nothing below, so that
// a stack that grows too large faults.
#define STACKS_BASE 0xffffffffffc00000UL
#define STACK_STRIDE 0x4000UL
#define STACK_SIZE 0x2000UL

// Address space of a program: nothing at 0, so that NULL faults; the program
// from PROGRAM_BASE on; the heap after it; the stack from STACK_TOP down.
#define PROGRAM_BASE 0x10000UL
#define STACK_TOP 0x40000000UL
#define USER_STACK_SIZE (64UL * 1024)
#define HEAP_LIMIT (STACK_TOP - USER_STACK_SIZE - PAGE_SIZE)

static inline uint64_t to_physical(const void *pointer) {
    return (uint64_t)pointer - KERNEL_OFFSET;
}
static inline void *to_pointer(uint64_t physical) { return (void *)(physical + KERNEL_OFFSET); }

static inline uint64_t page_floor(uint64_t address) { return address & ~(PAGE_SIZE - 1UL); }
static inline uint64_t page_ceiling(uint64_t address) {
    return page_floor(address + PAGE_SIZE - 1);
}

// ---- pages.c ----

void pages_init(uint64_t physical_start, uint64_t physical_end);
void *page_new(void);                // zeros; NULL: no memory left
void page_share(void *page);         // one more owner
void page_drop(void *page);          // one owner less; the last one frees it
bool page_is_shared(void *page);
uint64_t pages_total(void);
uint64_t pages_free(void);

// ---- pagetable.c ----

typedef uint64_t pte;
enum {
    PTE_V = 1 << 0,  // valid
    PTE_R = 1 << 1,
    PTE_W = 1 << 2,
    PTE_X = 1 << 3,
    PTE_U = 1 << 4,     // for programs
    PTE_G = 1 << 5,     // the same in all address spaces
    PTE_A = 1 << 6,     // accessed
    PTE_D = 1 << 7,     // written to ("dirty")
    PTE_COPY = 1 << 8,  // ours: shared until somebody writes to it
};
enum { ENTRIES = 512 };

pte *pte_find(pte *root, uint64_t address, bool create);
void pte_set(pte *place, pte value);
pte pte_leaf(void *page, int rights);
void *pte_page(pte entry);
static inline bool pte_is_leaf(pte entry) { return entry & (PTE_R | PTE_W | PTE_X); }

void kernel_table_init(uint64_t ram_start, uint64_t ram_end);
bool map_kernel_stack(uint64_t top);
uint64_t kernel_table_root(void);  // physical
pte *table_new(void);              // with the kernel's half
void table_free(pte *root);        // with all pages of the lower half
bool table_copy(pte *from, pte *to);

// ---- space.c ----

struct space {
    pte *root;
    uint64_t heap_start, heap_end;
    uint64_t pages;  // of memory that the program has, shared ones included
};

enum access { FETCH, LOAD, STORE };

bool space_new(struct space *space);
void space_free(struct space *space);
bool space_copy(struct space *from, struct space *to);
int space_fault(struct space *space, uint64_t address, enum access access);
bool space_add_page(struct space *space, uint64_t address, int rights, void **page);
int64_t space_move_break(struct space *space, int64_t change);

// Between kernel and program.  0 or -EFAULT.
int copy_in(struct space *space, void *to, uint64_t from, size_t size);
int copy_out(struct space *space, uint64_t to, const void *from, size_t size);
int copy_in_string(struct space *space, char *to, uint64_t from, size_t size);

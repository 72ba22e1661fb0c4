// Address spaces of programs.  Code and data are there from exec on.  Heap and
// stack get a page when it is first touched; a page shared by fork() is copied
// when it is first written to.

#include "memory.h"
#include "riscv.h"
#include "../shared/abi.h"
#include "../shared/bytes.h"

bool space_new(struct space *space) {
    *space = (struct space){.root = table_new()};
    return space->root != NULL;
}

void space_free(struct space *space) {
    if (space->root) table_free(space->root);
    space->root = NULL;
}

bool space_copy(struct space *from, struct space *to) {
    if (!space_new(to)) return false;
    to->heap_start = from->heap_start;
    to->heap_end = from->heap_end;
    to->pages = from->pages;
    if (table_copy(from->root, to->root)) return true;
    space_free(to);
    return false;
}

// Put a new page of zeros at `address`; *page is where the kernel sees it.  False
// if there is no memory, or something is there already.
bool space_add_page(struct space *space, uint64_t address, int rights, void **page) {
    pte *place = pte_find(space->root, address, true);
    if (!place || *place & PTE_V) return false;
    *page = page_new();
    if (!*page) return false;
    pte_set(place, pte_leaf(*page, rights | PTE_U));
    flush_page(address);
    space->pages++;
    return true;
}

static bool grows_on_demand(struct space *space, uint64_t address) {
    bool heap = address >= space->heap_start && address < page_ceiling(space->heap_end);
    bool stack = address >= STACK_TOP - USER_STACK_SIZE && address < STACK_TOP;
    return heap || stack;
}

// Somebody writes to a page that fork() has shared: the last owner may keep it.
static int copy_shared_page(pte *place, uint64_t address) {
    void *page = pte_page(*place);
    int rights = (*place & (PTE_R | PTE_X | PTE_U)) | PTE_W;
    if (page_is_shared(page)) {
        void *own = page_new();
        if (!own) return -ENOMEM;
        memcpy(own, page, PAGE_SIZE);
        page_drop(page);
        page = own;
    }
    pte_set(place, pte_leaf(page, rights));
    flush_page(address);
    return 0;
}

// Make an access possible that the MMU refused.  0, -ENOMEM, or -EFAULT: it is not
// allowed.
int space_fault(struct space *space, uint64_t address, enum access access) {
    if (address >= STACK_TOP) return -EFAULT;
    pte *place = pte_find(space->root, address, false);
    if (!place || !(*place & PTE_V)) {
        void *page;
        if (access == FETCH || !grows_on_demand(space, address)) return -EFAULT;
        return space_add_page(space, address, PTE_R | PTE_W, &page) ? 0 : -ENOMEM;
    }
    if (access == STORE && *place & PTE_COPY) return copy_shared_page(place, address);
    pte needed = PTE_U | (access == STORE ? PTE_W : access == LOAD ? PTE_R : PTE_X);
    if ((*place & needed) != needed) return -EFAULT;
    flush_page(address);  // the MMU went by an older entry
    return 0;
}

// sbrk: move the end of the heap.  The old end, or -ENOMEM.
int64_t space_move_break(struct space *space, int64_t change) {
    uint64_t old = space->heap_end, new = old + (uint64_t)change;
    if (change >= 0 ? new < old || new > HEAP_LIMIT : new > old || new < space->heap_start)
        return -ENOMEM;
    for (uint64_t at = page_ceiling(new); at < page_ceiling(old); at += PAGE_SIZE) {
        pte *place = pte_find(space->root, at, false);
        if (!place || !(*place & PTE_V)) continue;
        page_drop(pte_page(*place));
        pte_set(place, 0);
        space->pages--;
    }
    if (change < 0) flush_all_pages();
    space->heap_end = new;
    return (int64_t)old;
}

// ---- between kernel and program ----

// Where the kernel sees a byte of the program, or NULL if the program may not do
// that there.
static char *user_byte(struct space *space, uint64_t address, enum access access) {
    pte needed = PTE_V | PTE_U | (access == STORE ? PTE_W : PTE_R);
    for (int attempt = 0; attempt < 2; attempt++) {
        if (address >= STACK_TOP) return NULL;
        pte *place = pte_find(space->root, address, false);
        if (place && (*place & needed) == needed)
            return (char *)pte_page(*place) + address % PAGE_SIZE;
        if (space_fault(space, address, access) != 0) return NULL;
    }
    return NULL;
}

static size_t rest_of_page(uint64_t address, size_t size) {
    size_t rest = PAGE_SIZE - address % PAGE_SIZE;
    return rest < size ? rest : size;
}

int copy_in(struct space *space, void *to, uint64_t from, size_t size) {
    while (size > 0) {
        size_t part = rest_of_page(from, size);
        char *source = user_byte(space, from, LOAD);
        if (!source) return -EFAULT;
        memcpy(to, source, part);
        to = (char *)to + part;
        from += part;
        size -= part;
    }
    return 0;
}

int copy_out(struct space *space, uint64_t to, const void *from, size_t size) {
    while (size > 0) {
        size_t part = rest_of_page(to, size);
        char *target = user_byte(space, to, STORE);
        if (!target) return -EFAULT;
        memcpy(target, from, part);
        from = (const char *)from + part;
        to += part;
        size -= part;
    }
    return 0;
}

// A string of at most size - 1 bytes: 0, -EFAULT or -ENAMETOOLONG.
int copy_in_string(struct space *space, char *to, uint64_t from, size_t size) {
    for (size_t i = 0; i < size; i++) {
        char *source = user_byte(space, from + i, LOAD);
        if (!source) return -EFAULT;
        to[i] = *source;
        if (*source == 0) return 0;
    }
    return -ENAMETOOLONG;
}

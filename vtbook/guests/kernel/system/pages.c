// Pages of RAM, 4 KiB each, with the number of their owners.
//
// Pages that were never used lie above `fresh`; a page that came back is in a
// list, linked through its own first word.  So a page nobody needs is never
// touched.
//
//     first                 fresh                 end
//     | used and given back | never used          |

#include "hart.h"
#include "memory.h"
#include "print.h"
#include "../shared/bytes.h"

struct free_page {
    struct free_page *next;
};

static struct {
    struct spinlock lock;
    char *first, *fresh, *end;
    struct free_page *list;
    uint64_t free;
    uint16_t *owners;  // of each page from first on; 0 in one that is free
} pages;

// Take over RAM.  The table of owners comes first.
void pages_init(uint64_t physical_start, uint64_t physical_end) {
    char *start = to_pointer(page_ceiling(physical_start));
    pages.end = to_pointer(page_floor(physical_end));
    pages.owners = (uint16_t *)start;
    uint64_t size = (uint64_t)(pages.end - start) / PAGE_SIZE * sizeof *pages.owners;
    pages.first = pages.fresh = start + page_ceiling(size);
    pages.free = pages_total();
}

uint64_t pages_total(void) { return (uint64_t)(pages.end - pages.first) / PAGE_SIZE; }

uint64_t pages_free(void) { return pages.free; }

static uint16_t *owners_of(void *page) {
    uint64_t offset = (uint64_t)((char *)page - pages.first);
    if (offset % PAGE_SIZE || (char *)page < pages.first || (char *)page >= pages.fresh)
        panic("%lx is no page of the allocator", (uint64_t)page);
    return &pages.owners[offset / PAGE_SIZE];
}

void *page_new(void) {
    lock(&pages.lock);
    void *page = pages.list;
    if (page) {
        pages.list = pages.list->next;
    } else if (pages.fresh < pages.end) {
        page = pages.fresh;
        pages.fresh += PAGE_SIZE;
    }
    if (page) {
        *owners_of(page) = 1;
        pages.free--;
    }
    unlock(&pages.lock);
    if (page) memset(page, 0, PAGE_SIZE);
    return page;
}

void page_share(void *page) {
    lock(&pages.lock);
    ++*owners_of(page);
    unlock(&pages.lock);
}

void page_drop(void *page) {
    lock(&pages.lock);
    uint16_t *owners = owners_of(page);
    if (*owners == 0) panic("page %lx is freed twice", (uint64_t)page);
    if (--*owners == 0) {
        struct free_page *freed = page;
        freed->next = pages.list;
        pages.list = freed;
        pages.free++;
    }
    unlock(&pages.lock);
}

bool page_is_shared(void *page) {
    lock(&pages.lock);
    bool shared = *owners_of(page) > 1;
    unlock(&pages.lock);
    return shared;
}

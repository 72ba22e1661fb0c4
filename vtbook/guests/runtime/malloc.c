// malloc: a list of free blocks in the order of their addresses, first fit
// (Kernighan and Ritchie, The C Programming Language, 8.7).
//
// The heap runs from heap_start to heap_end (link.ld) and is never given back.
// Every block, free or not, begins with a header:
//
//   | size in headers, this one included | next free block, if free | bytes ...
//
// malloc takes the end of the first free block that is large enough; free puts
// the block back and joins it with its neighbours.  Both take time linear in
// the number of free blocks.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct header {
    size_t size;
    struct header *next;
};

_Static_assert(sizeof(struct header) == 16, "malloc aligns to 16 bytes");

extern char heap_start[], heap_end[];

static struct header first;  // of the free list; its size is 0, so it is never taken

static void start_heap(void) {
    struct header *all = (struct header *)(((uintptr_t)heap_start + 15) & ~15UL);
    all->size = (size_t)(heap_end - (char *)all) / sizeof(struct header);
    all->next = NULL;
    first.next = all;
}

void *malloc(size_t size) {
    static int started;
    if (!started) {
        start_heap();
        started = 1;
    }
    if (size > PTRDIFF_MAX) return NULL;
    size_t need = (size + sizeof(struct header) - 1) / sizeof(struct header) + 1;
    struct header *before = &first;
    for (struct header *block = first.next; block; before = block, block = block->next) {
        if (block->size < need) continue;
        if (block->size == need) {
            before->next = block->next;
        } else {
            block->size -= need;
            block += block->size;
            block->size = need;
        }
        return block + 1;
    }
    return NULL;
}

// Join block with the one after it in the list if they touch.
static void join(struct header *block) {
    struct header *next = block->next;
    if (block + block->size == next) {
        block->size += next->size;
        block->next = next->next;
    }
}

void free(void *bytes) {
    if (!bytes) return;
    struct header *block = (struct header *)bytes - 1;
    struct header *before = &first;
    while (before->next && before->next < block) before = before->next;
    block->next = before->next;
    before->next = block;
    join(block);
    if (before != &first) join(before);
}

void *calloc(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return NULL;
    void *bytes = malloc(total);
    if (bytes) memset(bytes, 0, total);
    return bytes;
}

void *realloc(void *old, size_t size) {
    if (!old) return malloc(size);
    size_t room = (((struct header *)old)[-1].size - 1) * sizeof(struct header);
    if (size <= room) return old;
    void *bytes = malloc(size);
    if (!bytes) return NULL;
    memcpy(bytes, old, room);
    free(old);
    return bytes;
}

// malloc: blocks with a header, in a list in the order of their addresses.  The first
// free one that is large enough is taken; free neighbours are joined.

#include "user.h"

struct block {
    size_t size;  // with this header; bit 0: it is in use
    struct block *next;
};

enum { UNIT = sizeof(struct block), LEAST_GROWTH = 16 * 1024 };

static struct block *first, *last;

static bool in_use(struct block *block) { return block->size & 1; }
static size_t size_of(struct block *block) { return block->size & ~(size_t)1; }

static void join_with_next(struct block *block) {
    struct block *next = block->next;
    if (!next || in_use(next) || (char *)block + size_of(block) != (char *)next) return;
    block->size += size_of(next);
    block->next = next->next;
    if (last == next) last = block;
}

static struct block *grow(size_t size) {
    size_t growth = size < LEAST_GROWTH ? LEAST_GROWTH : size;
    struct block *block = (struct block *)sbrk((long)growth);
    if ((char *)block == SBRK_FAILED) return NULL;
    *block = (struct block){growth, NULL};
    if (last) last->next = block;
    else first = block;
    last = block;
    return block;
}

static void split(struct block *block, size_t size) {
    if (size_of(block) < size + 2 * UNIT) return;
    struct block *rest = (struct block *)((char *)block + size);
    *rest = (struct block){size_of(block) - size, block->next};
    if (last == block) last = rest;
    block->next = rest;
    block->size = size;
}

void *malloc(size_t wanted) {
    size_t size = (wanted + UNIT - 1) / UNIT * UNIT + UNIT;
    struct block *block = first;
    if (wanted > (size_t)1 << 40) return NULL;
    while (block && (in_use(block) || size_of(block) < size)) block = block->next;
    if (!block && !(block = grow(size))) return NULL;
    split(block, size);
    block->size |= 1;
    return block + 1;
}

void free(void *memory) {
    if (!memory) return;
    struct block *freed = (struct block *)memory - 1;
    freed->size &= ~(size_t)1;
    join_with_next(freed);
    for (struct block *block = first; block && block->next; block = block->next)
        if (!in_use(block) && block->next == freed) join_with_next(block);
}

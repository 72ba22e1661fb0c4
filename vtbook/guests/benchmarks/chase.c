// Follows SIZE pointers round a ring in random order through 4 MiB: each load
// waits for the one before, and most miss the first caches of the host.  A
// small SIZE makes a small ring.

#include "bench.h"

#ifndef SIZE
#define SIZE 150000000
#endif

#define MOST_NODES 65536

struct node {
    struct node *next;
    uint64_t value;
    uint64_t unused[6];  // to the 64 bytes of a cache line
};

// A ring of `count` nodes in random order (Fisher and Yates); NULL: no memory.
static struct node *make_ring(uint32_t count) {
    struct node *nodes = malloc(count * sizeof *nodes);
    uint32_t *order = malloc(count * sizeof *order);
    if (!nodes || !order) return NULL;
    uint64_t state = 1;
    for (uint32_t i = 0; i < count; i++) order[i] = i;
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t j = (uint32_t)((bench_random(&state) >> 32) % (i + 1));
        uint32_t t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (uint32_t i = 0; i < count; i++) {
        nodes[order[i]].next = &nodes[order[(i + 1) % count]];
        nodes[order[i]].value = bench_random(&state);
    }
    free(order);
    return nodes;
}

int main(int argc, char **argv) {
    uint64_t steps = bench_size(argc, argv, SIZE);
    const struct node *node = make_ring(steps < MOST_NODES ? (uint32_t)steps + 1 : MOST_NODES);
    if (!node) return 1;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < steps; i++) {
        sum = (sum << 1) + node->value;
        node = node->next;
    }
    return bench_report("chase", bench_mix(sum, node->value));
}

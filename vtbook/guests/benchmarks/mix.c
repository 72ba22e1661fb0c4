// A mixture, SIZE times: sort and search a linked list, multiply small matrices,
// read numbers with a state machine, and a CRC over what comes out.  The parts
// are those of CoreMark; the code is our own and the figures are not comparable.

#include "bench.h"

#ifndef SIZE
#define SIZE 16000
#endif

static uint16_t crc16(uint16_t crc, uint32_t value) {
    for (int i = 0; i < 32; i++, value >>= 1)
        crc = (uint16_t)((crc ^ value) & 1 ? crc >> 1 ^ 0xa001 : crc >> 1);
    return crc;
}

// ---- a list ----

#define ITEMS 100

struct item {
    struct item *next;
    int16_t key, place;
};

typedef int order(const struct item *, const struct item *);

static int by_key(const struct item *a, const struct item *b) { return a->key - b->key; }
static int by_place(const struct item *a, const struct item *b) { return a->place - b->place; }

static struct item *merge(struct item *a, struct item *b, order *compare) {
    struct item head, *last = &head;
    while (a && b) {
        struct item **first = compare(a, b) <= 0 ? &a : &b;
        last = last->next = *first;
        *first = (*first)->next;
    }
    last->next = a ? a : b;
    return head.next;
}

static struct item *sort(struct item *list, order *compare) {
    if (!list || !list->next) return list;
    struct item *half = list, *end = list->next;
    while (end && end->next) half = half->next, end = end->next->next;
    struct item *rest = half->next;
    half->next = NULL;
    return merge(sort(list, compare), sort(rest, compare), compare);
}

static struct item *reverse(struct item *list) {
    struct item *done = NULL;
    while (list) {
        struct item *next = list->next;
        list->next = done;
        done = list;
        list = next;
    }
    return done;
}

static uint16_t list_work(uint16_t crc, uint64_t *state) {
    static struct item items[ITEMS];
    struct item *list = NULL;
    for (int16_t i = 0; i < ITEMS; i++) {
        items[i] = (struct item){list, (int16_t)(bench_random(state) >> 50), i};
        list = &items[i];
    }
    list = sort(list, by_key);
    for (int wanted = 0; wanted < 16384; wanted += 1024) {
        const struct item *p = list;
        while (p && p->key < wanted) p = p->next;
        crc = crc16(crc, p ? (uint32_t)p->place : 0);
    }
    list = reverse(sort(list, by_place));
    return crc16(crc, (uint32_t)list->key);
}

// ---- matrices ----

#define N 12

static uint16_t matrix_work(uint16_t crc, uint64_t *state) {
    static int16_t a[N][N], b[N][N];
    static int32_t c[N][N];
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (int16_t)(bench_random(state) >> 56);
            b[i][j] = (int16_t)(a[i][j] + i - j);
        }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            c[i][j] = 0;
            for (int k = 0; k < N; k++) c[i][j] += a[i][k] * b[k][j];
        }
    int32_t sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) sum += c[i][j] > 1000 * i ? c[i][j] >> 4 : -j;
    return crc16(crc, (uint32_t)sum);
}

// ---- a state machine ----

enum state { BEGIN, SIGN, INTEGER, POINT, FRACTION, EXPONENT, EXPONENT_SIGN, POWER, WRONG, STATES };

static enum state step(enum state state, char c) {
    int digit = c >= '0' && c <= '9';
    int sign = c == '+' || c == '-';
    switch (state) {
    case BEGIN: return digit ? INTEGER : sign ? SIGN : c == '.' ? POINT : WRONG;
    case SIGN: return digit ? INTEGER : c == '.' ? POINT : WRONG;
    case INTEGER: return digit ? INTEGER : c == '.' ? FRACTION : c == 'e' ? EXPONENT : WRONG;
    case POINT: return digit ? FRACTION : WRONG;
    case FRACTION: return digit ? FRACTION : c == 'e' ? EXPONENT : WRONG;
    case EXPONENT: return digit ? POWER : sign ? EXPONENT_SIGN : WRONG;
    case EXPONENT_SIGN:
    case POWER: return digit ? POWER : WRONG;
    default: return WRONG;
    }
}

static uint16_t machine_work(uint16_t crc, uint64_t *state) {
    static const char *const words[] = {"5012", "-874", "+122", "35.54400", ".1234500", "-110.700",
                                        "+0.64400", "5.500e+3", "-.123e-2", "+0.6e-12", "T0.3e-1F",
                                        "-T.T++Tq", "1T3.4e4z", "34.0e-T^"};
    uint32_t entered[STATES] = {0};
    for (int i = 0; i < 64; i++) {
        const char *p = words[(bench_random(state) >> 32) % (sizeof words / sizeof *words)];
        enum state now = BEGIN;
        for (; *p && now != WRONG; p++) {
            now = step(now, *p);
            entered[now]++;
        }
    }
    for (int i = 0; i < STATES; i++) crc = crc16(crc, entered[i]);
    return crc;
}

int main(int argc, char **argv) {
    uint64_t rounds = bench_size(argc, argv, SIZE);
    uint64_t state = 1, sum = 0;
    uint16_t crc = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        crc = list_work(crc, &state);
        crc = matrix_work(crc, &state);
        crc = machine_work(crc, &state);
        sum = bench_mix(sum, crc);
    }
    return bench_report("mix", sum);
}

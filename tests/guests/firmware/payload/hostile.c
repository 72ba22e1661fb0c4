// A program for supervisor mode that makes calls with arguments nobody should give, many of them,
// and ends with code 0 if the firmware still answers.  It leaves out what would end or stop the
// machine, or fill the console.

#include <stdint.h>

typedef struct {
    long error, value;
} result;

static result call(const unsigned long *a, long number, long extension) {
    register long a0 asm("a0") = a[0], a1 asm("a1") = a[1], a2 asm("a2") = a[2];
    register long a3 asm("a3") = a[3], a4 asm("a4") = a[4], a5 asm("a5") = a[5];
    register long a6 asm("a6") = number, a7 asm("a7") = extension;
    asm volatile("ecall"
                 : "+r"(a0), "+r"(a1)
                 : "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a6), "r"(a7)
                 : "memory");
    return (result){a0, a1};
}

enum { BASE = 0x10, TIME = 0x54494d45, IPI = 0x735049, RFENCE = 0x52464e43, HSM = 0x48534d };
enum { SRST = 0x53525354, DBCN = 0x4442434e };

static uint64_t state = 1;
static uint64_t any(void) { // SplitMix64
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static const unsigned long nasty[] = {
    0,          1,          2,          3,          31,         32,         63,
    64,         -1ul,       -2ul,       -4096ul,    1ul << 63,  0x7ffffffffffffffful,
    0x80000000, 0x8003ffff, 0x80040000, 0x7fffffff, 0x87ffffff, 0x88000000, 0x10000000,
    0x2000000,  0xffffffff, 0xffffffff80000000ul,
};
static const long extensions[] = {BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN, 0, 2, 3, 4, 5, 6, 7, 9,
                                  0xf,  0xa,  -1,  0x7fffffff};
#define PICK(list) list[any() % (sizeof list / sizeof list[0])]

static int is_left_out(long extension, long number, const unsigned long *a) {
    if (extension == HSM && (number == 1 || number == 3)) return (uint32_t)a[0] << 1 == 0 || number == 1;
    if (extension == SRST && number == 0) return (uint32_t)a[0] <= 2;
    if (extension == DBCN && number == 0) return a[0] > 8 && a[0] < 1ul << 32;
    return extension == DBCN && number == 2;
}

static uint64_t count(const uint64_t *from, uint64_t words) {
    uint64_t sum = 0;
    while (words-- > 0) sum = sum * 31 + *from++;
    return sum;
}

extern uint64_t payload_start[], payload_end[]; // code and constants
static unsigned long end[6];

// No hart is started here, and nothing may trap.
void secondary(void) {}
void after_resume(void) {}
uint64_t trapped(void) {
    end[1] = 1;
    call(end, 0, SRST);
    return 0;
}

void main(void) {
    uint64_t before = count(payload_start, payload_end - payload_start);
    for (int i = 0; i < 100000; i++) {
        unsigned long a[6];
        for (int j = 0; j < 6; j++) a[j] = any() % 4 ? PICK(nasty) : any();
        long extension = any() % 16 ? PICK(extensions) : (long)any();
        long number = any() % 16 ? any() % 9 : any();
        if (extension == 8 || extension == 1 || is_left_out(extension, number, a)) continue;
        uint64_t kept;
        asm volatile("mv %0, sp" : "=r"(kept));
        call(a, number, extension);
        uint64_t now;
        asm volatile("mv %0, sp" : "=r"(now));
        if (now != kept) break;
    }
    end[1] = call(end, 0, BASE).value != 0x2000000;
    end[1] |= count(payload_start, payload_end - payload_start) != before;
    call(end, 0, SRST); // a[1] is the reason: 1, a failure
    for (;;) continue;
}

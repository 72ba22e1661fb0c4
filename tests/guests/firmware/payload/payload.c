// A program for supervisor mode that makes every call of the binary interface and prints what came
// back.  It runs alike on our firmware and on OpenSBI: both must print the same.  Lines that begin
// with "own:" are about the implementation, those with "dbcn:" need SBI 2.0, "dtb:" is the tree.

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    long error, value;
} result;

enum { BASE = 0x10, TIME = 0x54494d45, IPI = 0x735049, RFENCE = 0x52464e43, HSM = 0x48534d };
enum { SRST = 0x53525354, DBCN = 0x4442434e };
#define MOST_HARTS 32
#define ALL -1ul
#define BIT(n) (1ul << (n))
enum { S_SOFT = 1, S_TIMER = 5 };

#define read_csr(csr)                                  \
    ({                                                 \
        uint64_t _value;                               \
        asm volatile("csrr %0, " #csr : "=r"(_value)); \
        _value;                                        \
    })
#define write_csr(csr, value) asm volatile("csrw " #csr ", %0" ::"r"((uint64_t)(value)) : "memory")
#define set_csr(csr, value) asm volatile("csrs " #csr ", %0" ::"r"((uint64_t)(value)) : "memory")
#define clear_csr(csr, value) asm volatile("csrc " #csr ", %0" ::"r"((uint64_t)(value)) : "memory")

static int this_hart(void) {
    int hart;
    asm volatile("mv %0, tp" : "=r"(hart));
    return hart;
}

static result call(long extension, long number, long x, long y, long z, long u, long v) {
    register long a0 asm("a0") = x, a1 asm("a1") = y, a2 asm("a2") = z, a3 asm("a3") = u;
    register long a4 asm("a4") = v, a6 asm("a6") = number, a7 asm("a7") = extension;
    asm volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a3), "r"(a4), "r"(a6), "r"(a7) : "memory");
    return (result){a0, a1};
}
#define sbi(extension, number, ...) sbi_(extension, number, ##__VA_ARGS__, 0, 0, 0, 0, 0)
#define sbi_(extension, number, x, y, z, u, v, ...) call(extension, number, x, y, z, u, v)

// ---- printing, with the oldest of the calls ----

static void put(char c) { sbi(1, 0, c); }
static void text(const char *s) {
    while (*s) put(*s++);
}
static void number(long n) {
    char digits[24];
    int at = 24;
    unsigned long rest = n < 0 ? -n : n;
    if (n < 0) put('-');
    do digits[--at] = '0' + rest % 10;
    while ((rest /= 10) != 0);
    while (at < 24) put(digits[at++]);
}
static void hex(uint64_t n) {
    for (int shift = 60; shift >= 0; shift -= 4) put("0123456789abcdef"[n >> shift & 15]);
}
static void say(const char *what, long n) { text(what), text(": "), number(n), put('\n'); }
static void say_result(const char *what, result r) {
    text(what), text(": error "), number(r.error), text(", value "), number(r.value), put('\n');
}
static void say_error(const char *what, result r) {
    text(what), text(": error "), number(r.error), put('\n');
}

// ---- traps ----

struct {
    volatile uint64_t cause, value, timers, softs;
} seen[MOST_HARTS];
extern uint64_t user_stack;
uint64_t in_user(void (*code)(void));
void user_call(void), user_time(void), user_illegal(void), started(void), resumed(void);

uint64_t trapped(void) {
    uint64_t cause = read_csr(scause);
    int hart = this_hart();
    if (cause == (BIT(63) | S_TIMER)) {
        seen[hart].timers++;
        clear_csr(sie, BIT(S_TIMER));
    } else if (cause == (BIT(63) | S_SOFT)) {
        seen[hart].softs++;
        clear_csr(sip, BIT(S_SOFT));
    } else {
        seen[hart].cause = cause;
        seen[hart].value = read_csr(stval);
        if (user_stack) return cause;
        write_csr(sepc, read_csr(sepc) + 4);
    }
    return 0;
}

static uint64_t now(void) { return read_csr(time); }
#define PATIENCE 300000000 // 30 s: on QEMU time goes on while a busy computer does other things
static bool soon(volatile uint64_t *counter, uint64_t wanted) {
    for (uint64_t end = now() + PATIENCE; now() < end;)
        if (*counter >= wanted) return true;
    return false;
}
static bool reaches(int hart, long state) {
    for (uint64_t end = now() + PATIENCE; now() < end;)
        if (sbi(HSM, 2, hart).value == state) return true;
    return false;
}

// ---- the other harts do what they are told by a letter ----

static volatile struct {
    uint64_t letter, done, answer, hart, opaque, clean;
} told[MOST_HARTS];
static int harts, first;
static volatile uint64_t barrier;

static void wait_for_softs(int hart, uint64_t more) { soon(&seen[hart].softs, more); }

// Code that is changed while harts run it, and a page of which the mapping is changed.
static uint32_t changing[2] __attribute__((aligned(4096)));
static uint64_t roots[512] __attribute__((aligned(4096))), middle[512] __attribute__((aligned(4096)));
static uint64_t leaves[512] __attribute__((aligned(4096)));
static uint64_t one_page[512] __attribute__((aligned(4096))), other_page[512] __attribute__((aligned(4096)));
#define MAPPED 0x40000000ul // in gigabyte 1; gigabytes 0, 2 and 3 are mapped to themselves

static uint64_t run_changing(void) { return ((uint64_t(*)(void))changing)(); }
static uint64_t entry_of(uint64_t *page, uint64_t bits) { return (uint64_t)page >> 12 << 10 | bits; }

static void obey(int hart, uint64_t letter) {
    switch (letter) {
    case 'f': // run the code that changes
        told[hart].answer = run_changing();
        break;
    case 'm': // with paging on, read the page whose mapping changes
        write_csr(satp, 8ul << 60 | (uint64_t)roots >> 12);
        asm volatile("sfence.vma" ::: "memory");
        told[hart].answer = *(volatile uint64_t *)MAPPED;
        break;
    case 'r': // read it again: only another hart has fenced
        told[hart].answer = *(volatile uint64_t *)MAPPED;
        write_csr(satp, 0);
        asm volatile("sfence.vma" ::: "memory");
        break;
    case 'i': // take an interrupt
        told[hart].answer = 1;
        wait_for_softs(hart, seen[hart].softs + 1);
        break;
    case 's': // retentive suspend until an interrupt
        clear_csr(sstatus, 2);
        told[hart].answer = sbi(HSM, 3, 0, 0, 0).error;
        set_csr(sstatus, 2);
        break;
    case 'n': // suspend that goes on elsewhere
        sbi(HSM, 3, 0x80000000, (long)resumed, 4711);
        told[hart].answer = -1ul; // not reached
        break;
    case 'x': // everyone fences and interrupts everyone
        __atomic_fetch_add(&barrier, 1, __ATOMIC_SEQ_CST);
        while (barrier < harts) continue;
        for (int i = 0; i < 10; i++) {
            sbi(RFENCE, i % 3, ALL >> (64 - harts), 0, 0, ALL, 0);
            sbi(IPI, 0, ALL >> (64 - harts), 0);
        }
        told[hart].answer = 10;
        break;
    case 'q':
        clear_csr(sstatus, 2);
        told[hart].letter = 0;
        sbi(HSM, 1);
        told[hart].answer = -1ul; // not reached
    }
}

static void loop(int hart) {
    set_csr(sie, BIT(S_SOFT));
    set_csr(sstatus, 2);
    for (;;) {
        uint64_t letter = told[hart].letter;
        if (!letter) continue;
        told[hart].letter = 0;
        asm volatile("fence" ::: "memory");
        obey(hart, letter);
        asm volatile("fence" ::: "memory");
        told[hart].done++;
    }
}

void secondary(uint64_t hart, uint64_t opaque) {
    told[hart].hart = hart + 100;
    told[hart].opaque = opaque;
    told[hart].clean = read_csr(satp) == 0 && !(read_csr(sstatus) & 2);
    loop(hart);
}

void after_resume(uint64_t hart, uint64_t opaque) {
    told[hart].answer = opaque;
    told[hart].clean = read_csr(satp) == 0 && !(read_csr(sstatus) & 2);
    clear_csr(sip, BIT(S_SOFT));
    told[hart].done++;
    loop(hart);
}

static void tell(int hart, char letter) { told[hart].letter = letter; }
static bool tell_and_wait(int hart, char letter) {
    uint64_t before = told[hart].done;
    tell(hart, letter);
    return soon(&told[hart].done, before + 1);
}

#define for_others(hart) for (int hart = 0; hart < harts; hart++) if (hart != first)

// ---- the tests, extension by extension ----

static void test_base(void) {
    text("own: specification "), hex(sbi(BASE, 0).value), put('\n');
    text("own: implementation "), hex(sbi(BASE, 1).value), text(" "), hex(sbi(BASE, 2).value), put('\n');
    say_result("mvendorid", sbi(BASE, 4));
    say_result("marchid", sbi(BASE, 5));
    say_result("mimpid", sbi(BASE, 6));
    static const long there[] = {BASE, TIME, IPI, RFENCE, HSM, SRST, 0, 1, 2, 8, 0x0f, 0x12345, 0x7fffffff};
    for (int i = 0; i < sizeof there / sizeof there[0]; i++) {
        text("probe "), hex(there[i]);
        say_result("", sbi(BASE, 3, there[i]));
    }
    say_error("no such extension", sbi(0x12345, 0));
    static const long each[] = {BASE, TIME, IPI, RFENCE, HSM, SRST};
    for (int i = 0; i < sizeof each / sizeof each[0]; i++)
        say_error("no such function", sbi(each[i], 99));
}

static void test_time(int hart, bool old) {
    uint64_t before = seen[hart].timers, start = now();
    set_csr(sie, BIT(S_TIMER));
    set_csr(sstatus, 2);
    result r = old ? sbi(0, 0, start + 20000) : sbi(TIME, 0, start + 20000);
    say(old ? "old set_timer" : "set_timer", r.error);
    say("  it interrupts", soon(&seen[hart].timers, before + 1));
    say("  and not too early", now() >= start + 20000);
    say("  it stays pending", read_csr(sip) >> S_TIMER & 1);
    old ? sbi(0, 0, -1) : sbi(TIME, 0, -1);
    say("  until it is set again", read_csr(sip) >> S_TIMER & 1);
    clear_csr(sstatus, 2);
}

static void test_ipi(int hart) {
    clear_csr(sstatus, 2);
    say_result("ipi to itself", sbi(IPI, 0, 1, hart));
    say("  pending", read_csr(sip) >> S_SOFT & 1);
    set_csr(sie, BIT(S_SOFT));
    set_csr(sstatus, 2);
    say("  taken", soon(&seen[hart].softs, 1));
    say_result("ipi to all", sbi(IPI, 0, 0, -1));
    say("  taken", soon(&seen[hart].softs, 2));
    say_result("ipi to none", sbi(IPI, 0, 0, 0));
    say_error("ipi to harts from 1000", sbi(IPI, 0, 1, 1000));
}

static void test_fences(int hart) {
    static const char *const names[] = {"fence_i", "sfence_vma", "sfence_vma_asid", "hfence_gvma_vmid",
                                        "hfence_gvma", "hfence_vvma_asid", "hfence_vvma"};
    for (int i = 0; i < 7; i++) say_result(names[i], sbi(RFENCE, i, 1, hart, 0, -1, 0));
    say_result("sfence_vma of a page, all harts", sbi(RFENCE, 1, 0, -1, 0x1000, 0x1000));
    say_error("fence_i from 1000", sbi(RFENCE, 0, 1, 1000));
}

static void write_changing(uint32_t answer) { // li a0, answer; ret
    changing[0] = answer << 20 | 10 << 7 | 0x13;
    changing[1] = 0x8067;
    asm volatile("fence.i" ::: "memory");
}

static void make_tables(void) {
    for (uint64_t gigabyte = 0; gigabyte < 4; gigabyte++) roots[gigabyte] = gigabyte << 28 | 0xcf;
    roots[1] = entry_of(middle, 1);
    middle[0] = entry_of(leaves, 1);
    leaves[0] = entry_of(one_page, 0xc7);
    one_page[0] = 1, other_page[0] = 2;
}

static void test_harts(void) {
    say_result("status of this hart", sbi(HSM, 2, first));
    say_error("status of hart 1000", sbi(HSM, 2, 1000));
    say_error("start hart 1000", sbi(HSM, 0, 1000, (long)started, 0));
    say_error("start this hart", sbi(HSM, 0, first, (long)started, 0));
    say_error("suspend of kind 1", sbi(HSM, 3, 1, 0, 0));
    say_error("suspend of kind 0x80000001", sbi(HSM, 3, 0x80000001, (long)started, 0));
    say_error("suspend of the board's kind", sbi(HSM, 3, 0x10000000, 0, 0));
    clear_csr(sstatus, 2); // else the interrupt could be taken before the suspend
    set_csr(sie, BIT(S_TIMER));
    sbi(TIME, 0, now() + 20000);
    say_result("suspend until the timer", sbi(HSM, 3, 0, 0, 0));
    sbi(TIME, 0, -1);
    set_csr(sstatus, 2);

    make_tables();
    write_changing(11);
    for_others(hart) say_error("start in the firmware's memory", sbi(HSM, 0, hart, 0x80000000, 0));
    for_others(hart) {
        say_result("status before", sbi(HSM, 2, hart));
        say_result("start", sbi(HSM, 0, hart, (long)started, 1000 + hart));
        say("  runs", soon(&told[hart].hart, hart + 100));
        say("  opaque less its number", told[hart].opaque - hart);
        say("  no paging, no interrupts", told[hart].clean);
        say_result("status", sbi(HSM, 2, hart));
        say_error("start again", sbi(HSM, 0, hart, (long)started, 0));
        uint64_t before = told[hart].done;
        told[hart].answer = 0;
        tell(hart, 'i');
        soon(&told[hart].answer, 1);
        say_result("ipi", sbi(IPI, 0, 1, hart));
        say("  taken", soon(&told[hart].done, before + 1));
    }
    for_others(hart) tell_and_wait(hart, 'f'), say("code before", told[hart].answer);
    write_changing(22);
    say_result("fence_i on all", sbi(RFENCE, 0, 0, -1));
    for_others(hart) tell_and_wait(hart, 'f'), say("code after", told[hart].answer);
    for_others(hart) tell_and_wait(hart, 'm'), say("page before", told[hart].answer);
    leaves[0] = entry_of(other_page, 0xc7);
    say_result("sfence_vma on all", sbi(RFENCE, 1, 0, -1, MAPPED, 4096));
    for_others(hart) tell_and_wait(hart, 'r'), say("page after", told[hart].answer);
    for_others(hart) {
        uint64_t before = told[hart].done;
        tell(hart, 's');
        say("suspended", reaches(hart, 4));
        sbi(RFENCE, 0, 1, hart);
        sbi(IPI, 0, 1, hart);
        say("  woken", soon(&told[hart].done, before + 1));
        say("  its call returned", told[hart].answer);
        before++;
        tell(hart, 'n');
        say("suspended, to go on elsewhere", reaches(hart, 4));
        sbi(IPI, 0, 1, hart);
        say("  woken", soon(&told[hart].done, before + 1));
        say("  with its argument", told[hart].answer);
        say("  no paging, no interrupts", told[hart].clean);
        say_result("status", sbi(HSM, 2, hart));
    }
    if (harts > 1) {
        for_others(hart) tell(hart, 'x');
        obey(first, 'x');
        for_others(hart) say("fences by all at once", soon(&told[hart].done, 1));
        for_others(hart) while (told[hart].answer != 10) continue;
    }
    for_others(hart) {
        tell(hart, 'q');
        say("stopped", reaches(hart, 1));
        told[hart].hart = 0;
        say_result("start after stop", sbi(HSM, 0, hart, (long)started, 7));
        say("  runs", soon(&told[hart].hart, hart + 100));
        say("  opaque", told[hart].opaque);
    }
}

static void test_traps(void) {
    seen[first].cause = 0;
    *(volatile uint64_t *)0x80000000;
    say("load from the firmware's memory: cause", seen[first].cause);
    *(volatile uint64_t *)0x80000000 = 0;
    say("store there: cause", seen[first].cause);
    asm volatile(".balign 4\n .word 0");
    say("illegal instruction: cause", seen[first].cause);
    asm volatile("csrr t0, mstatus" ::: "t0");
    say("mstatus read: cause", seen[first].cause);
    say("ecall from user mode: cause", in_user(user_call));
    say("mstatus read from user mode: cause", in_user(user_illegal));
    say("time read from user mode: cause", in_user(user_time));
    write_csr(scounteren, 0);
    say("own: not allowed: cause", in_user(user_time));
    write_csr(scounteren, 7);
    uint64_t before = now();
    while (now() == before) continue;
    say("time goes on", now() > before);
    say("and is 64 bits of the clock", now() < 1ul << 40);
}

static void test_console(void) {
    static char message[] = "dbcn: written with one call\n", room[8];
    if (!sbi(BASE, 3, DBCN).value) return;
    say_result("dbcn: write", sbi(DBCN, 0, sizeof message - 1, (long)message, 0));
    say_result("dbcn: write nothing", sbi(DBCN, 0, 0, (long)message, 0));
    say_result("dbcn: read", sbi(DBCN, 1, sizeof room, (long)room, 0));
    say_result("dbcn: write a byte", sbi(DBCN, 2, '\n'));
    say_error("dbcn: write the firmware's memory", sbi(DBCN, 0, 8, 0x80000000, 0));
    say_error("dbcn: read over it", sbi(DBCN, 1, 8, 0x80010000, 0));
    say_error("dbcn: from its last byte", sbi(DBCN, 0, 0x200000, 0x8003ffff, 0));
    say_error("dbcn: a device", sbi(DBCN, 0, 8, 0x10000000, 0));
    say_error("dbcn: past all addresses", sbi(DBCN, 0, -1, (long)message, 0));
    say_error("dbcn: the high word", sbi(DBCN, 0, 8, (long)message, 1));
    say_error("dbcn: no such function", sbi(DBCN, 3));
}

static uint32_t word_of_tree(const unsigned char *tree, int at) {
    return tree[at] << 24 | tree[at + 1] << 16 | tree[at + 2] << 8 | tree[at + 3];
}

static int show_tree(const unsigned char *tree) {
    uint32_t size = word_of_tree(tree, 4), found = 0;
    say("magic of the tree is right", word_of_tree(tree, 0) == 0xd00dfeed);
    text("dtb: ");
    for (uint32_t i = 0; i < size && size < 32768; i++)
        put("0123456789abcdef"[tree[i] >> 4]), put("0123456789abcdef"[tree[i] & 15]);
    put('\n');
    for (uint32_t i = 0; i + 5 < size; i++) // each hart has one node "cpu@n"
        if (tree[i] == 'c' && tree[i + 1] == 'p' && tree[i + 2] == 'u' && tree[i + 3] == '@') found++;
    return found;
}

// The last letter typed says how to end.
static void end(void) {
    long typed;
    say_error("reset of type 3", sbi(SRST, 0, 3, 0));
    while ((typed = sbi(2, 0).error) < 0) continue;
    say("typed", typed);
    say("nothing more typed", sbi(2, 0).error);
    say_error("nothing more typed", sbi(2, 0));
    if (typed == 's') sbi(SRST, 0, 0, 0);
    if (typed == 'f') sbi(SRST, 0, 0, 1);
    if (typed == 'c') sbi(SRST, 0, 1, 0);
    if (typed == 'w') sbi(SRST, 0, 2, 0);
    if (typed == 'o') sbi(8, 0);
    text("still here\n");
    for (;;) continue;
}

void main(uint64_t hart, const unsigned char *tree) {
    first = hart;
    say("sie at the start", read_csr(sie));
    say("satp at the start", read_csr(satp));
    say("interrupts at the start", read_csr(sstatus) >> 1 & 1);
    say("sip at the start", read_csr(sip));
    harts = show_tree(tree);
    say("harts", harts);
    say("this hart is one of them", hart < harts);
    say("own: boot hart", hart);
    test_base();
    test_time(hart, false);
    test_time(hart, true);
    test_ipi(hart);
    test_fences(hart);
    test_traps();
    test_harts();
    test_console();
    end();
}

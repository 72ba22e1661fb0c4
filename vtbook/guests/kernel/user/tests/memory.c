// Memory: the heap, copy on write, and what a program may not touch.

#include "tests.h"

enum { PAGE = 4096 };

static void heap_is_zeros_and_stays(void) {
    char *memory = sbrk(10 * PAGE);
    CHECK(memory != SBRK_FAILED);
    for (int i = 0; i < 10 * PAGE; i++) CHECK(memory[i] == 0);
    memset(memory, 7, 10 * PAGE);
    CHECK(sbrk(0) == memory + 10 * PAGE);
    CHECK(sbrk(-4 * PAGE) == memory + 10 * PAGE);
    CHECK(memory[6 * PAGE - 1] == 7);
    CHECK(sbrk(4 * PAGE) == memory + 6 * PAGE);
    CHECK(memory[6 * PAGE] == 0);  // what was given back is lost
}

static void touch_what_was_given_back(void) {
    volatile char *memory = sbrk(PAGE);
    memory[0] = 1;
    sbrk(-PAGE);
    memory[0] = 1;
}

static void heap_has_ends(void) {
    CHECK(is_killed_by(touch_what_was_given_back));
    CHECK(sbrk(1L << 40) == SBRK_FAILED);
    CHECK(sbrk(-(1L << 40)) == SBRK_FAILED);
    CHECK(sbrk(INT64_MIN) == SBRK_FAILED);
}

static void heap_comes_on_demand(void) {
    uint64_t before = free_pages();
    char *memory = sbrk(512L << 20);  // more than the machine may have
    CHECK(memory != SBRK_FAILED);
    memory[0] = memory[511L << 20] = 1;
    CHECK(before - free_pages() < 8);
    sbrk(-(512L << 20));
}

static char shared[2 * PAGE] = "before";

static void change_shared(void) {
    CHECK(strcmp(shared, "before") == 0);
    strchr(shared, 'b')[0] = 'B';
    shared[PAGE] = 1;
}

static void fork_copies_on_write(void) {
    CHECK_EQUAL(run(change_shared), 0);
    CHECK(strcmp(shared, "before") == 0);
    CHECK_EQUAL(shared[PAGE], 0);
    shared[PAGE] = 2;  // the last owner writes to its own page
    CHECK_EQUAL(shared[PAGE], 2);
}

// The kernel, too, must copy before it writes.
static void read_into_shared(void) {
    int file = open("text", O_READ);
    CHECK_EQUAL(read(file, shared, 5), 5);
    CHECK(memcmp(shared, "after", 5) == 0);
}

static void kernel_copies_on_write(void) {
    write_file("text", "after");
    CHECK_EQUAL(run(read_into_shared), 0);
    CHECK(strcmp(shared, "before") == 0);
    CHECK_EQUAL(unlink("text"), 0);
}

static void fork_shares_memory(void) {
    char *memory = sbrk(1000 * PAGE);
    for (int i = 0; i < 1000; i++) memory[i * PAGE] = 1;
    uint64_t before = free_pages();
    int files[2], pid;
    char c;
    CHECK_EQUAL(pipe(files), 0);
    if ((pid = fork()) == 0) {
        close(files[1]);
        read(files[0], &c, 1);
        exit(0);
    }
    CHECK(pid > 0);
    CHECK(before - free_pages() < 20);
    close(files[1]);
    CHECK_EQUAL(wait(NULL), pid);
}

// ---- what kills a program ----

static volatile uint64_t sink;

// The address comes from memory, so that the compiler cannot know that it is bad.
static void load(volatile uint64_t address) { sink = *(volatile uint8_t *)address; }
static void store(volatile uint64_t address) { *(volatile uint8_t *)address = 'x'; }
static void run_at(volatile uint64_t address) { ((void (*)(void))address)(); }

static void load_null(void) { load(8); }
static void load_from_kernel(void) { load(0xffffffc080200000UL); }
static void load_from_user_top(void) { load(0x3ffffff000UL); }
static void load_from_no_address(void) { load(0x4000000000UL); }
static void load_from_stack_top(void) { load(0x40000000UL); }
static void store_to_kernel(void) { store(0xffffffc080200000UL); }
static void store_to_device(void) { store(0xffffffc010000000UL); }
static void store_to_code(void) { store((uint64_t)load_null); }
static void store_to_constant(void) { store((uint64_t) "constant"); }
static void run_data(void) {
    static uint32_t code[] = {0x00008067};  // ret
    run_at((uint64_t)code);
}
static void run_null(void) { run_at(0); }
static void illegal_instruction(void) { __asm__ volatile(".word 0"); }
static void breakpoint(void) { __asm__ volatile("ebreak"); }
static void read_control_register(void) { __asm__ volatile("csrr t0, satp" ::: "t0"); }
static void write_control_register(void) { __asm__ volatile("csrw sie, zero"); }
static void return_from_trap(void) { __asm__ volatile("sret"); }
static void fence_translations(void) { __asm__ volatile("sfence.vma"); }
static void floating_point(void) {
    __asm__ volatile(".option push\n .option arch, +d\n fmv.d.x fa0, zero\n .option pop");
}

// Each level of the recursion has an array that the next one writes to.
static void dive(int depth, volatile char *above) {
    volatile char room[1024];
    room[0] = above[0];
    if (depth > 0) dive(depth - 1, room);
    above[1023] = room[1023];
}
static void deep_stack(void) {
    volatile char room[1024];
    dive(50, room);
}
static void stack_overflow(void) {
    volatile char room[1024];
    dive(1000, room);
}

static void forbidden_things_kill(void) {
    static void (*const bodies[])(void) = {
        load_null,         load_from_kernel,  load_from_user_top,    load_from_no_address,
        load_from_stack_top, store_to_kernel, store_to_device,       store_to_code,
        store_to_constant, run_data,          run_null,              illegal_instruction,
        breakpoint,        read_control_register, write_control_register, return_from_trap,
        fence_translations, floating_point,   stack_overflow,
    };
    for (int i = 0; i < ARRAY_SIZE(bodies); i++) CHECK(is_killed_by(bodies[i]));
    CHECK_EQUAL(run(deep_stack), 0);
}

// ---- running out ----

static void take_all_memory(void) {
    for (;;) {
        volatile char *memory = sbrk(PAGE);
        if ((char *)memory == SBRK_FAILED) exit(0);  // the address space was smaller
        *memory = 1;
    }
}

static void memory_runs_out(void) {
    uint64_t before = free_pages();
    if (before > 100000) return;  // it would take too long
    CHECK(is_killed_by(take_all_memory));
    CHECK_EQUAL(free_pages(), before);
}

static void do_much(void) {
    int files[2];
    char *argv[] = {"sleep", "0", NULL};
    char *memory = sbrk(20 * PAGE);
    memory[0] = 1;
    pipe(files);
    if (fork() == 0) exit(memory[5 * PAGE]++);
    wait(NULL);
    exec("/bin/sleep", argv);
}

static void no_page_is_lost(void) {
    CHECK_EQUAL(run(do_much), run(do_much));
    uint64_t before = free_pages();
    for (int i = 0; i < 10; i++) run(do_much);
    CHECK_EQUAL(free_pages(), before);
}

static void malloc_and_free(void) {
    static char *blocks[50];
    uint64_t state = 1;
    char *end = NULL;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 50; i++) {
            if (blocks[i]) CHECK_EQUAL(blocks[i][0], (char)i);
            free(blocks[i]);
            size_t size = 1 + next_random(&state) % 2000;
            blocks[i] = malloc(size);
            CHECK(blocks[i] != NULL);
            memset(blocks[i], i, size);
        }
        if (round == 5) end = sbrk(0);
    }
    CHECK(sbrk(0) - end <= 4 * 16 * 1024);  // what is freed is used again
}

const struct test memory_tests[] = {
    {"heap_is_zeros_and_stays", heap_is_zeros_and_stays},
    {"heap_has_ends", heap_has_ends},
    {"heap_comes_on_demand", heap_comes_on_demand},
    {"fork_copies_on_write", fork_copies_on_write},
    {"kernel_copies_on_write", kernel_copies_on_write},
    {"fork_shares_memory", fork_shares_memory},
    {"forbidden_things_kill", forbidden_things_kill},
    {"memory_runs_out", memory_runs_out},
    {"no_page_is_lost", no_page_is_lost},
    {"malloc_and_free", malloc_and_free},
    {NULL, NULL},
};

// The supervisor binary interface (SBI specification 2.0): what an `ecall` of supervisor mode does.
//
// a7 is the number of the extension, a6 that of the function in it, a0 to a5 are its arguments.
// An error comes back in a0, a value in a1; the old extensions 0 to 15 return a0 only.

#include "firmware.h"

enum {
    SUCCESS = 0,
    NOT_SUPPORTED = -2,
    INVALID_PARAM = -3,
    INVALID_ADDRESS = -5,
    ALREADY_AVAILABLE = -6,
};

struct result {
    int64_t error, value;
};
typedef struct result function(uint64_t number, const uint64_t *a);
static struct result failed(int64_t error) { return (struct result){error, 0}; }
static struct result returns(int64_t value) { return (struct result){SUCCESS, value}; }

// ---- checks of arguments ----

// Whether memory belongs to supervisor mode.
static bool is_its_memory(uint64_t address, uint64_t size) {
    uint64_t end = address + size, own = (uint64_t)firmware_start;
    if (end < address || address < board.ram_base || end > board.ram_base + board.ram_size)
        return false;
    return end <= own || address >= own + FIRMWARE_SIZE;
}

static bool is_hart(uint64_t number) {
    return number < MOST_HARTS && board.harts >> number & 1;
}

// A hart mask (chapter 3.1): bit n of the mask is hart base + n; base -1 means all.
// False: there is a hart in it that the board does not have.
static bool read_mask(uint64_t mask, uint64_t base, uint64_t *targets) {
    *targets = board.harts;
    if (base == -1ul) return true;
    if (base >= MOST_HARTS) return false;
    *targets = mask << base;
    return *targets >> base == mask && !(*targets & ~board.harts);
}

// ---- extensions ----

static struct result base(uint64_t number, const uint64_t *a);

enum { SET_TIMER = 0 };
static struct result timer(uint64_t number, const uint64_t *a) {
    if (number != SET_TIMER) return failed(NOT_SUPPORTED);
    set_timer(a[0]);
    return returns(0);
}

enum { SEND_IPI = 0 };
static struct result ipi(uint64_t number, const uint64_t *a) {
    uint64_t targets;
    if (number != SEND_IPI) return failed(NOT_SUPPORTED);
    if (!read_mask(a[0], a[1], &targets)) return failed(INVALID_PARAM);
    for (int hart = 0; hart < MOST_HARTS; hart++)
        if (targets >> hart & 1) send_ipi(hart, IPI_SOFT);
    return returns(0);
}

static struct result fences(uint64_t number, const uint64_t *a) {
    static const enum fence which[] = {FENCE_I,     SFENCE_VMA, SFENCE_VMA, HFENCE_GVMA,
                                       HFENCE_GVMA, HFENCE_VVMA, HFENCE_VVMA};
    uint64_t targets;
    if (number >= sizeof which / sizeof which[0]) return failed(NOT_SUPPORTED);
    if (which[number] >= HFENCE_GVMA && !has_letter('H')) return failed(NOT_SUPPORTED);
    if (!read_mask(a[0], a[1], &targets)) return failed(INVALID_PARAM);
    remote_fence(targets, which[number]);
    return returns(0);
}

#define NOT_RETENTIVE 0x80000000u
static struct result suspend(uint32_t type, uint64_t address, uint64_t opaque) {
    struct hart *self = &harts[this_hart()];
    uint32_t kind = type & ~NOT_RETENTIVE;
    if (kind >= 0x10000000) return failed(NOT_SUPPORTED); // the board's own kinds
    if (kind != 0) return failed(INVALID_PARAM);
    if (type & NOT_RETENTIVE && !is_its_memory(address, 4)) return failed(INVALID_ADDRESS);
    __atomic_store_n(&self->state, SUSPENDED, __ATOMIC_RELEASE);
    sleep_until_interrupt();
    if (type & NOT_RETENTIVE) {
        self->start_address = address;
        self->opaque = opaque;
        self->mode = SUPERVISOR;
        go(self);
    }
    __atomic_store_n(&self->state, STARTED, __ATOMIC_RELEASE);
    return returns(0);
}

enum { HART_START = 0, HART_STOP, HART_STATUS, HART_SUSPEND };
static struct result hart_states(uint64_t number, const uint64_t *a) {
    switch (number) {
    case HART_START:
        if (!is_hart(a[0])) return failed(INVALID_PARAM);
        if (!is_its_memory(a[1], 4)) return failed(INVALID_ADDRESS);
        return failed(start_hart(a[0], a[1], a[2], SUPERVISOR) ? ALREADY_AVAILABLE : SUCCESS);
    case HART_STOP:
        __atomic_store_n(&harts[this_hart()].state, STOPPED, __ATOMIC_RELEASE);
        wait_to_be_started();
    case HART_STATUS:
        if (!is_hart(a[0])) return failed(INVALID_PARAM);
        return returns(__atomic_load_n(&harts[a[0]].state, __ATOMIC_ACQUIRE));
    case HART_SUSPEND:
        return suspend(a[0], a[1], a[2]);
    default:
        return failed(NOT_SUPPORTED);
    }
}

// The words that the finisher understands: SiFive's test device, which QEMU has, too.
enum { FINISH_FAIL = 0x3333, FINISH_PASS = 0x5555, FINISH_RESET = 0x7777 };

static __attribute__((noreturn)) void finish(uint32_t word) {
    lottery = board_is_ready = 0; // for a reset that keeps RAM
    if (board.finisher) *(volatile uint32_t *)board.finisher = word;
    for (;;) asm volatile("wfi");
}

void power_off(bool failed) { finish(failed ? 1 << 16 | FINISH_FAIL : FINISH_PASS); }

enum { SYSTEM_RESET = 0 };
enum { SHUTDOWN = 0, COLD_REBOOT, WARM_REBOOT, FIRST_OF_VENDORS = 0xf0000000 };
enum { NO_REASON = 0, SYSTEM_FAILURE, FIRST_OF_IMPLEMENTATIONS = 0xe0000000 };
static struct result reset(uint64_t number, const uint64_t *a) {
    uint32_t type = a[0], reason = a[1];
    if (number != SYSTEM_RESET || !board.finisher) return failed(NOT_SUPPORTED);
    if (type > WARM_REBOOT && type < FIRST_OF_VENDORS) return failed(INVALID_PARAM);
    if (reason > SYSTEM_FAILURE && reason < FIRST_OF_IMPLEMENTATIONS) return failed(INVALID_PARAM);
    if (type > WARM_REBOOT) return failed(NOT_SUPPORTED);
    if (type == SHUTDOWN) power_off(reason == SYSTEM_FAILURE);
    finish(FINISH_RESET);
}

enum { CONSOLE_WRITE = 0, CONSOLE_READ, CONSOLE_WRITE_BYTE };
static struct result console(uint64_t number, const uint64_t *a) {
    char *data = (char *)a[1], byte = a[0];
    int64_t count = 0;
    if (number == CONSOLE_WRITE_BYTE) {
        put(&byte, 1);
        return returns(0);
    }
    if (number > CONSOLE_WRITE_BYTE) return failed(NOT_SUPPORTED);
    if (a[2] != 0 || !is_its_memory(a[1], a[0])) return failed(INVALID_PARAM);
    if (number == CONSOLE_WRITE) {
        put(data, a[0]);
        return returns(a[0]);
    }
    for (int typed; count < (int64_t)a[0] && (typed = get()) >= 0; count++) data[count] = typed;
    return returns(count);
}

// ---- the old extensions: what they return is the error of the new ones, in a0 ----

static struct result old_set_timer(uint64_t number, const uint64_t *a) {
    return timer(SET_TIMER, a);
}

static struct result old_put(uint64_t number, const uint64_t *a) {
    return console(CONSOLE_WRITE_BYTE, a);
}

static struct result old_get(uint64_t number, const uint64_t *a) { return failed(get()); }

static struct result old_shutdown(uint64_t number, const uint64_t *a) { power_off(false); }

// ---- which there are ----

static const struct {
    uint32_t number;
    function *function;
} extensions[] = {
    {0x10, base},
    {0x54494d45, timer},       // "TIME"
    {0x735049, ipi},           // "sPI"
    {0x52464e43, fences},      // "RFNC"
    {0x48534d, hart_states},   // "HSM"
    {0x53525354, reset},       // "SRST"
    {0x4442434e, console},     // "DBCN"
    {0x00, old_set_timer},
    {0x01, old_put},
    {0x02, old_get},
    {0x08, old_shutdown},
};
#define RESET 0x53525354
#define LAST_OF_THE_OLD 0x0f

static function *find(uint64_t number) {
    if (number == RESET && !board.finisher) return NULL;
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++)
        if (extensions[i].number == number) return extensions[i].function;
    return NULL;
}

#define SPECIFICATION (2 << 24 | 0)  // 2.0
#define IMPLEMENTATION 0x7674        // "vt": none of the registered numbers
#define IMPLEMENTATION_VERSION 0x10000 // 1.0

enum { SPEC_VERSION = 0, IMPL_ID, IMPL_VERSION, PROBE, VENDOR, ARCHITECTURE, IMPLEMENTER };
static struct result base(uint64_t number, const uint64_t *a) {
    switch (number) {
    case SPEC_VERSION: return returns(SPECIFICATION);
    case IMPL_ID: return returns(IMPLEMENTATION);
    case IMPL_VERSION: return returns(IMPLEMENTATION_VERSION);
    case PROBE: return returns(find(a[0]) != NULL);
    case VENDOR: return returns(read_csr(CSR_MVENDORID));
    case ARCHITECTURE: return returns(read_csr(CSR_MARCHID));
    case IMPLEMENTER: return returns(read_csr(CSR_MIMPID));
    default: return failed(NOT_SUPPORTED);
    }
}

void handle_call(struct frame *frame) {
    function *called = find(frame->x[A7]);
    struct result result = failed(NOT_SUPPORTED);
    if (called) result = called(frame->x[A6], frame->x + A0);
    frame->x[A0] = result.error;
    if (!called || frame->x[A7] > LAST_OF_THE_OLD) frame->x[A1] = result.value;
}

// The start of the kernel, on the first hart and on the others, and of the first
// process.

#include "devices.h"
#include "fs.h"
#include "hart.h"
#include "memory.h"
#include "print.h"
#include "process.h"
#include "riscv.h"
#include "sbi.h"
#include "../shared/bytes.h"

struct hart harts[MAX_HARTS];
int hart_count = 1;

extern char kernel_end[], entry_of_others[], hart_stacks[MAX_HARTS][STACK_STRIDE];

// ---- harts ----

// The hart that boots becomes number 0, whatever the machine calls it.
static void number_harts(uint64_t boot_id) {
    for (int i = 1; i < board.harts; i++) {
        if (board.hart_ids[i] != boot_id) continue;
        int context = board.plic_contexts[i];
        board.hart_ids[i] = board.hart_ids[0];
        board.plic_contexts[i] = board.plic_contexts[0];
        board.hart_ids[0] = boot_id;
        board.plic_contexts[0] = context;
    }
    if (board.hart_ids[0] != boot_id) panic("hart %lu is not in the device tree's list", boot_id);
    for (int i = 0; i < board.harts; i++) {
        harts[i].index = i;
        harts[i].id = board.hart_ids[i];
        harts[i].emergency_stack = (uint64_t)hart_stacks[i] + STACK_SIZE;
    }
}

// Start the other harts one by one, so that they come in the same order each time.
static void start_other_harts(void) {
    for (int i = 1; i < board.harts; i++) {
        uint64_t entry = to_physical(entry_of_others), stack = (uint64_t)hart_stacks[i + 1];
        if (!sbi_start_hart(harts[i].id, entry, stack)) {
            print("hart %lu does not start\n", harts[i].id);
            return;
        }
        while (!__atomic_load_n(&harts[i].started, __ATOMIC_ACQUIRE)) {
        }
        hart_count++;
    }
}

// A hart that start_other_harts() has started comes here, from entry.S.
void hart_main(uint64_t id) {
    struct hart *hart = harts;
    while (hart->id != id) hart++;
    set_thread_pointer(hart);
    hart->page_table = kernel_table_root();
    load_page_table(hart->page_table);
    traps_on();
    __atomic_store_n(&hart->started, true, __ATOMIC_RELEASE);
    scheduler();
}

// ---- the first hart ----

// The firmware's hand-over leads here, through entry.S.  `tree` is physical.
void kernel_main(uint64_t id, uint64_t tree) {
    set_thread_pointer(&harts[0]);
    read_device_tree(to_pointer(tree));
    number_harts(id);
    uint64_t ram_end = board.ram_start + board.ram_size;
    pages_init(to_physical(kernel_end), ram_end);
    kernel_table_init(board.ram_start, ram_end);
    harts[0].page_table = kernel_table_root();
    load_page_table(harts[0].page_table);
    traps_on();
    uart_init();
    start_other_harts();
    plic_enable(board.uart_interrupt);
    print("vtbook kernel: %lu MiB of memory, %d hart%s\n", board.ram_size >> 20, hart_count,
          hart_count > 1 ? "s" : "");
    start_first_process();
    scheduler();
}

// ---- the first process ----

// Find name=value or name="value with blanks" in the boot command line.
static bool find_option(const char *name, char *value, size_t size) {
    size_t length = strlen(name), at = 0;
    const char *text = board.command_line;
    while (strncmp(text, name, length) != 0 || text[length] != '=') {
        bool quoted = false;
        for (; *text && (*text != ' ' || quoted); text++)
            if (*text == '"') quoted = !quoted;
        while (*text == ' ') text++;
        if (*text == 0) return false;
    }
    text += length + 1;
    char end = *text == '"' ? *text++ : ' ';
    while (*text && *text != end && at + 1 < size) value[at++] = *text++;
    value[at] = 0;
    return true;
}

static void open_console(struct process *process) {
    struct file *console = file_new(FILE_CONSOLE, true, true);
    process->files[0] = console;
    process->files[1] = file_share(console);
    process->files[2] = file_share(console);
}

// The first process, in the kernel: mount the disk, open the console, and become
// init.  init=, run= and root= come from the boot command line.
void become_init(void) {
    static char program[MAX_PATH] = "/bin/init", line[512], root[16];
    struct process *process = current_process();
    find_option("init", program, sizeof program);
    find_option("root", root, sizeof root);
    disk_init(root);
    buffers_init();
    inodes_init();
    process->directory = inode_get(ROOT_INODE);
    open_console(process);
    char *arguments[] = {program, "-c", line};
    int count = find_option("run", line, sizeof line) ? 3 : 1;
    int error = process_exec(program, arguments, count);
    if (error < 0) panic("%s cannot be started: error %d", program, -error);
}

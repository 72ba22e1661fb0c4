// exec: put a program from a file into a new address space, and go on there.
//
// An ELF file (System V ABI, chapters 4 and 5): a header, which says where the
// program headers are; each PT_LOAD among these is a piece of the file and its place
// in memory.

#include "fs.h"
#include "hart.h"
#include "process.h"
#include "riscv.h"
#include "sbi.h"
#include "../shared/bytes.h"

struct elf_header {
    uint8_t identity[16];  // 7f 'E' 'L' 'F', 2 = 64 bits, 1 = little-endian
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, program_headers, section_headers;
    uint32_t flags;
    uint16_t size, program_header_size, program_header_count;
    uint16_t section_header_size, section_header_count, section_names;
};

struct program_header {
    uint32_t type, flags;
    uint64_t offset, address, physical_address, size_in_file, size, alignment;
};

enum { PT_LOAD = 1, TYPE_PROGRAM = 2, MACHINE_RISCV = 243 };
enum { ELF_X = 1, ELF_W = 2, ELF_R = 4 };

static bool read_all(struct inode *inode, void *to, uint64_t offset, uint64_t size) {
    return inode_read(inode, NULL, (uint64_t)to, offset, size) == (int64_t)size;
}

static bool is_program(struct elf_header *header) {
    return memcmp(header->identity, "\177ELF\2\1", 6) == 0 && header->type == TYPE_PROGRAM &&
           header->machine == MACHINE_RISCV &&
           header->program_header_size == sizeof(struct program_header);
}

static int rights_of(uint32_t flags) {
    return (flags & ELF_R ? PTE_R : 0) | (flags & ELF_W ? PTE_R | PTE_W : 0) |
           (flags & ELF_X ? PTE_X : 0);
}

// Load one piece, page by page.  What is not in the file is zeros.
static int load_piece(struct inode *inode, struct space *space, struct program_header *piece) {
    uint64_t end = piece->address + piece->size;
    if (piece->size_in_file > piece->size || piece->address < PROGRAM_BASE ||
        end < piece->address || end > HEAP_LIMIT || piece->address % PAGE_SIZE)
        return -ENOEXEC;
    for (uint64_t done = 0; done < piece->size; done += PAGE_SIZE) {
        void *page;
        uint64_t address = piece->address + done;
        pte *place = pte_find(space->root, address, false);
        if (place && *place & PTE_V) return -ENOEXEC;
        if (!space_add_page(space, address, rights_of(piece->flags), &page)) return -ENOMEM;
        if (done >= piece->size_in_file) continue;
        uint64_t part = piece->size_in_file - done;
        if (part > PAGE_SIZE) part = PAGE_SIZE;
        if (!read_all(inode, page, piece->offset + done, part)) return -ENOEXEC;
    }
    if (page_ceiling(end) > space->heap_start) space->heap_start = page_ceiling(end);
    return 0;
}

static int load(struct inode *inode, struct space *space, uint64_t *entry) {
    struct elf_header header;
    struct program_header piece;
    if (inode->disk.type != FILE_PLAIN || !read_all(inode, &header, 0, sizeof header) ||
        !is_program(&header))
        return -ENOEXEC;
    for (int i = 0; i < header.program_header_count; i++) {
        uint64_t offset = header.program_headers + (uint64_t)i * sizeof piece;
        if (!read_all(inode, &piece, offset, sizeof piece)) return -ENOEXEC;
        int error = piece.type == PT_LOAD ? load_piece(inode, space, &piece) : 0;
        if (error) return error;
    }
    space->heap_end = space->heap_start;
    *entry = header.entry;
    return 0;
}

static int load_file(const char *path, struct space *space, uint64_t *entry) {
    int error;
    fs_begin();
    struct inode *inode = path_find(path, &error);
    if (inode) {
        error = load(inode, space, entry);
        inode_drop(inode);
    }
    fs_end();
    return error;
}

// Put the words of the command line on the stack, and below them argv, which ends
// with a NULL.  sp comes to point at argv.
static int push_arguments(struct space *space, char *arguments[], int count, uint64_t *sp) {
    uint64_t argv[MAX_ARGUMENTS + 1] = {0};
    *sp = STACK_TOP;
    for (int i = count - 1; i >= 0; i--) {
        size_t size = strlen(arguments[i]) + 1;
        *sp -= size;
        argv[i] = *sp;
        if (copy_out(space, *sp, arguments[i], size) != 0) return -ENOMEM;
    }
    size_t size = (size_t)(count + 1) * sizeof argv[0];
    *sp = (*sp - size) & ~15UL;
    return copy_out(space, *sp, argv, size) == 0 ? 0 : -ENOMEM;
}

static void take_name(struct process *process, const char *path) {
    for (const char *c = path; *c; c++)
        if (*c == '/' && c[1]) path = c + 1;
    memset(process->name, 0, sizeof process->name);
    for (size_t i = 0; i + 1 < sizeof process->name && path[i]; i++) process->name[i] = path[i];
}

static void take_space(struct process *process, struct space *space) {
    struct space old = process->space;
    interrupts_off();
    process->space = *space;
    this_hart()->page_table = to_physical(space->root);
    load_page_table(this_hart()->page_table);
    interrupts_on();
    space_free(&old);
    if (hart_count > 1) sbi_flush_instructions();
    else flush_instructions();
}

// Become another program: argc, which goes to a0; or an error, and nothing has
// changed.
int process_exec(const char *path, char *arguments[], int count) {
    struct process *process = current_process();
    struct space space;
    uint64_t entry = 0, sp = 0;
    if (!space_new(&space)) return -ENOMEM;
    int error = load_file(path, &space, &entry);
    if (!error) error = push_arguments(&space, arguments, count, &sp);
    if (error) {
        space_free(&space);
        return error;
    }
    take_space(process, &space);
    take_name(process, path);
    *process->frame = (struct frame){.pc = entry, .status = STATUS_SPIE};
    process->frame->x[SP] = sp;
    process->frame->x[A0] = (uint64_t)count;
    process->frame->x[A1] = sp;
    return count;
}

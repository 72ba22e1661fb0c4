"""The tables and numbers of the ELF format that the loader and the writer share.

Sources: System V gABI, chapters 4 and 5; RISC-V psABI, "ELF Object Files".
"""

import numpy as np

EHDR = np.dtype(
    [
        ("e_ident", "V16"),
        ("e_type", "<u2"),
        ("e_machine", "<u2"),
        ("e_version", "<u4"),
        ("e_entry", "<u8"),
        ("e_phoff", "<u8"),
        ("e_shoff", "<u8"),
        ("e_flags", "<u4"),
        ("e_ehsize", "<u2"),
        ("e_phentsize", "<u2"),
        ("e_phnum", "<u2"),
        ("e_shentsize", "<u2"),
        ("e_shnum", "<u2"),
        ("e_shstrndx", "<u2"),
    ]
)
PHDR = np.dtype(
    [
        ("p_type", "<u4"),
        ("p_flags", "<u4"),
        ("p_offset", "<u8"),
        ("p_vaddr", "<u8"),
        ("p_paddr", "<u8"),
        ("p_filesz", "<u8"),
        ("p_memsz", "<u8"),
        ("p_align", "<u8"),
    ]
)
SHDR = np.dtype(
    [
        ("sh_name", "<u4"),
        ("sh_type", "<u4"),
        ("sh_flags", "<u8"),
        ("sh_addr", "<u8"),
        ("sh_offset", "<u8"),
        ("sh_size", "<u8"),
        ("sh_link", "<u4"),
        ("sh_info", "<u4"),
        ("sh_addralign", "<u8"),
        ("sh_entsize", "<u8"),
    ]
)
SYM = np.dtype(
    [
        ("st_name", "<u4"),
        ("st_info", "u1"),
        ("st_other", "u1"),
        ("st_shndx", "<u2"),
        ("st_value", "<u8"),
        ("st_size", "<u8"),
    ]
)
DYN = np.dtype([("d_tag", "<i8"), ("d_val", "<u8")])

MAGIC = b"\x7fELF"
EI_CLASS, EI_DATA, EI_VERSION = 4, 5, 6
CLASS64, LITTLE_ENDIAN, CURRENT_VERSION = 2, 1, 1

ET_EXEC, ET_DYN = 2, 3
FILE_TYPES = {
    0: "a file of no type",
    1: "an object file that is not linked yet",
    4: "a core dump",
}

EM_RISCV = 243
MACHINES = {
    2: "SPARC",
    3: "Intel 80386",
    8: "MIPS",
    20: "PowerPC",
    21: "64-bit PowerPC",
    22: "S/390",
    40: "Arm",
    62: "x86-64",
    183: "AArch64",
    247: "BPF",
    258: "LoongArch",
}

# e_flags of RISC-V
EF_RVC, EF_FLOAT_ABI, EF_RVE, EF_TSO = 0x1, 0x6, 0x8, 0x10
FLOAT_ABIS = ("soft", "single", "double", "quad")

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
PF_X, PF_W, PF_R = 1, 2, 4
PN_XNUM = 0xFFFF

SHT_NULL, SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_NOBITS = 0, 1, 2, 3, 8
SHT_RISCV_ATTRIBUTES = 0x7000_0003
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 1, 2, 4
SHN_UNDEF, SHN_ABS = 0, 0xFFF1

# types of a symbol that names an address: none, object, function, indirect function
ADDRESS_TYPES = (0, 1, 2, 10)
STB_LOCAL, STB_GLOBAL = 0, 1

# entries of the dynamic section that mean work for a dynamic linker
DYNAMIC_WORK = {
    1: "needs shared libraries",
    2: "has procedure-linkage relocations",
    8: "has relocations",
    18: "has relocations",
    35: "has relative relocations",
}

TAG_FILE, TAG_ARCH = 1, 5

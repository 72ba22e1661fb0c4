# The file system that is part of the kernel; RAMDISK is the name of its file.
        .section .ramdisk, "a"
        .balign 16
        .globl  ramdisk_start
ramdisk_start:
        .incbin RAMDISK
        .globl  ramdisk_end
ramdisk_end:

# The first instructions of a program: argc is in a0, argv in a1, and the stack is
# ready.
        .section .text.start, "ax"
        .globl  _start
_start:
        li      fp, 0
        call    main
        call    exit

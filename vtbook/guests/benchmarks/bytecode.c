// An interpreter inside: a stack machine runs a program that finds which start
// below SIZE has the longest Collatz sequence.  One indirect jump for each
// instruction of the inner machine.

#include "bench.h"

#ifndef SIZE
#define SIZE 45000
#endif

enum code { PUSH, LOAD, STORE, ADD, MULTIPLY, HALVE, ODD, LESS, JUMP, JUMP_IF_ZERO, HALT };
enum variable { START, LIMIT, VALUE, LENGTH, BEST_LENGTH, BEST_START, VARIABLES };

struct instruction {
    uint8_t code;
    uint8_t operand;  // a constant, a variable, or the number of an instruction
};

// clang-format off
static const struct instruction program[] = {
    // while start < limit:
    /*  0 */ {LOAD, START}, {LOAD, LIMIT}, {LESS, 0}, {JUMP_IF_ZERO, 42},
    // value = start, length = 1
    /*  4 */ {LOAD, START}, {STORE, VALUE}, {PUSH, 1}, {STORE, LENGTH},
    //     while 1 < value:
    /*  8 */ {PUSH, 1}, {LOAD, VALUE}, {LESS, 0}, {JUMP_IF_ZERO, 29},
    //         if value is odd: value = 3 * value + 1
    /* 12 */ {LOAD, VALUE}, {ODD, 0}, {JUMP_IF_ZERO, 21},
    /* 15 */ {LOAD, VALUE}, {PUSH, 3}, {MULTIPLY, 0}, {PUSH, 1}, {ADD, 0}, {JUMP, 23},
    //         else: value = value / 2
    /* 21 */ {LOAD, VALUE}, {HALVE, 0},
    /* 23 */ {STORE, VALUE},
    //         length = length + 1
    /* 24 */ {LOAD, LENGTH}, {PUSH, 1}, {ADD, 0}, {STORE, LENGTH}, {JUMP, 8},
    //     if best_length < length: best_length = length, best_start = start
    /* 29 */ {LOAD, BEST_LENGTH}, {LOAD, LENGTH}, {LESS, 0}, {JUMP_IF_ZERO, 37},
    /* 33 */ {LOAD, LENGTH}, {STORE, BEST_LENGTH}, {LOAD, START}, {STORE, BEST_START},
    //     start = start + 1
    /* 37 */ {LOAD, START}, {PUSH, 1}, {ADD, 0}, {STORE, START}, {JUMP, 0},
    /* 42 */ {HALT, 0},
};
// clang-format on

static void interpret(const struct instruction *code, uint64_t *variables) {
    uint64_t stack[8];
    uint64_t *top = stack;  // the first free place
    for (const struct instruction *next = code;;) {
        uint8_t operand = next->operand;
        switch ((enum code)next++->code) {
        case PUSH: *top++ = operand; break;
        case LOAD: *top++ = variables[operand]; break;
        case STORE: variables[operand] = *--top; break;
        case ADD: top--; top[-1] += top[0]; break;
        case MULTIPLY: top--; top[-1] *= top[0]; break;
        case HALVE: top[-1] /= 2; break;
        case ODD: top[-1] &= 1; break;
        case LESS: top--; top[-1] = top[-1] < top[0]; break;
        case JUMP: next = code + operand; break;
        case JUMP_IF_ZERO: if (*--top == 0) next = code + operand; break;
        case HALT: return;
        }
    }
}

int main(int argc, char **argv) {
    uint64_t variables[VARIABLES] = {1, bench_size(argc, argv, SIZE)};
    interpret(program, variables);
    uint64_t sum = bench_mix(0, variables[BEST_LENGTH]);
    return bench_report("bytecode", bench_mix(sum, variables[BEST_START]));
}

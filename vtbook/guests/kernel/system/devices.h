// The board: what the device tree says, and the drivers.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hart.h"

enum { MAX_VIRTIO = 8 };

struct board {
    uint64_t ram_start, ram_size;
    uint64_t clock_frequency;  // of the time register, Hz
    uint64_t hart_ids[MAX_HARTS];
    int harts;
    uint64_t uart, uart_interrupt;
    uint64_t plic;
    int plic_contexts[MAX_HARTS];  // of S mode on each hart
    uint64_t virtio[MAX_VIRTIO], virtio_interrupts[MAX_VIRTIO];
    int virtio_count;
    char command_line[1024];  // /chosen bootargs
};

extern struct board board;

void read_device_tree(const void *tree);

void plic_init(void);
void plic_init_hart(void);
void plic_enable(uint64_t source);
uint64_t plic_claim(void);
void plic_complete(uint64_t source);

void uart_init(void);
void uart_write(const char *text, uint64_t size);
int uart_read(void);  // a byte, or -1
void uart_interrupt(void);

void console_typed(char c);
int64_t console_read(uint64_t to, uint64_t size);
int64_t console_write(uint64_t from, uint64_t size);
void console_foreground(int group);

extern uint64_t virtio_disk_source;  // its interrupt, or 0

// Device registers.  The volatile access is done once, in order, in this width.
static inline uint32_t read32(uint64_t address) { return *(volatile uint32_t *)address; }
static inline void write32(uint64_t address, uint32_t value) {
    *(volatile uint32_t *)address = value;
}
static inline uint8_t read8(uint64_t address) { return *(volatile uint8_t *)address; }
static inline void write8(uint64_t address, uint8_t value) {
    *(volatile uint8_t *)address = value;
}

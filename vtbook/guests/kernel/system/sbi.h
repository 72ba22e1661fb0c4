// Calls to the firmware (M mode), or to the hypervisor that plays its part.
#pragma once

#include <stdbool.h>
#include <stdint.h>

void sbi_set_timer(uint64_t time);
void sbi_send_interrupt(uint64_t hart_id);
void sbi_flush_instructions(void);
bool sbi_start_hart(uint64_t hart_id, uint64_t physical_entry, uint64_t argument);
void sbi_put(char c);
void sbi_shutdown(bool failed) __attribute__((noreturn));

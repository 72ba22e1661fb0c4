// System calls.
#pragma once

#include "trap.h"

void syscall(struct frame *frame);

#include "user.h"

// SplitMix64 (Steele, Lea, Flood 2014): the same numbers everywhere.
uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15UL;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9UL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebUL;
    return z ^ z >> 31;
}

uint64_t mix_in(uint64_t checksum, uint64_t value) {
    return (checksum ^ value) * 0x100000001b3UL + (checksum >> 29);
}

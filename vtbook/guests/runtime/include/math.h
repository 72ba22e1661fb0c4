// The part of <math.h> that C guests have: what IEEE 754 rounds correctly, so
// that every machine gives the same bits.

#ifndef MATH_H
#define MATH_H

static inline double fabs(double x) { return __builtin_fabs(x); }
double sqrt(double x);

#endif

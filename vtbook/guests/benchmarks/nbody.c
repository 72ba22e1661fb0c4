// The sun and four planets for SIZE steps of 0.01 days (the program of the
// Computer Language Benchmarks Game): double arithmetic with a division and a
// square root for each pair.

#include <math.h>

#include "bench.h"

#ifndef SIZE
#define SIZE 1300000
#endif

#define BODIES 5
#define PI 3.141592653589793
#define SOLAR_MASS (4 * PI * PI)
#define YEAR 365.24  // days

struct body {
    double x, y, z, vx, vy, vz, mass;
};

// In astronomical units, per day, and in masses of the sun.
static struct body bodies[BODIES] = {
    {0, 0, 0, 0, 0, 0, SOLAR_MASS},
    {4.84143144246472090e+00, -1.16032004402742839e+00, -1.03622044471123109e-01,
     1.66007664274403694e-03 * YEAR, 7.69901118419740425e-03 * YEAR,
     -6.90460016972063023e-05 * YEAR, 9.54791938424326609e-04 * SOLAR_MASS},
    {8.34336671824457987e+00, 4.12479856412430479e+00, -4.03523417114321381e-01,
     -2.76742510726411899e-03 * YEAR, 4.99852801234917238e-03 * YEAR,
     2.30417297573763929e-05 * YEAR, 2.85885980666130812e-04 * SOLAR_MASS},
    {1.28943695621391310e+01, -1.51111514016986312e+01, -2.23307578892655734e-01,
     2.96460137564761618e-03 * YEAR, 2.37847173959480950e-03 * YEAR,
     -2.96589568540237556e-05 * YEAR, 4.36624404335156298e-05 * SOLAR_MASS},
    {1.53796971148509165e+01, -2.59193146099879641e+01, 1.79258772950371181e-01,
     2.68067772490389322e-03 * YEAR, 1.62824170038242295e-03 * YEAR,
     -9.51592254519715870e-05 * YEAR, 5.15138902046611451e-05 * SOLAR_MASS},
};

static void advance(struct body *body, double dt) {
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &body[i];
        for (int j = i + 1; j < BODIES; j++) {
            struct body *b = &body[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            double square = dx * dx + dy * dy + dz * dz;
            double pull = dt / (square * sqrt(square));
            a->vx -= dx * b->mass * pull;
            a->vy -= dy * b->mass * pull;
            a->vz -= dz * b->mass * pull;
            b->vx += dx * a->mass * pull;
            b->vy += dy * a->mass * pull;
            b->vz += dz * a->mass * pull;
        }
    }
    for (int i = 0; i < BODIES; i++) {
        body[i].x += dt * body[i].vx;
        body[i].y += dt * body[i].vy;
        body[i].z += dt * body[i].vz;
    }
}

// The sun's speed makes the total momentum zero.
static void hold_centre(struct body *body) {
    double px = 0, py = 0, pz = 0;
    for (int i = 0; i < BODIES; i++) {
        px += body[i].vx * body[i].mass;
        py += body[i].vy * body[i].mass;
        pz += body[i].vz * body[i].mass;
    }
    body[0].vx = -px / SOLAR_MASS;
    body[0].vy = -py / SOLAR_MASS;
    body[0].vz = -pz / SOLAR_MASS;
}

int main(int argc, char **argv) {
    uint64_t steps = bench_size(argc, argv, SIZE);
    hold_centre(bodies);
    for (uint64_t i = 0; i < steps; i++) advance(bodies, 0.01);
    uint64_t sum = 0;
    for (int i = 0; i < BODIES; i++) {
        sum = bench_mix_double(sum, bodies[i].x);
        sum = bench_mix_double(sum, bodies[i].y);
        sum = bench_mix_double(sum, bodies[i].z);
    }
    return bench_report("nbody", sum);
}

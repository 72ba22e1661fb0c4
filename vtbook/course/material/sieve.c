// Count the primes below `limit` with the sieve of Eratosthenes.
// `crossed` is a table of `limit` bytes, all zero.
long count_primes(unsigned char *crossed, long limit) {
    long primes = 0;
    for (long i = 2; i < limit; i++) {
        if (crossed[i]) continue;
        primes++;
        for (long j = i + i; j < limit; j += i) crossed[j] = 1;
    }
    return primes;
}

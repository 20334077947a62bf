/* What every fuzz target exports, and how it says that a property does not hold. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Called with any bytes, any number of times; returns 0, aborts when a property is violated. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLDS(property)                                                                            \
    do {                                                                                           \
        if (!(property)) {                                                                         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif

// A string is bytes in memory up to a zero: turn them round, shift them, count
// them.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reverse(char *text) {
    for (char *a = text, *b = text + strlen(text) - 1; a < b; a++, b--) {
        char c = *a;
        *a = *b;
        *b = c;
    }
}

// Caesar's cipher: each letter becomes the one `by` places further on.
static void shift(char *text, int by) {
    for (; *text; text++) {
        if (*text >= 'a' && *text <= 'z') *text = (char)('a' + (*text - 'a' + by) % 26);
        if (*text >= 'A' && *text <= 'Z') *text = (char)('A' + (*text - 'A' + by) % 26);
    }
}

static void count_vowels(const char *text) {
    for (const char *vowel = "aeiou"; *vowel; vowel++) {
        int count = 0;
        for (const char *p = text; (p = strchr(p, *vowel)); p++) count++;
        printf("%c: %-2d %.*s\n", *vowel, count, count, "********************");
    }
}

int main(int argc, char **argv) {
    const char *text = argc > 1 ? argv[1] : "The interpreter reads every instruction";
    char *copy = malloc(strlen(text) + 1);
    if (!copy) return EXIT_FAILURE;
    strcpy(copy, text);
    printf("\"%s\" has %zu bytes\n", copy, strlen(copy));
    reverse(copy);
    printf("reversed: \"%s\"\n", copy);
    reverse(copy);
    shift(copy, 13);
    printf("shifted:  \"%s\"\n", copy);
    shift(copy, 13);
    printf("and back: %s\n", strcmp(copy, text) == 0 ? "equal" : "different");
    count_vowels(copy);
    free(copy);
    return 0;
}

// printf and its like, error messages, lines of input.

#include "user.h"
#include "../../shared/format.h"

// What is printed goes out in parts of this size; each printf ends with one.
struct output {
    int file;
    size_t count;
    char text[256];
};

static void send(struct output *output) {
    size_t done = 0;
    while (done < output->count) {
        long count = write(output->file, output->text + done, output->count - done);
        if (count <= 0) exit(1);  // nobody reads any more
        done += (size_t)count;
    }
    output->count = 0;
}

static void put(char c, void *to) {
    struct output *output = to;
    if (output->count == sizeof output->text) send(output);
    output->text[output->count++] = c;
}

static void print_to(int file, const char *text, va_list arguments) {
    struct output output;
    output.file = file;
    output.count = 0;
    format(put, &output, text, arguments);
    send(&output);
}

void printf(const char *text, ...) {
    va_list arguments;
    va_start(arguments, text);
    print_to(1, text, arguments);
    va_end(arguments);
}

void fprintf(int file, const char *text, ...) {
    va_list arguments;
    va_start(arguments, text);
    print_to(file, text, arguments);
    va_end(arguments);
}

struct string {
    char *text;
    size_t size, length;
};

static void put_in_string(char c, void *to) {
    struct string *string = to;
    if (string->length + 1 < string->size) string->text[string->length] = c;
    string->length++;
}

// The length that the text has, or would have if there were room.
int snprintf(char *to, size_t size, const char *text, ...) {
    struct string string = {to, size, 0};
    va_list arguments;
    va_start(arguments, text);
    format(put_in_string, &string, text, arguments);
    va_end(arguments);
    if (size > 0) to[string.length < size ? string.length : size - 1] = 0;
    return (int)string.length;
}

long to_number(const char *text) {
    long value = 0;
    if (!*text) return -1;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || value > (INT64_MAX - 9) / 10) return -1;
        value = value * 10 + *text - '0';
    }
    return value;
}

// ---- errors ----

const char *error_name(long error) {
    switch (error < 0 ? -error : error) {
    case ENOENT: return "no such file";
    case ESRCH: return "no such process";
    case EINTR: return "interrupted";
    case EIO: return "input or output failed";
    case E2BIG: return "too many arguments";
    case ENOEXEC: return "not a program";
    case EBADF: return "no such open file";
    case ECHILD: return "no children";
    case EAGAIN: return "too many processes";
    case ENOMEM: return "no memory left";
    case EFAULT: return "bad address";
    case EEXIST: return "there already";
    case ENOTDIR: return "not a directory";
    case EISDIR: return "a directory";
    case EINVAL: return "bad argument";
    case ENFILE: return "too many open files in the system";
    case EMFILE: return "too many open files";
    case EFBIG: return "the file would be too large";
    case ENOSPC: return "the disk is full";
    case EMLINK: return "too many links";
    case EPIPE: return "nobody reads";
    case ENAMETOOLONG: return "the name is too long";
    case ENOSYS: return "no such system call";
    case ENOTEMPTY: return "the directory is not empty";
    default: return "unknown error";
    }
}

const char *program_name = "";

void fail(const char *what, long error) {
    fprintf(2, "%s: %s: %s\n", program_name, what, error_name(error));
    exit(1);
}

// ---- input ----

static int next_byte(struct reader *reader) {
    if (reader->start == reader->end) {
        long count = read(reader->file, reader->text, sizeof reader->text);
        if (count <= 0) return -1;
        reader->start = 0;
        reader->end = (size_t)count;
    }
    return (unsigned char)reader->text[reader->start++];
}

// What is too long for `line` is left out.
char *read_line(struct reader *reader, char *line, size_t size) {
    size_t length = 0;
    int c = next_byte(reader);
    if (c < 0) return NULL;
    for (; c >= 0 && c != '\n'; c = next_byte(reader))
        if (length + 1 < size) line[length++] = (char)c;
    line[length] = 0;
    return line;
}

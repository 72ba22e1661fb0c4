// Pipes: a ring of bytes in one page between a writer and a reader.

#include "fs.h"
#include "hart.h"
#include "process.h"
#include "../shared/bytes.h"

enum { PIPE_SIZE = 2048 };

struct pipe {
    struct spinlock lock;
    uint64_t read, written;  // bytes so far; their difference is in the ring
    bool reader_open, writer_open;
    char text[PIPE_SIZE];
};

int pipe_new(struct file **reader, struct file **writer) {
    struct pipe *pipe = page_new();
    if (!pipe) return -ENOMEM;
    *reader = file_new(FILE_PIPE, true, false);
    *writer = file_new(FILE_PIPE, false, true);
    if (*reader && *writer) {
        pipe->reader_open = pipe->writer_open = true;
        (*reader)->pipe = (*writer)->pipe = pipe;
        return 0;
    }
    if (*reader) file_close(*reader);
    if (*writer) file_close(*writer);
    page_drop(pipe);
    return -ENFILE;
}

void pipe_close(struct pipe *pipe, bool writer) {
    if (!pipe) return;
    lock(&pipe->lock);
    if (writer) pipe->writer_open = false;
    else pipe->reader_open = false;
    wake_up(pipe);
    bool unused = !pipe->reader_open && !pipe->writer_open;
    unlock(&pipe->lock);
    if (unused) page_drop(pipe);
}

// Copy through a small buffer: a program's memory must not be touched with a lock
// held.  What there is, at least one byte; 0 when the last writer has gone.
int64_t pipe_read(struct pipe *pipe, uint64_t to, uint64_t size) {
    char part[256];
    struct process *process = current_process();
    int64_t done = 0;
    lock(&pipe->lock);
    while (pipe->read == pipe->written && pipe->writer_open && size > 0) {
        if (is_killed(process)) {
            unlock(&pipe->lock);
            return -EINTR;
        }
        sleep_on(pipe, &pipe->lock);
    }
    while ((uint64_t)done < size && pipe->read != pipe->written) {
        uint64_t count = 0;
        while (count < sizeof part && done + count < size && pipe->read != pipe->written)
            part[count++] = pipe->text[pipe->read++ % PIPE_SIZE];
        wake_up(pipe);
        unlock(&pipe->lock);
        if (copy_out(&process->space, to + (uint64_t)done, part, count) != 0) return -EFAULT;
        done += (int64_t)count;
        lock(&pipe->lock);
    }
    unlock(&pipe->lock);
    return done;
}

static int put_in(struct pipe *pipe, const char *part, uint64_t count) {
    struct process *process = current_process();
    int error = 0;
    lock(&pipe->lock);
    while (count > 0 && !error) {
        if (!pipe->reader_open) {
            error = -EPIPE;
        } else if (is_killed(process)) {
            error = -EINTR;
        } else if (pipe->written - pipe->read == PIPE_SIZE) {
            wake_up(pipe);
            sleep_on(pipe, &pipe->lock);
        } else {
            pipe->text[pipe->written++ % PIPE_SIZE] = *part++;
            count--;
        }
    }
    wake_up(pipe);
    unlock(&pipe->lock);
    return error;
}

// All of it; or -EPIPE when nobody is left to read.
int64_t pipe_write(struct pipe *pipe, uint64_t from, uint64_t size) {
    char part[256];
    struct process *process = current_process();
    for (uint64_t done = 0; done < size;) {
        uint64_t count = size - done < sizeof part ? size - done : sizeof part;
        if (copy_in(&process->space, part, from + done, count) != 0) return -EFAULT;
        int error = put_in(pipe, part, count);
        if (error) return error;
        done += count;
    }
    return (int64_t)size;
}

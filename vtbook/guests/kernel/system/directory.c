// Directories and paths.  A directory is a file of struct disk_entry; it has
// entries "." and "..".  An inode's links are the entries that name it.

#include "fs.h"
#include "hart.h"
#include "../shared/bytes.h"

// ---- entries ----

static void read_entry(struct inode *directory, uint64_t offset, struct disk_entry *entry) {
    inode_read(directory, NULL, (uint64_t)entry, offset, sizeof *entry);
}

static int write_entry(struct inode *directory, uint64_t offset, const char *name,
                       uint32_t number) {
    struct disk_entry entry = {.inode = number};
    memcpy(entry.name, name, NAME_SIZE);
    int64_t written = inode_write(directory, NULL, (uint64_t)&entry, offset, sizeof entry);
    return written == sizeof entry ? 0 : -ENOSPC;
}

// The number of the inode with that name and the place of the entry; 0: no such.
static uint32_t find_entry(struct inode *directory, const char *name, uint64_t *offset) {
    struct disk_entry entry;
    for (*offset = 0; *offset < directory->disk.size; *offset += sizeof entry) {
        read_entry(directory, *offset, &entry);
        if (entry.inode && strncmp(entry.name, name, NAME_SIZE) == 0) return entry.inode;
    }
    return 0;
}

static int add_entry(struct inode *directory, const char *name, struct inode *inode) {
    struct disk_entry entry;
    uint64_t offset = 0;
    if (inode->disk.links == UINT16_MAX) return -EMLINK;
    for (; offset < directory->disk.size; offset += sizeof entry) {
        read_entry(directory, offset, &entry);
        if (entry.inode == 0) break;
    }
    int error = write_entry(directory, offset, name, inode->number);
    if (error) return error;
    inode->disk.links++;
    inode_update(inode);
    return 0;
}

static void remove_entry(struct inode *directory, uint64_t offset, struct inode *inode) {
    static const char nothing[NAME_SIZE];
    write_entry(directory, offset, nothing, 0);
    inode->disk.links--;
    inode_update(inode);
}

static bool has_name(const char *name, const char *text) {
    return strncmp(name, text, NAME_SIZE) == 0;
}

static bool is_empty(struct inode *directory) {
    struct disk_entry entry;
    for (uint64_t at = 0; at < directory->disk.size; at += sizeof entry) {
        read_entry(directory, at, &entry);
        if (entry.inode && !has_name(entry.name, ".") && !has_name(entry.name, ".."))
            return false;
    }
    return true;
}

// ---- paths ----

// Take the next name off a path: "a//b" gives "a" and leaves "b".  The rest, or
// NULL if no name is left.
static const char *next_name(const char *path, char name[NAME_SIZE], int *error) {
    int length = 0;
    while (*path == '/') path++;
    if (*path == 0) return NULL;
    memset(name, 0, NAME_SIZE);
    for (; *path && *path != '/'; path++) {
        if (length == NAME_SIZE) {
            *error = -ENAMETOOLONG;
            return NULL;
        }
        name[length++] = *path;
    }
    while (*path == '/') path++;
    return path;
}

static struct inode *start_of(const char *path) {
    if (*path == '/') return inode_get(ROOT_INODE);
    struct inode *here = current_process()->directory;
    here->owners++;
    return here;
}

static struct inode *fail(struct inode *inode, int *error, int why) {
    *error = why;
    inode_drop(inode);
    return NULL;
}

// Walk along a path, to its end or to the directory before it, whose last name goes
// to `name`.
static struct inode *walk(const char *path, bool parent, char name[NAME_SIZE], int *error) {
    struct inode *here = start_of(path);
    uint64_t offset;
    *error = here ? 0 : -ENFILE;
    while (here && (path = next_name(path, name, error))) {
        if (here->disk.type != FILE_DIRECTORY) return fail(here, error, -ENOTDIR);
        if (parent && *path == 0) return here;
        uint32_t number = find_entry(here, name, &offset);
        if (number == 0) return fail(here, error, -ENOENT);
        struct inode *next = inode_get(number);
        if (!next) return fail(here, error, -ENFILE);
        inode_drop(here);
        here = next;
    }
    if (*error && here) return fail(here, error, *error);
    if (parent && here) return fail(here, error, -EEXIST);  // "/" has no directory
    return here;
}

struct inode *path_find(const char *path, int *error) {
    char name[NAME_SIZE];
    if (*path == 0) {
        *error = -ENOENT;
        return NULL;
    }
    return walk(path, false, name, error);
}

struct inode *path_parent(const char *path, char name[NAME_SIZE], int *error) {
    if (*path == 0) {
        *error = -ENOENT;
        return NULL;
    }
    return walk(path, true, name, error);
}

// ---- what system calls want ----

// Fill a new directory.  Its ".." counts as a link of the parent.
static int make_directory(struct inode *new, struct inode *parent) {
    char dot[NAME_SIZE] = ".", dots[NAME_SIZE] = "..";
    int error = add_entry(new, dot, new);
    return error ? error : add_entry(new, dots, parent);
}

// Undo add_entry(new, "..", parent) and whatever else a failed creation did.
static void abandon(struct inode *new, struct inode *parent) {
    uint64_t offset;
    if (new->disk.type == FILE_DIRECTORY && find_entry(new, "..", &offset)) {
        parent->disk.links--;
        inode_update(parent);
    }
    new->disk.links = 0;
    inode_drop(new);
}

static struct inode *create_in(struct inode *parent, const char *name, int type, int *error) {
    struct inode *new = inode_new(type);
    if (!new) {
        *error = -ENOSPC;
        return NULL;
    }
    *error = type == FILE_DIRECTORY ? make_directory(new, parent) : 0;
    if (!*error) *error = add_entry(parent, name, new);
    if (!*error) return new;
    abandon(new, parent);
    return NULL;
}

// A new file or directory; a plain file that is there already is also right for
// FILE_PLAIN.
struct inode *path_create(const char *path, int type, int *error) {
    char name[NAME_SIZE];
    uint64_t offset;
    struct inode *parent = path_parent(path, name, error), *inode = NULL;
    if (!parent) return NULL;
    uint32_t number = find_entry(parent, name, &offset);
    if (number == 0) {
        if (parent->disk.links == 0) *error = -ENOENT;  // it was removed, but is in use
        else inode = create_in(parent, name, type, error);
    } else if (type == FILE_DIRECTORY) {
        *error = -EEXIST;
    } else {
        inode = inode_get(number);
        if (!inode) *error = -ENFILE;
    }
    inode_drop(parent);
    return inode;
}

int path_link(const char *old, const char *new) {
    char name[NAME_SIZE];
    uint64_t offset;
    int error;
    struct inode *inode = path_find(old, &error);
    if (!inode) return error;
    struct inode *parent = path_parent(new, name, &error);
    if (parent) {
        if (inode->disk.type == FILE_DIRECTORY) error = -EISDIR;
        else if (parent->disk.links == 0) error = -ENOENT;
        else if (find_entry(parent, name, &offset)) error = -EEXIST;
        else error = add_entry(parent, name, inode);
        inode_drop(parent);
    }
    inode_drop(inode);
    return error;
}

static int unlink_in(struct inode *parent, const char *name) {
    uint64_t offset, dots;
    if (has_name(name, ".") || has_name(name, "..")) return -EINVAL;
    uint32_t number = find_entry(parent, name, &offset);
    if (number == 0) return -ENOENT;
    struct inode *inode = inode_get(number);
    if (!inode) return -ENFILE;
    int error = 0;
    if (inode->disk.type == FILE_DIRECTORY) {
        if (!is_empty(inode)) {
            error = -ENOTEMPTY;
        } else {
            find_entry(inode, ".", &dots);
            remove_entry(inode, dots, inode);
            find_entry(inode, "..", &dots);
            remove_entry(inode, dots, parent);
        }
    }
    if (!error) remove_entry(parent, offset, inode);
    inode_drop(inode);
    return error;
}

// Take a name away; a directory must be empty.
int path_unlink(const char *path) {
    char name[NAME_SIZE];
    int error;
    struct inode *parent = path_parent(path, name, &error);
    if (!parent) return error;
    error = unlink_in(parent, name);
    inode_drop(parent);
    return error;
}

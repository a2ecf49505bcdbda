#include "gateway/ratefile.h"

#include "common/map.h"
#include "common/must.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROBES = 64 };

static const int64_t FORGOTTEN_NS = 3600LL * 1000000000;

struct slot {
    _Atomic uint64_t key; /* 0: unused */
    _Atomic uint64_t word;
};

struct ratefile {
    struct slot *slots;
    uint32_t count;
};

struct ratefile *ratefile_open(const char *path, uint32_t slots, struct error *err)
{
    size_t bytes = slots * sizeof(struct slot);
    struct ratefile *file;
    struct stat now;
    void *memory;
    int fd = -1;

    must((slots & (slots - 1)) == 0);
    if (*path != '\0') {
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
        if (fd < 0) {
            error_errno(err, "cannot open the file of rates %s", path);
            return NULL;
        }
        if (fstat(fd, &now) != 0 || (now.st_size != 0 && (size_t)now.st_size != bytes)) {
            error_set(err, "the file of rates %s is of another size: remove it", path);
            close(fd);
            return NULL;
        }
        if (ftruncate(fd, (off_t)bytes) != 0) {
            error_errno(err, "cannot make the file of rates %s", path);
            close(fd);
            return NULL;
        }
    }
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
    if (fd >= 0)
        close(fd);
    if (memory == MAP_FAILED) {
        error_errno(err, "cannot map the file of rates");
        return NULL;
    }
    file = must_zalloc(sizeof *file);
    file->slots = memory;
    file->count = slots;
    return file;
}

void ratefile_close(struct ratefile **file)
{
    if (*file == NULL)
        return;
    munmap((*file)->slots, (*file)->count * sizeof(struct slot));
    free(*file);
    *file = NULL;
}

/* The key's slot. When the neighbourhood is full, one whose bucket is long full again; else the key shares its home. */
static struct slot *find(struct ratefile *file, uint64_t key, int64_t now_ns)
{
    uint32_t mask = file->count - 1;
    struct slot *stale = NULL;
    uint64_t was, stale_key = 0;

    for (uint32_t i = 0; i < PROBES && i <= mask; i++) {
        struct slot *slot = &file->slots[(key + i) & mask];

        was = atomic_load_explicit(&slot->key, memory_order_acquire);
        if (was == 0 && atomic_compare_exchange_strong(&slot->key, &was, key))
            return slot;
        if (was == key) /* also when another process has just written it */
            return slot;
        if (stale == NULL && (int64_t)atomic_load(&slot->word) + FORGOTTEN_NS < now_ns) {
            stale = slot;
            stale_key = was;
        }
    }
    if (stale != NULL && (atomic_compare_exchange_strong(&stale->key, &stale_key, key) || stale_key == key))
        return stale;
    return &file->slots[key & mask];
}

void ratefile_take(struct ratefile *file, struct span supplier_id, enum rate_kind kind, const struct rate *rate, int64_t now_ns,
                   struct rate_look *look)
{
    uint64_t key = map_hash(supplier_id, 0x726174650000 + (uint64_t)kind) | 1;
    struct slot *slot = find(file, key, now_ns);
    uint64_t word = atomic_load(&slot->word), next;

    do {
        next = rate_take(word, rate, now_ns, look);
    } while (next != word && !atomic_compare_exchange_weak(&slot->word, &word, next));
}

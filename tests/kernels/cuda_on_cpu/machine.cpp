#include "machine.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include "cuda_runtime.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace isogrid::kernels::cuda {
constexpr std::size_t most_shared_bytes = 99 * 1024;  // of a block, on cards of 8.6 and 8.9: the fewest
alignas(1024) uint4 shared_memory[most_shared_bytes / sizeof(uint4)];
}  // namespace isogrid::kernels::cuda

// Keeps the registers that a function must preserve on the stack, and goes on where `next` was kept.
asm(R"(
    .text
    .p2align 4
isogrid_switch_stacks:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");
extern "C" void isogrid_switch_stacks(void** kept, void* next);

namespace isogrid::kernels::cuda_on_cpu {

void stop(const char* why) {
    std::fprintf(stderr, "the emulated card stops: %s\n", why);
    std::abort();
}

namespace {

/// One card for all threads of the program: they take turns.
std::recursive_mutex& turn() {
    static std::recursive_mutex mutex;
    return mutex;
}

constexpr unsigned lanes = 32;
constexpr std::size_t stack_bytes = std::size_t{256} << 10;

struct Warp {
    unsigned waiting = 0;
    Slot slots[2][lanes];
};

enum class State { ready, at_warp, at_block, ended };

struct Copy {
    void* to;
    const void* from;
    std::size_t bytes;
};

struct Fiber {
    void* stack_pointer = nullptr;
    State state = State::ended;
    unsigned exchanges = 0;
    std::vector<Copy> copies = {};  ///< begun, and not waited for
};

/// The block that runs now.
struct Block {
    std::vector<Fiber> fibers;
    std::vector<Warp> warps;
    unsigned current = 0, waiting = 0, ended = 0;
    void* scheduler = nullptr;
    const std::function<void()>* thread = nullptr;
};

Block block;

std::byte* stack_of(unsigned fiber) {
    static std::vector<std::byte*> stacks;
    while (stacks.size() <= fiber) {
        void* memory = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) stop("no memory for stacks");
        stacks.push_back(static_cast<std::byte*>(memory));
    }
    return stacks[fiber];
}

void leave_fiber() {
    isogrid_switch_stacks(&block.fibers[block.current].stack_pointer, block.scheduler);
}

void begin_fiber() {
    (*block.thread)();
    if (!block.fibers[block.current].copies.empty()) stop("a thread left the kernel before its copies came");
    block.fibers[block.current].state = State::ended;
    ++block.ended;
    leave_fiber();
    stop("a thread that ended went on");
}

void prepare(unsigned fiber) {
    // Whoever ended here never returned from its functions, whose variables the address sanitizer still
    // guards.
    ASAN_UNPOISON_MEMORY_REGION(stack_of(fiber), stack_bytes);
    auto* top = reinterpret_cast<void**>(stack_of(fiber) + stack_bytes);
    *--top = nullptr;  // where begin_fiber would return to; it keeps the stack aligned as a call does
    *--top = reinterpret_cast<void*>(&begin_fiber);
    for (int i = 0; i < 6; ++i)  // the registers that isogrid_switch_stacks takes from the stack
        *--top = nullptr;
    block.fibers[fiber] = {top, State::ready, 0};
}

void resume(unsigned fiber, Index size) {
    block.current = fiber;
    threadIdx = {fiber % size.x, fiber / size.x % size.y, fiber / (size.x * size.y)};
    isogrid_switch_stacks(&block.scheduler, block.fibers[fiber].stack_pointer);
}

void run_block(Index size, bool falling) {
    const unsigned count = size.x * size.y * size.z;
    block.fibers.resize(count);
    block.warps.assign(count / lanes, {});
    block.waiting = block.ended = 0;
    for (unsigned i = 0; i < count; ++i)
        prepare(i);
    while (block.ended < count) {
        bool moved = false;
        for (unsigned i = 0; i < count; ++i) {
            const unsigned fiber = falling ? count - 1 - i : i;
            if (block.fibers[fiber].state != State::ready) continue;
            moved = true;
            resume(fiber, size);
        }
        if (!moved)
            stop("threads wait for others that never come (a barrier or warp operation not all reach)");
    }
}

}  // namespace

void run_grid(Index grid, Index size, std::size_t shared_bytes, const std::function<void()>& thread) {
    const std::lock_guard lock(turn());
    static bool falling = true;
    falling = !falling;
    if (size.x * size.y * size.z % lanes != 0) stop("blocks are whole warps here");
    if (size.x * size.y * size.z > 1024) stop("a block has 1024 threads at most");
    if (shared_bytes > cuda::most_shared_bytes) stop("more shared memory than a block can have");
    if (grid.y > 65535 || grid.z > 65535) stop("more blocks along y or z than a grid can have");
    auto* shared = reinterpret_cast<unsigned char*>(cuda::shared_memory);
    constexpr std::size_t guard = 1024;
    const std::size_t touched = std::min(shared_bytes + guard, cuda::most_shared_bytes);
    block.thread = &thread;
    gridDim = {grid.x, grid.y, grid.z};
    blockDim = {size.x, size.y, size.z};
    const Access access;
    const std::uint64_t blocks = std::uint64_t{grid.x} * grid.y * grid.z;
    for (std::uint64_t i = 0; i < blocks; ++i) {
        const std::uint64_t at = falling ? blocks - 1 - i : i;
        blockIdx = {static_cast<unsigned>(at % grid.x), static_cast<unsigned>(at / grid.x % grid.y),
                    static_cast<unsigned>(at / (std::uint64_t{grid.x} * grid.y))};
        std::memset(shared, 0xff, touched);
        run_block(size, falling);
        for (std::size_t byte = shared_bytes; byte < touched; ++byte)
            if (shared[byte] != 0xff) stop("a kernel wrote behind its shared memory");
    }
}

namespace {
Asked asked_so_far;
}

Asked asked() {
    const std::lock_guard lock(turn());
    return asked_so_far;
}

void note_asked(const Asked& further) {
    const std::lock_guard lock(turn());
    asked_so_far.kernels += further.kernels;
    asked_so_far.products += further.products;
    asked_so_far.clearings += further.clearings;
    asked_so_far.blocks += further.blocks;
}

void meet_block() {
    Fiber& mine = block.fibers[block.current];
    if (block.ended > 0) stop("a thread left the kernel before a barrier of its block");
    mine.state = State::at_block;
    if (++block.waiting == block.fibers.size()) {
        block.waiting = 0;
        for (Fiber& fiber : block.fibers)
            fiber.state = State::ready;
    }
    leave_fiber();
}

const Slot* exchange(const void* mine, std::size_t bytes) {
    Fiber& fiber = block.fibers[block.current];
    const unsigned first = block.current / lanes * lanes;
    Warp& warp = block.warps[block.current / lanes];
    Slot* slots = warp.slots[fiber.exchanges++ % 2];
    if (bytes > 0) std::memcpy(slots[block.current % lanes].bytes, mine, bytes);
    fiber.state = State::at_warp;
    if (++warp.waiting == lanes) {
        warp.waiting = 0;
        for (unsigned i = 0; i < lanes; ++i)
            block.fibers[first + i].state = State::ready;
    }
    leave_fiber();
    return slots;
}

void begin_copy(void* to, const void* from, std::size_t bytes) {
    block.fibers[block.current].copies.push_back({to, from, bytes});
}

void wait_for_copies() {
    std::vector<Copy>& copies = block.fibers[block.current].copies;
    for (const Copy& copy : copies)
        std::memcpy(copy.to, copy.from, copy.bytes);
    copies.clear();
}

int lane() {
    return static_cast<int>(block.current % lanes);
}

namespace {

/// The card's memory: one reservation, of which pieces are handed out.
class Memory {
  public:
    static constexpr std::size_t size = std::size_t{1} << 30, unit = 256;

    Memory() {
        void* memory = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) stop("no memory for the card");
        base_ = static_cast<std::byte*>(memory);
    }

    std::byte* base() const { return base_; }

    void* take(std::size_t bytes) {
        bytes = std::max(unit, (bytes + unit - 1) / unit * unit);
        std::size_t at = 0;  // the lowest gap that is large enough
        for (const auto& [offset, length] : taken_) {
            if (offset - at >= bytes) break;
            at = offset + length;
        }
        if (size - at < bytes) return nullptr;
        taken_.emplace(at, bytes);
        return base_ + at;
    }

    void give_back(void* memory) {
        if (taken_.erase(static_cast<std::size_t>(static_cast<std::byte*>(memory) - base_)) == 0)
            stop("memory was freed that is not there");
    }

    std::size_t free() const {
        std::size_t used = 0;
        for (const auto& [offset, length] : taken_)
            used += length;
        return size - used;
    }

  private:
    std::byte* base_;
    std::map<std::size_t, std::size_t> taken_;  ///< bytes by offset
};

Memory& memory() {
    static Memory memory;
    return memory;
}

int accesses = 0;

}  // namespace

void* allocate(std::size_t bytes) {
    const std::lock_guard lock(turn());
    void* taken = memory().take(bytes);
    if (taken == nullptr) return nullptr;
    const Access access;
    std::memset(taken, 0xff, bytes);
    return taken;
}

void release(void* address) {
    const std::lock_guard lock(turn());
    if (address != nullptr) memory().give_back(address);
}

bool on_card(const void* address) {
    const auto* byte = static_cast<const std::byte*>(address);
    return byte >= memory().base() && byte < memory().base() + Memory::size;
}

std::size_t free_bytes() {
    const std::lock_guard lock(turn());
    return memory().free();
}

Access::Access() {
    turn().lock();
    if (accesses++ == 0 && mprotect(memory().base(), Memory::size, PROT_READ | PROT_WRITE) != 0)
        stop("the card's memory cannot be opened");
}

Access::~Access() {
    if (--accesses == 0 && mprotect(memory().base(), Memory::size, PROT_NONE) != 0)
        stop("the card's memory cannot be closed");
    turn().unlock();
}

}  // namespace isogrid::kernels::cuda_on_cpu

// A card made of the processor, for testing kernels where there is none: every thread of a block is a fiber,
// barriers and warp operations are places where fibers wait for each other, and the card's memory cannot be
// touched by the program beside it.
//
// What it finds that a card might hide: barriers that not all threads reach, threads that leave before a
// barrier, copies that nobody waits for, reads of shared memory that nobody has written (it is full of not-a-number), writes behind its
// end, pointers of the program handed to kernels, and the card's handed to the program. Launches take
// threads and blocks in rising and in falling order by turns, so that a result that depends on the order
// differs between two calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace isogrid::kernels::cuda_on_cpu {

struct Index {
    unsigned x = 0, y = 0, z = 0;
};

/// Runs `thread` once for every thread of every block. The positions are in the globals of cuda_runtime.h.
void run_grid(Index grid, Index block, std::size_t shared_bytes, const std::function<void()>& thread);

/// What the card was asked to do since the program began. Blocks are those of kernels.
struct Asked {
    std::int64_t kernels = 0, products = 0, clearings = 0, blocks = 0;
};
Asked asked();
void note_asked(const Asked& further);

/// Returns when every thread of the block is here.
void meet_block();

/// What one lane hands to the others.
struct alignas(16) Slot {
    std::byte bytes[64];
};

/// Hands `mine` to the warp; returns the 32 lanes' slots when all have come. They stay until the next but
/// one exchange.
const Slot* exchange(const void* mine, std::size_t bytes);

int lane();

/// A copy that is carried out no sooner than the thread waits for those it has begun.
void begin_copy(void* to, const void* from, std::size_t bytes);
void wait_for_copies();

/// The card's memory: null when there is no more.
void* allocate(std::size_t bytes);
void release(void* memory);
bool on_card(const void* address);
std::size_t free_bytes();

/// While it lives, the program may touch the card's memory.
class Access {
  public:
    Access();
    ~Access();
    Access(const Access&) = delete;
    Access& operator=(const Access&) = delete;
};

[[noreturn]] void stop(const char* why);

}  // namespace isogrid::kernels::cuda_on_cpu

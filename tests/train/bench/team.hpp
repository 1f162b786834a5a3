// Worker processes that measure at the same time, so that what each sees is a machine at work.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

namespace isogrid::bench {

/// What the workers share, in memory mapped by all.
struct MeetingPoint {
    std::atomic<int> arrived{0};   ///< calls of meet(), of all members
    std::atomic<int> finished{0};  ///< members that measured enough, of all calls of work_together()
};
static_assert(std::atomic<int>::is_always_lock_free);

/// One worker's view of its team.
class Member {
  public:
    Member(MeetingPoint& point, int index, int size) : point_(&point), index_(index), size_(size) {}

    int index() const { return index_; }

    /// Returns when every member has called it as often.
    void meet();

    /// Starts together with the others, calls `measured` until it says that this is enough, and then `idle`
    /// until the last member has enough: whoever is still measuring never has the machine to itself.
    void work_together(const std::function<bool()>& measured, const std::function<void()>& idle);

  private:
    MeetingPoint* point_;
    int index_, size_, meetings_ = 0, works_ = 0;
};

/// Forks `size` workers, one a core as far as there are cores, and returns what each one's `work` returned.
/// Call it before this process has made threads or backends. Throws std::runtime_error in the words of a
/// worker that failed.
std::vector<std::string> run_team(int size, const std::function<std::string(Member&)>& work);

}  // namespace isogrid::bench

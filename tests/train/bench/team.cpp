#include "train/bench/team.hpp"

#include <chrono>
#include <memory>
#include <new>
#include <stdexcept>
#include <thread>

#include <sys/mman.h>

#include "train/bench/process.hpp"

namespace isogrid::bench {
namespace {

struct Unmap {
    void operator()(MeetingPoint* point) const { ::munmap(point, sizeof(MeetingPoint)); }
};

std::unique_ptr<MeetingPoint, Unmap> map_meeting_point() {
    void* memory =
        ::mmap(nullptr, sizeof(MeetingPoint), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    return std::unique_ptr<MeetingPoint, Unmap>(new (memory) MeetingPoint);
}

}  // namespace

void Member::meet() {
    ++meetings_;
    ++point_->arrived;
    // Asleep, since there may be more members than cores. A member that fails never comes; then run_team ends
    // us.
    while (point_->arrived < meetings_ * size_)
        std::this_thread::sleep_for(std::chrono::microseconds(100));
}

void Member::work_together(const std::function<bool()>& measured, const std::function<void()>& idle) {
    meet();
    ++works_;
    while (!measured()) {
    }
    ++point_->finished;
    while (point_->finished < works_ * size_)
        idle();
}

std::vector<std::string> run_team(int size, const std::function<std::string(Member&)>& work) {
    const std::unique_ptr<MeetingPoint, Unmap> point = map_meeting_point();
    const std::vector<int> cores = usable_cores();
    std::vector<Child> workers;
    for (int index = 0; index < size; ++index) {
        const int core = cores[static_cast<std::size_t>(index) % cores.size()];
        workers.push_back(Child::fork_worker(
            [&] {
                Member member(*point, index, size);
                return work(member);
            },
            {&core, 1}));
    }
    wait_for(workers, /*until_first_failure=*/true);
    std::vector<std::string> results;
    for (const Child& worker : workers) {
        if (worker.failed())
            throw std::runtime_error(worker.output().empty()
                                         ? "a worker was ended by " + worker.how_it_ended() +
                                               " (out of memory?) try fewer --processes or a smaller shape"
                                         : worker.output());
        results.push_back(worker.output());
    }
    return results;
}

}  // namespace isogrid::bench

// NCCL between emulated cards. What is sent is there when the receiver's stream comes to it and the sender's
// has been, in their orders; a receiver that comes first waits. A sum over ranks is taken in rising order of
// ranks, which is not the order of a binary tree.
#include "nccl.h"

#include <chrono>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace card = isogrid::kernels::cuda_on_cpu;

namespace {

using Message = std::vector<std::byte>;

/// What the ranks of a group have in common.
struct Meeting {
    std::set<int> ranks;
    bool aborted = false;
    std::map<std::pair<int, int>, std::deque<Message>> messages;  ///< by sender and receiver
};

std::mutex& guard() {
    static std::mutex mutex;
    return mutex;
}
std::map<std::string, std::shared_ptr<Meeting>>& meetings() {
    static std::map<std::string, std::shared_ptr<Meeting>> meetings;
    return meetings;
}

std::size_t bytes_of(std::size_t count, ncclDataType_t type) {
    return count * (type == ncclFloat64 ? sizeof(double) : sizeof(float));
}

Message read(const void* from, std::size_t bytes) {
    Message message(bytes);
    const card::Access access;
    if (bytes > 0) std::memcpy(message.data(), from, bytes);
    return message;
}

void write(void* to, const Message& message) {
    const card::Access access;
    if (!message.empty()) std::memcpy(to, message.data(), message.size());
}

}  // namespace

struct Member {
    std::shared_ptr<Meeting> meeting;
    int rank = 0, size = 1;
};
struct EmulatedComm : Member {
    explicit EmulatedComm(Member member) : Member(std::move(member)) {}
    std::shared_ptr<int> in_graphs =
        std::make_shared<int>();  ///< graphs that it was captured in have it, too
};

namespace {

/// A call between ncclGroupStart and ncclGroupEnd.
struct Part {
    const void* outgoing;
    void* incoming;
    std::size_t bytes;
    int peer;
    ncclComm_t group;
    cudaStream_t stream;
};

thread_local int groups_open = 0;
thread_local std::vector<Part> parts;

void expect_on_card(const void* address) {
    if (!card::on_card(address)) card::stop("NCCL was handed memory of the program");
}

/// As stream work: all that is sent leaves at once, then all that comes is waited for.
class Transfer {
  public:
    Transfer(const Member& group, std::vector<Part> of_it) : group_(group), parts_(std::move(of_it)) {}

    bool operator()() {
        if (!sent_)
            for (const Part& part : parts_)
                if (part.outgoing != nullptr) {
                    Message message = read(part.outgoing, part.bytes);
                    const std::lock_guard lock(guard());
                    group_.meeting->messages[{group_.rank, part.peer}].push_back(std::move(message));
                }
        sent_ = true;
        for (const Part& part : parts_)
            if (part.incoming != nullptr && is_missing(part)) return aborted();
        for (const Part& part : parts_)
            if (part.incoming != nullptr) write(part.incoming, taken(part));
        return true;
    }

  private:
    bool is_missing(const Part& part) {
        const std::lock_guard lock(guard());
        return group_.meeting->messages[{part.peer, group_.rank}].empty();
    }
    bool aborted() {
        const std::lock_guard lock(guard());
        return group_.meeting->aborted;
    }
    Message taken(const Part& part) {
        const std::lock_guard lock(guard());
        auto& waiting = group_.meeting->messages[{part.peer, group_.rank}];
        Message message = std::move(waiting.front());
        waiting.pop_front();
        if (message.size() != part.bytes) card::stop("a rank received more or less than was sent");
        return message;
    }

    Member group_;
    std::vector<Part> parts_;
    bool sent_ = false;
};

void add(Message& sums, const Message& other, ncclDataType_t type) {
    const auto add_as = [&]<class Number>(Number) {
        for (std::size_t at = 0; at < sums.size(); at += sizeof(Number)) {
            Number a, b;
            std::memcpy(&a, sums.data() + at, sizeof a);
            std::memcpy(&b, other.data() + at, sizeof b);
            a += b;
            std::memcpy(sums.data() + at, &a, sizeof a);
        }
    };
    if (type == ncclFloat64)
        add_as(double{});
    else
        add_as(float{});
}

}  // namespace

ncclResult_t ncclGetVersion(int* version) {
    *version = 22809;
    return ncclSuccess;
}

ncclResult_t ncclGetUniqueId(ncclUniqueId* key) {
    static int made = 0;
    const std::lock_guard lock(guard());
    *key = {};
    const std::string text = "group " + std::to_string(++made);
    std::memcpy(key->internal, text.data(), text.size());
    return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* group, int size, ncclUniqueId key, int rank,
                                    ncclConfig_t* config) {
    if (config->blocking != 0) card::stop("a rank would wait for members that may never come");
    const std::lock_guard lock(guard());
    std::shared_ptr<Meeting>& meeting = meetings()[key.internal];
    if (!meeting) meeting = std::make_shared<Meeting>();
    if (!meeting->ranks.insert(rank).second) return ncclInvalidUsage;
    *group = new EmulatedComm({meeting, rank, size});
    return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t group, ncclResult_t* state) {
    const std::lock_guard lock(guard());
    const Meeting& meeting = *group->meeting;
    *state = meeting.aborted                                   ? ncclRemoteError
             : meeting.ranks.size() < std::size_t(group->size) ? ncclInProgress
                                                               : ncclSuccess;
    return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t) {
    return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t group) {
    if (group->in_graphs.use_count() > 1)
        card::stop("a group ends before the graphs that it was captured in");
    delete group;
    return ncclSuccess;
}

/// What the card waits for ends at once; the call itself waits for the graphs that the group was captured in.
ncclResult_t ncclCommAbort(ncclComm_t group) {
    {
        const std::lock_guard lock(guard());
        group->meeting->aborted = true;
    }
    card::ask_again();
    while (group->in_graphs.use_count() > 1)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    delete group;
    return ncclSuccess;
}

const char* ncclGetErrorString(ncclResult_t) {
    return "an emulated error";
}
const char* ncclGetLastError(ncclComm_t) {
    return "of the emulated NCCL";
}

ncclResult_t ncclGroupStart() {
    ++groups_open;
    return ncclSuccess;
}

ncclResult_t ncclGroupEnd() {
    if (--groups_open > 0 || parts.empty()) return ncclSuccess;
    const Part& first = parts.front();
    const cudaStream_t stream = first.stream;
    for (const Part& part : parts)
        if (part.group != first.group || part.stream != stream) card::stop("a group over two streams");
    card::keep_with_graph(stream, first.group->in_graphs);
    card::submit_waiting(stream, Transfer(*first.group, std::exchange(parts, {})));
    return ncclSuccess;
}

ncclResult_t ncclSend(const void* values, std::size_t count, ncclDataType_t type, int peer, ncclComm_t group,
                      cudaStream_t stream) {
    if (groups_open == 0) card::stop("a card sends before it receives: its partner may do the same");
    expect_on_card(values);
    parts.push_back({values, nullptr, bytes_of(count, type), peer, group, stream});
    return ncclSuccess;
}

ncclResult_t ncclRecv(void* values, std::size_t count, ncclDataType_t type, int peer, ncclComm_t group,
                      cudaStream_t stream) {
    if (groups_open == 0) card::stop("a card receives before it sends: its partner may do the same");
    expect_on_card(values);
    parts.push_back({nullptr, values, bytes_of(count, type), peer, group, stream});
    return ncclSuccess;
}

ncclResult_t ncclAllReduce(const void* values, void* sums, std::size_t count, ncclDataType_t type,
                           ncclRedOp_t, ncclComm_t group, cudaStream_t stream) {
    expect_on_card(values);
    expect_on_card(sums);
    const std::size_t bytes = bytes_of(count, type);
    const auto exchanged = std::make_shared<std::map<int, Message>>();
    card::keep_with_graph(stream, group->in_graphs);
    card::submit_waiting(stream, [=, group = Member(*group), sent = false]() mutable {
        const auto is_there = [&](int rank) { return rank == group.rank || exchanged->contains(rank); };
        if (!sent) exchanged->clear();  // of the last replay
        const std::lock_guard lock(guard());
        for (int rank = 0; rank < group.size && !sent; ++rank)
            if (rank != group.rank)
                group.meeting->messages[{group.rank, rank}].push_back(read(values, bytes));
        sent = true;
        for (int rank = 0; rank < group.size; ++rank) {
            auto& waiting = group.meeting->messages[{rank, group.rank}];
            if (is_there(rank)) continue;
            if (waiting.empty()) return group.meeting->aborted;
            exchanged->emplace(rank, std::move(waiting.front()));
            waiting.pop_front();
        }
        Message sum;
        for (int rank = 0; rank < group.size; ++rank) {
            const Message part = rank == group.rank ? read(values, bytes) : exchanged->at(rank);
            if (sum.empty())
                sum = part;
            else
                add(sum, part, type);
        }
        write(sums, sum);
        return true;
    });
    return ncclSuccess;
}

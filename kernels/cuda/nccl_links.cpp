#include "kernels/cuda/nccl_links.hpp"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <exception>
#include <nccl.h>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "kernels/cuda/card_check.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/runtime.hpp"

namespace isogrid::kernels::cuda {

namespace {

using Clock = std::chrono::steady_clock;

void check(ncclResult_t result, const char* doing) {
    if (result == ncclSuccess) return;
    check_card(doing);
    const std::string words = ncclGetLastError(nullptr);
    // All that NCCL tells of CUDA's error is its name in words.
    if (result == ncclUnhandledCudaError && words.find("out of memory") != std::string::npos)
        throw std::bad_alloc();
    throw std::runtime_error(std::string(doing) + " failed (NCCL: " + ncclGetErrorString(result) + ": " +
                             words + ") start again with NCCL_DEBUG=WARN to see more");
}

template <class Number>
constexpr ncclDataType_t type_of =
    std::is_same_v<std::remove_const_t<Number>, double> ? ncclFloat64 : ncclFloat32;

/// An event that orders one stream after another.
class Event {
  public:
    Event() { cuda::check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "making an event"); }
    ~Event() { cudaEventDestroy(event_); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    /// What `later` is asked for from now on comes after what `earlier` was asked for so far.
    void order(cudaStream_t earlier, cudaStream_t later) {
        cuda::check(cudaEventRecord(event_, earlier), "ordering work on the card");
        cuda::check(cudaStreamWaitEvent(later, event_, 0), "ordering work on the card");
    }

  private:
    cudaEvent_t event_ = nullptr;
};

int current_device() {
    int device = 0;
    cuda::check(cudaGetDevice(&device), "asking which card is used");
    return device;
}

class NcclLinks final : public Links {
  public:
    NcclLinks(LinkPlace place, cudaStream_t of_backend, Look& look_of_waits, std::jthread& cutting)
        : place_(std::move(place)),
          of_backend_(of_backend),
          look_of_waits_(look_of_waits),
          cutting_(cutting) {
        cutting_ = {};  // the last links' end: nothing that was recorded with them is left
        // Calls return before they are done, so that who waits for members can see that one has left.
        ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
        config.blocking = 0;
        ncclUniqueId key;
        static_assert(sizeof key.internal == sizeof place_.key);
        std::memcpy(key.internal, place_.key.data(), sizeof key.internal);
        try {
            settle(ncclCommInitRankConfig(&group_, place_.size, key, place_.rank, &config), "linking cards");
        } catch (...) {
            cut();
            throw;
        }
        look_before_ = std::exchange(look_of_waits_, [this] { look(); });
    }

    ~NcclLinks() override {
        look_of_waits_ = std::move(look_before_);
        if (group_ != nullptr && std::uncaught_exceptions() <= thrown_before_) {
            try {
                settle(ncclCommFinalize(group_), "ending the links between cards");
                ncclCommDestroy(std::exchange(group_, nullptr));
            } catch (const std::exception&) {  // it is cut
            }
        }
        cut();
    }
    NcclLinks(const NcclLinks&) = delete;
    NcclLinks& operator=(const NcclLinks&) = delete;

    void sum(std::span<const float> values, std::span<float> into, std::span<float> room) override {
        add_up(values, into, room);
    }
    void sum(std::span<const double> values, std::span<double> into, std::span<double> room) override {
        add_up(values, into, room);
    }

    void join() override { joined_.order(stream_, of_backend_); }

  private:
    template <class Number>
    void add_up(std::span<const Number> values, std::span<Number> into, std::span<Number> room) {
        assert(values.size() == into.size() && values.size() == room.size());
        if (group_ == nullptr) throw LinkBroken(gone);
        begun_.order(of_backend_, stream_);
        constexpr std::size_t worth_parting = std::size_t{1} << 16;  // below it a message costs its latency
        if (place_.sum == RankSum::all_reduce)
            settle(ncclAllReduce(values.data(), into.data(), values.size(), type_of<Number>, ncclSum, group_,
                                 stream_),
                   "adding up gradients");
        else if (values.size() < worth_parting)
            add_whole(values, into, room);
        else
            add_parts(values, into, room);
    }

    /// Recursive doubling: after each exchange both partners hold the sum of twice as many ranks.
    template <class Number>
    void add_whole(std::span<const Number> values, std::span<Number> into, std::span<Number> room) {
        for (int distance = 1; distance < place_.size; distance *= 2) {
            exchange(place_.rank ^ distance, values, room);
            add<Number>(values, room, into);
            values = into;
        }
    }

    /// The same sums in the same order, each partner adding up one half of what both have, and half of that
    /// with the next; then the halves come back (Thakur, Rabenseifner and Gropp 2005, section 4.4, from the
    /// nearest partner to the farthest). 2 (1 - 1 / size) of the bytes go out instead of log2(size).
    template <class Number>
    void add_parts(std::span<const Number> values, std::span<Number> into, std::span<Number> room) {
        std::size_t first = 0, count = values.size();
        for (int distance = 1; distance < place_.size; distance *= 2) {
            const Halves halves = halves_of(first, count, distance);
            exchange(place_.rank ^ distance, values.subspan(halves.given, halves.given_count),
                     room.subspan(halves.kept, halves.kept_count));
            first = halves.kept;
            count = halves.kept_count;
            add<Number>(values.subspan(first, count), room.subspan(first, count), into.subspan(first, count));
            values = into;
        }
        give_back(0, values.size(), 1, into);
    }

    struct Halves {
        std::size_t kept, kept_count, given, given_count;
    };
    /// The lower half is the lower rank's.
    Halves halves_of(std::size_t first, std::size_t count, int distance) const {
        const std::size_t lower = count / 2;
        if ((place_.rank & distance) == 0) return {first, lower, first + lower, count - lower};
        return {first + lower, count - lower, first, lower};
    }

    /// From the farthest partner to the nearest, each gets what the other has added up.
    template <class Number>
    void give_back(std::size_t first, std::size_t count, int distance, std::span<Number> into) {
        if (distance == place_.size) return;
        const Halves halves = halves_of(first, count, distance);
        give_back(halves.kept, halves.kept_count, 2 * distance, into);
        exchange(place_.rank ^ distance,
                 std::span<const Number>(into.subspan(halves.kept, halves.kept_count)),
                 into.subspan(halves.given, halves.given_count));
    }

    template <class Number>
    void exchange(int partner, std::span<const Number> outgoing, std::span<Number> incoming) {
        constexpr const char* doing = "sending gradients from card to card";
        check(ncclGroupStart(), doing);
        const ncclResult_t sent =
            ncclSend(outgoing.data(), outgoing.size(), type_of<Number>, partner, group_, stream_);
        const ncclResult_t received =
            ncclRecv(incoming.data(), incoming.size(), type_of<Number>, partner, group_, stream_);
        settle(ncclGroupEnd(), doing);
        for (const ncclResult_t part : {sent, received})
            if (part != ncclInProgress) check(part, doing);
    }

    template <class Number>
    void add(std::span<const Number> a, std::span<const Number> b, std::span<Number> out) {
        cuda::add({stream_, nullptr}, static_cast<std::int64_t>(out.size()), a.data(), b.data(), out.data());
    }

    /// Until a call has done what it was asked for.
    void settle(ncclResult_t result, const char* doing) {
        const auto done = [&] {
            if (result == ncclInProgress) check(ncclCommGetAsyncError(group_, &result), doing);
            return result != ncclInProgress;
        };
        wait_until(done, [this] { look_for_leavers(); });
        check(result, doing);
    }

    /// In every wait for the card.
    void look() {
        if (group_ == nullptr) return;
        ncclResult_t state = ncclSuccess;
        check(ncclCommGetAsyncError(group_, &state), "asking after the links between cards");
        if (state != ncclSuccess && state != ncclInProgress) {
            cut();
            check(state, "sending gradients from card to card");
        }
        look_for_leavers();
    }

    void look_for_leavers() {
        if (!place_.somebody_left || !place_.somebody_left()) return;
        if (!left_at_) left_at_ = Clock::now();
        if (Clock::now() - *left_at_ < place_.patience) return;
        cut();
        throw LinkBroken(gone);
    }

    /// Ends what the card still waits for. On a thread of its own: NCCL first tells the card, then waits
    /// until every graph that the group was recorded in is gone, and who gives up may still have them. (A
    /// process that gets no thread any more ends here.)
    void cut() noexcept {
        if (group_ == nullptr) return;
        cutting_ = std::jthread([group = std::exchange(group_, nullptr), device = device_] {
            cudaSetDevice(device);  // else it would come back to card 0, and take memory there
            ncclCommAbort(group);
        });
    }

    static constexpr const char* gone = "another rank of the group ended its part of the trial";

    LinkPlace place_;
    cudaStream_t of_backend_;
    Look& look_of_waits_;
    std::jthread& cutting_;  ///< cut() may have to go on when this is gone
    Look look_before_;
    int thrown_before_ = std::uncaught_exceptions();
    int device_ = current_device();
    Stream stream_;
    Event begun_, joined_;
    ncclComm_t group_ = nullptr;
    std::optional<Clock::time_point> left_at_;
};

}  // namespace

LinkOffer nccl_offer(bool first_rank) {
    LinkOffer offer;
    try {
        int version = 0;
        check(ncclGetVersion(&version), "asking for NCCL's version");
        if (!first_rank) return offer;
        ncclUniqueId key;
        check(ncclGetUniqueId(&key), "starting NCCL");
        std::memcpy(offer.key.data(), key.internal, sizeof key.internal);
    } catch (const std::exception& error) {
        offer.problem = error.what();
    }
    return offer;
}

std::unique_ptr<Links> link_by_nccl(LinkPlace place, cudaStream_t stream, Look& look_of_waits,
                                    std::jthread& cutting) {
    return std::make_unique<NcclLinks>(std::move(place), stream, look_of_waits, cutting);
}

}  // namespace isogrid::kernels::cuda

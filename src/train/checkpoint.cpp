#include "train/checkpoint.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace isogrid::train {
namespace {

using archive::CurvePoint;

/// Down a binary tree of exchanges: after each the lower half of twice as many ranks has the first one's.
template <class Value>
void share(Communicator& group, std::span<Value> values) {
    std::vector<Value> incoming(group.size() > 1 ? values.size() : 0);
    for (int reached = 1; reached < group.size(); reached *= 2) {
        if (group.rank() >= 2 * reached) continue;
        group.exchange(group.rank() ^ reached, std::span<const Value>(values), std::span<Value>(incoming));
        if (group.rank() >= reached) std::memcpy(values.data(), incoming.data(), values.size_bytes());
    }
}

template <class Value>
void share(Communicator& group, std::vector<Value>& values, double size) {
    values.resize(static_cast<std::size_t>(size));
    if (!values.empty()) share(group, std::span<Value>(values));
}

/// The bytes of a curve's rows as numbers that nobody computes with.
constexpr std::size_t doubles_a_row = sizeof(CurvePoint) / sizeof(double);
static_assert(std::is_trivially_copyable_v<CurvePoint> && sizeof(CurvePoint) % sizeof(double) == 0);

void share_curve(Communicator& group, std::vector<CurvePoint>& curve, double rows) {
    curve.resize(static_cast<std::size_t>(rows));
    std::vector<double> bytes(curve.size() * doubles_a_row);
    std::memcpy(bytes.data(), curve.data(), bytes.size() * sizeof(double));
    share(group, bytes, static_cast<double>(bytes.size()));
    std::memcpy(static_cast<void*>(curve.data()), bytes.data(), bytes.size() * sizeof(double));
}

}  // namespace

std::optional<archive::Checkpoint> share_checkpoint(Communicator& group,
                                                    std::optional<archive::Checkpoint> checkpoint) {
    archive::Checkpoint shared = std::move(checkpoint).value_or(archive::Checkpoint{});
    std::array<double, 3> sizes = {static_cast<double>(shared.step), static_cast<double>(shared.curve.size()),
                                   static_cast<double>(shared.weights.size())};
    share(group, std::span<double>(sizes));
    const auto [step, rows, parameters] = sizes;
    if (step == 0) return std::nullopt;
    shared.step = static_cast<std::int64_t>(step);
    share_curve(group, shared.curve, rows);
    auto sums = std::bit_cast<archive::RowSumNumbers>(shared.sums);
    share(group, std::span<double>(sums));
    shared.sums = std::bit_cast<archive::RowSums>(sums);
    share(group, shared.weights, parameters);
    share(group, shared.first_moment, parameters);
    share(group, shared.second_moment, parameters);
    return shared;
}

}  // namespace isogrid::train

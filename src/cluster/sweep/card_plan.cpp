#include "cluster/sweep/card_plan.hpp"

#include <algorithm>
#include <limits>
#include <map>

#include "archive/archive.hpp"
#include "cluster/schedule/workload.hpp"
#include "train/cost.hpp"

namespace isogrid::cluster {

namespace {

constexpr std::int64_t mebibyte = std::int64_t{1} << 20;

int in_mebibytes(std::int64_t bytes) {
    return static_cast<int>((bytes + mebibyte - 1) / mebibyte);
}

}  // namespace

int seats_of_cards(const study::Job& job, bool on_cards) {
    if (!on_cards || job.ranks_per_trial > 1) return 1;
    return job.trials_per_card > 0 ? static_cast<int>(job.trials_per_card) : default_seats;
}

std::vector<std::int64_t> planned_bytes_of(const study::Grid& grid, const kernels::Backend& backend) {
    std::map<StepKind, std::int64_t> known;
    std::vector<std::int64_t> bytes;
    for (const study::PlannedTrial& planned : grid.trials) {
        const auto [entry, is_new] = known.try_emplace(step_kind(planned.trial));
        if (is_new) entry->second = train::planned_bytes(planned.trial, 1, 1, backend);
        bytes.push_back(entry->second);
    }
    return bytes;
}

int count_too_large(const study::Study& study, const kernels::Backend& backend, std::int64_t bytes) {
    const std::vector<std::int64_t> planned = planned_bytes_of(study.grid, backend);
    return static_cast<int>(
        std::count_if(planned.begin(), planned.end(), [&](std::int64_t needed) { return needed > bytes; }));
}

int trials_that_fit(std::int64_t bytes, std::int64_t card_bytes, int seats) {
    const std::int64_t fit = memory_for_trials(card_bytes) / std::max<std::int64_t>(1, bytes);
    return static_cast<int>(std::clamp<std::int64_t>(fit, 1, seats));
}

CardPlan plan_cards(const study::Study& study, const MpiSession& session, std::int64_t card_bytes,
                    const kernels::Backend& backend) {
    const bool has_card = card_bytes > 0;
    const bool on_cards = session.any(has_card);
    const bool threads = session.all(session.allows_threads() && archive::allows_threads());
    const int most = session.lowest(backend.trials_at_once());
    CardPlan plan;
    plan.cards.seats = {.ranks = session.workers(),
                        .each = threads ? std::min(most, seats_of_cards(study.job, on_cards)) : 1};
    if (plan.cards.seats.each == 1) return plan;
    plan.cards.measure = study.job.trials_per_card == 0;
    // The smallest card's memory, and what each trial takes, in numbers that ranks can compare.
    const int smallest = session.lowest(has_card ? in_mebibytes(memory_for_trials(card_bytes))
                                                 : std::numeric_limits<int>::max());
    plan.cards.bytes = smallest * mebibyte;
    std::vector<int> mebibytes(study.grid.trials.size(), 0);
    if (has_card)
        std::ranges::transform(planned_bytes_of(study.grid, backend), mebibytes.begin(), in_mebibytes);
    for (const int each : session.highest_of_each(std::move(mebibytes)))
        plan.bytes.push_back(each * mebibyte);
    return plan;
}

}  // namespace isogrid::cluster

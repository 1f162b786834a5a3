#include "cluster/site/device.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <functional>
#include <limits>
#include <set>

namespace isogrid::cluster {

namespace {

using Problem = CardChoice::Problem;

constexpr std::size_t most_cards = 16;  ///< that a rank tells the others of

/// A number to know a card by; ranks exchange numbers.
int number_of(const std::string& identity) {
    return static_cast<int>(std::hash<std::string>()(identity) & std::numeric_limits<int>::max());
}

/// Cards of one kind have one number, and a newer kind a higher one.
constexpr int kinds_a_capability = 1000;
int number_of_kind(const kernels::CudaCard& card) {
    return kinds_a_capability * card.capability + card.multiprocessors;
}
std::string kind_numbered(int number) {
    return kernels::kind_of(number / kinds_a_capability, number % kinds_a_capability);
}

std::vector<int> as_numbers(const RankCards& rank) {
    std::vector<int> numbers(2 + most_cards, 0);
    const std::size_t count = std::min(rank.cards.size(), most_cards);
    numbers[0] = rank.works ? 1 : 0;
    numbers[1] = static_cast<int>(count);
    std::copy_n(rank.cards.begin(), count, numbers.begin() + 2);
    return numbers;
}

RankCards from_numbers(const std::vector<int>& numbers) {
    return {numbers[0] != 0, {numbers.begin() + 2, numbers.begin() + 2 + numbers[1]}};
}

base::Fault fault_of(const study::Job& job, Problem problem, const kernels::CudaCards& seen) {
    const std::string where = job.path.string() + ": run.device";
    const std::size_t count = seen.cards.size();
    switch (problem) {
        case Problem::too_few:
            return {where, "this node has more workers than CUDA cards",
                    "a worker trains on a card of its own, and this process sees " + std::to_string(count),
                    "start one rank a card, and one more on one node that coordinates"};
        case Problem::shared:
            return {where, "two ranks were bound to one CUDA card",
                    "each would have half of its memory, and wait for the other",
                    "bind one card to each with --gpus-per-task 1, or show all to all with --gpus-per-node"};
        default:
            return {where, "there is no CUDA card for this rank",
                    seen.problem.empty() ? "the process sees none" : seen.problem,
                    "ask for cards with --gpus-per-node, or set device = \"cpu\""};
    }
}

}  // namespace

std::vector<CardChoice> cards_of_node(const std::vector<RankCards>& ranks) {
    std::vector<CardChoice> choices;
    std::set<int> taken;
    int workers = 0;
    for (const RankCards& rank : ranks) {
        CardChoice& choice = choices.emplace_back();
        if (!rank.works) continue;
        const int place = workers++;
        const int count = static_cast<int>(rank.cards.size());
        if (count == 0) {
            choice.problem = Problem::no_card;
        } else if (count > 1 && place >= count) {
            choice.problem = Problem::too_few;
        } else {
            const int card = count == 1 ? 0 : place;
            if (taken.insert(rank.cards[static_cast<std::size_t>(card)]).second)
                choice.card = card;
            else
                choice.problem = Problem::shared;
        }
    }
    return choices;
}

base::Result<std::optional<int>> choose_card(const study::Job& job, const MpiSession& session,
                                             const kernels::CudaCards& seen) {
    if (job.device == study::Device::cpu) return std::optional<int>();
    RankCards mine{.works = session.works(), .cards = {}};
    for (const kernels::CudaCard& card : seen.cards)
        mine.cards.push_back(number_of(card.identity));
    const MpiSession::Node node = session.on_node(as_numbers(mine));
    std::vector<RankCards> ranks;
    for (const std::vector<int>& said : node.said)
        ranks.push_back(from_numbers(said));
    const CardChoice choice = cards_of_node(ranks)[node.me];

    // Results have the bits of their kind of card: all workers must have the same.
    constexpr int above_all = std::numeric_limits<int>::max();
    const int kind = choice.card >= 0 ? number_of_kind(seen.cards[static_cast<std::size_t>(choice.card)]) : 0;
    const bool all_have = session.all(choice.problem == Problem::none);
    const int lowest = session.lowest(mine.works ? kind : above_all);
    const int highest = session.highest(mine.works ? kind : 0);
    const std::optional<int> card = mine.works ? std::optional(choice.card) : std::nullopt;

    if (job.device == study::Device::automatic)
        return all_have && lowest == highest ? card : std::optional<int>();
    if (choice.problem != Problem::none)
        return tl::unexpected(base::Faults{fault_of(job, choice.problem, seen)});
    if (all_have && lowest != highest)
        return base::fail(
            job.path.string() + ": run.device", "the workers' cards are of different kinds",
            "from " + kind_numbered(lowest) + " to " + kind_numbered(highest) + ", which give different bits",
            "ask for nodes of one kind with --constraint");
    return card;
}

base::Result<std::unique_ptr<kernels::Backend>> backend_of_card(const study::Job& job, int card) {
    try {
        return kernels::make_cuda_backend(card);
    } catch (const std::exception& error) {
        return base::fail(job.path.string() + ": run.device", "the CUDA card cannot be used", error.what(),
                          "correct that, or set device = \"cpu\"");
    }
}

base::Result<void> check_versions(const study::Job& job, const MpiSession& session, bool has_card,
                                  const kernels::Backend& backend) {
    const int word = number_of(backend.instruction_set());
    const int lowest = session.lowest(has_card ? word : std::numeric_limits<int>::max());
    const int highest = -session.lowest(has_card ? -word : 0);
    if (lowest == std::numeric_limits<int>::max() || lowest == highest) return {};
    return base::fail(
        job.path.string() + ": run.device", "the workers' nodes have different versions of cuBLASLt",
        "which choose different algorithms, and give different bits", "load the same CUDA on all of them");
}

base::Result<std::vector<std::string>> link_warnings(const study::Job& job, const MpiSession& session,
                                                     const std::string& problem) {
    constexpr int fewest = 3;  // ranks, of which two train
    const bool all_can = session.all(problem.empty());
    if (all_can || session.size() < fewest) return std::vector<std::string>();
    const std::string why =
        problem.empty() ? "NCCL is missing on another rank's node, or in its build" : problem;
    if (job.recipe.gradient_sum == study::GradientSum::all_reduce)
        return base::fail(job.path.string() + ": recipe.gradient_sum",
                          "gradients cannot be summed by NCCL between cards", why,
                          "make NCCL available on every node, or set gradient_sum = \"tree\"");
    return std::vector<std::string>{"cards that share a trial exchange gradients through memory (" + why +
                                    ") put the folder of NCCL's library into LD_LIBRARY_PATH"};
}

std::vector<std::string> card_warnings(int too_large, std::int64_t bytes) {
    if (too_large == 0) return {};
    constexpr std::int64_t gigabyte = 1'000'000'000;
    return {std::to_string(too_large) + (too_large == 1 ? " trial needs" : " trials need") +
            " more memory than a card has (" + std::to_string(bytes / gigabyte) +
            " GB; isogrid plan shows each trial's) raise recipe.leaves, or leave the largest sizes out"};
}

}  // namespace isogrid::cluster

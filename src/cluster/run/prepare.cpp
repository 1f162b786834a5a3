#include "cluster/run/prepare.hpp"

#include <algorithm>
#include <cstdint>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "archive/find_trials.hpp"
#include "archive/provenance.hpp"
#include "cluster/run/refusals.hpp"
#include "cluster/site/as_begun.hpp"
#include "cluster/site/device.hpp"
#include "cluster/site/lack.hpp"
#include "kernels/cpu/cpu_backend.hpp"
#include "kernels/cuda/cards.hpp"
#include "program/ending.hpp"
#include "program/quantities.hpp"

namespace isogrid::cluster {

namespace {

using Words = std::set<std::string>;  // as provenance names what trained: `avx512`, `sm_90x132`

/// Else a trial's number means another trial on some ranks, or its group trains two at once.
bool all_read_the_same(const study::Study& study, const MpiSession& session) {
    if (session.all_say(study.job.text + "\n" + study.corpus.digest + "\n" + archive::code_revision()))
        return true;
    if (session.rank() == 0)
        program::say_at_once(base::to_string(
            base::Faults{{study.job.path.string(), "is not the same on all ranks",
                          "their nodes see different versions of it, of its tokens or of isogrid",
                          "wait a minute and run the same command again"}}));
    return false;
}

/// A file that only some ranks can read must not leave the others waiting for them. If one can, the input is
/// good, and another start may go without the nodes that have lost sight of it.
tl::expected<study::Study, int> agree_on_study(base::Result<study::Study> mine,
                                               const std::filesystem::path& archive,
                                               const MpiSession& session) {
    auto study = where_all_have(std::move(mine), archive, session);
    if (study && !all_read_the_same(*study, session)) return tl::unexpected(int{program::exit_other});
    return study;
}

/// What the trials that are there were trained with: the first rank looks, and tells the others.
Words begun_with(const std::filesystem::path& archive, const study::Grid& grid, const MpiSession& session) {
    std::string words;
    if (session.rank() == 0)
        if (const auto found = archive::find_trials(archive, grid, archive::WeightsUse::skip))
            for (const std::string& word : archive::trained_with(*found))
                words += word + "\n";
    std::istringstream told(session.as_first_says(words));
    Words begun;
    for (std::string word; std::getline(told, word);)
        begun.insert(word);
    return begun;
}

/// Where nodes differ, the best that all of them run (each set includes those before it): a trial's bits must
/// not depend on which ranks it came to.
InstructionSet lowest_of_all(InstructionSet mine, const MpiSession& session) {
    return static_cast<InstructionSet>(session.lowest(static_cast<int>(mine)));
}

/// What this rank computes on.
struct Place {
    kernels::CudaCards seen;
    std::optional<int> card;
    std::unique_ptr<kernels::Backend> backend;

    std::int64_t card_bytes() const { return card ? seen.cards[static_cast<std::size_t>(*card)].bytes : 0; }
};

/// A card each where the study asks for that and every worker has one, else processors; `auto` stays with
/// cards where trials that are there were trained on some, as processors give other bits.
tl::expected<Place, int> agree_on_place(study::Job& job, InstructionSet instruction_set, const Words& begun,
                                        const std::filesystem::path& archive, const MpiSession& session) {
    Place place{job.device == study::Device::cpu ? kernels::CudaCards{} : kernels::cuda_cards(), {}, {}};
    auto choice = choose_card(job, session, place.seen);
    if (job.device == study::Device::automatic && !session.any(choice && *choice) &&
        std::any_of(begun.begin(), begun.end(), kernels::is_kind_of_card)) {
        job.device = study::Device::cuda;
        choice = choose_card(job, session, place.seen);
    }
    // A node that sees fewer cards than most has lost them, whatever its other ranks have.
    const auto lack_of_node = [&](bool lost) {
        return Lack{.of_some = session.any(lost), .of_a_host = lost};
    };
    const int cards_here = static_cast<int>(place.seen.cards.size());
    const int most_cards = session.highest(cards_here);
    const bool is_usual = 2 * session.sum(cards_here == most_cards ? 1 : 0) > session.size();
    const bool lost = !choice && cards_here < most_cards && (cards_here == 0 || is_usual);
    auto card = where_all_have(std::move(choice), archive, session, [&] { return lack_of_node(lost); });
    if (!card) return tl::unexpected(card.error());
    place.card = *card;

    auto made =
        place.card
            ? backend_of_card(job, *place.card)
            : base::Result<std::unique_ptr<kernels::Backend>>(kernels::cpu::make_backend(instruction_set));
    const bool has = made.has_value(), one_can = session.any(place.card && has);
    auto backend =
        where_all_have(std::move(made), archive, session, [&] { return lack_of_node(!has && one_can); });
    if (!backend) return tl::unexpected(backend.error());
    place.backend = *std::move(backend);
    const auto same = check_versions(job, session, place.card.has_value(), *place.backend);
    if (same) return place;
    if (job.device != study::Device::automatic) {
        if (session.rank() == 0) program::refuse(same.error());
        return tl::unexpected(int{program::exit_bad_input});
    }
    place.card.reset();  // as for cards of several kinds
    place.backend = kernels::cpu::make_backend(instruction_set);
    return place;
}

/// Where `auto` passes cards over that some workers have.
std::vector<std::string> idle_card_warnings(const study::Job& job, const Place& place,
                                            const MpiSession& session) {
    if (job.device != study::Device::automatic) return {};
    const int with_cards = session.sum(session.works() && !place.seen.cards.empty() ? 1 : 0);
    if (session.any(place.card.has_value()) || with_cards == 0) return {};
    const auto workers = static_cast<std::size_t>(session.workers());
    return {"all trials are trained on processors, although CUDA cards are seen by " +
            std::to_string(with_cards) + " of " + program::plural(workers, "worker") +
            " (device = \"auto\" takes cards where every worker has one, of one kind) ask "
            "for a card a worker, or set device = \"cuda\""};
}

/// Where what trained so far is not to be had, or is slower than what is here.
std::vector<std::string> bits_warnings(const study::Study& study, const Words& begun, InstructionSet best,
                                       const Place& place, const MpiSession& session) {
    std::vector<std::string> warnings;
    const std::string here = place.backend->instruction_set();
    const bool others = session.works() && would_mix_bits(begun, here, study.job.recipe.precision);
    if (session.any(others)) warnings.push_back(warning_of_mixed_bits(begun));
    const bool is_best = !session.works() || !place.backend->on_host() || here == kernels::cpu::name(best);
    if (session.any(!is_best)) warnings.push_back(warning_of_lower_set(here, best));
    return warnings;
}

/// The first rank, which warns, may see no card: the others tell it what they found.
std::vector<std::string> small_card_warnings(const study::Study& study, const Place& place,
                                             const MpiSession& session) {
    if (study.job.device == study::Device::cpu) return {};
    constexpr std::int64_t gigabyte = 1'000'000'000;
    const std::int64_t bytes = place.card_bytes();
    const int too_large = session.highest(place.card ? count_too_large(study, *place.backend, bytes) : 0);
    const int most_gigabytes = session.highest(static_cast<int>(bytes / gigabyte));
    return card_warnings(too_large, most_gigabytes * gigabyte);
}

/// Of cards that cannot send to each other; an exit code where a trial asks for just that.
tl::expected<std::vector<std::string>, int> warnings_of_links(const study::Job& job, const Place& place,
                                                              const MpiSession& session) {
    if (job.device == study::Device::cpu) return {};
    auto warnings = link_warnings(job, session,
                                  place.card ? place.backend->link_offer(/*first_rank=*/false).problem : "");
    if (warnings) return *std::move(warnings);
    // The coordinator has no card: whoever lacks the library says so.
    if (place.card) program::refuse(warnings.error());
    return tl::unexpected(int{program::exit_bad_input});
}

}  // namespace

tl::expected<Prepared, int> prepare(Asked asked, const MpiSession& session) {
    const std::filesystem::path& archive = asked.archive;
    auto study = agree_on_study(std::move(asked.study), archive, session);
    if (!study) return tl::unexpected(study.error());
    const auto mine = where_all_have(std::move(asked.instruction_set), archive, session);
    if (!mine) return tl::unexpected(mine.error());
    const InstructionSet best = lowest_of_all(*mine, session);
    const Words begun = begun_with(archive, study->grid, session);
    const InstructionSet instruction_set =
        asked.instruction_set_is_named ? best : as_begun(best, begun, study->job.recipe.precision);
    auto place = agree_on_place(study->job, instruction_set, begun, archive, session);
    if (!place) return tl::unexpected(place.error());

    const auto warn = [&](const std::vector<std::string>& warnings) {
        study->grid.warnings.insert(study->grid.warnings.end(), warnings.begin(), warnings.end());
    };
    warn(idle_card_warnings(study->job, *place, session));
    warn(precision_warnings(*study, *place->backend));
    warn(bits_warnings(*study, begun, best, *place, session));
    warn(small_card_warnings(*study, *place, session));
    const auto of_links = warnings_of_links(study->job, *place, session);
    if (!of_links) return tl::unexpected(of_links.error());
    warn(*of_links);

    CardPlan card_plan = study->job.device == study::Device::cpu
                             ? CardPlan{}
                             : plan_cards(*study, session, place->card_bytes(), *place->backend);
    return Prepared{.study = *std::move(study),
                    .card = place->card,
                    .backend = std::move(place->backend),
                    .card_plan = std::move(card_plan)};
}

}  // namespace isogrid::cluster

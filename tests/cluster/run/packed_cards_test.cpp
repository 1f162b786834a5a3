// A sweep whose trials share a card, the emulated one (tests/kernels/cuda_on_cpu): all of it but MPI.
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "archive/archive.hpp"
#include "cluster/run/run.hpp"
#include "cluster/worker/machine.hpp"
#include "kernels/cuda/cards.hpp"
#include "model/llama.hpp"
#include "program/ending.hpp"
#include "scratch_folder.hpp"
#include "train/small_trial.hpp"

using namespace isogrid;
using namespace isogrid::cluster;
using program::exit_done;

namespace {

/// Four trials that differ in their seeds, the last one in bfloat16: few steps, as the emulated card is slow.
study::Study four_trials(const std::filesystem::path& folder) {
    study::Study study;
    study.job.name = "packed";
    study.job.text = "[study]\nname = \"packed\"\n";
    study.job.token_file = folder / "packed.tok";
    const data::TokenFile written = tests::corpus();
    std::filesystem::copy_file(std::filesystem::path(testing::TempDir()) / "trainer_test.tok",
                               study.job.token_file);
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        study::PlannedTrial planned;
        planned.name = std::string("s").append(std::to_string(seed));
        planned.trial = tests::small_trial();
        planned.trial.steps = 8;
        planned.trial.seed = seed;
        planned.trial.evaluation = {.tokens = 5 * 16, .steps = {8}};
        if (seed == 4) planned.trial.precision = study::Precision::bfloat16;
        planned.parameters = study::count_parameters(planned.trial.shape);
        planned.flops_per_token =
            study::count_flops(planned.trial.shape, model::exact_flops_per_token(planned.trial.shape));
        study.grid.trials.push_back(planned);
    }
    return study;
}

}  // namespace

TEST(PackedCards, giveTheDigestOfTrialsAloneOnACard) {
    const ScratchFolder folder;
    const study::Study study = four_trials(folder.path());
    const MpiSession session;
    const auto backend = kernels::make_cuda_backend_beside_others(0);
    std::string alone;
    for (const int seats : {1, 2, 4}) {
        CardPlan card_plan;
        card_plan.cards = {.seats = {.ranks = 1, .each = seats},
                           .bytes = memory_for_trials(kernels::cuda_cards().cards.front().bytes),
                           .measure = false};
        card_plan.bytes = planned_bytes_of(study.grid, *backend);
        const auto archive = folder / std::string("seats").append(std::to_string(seats)).append(".h5");
        ASSERT_EQ(run_sweep({.study = study,
                             .archive = archive,
                             .train = machine_on_card(0).train,
                             .instruction_set = backend->instruction_set(),
                             .alone = true,
                             .card_plan = card_plan,
                             .machine = [] { return machine_on_card(0); }},
                            session),
                  exit_done);
        const auto read = archive::read_archive(archive, archive::WeightsUse::keep);
        ASSERT_TRUE(read);
        ASSERT_EQ(read->trials.size(), 4u);
        for (const archive::TrialRecord& record : read->trials)
            EXPECT_EQ(record.result.outcome, archive::Outcome::completed) << record.result.cause;
        if (seats == 1) alone = archive::archive_digest(read->trials);
        EXPECT_EQ(archive::archive_digest(read->trials), alone) << seats << " seats";
    }
}

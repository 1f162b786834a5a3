// What is said of trials that are trained again: by `verify --retrain all` of every one, whatever comes of
// it, and by `export` of one that comes out otherwise.
#include "verbs/retraining.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "archive/archive.hpp"
#include "scratch_folder.hpp"
#include "train/small_trial.hpp"
#include "verbs/verbs.hpp"

namespace isogrid::verbs {
namespace {

using cluster::InstructionSet;
using testing::HasSubstr;

const cluster::RunsHere everything = [](InstructionSet) { return true; };
const cluster::RunsHere only_avx2 = [](InstructionSet set) { return set == InstructionSet::avx2; };
const kernels::CudaCards no_cards;

TEST(Retraining, usesWhatMadeTheTrialWhereThisProcessorRunsIt) {
    const Retraining same = retraining("avx512 (details)", {}, no_cards, everything);
    EXPECT_EQ(same.instruction_set, InstructionSet::avx512);
    EXPECT_EQ(same.made_with, "avx512");
    EXPECT_EQ(same.words, "made with avx512, retrained with avx512");

    const Retraining other = retraining("avx512", {}, no_cards, only_avx2);
    EXPECT_EQ(other.instruction_set, InstructionSet::avx2);
    EXPECT_EQ(other.words, "made with avx512 (which this processor does not run), retrained with avx2");

    const Retraining later = retraining("avx4096", {}, no_cards, only_avx2);
    EXPECT_EQ(later.instruction_set, InstructionSet::avx2);
    EXPECT_EQ(later.words, "made with avx4096 (which this program does not know), retrained with avx2");
}

TEST(Retraining, usesWhatIsAskedForWhateverMadeTheTrial) {
    EXPECT_EQ(retraining("avx512", InstructionSet::avx2, no_cards, everything).words,
              "made with avx512, retrained with avx2");
}

TEST(Retraining, takesACardLikeTheOneThatMadeTheTrial) {
    const kernels::CudaCards two{{{"an old card", "one", 80, 0, 108},
                                  {"a small card", "two", 90, 0, 114},
                                  {"a new card", "three", 90, 0, 132}},
                                 ""};
    const Retraining same = retraining("sm_90x132 cublas13.1.0", {}, two, everything);
    EXPECT_EQ(same.card, 2);
    EXPECT_EQ(same.words, "made with sm_90x132 cublas13.1.0, retrained with sm_90x132");

    const Retraining other = retraining("sm_100x148", {}, two, everything);
    EXPECT_EQ(other.card, 0);
    EXPECT_EQ(other.words,
              "made with sm_100x148 (of which this machine has no card), retrained with sm_80x108");

    const Retraining none = retraining("sm_90x132", {}, no_cards, only_avx2);
    EXPECT_FALSE(none.card);
    EXPECT_EQ(none.words, "made with sm_90x132 (and no card is seen here), retrained with avx2");

    EXPECT_FALSE(retraining("sm_90x132", InstructionSet::avx2, two, everything).card);  // --isa
    EXPECT_FALSE(retraining("avx2", {}, two, everything).card);
}

/// A trial as a sweep leaves it, trained here.
archive::TrialRecord trained(std::int64_t index, const data::TokenFile& tokens) {
    archive::TrialRecord record;
    record.index = index;
    record.planned.name = std::string("t").append(std::to_string(index));
    study::Trial& trial = record.planned.trial;
    trial = tests::small_trial();
    trial.seed = static_cast<std::uint64_t>(index);
    trial.token_digest = tokens.header().digest;
    record.planned.parameters = study::count_parameters(trial.shape);
    record.planned.flops_per_token = study::count_flops(trial.shape, 1000);
    record.provenance.instruction_set = "avx2";
    Retraining how = retraining("avx2", InstructionSet::avx2, {});
    record.result = retrain(trial, tokens, -1, how);
    record.result.weights.clear();
    return record;
}

class TrainedArchive : public testing::Test {
  protected:
    /// Writes the archive and runs `verb` on it; what it says is in out_ and err_.
    int run(const Verb& verb, std::vector<std::string> arguments) {
        archive::Archive archive;
        archive.corpus.digest = tokens_.header().digest;
        archive.trials = trials_;
        archive.build = {{"token_file", testing::TempDir() + "trainer_test.tok"}};
        archive::write_archive(file_, archive, {.tag = "test"});
        arguments.insert(arguments.begin(), file_);
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        const int code = carry_out(verb, arguments);
        out_ = testing::internal::GetCapturedStdout();
        err_ = testing::internal::GetCapturedStderr();
        return code;
    }

    ScratchFolder folder_;
    std::string file_ = folder_ / "out.h5";
    data::TokenFile tokens_ = tests::corpus();
    std::vector<archive::TrialRecord> trials_ = {trained(0, tokens_), trained(1, tokens_),
                                                 trained(2, tokens_)};
    std::string out_, err_;
};

TEST_F(TrainedArchive, leavesOutTrialsWithoutAResult) {
    trials_[0].result = archive::TrialResult();  // failed
    trials_[1].result = archive::TrialResult();
    trials_[1].result.outcome = archive::Outcome::out_of_memory;
    EXPECT_EQ(run(verify_verb(), {"--retrain", "all"}), exit_done) << out_ << err_;
    EXPECT_THAT(out_, HasSubstr("t0: failed, there is nothing to compare\n"));
    EXPECT_THAT(out_, HasSubstr("t1: out_of_memory, there is nothing to compare\n"));
    EXPECT_THAT(out_, HasSubstr("t2: made with avx2, retrained with avx2: the same bits\n"));

    EXPECT_EQ(run(verify_verb(), {"--retrain", "all", "--json"}), exit_done);
    const auto json = nlohmann::json::parse(out_).at("retrained");
    ASSERT_EQ(json.size(), 3u);
    EXPECT_TRUE(json[0].at("same_bits").is_null());
    EXPECT_EQ(json[1].at("why"), "out_of_memory, there is nothing to compare");
    EXPECT_EQ(json[2].at("same_bits"), true);
}

TEST_F(TrainedArchive, saysHowFarOtherBitsAre) {
    trials_[0].result.validation_loss += 0.25;
    trials_[1].result.validation_loss += 0.25;
    trials_[1].provenance.instruction_set = "sm_90x132";  // no card of this kind is here
    EXPECT_EQ(run(verify_verb(), {"--retrain", "all", "--json"}), exit_other) << out_ << err_;
    const auto json = nlohmann::json::parse(out_).at("retrained");
    EXPECT_EQ(json[0].at("same_bits"), false);
    EXPECT_NEAR(json[0].at("recorded_validation_loss").get<double>() -
                    json[0].at("retrained_validation_loss").get<double>(),
                0.25, 1e-12);
    EXPECT_EQ(run(verify_verb(), {"--retrain", "t0"}), exit_other);
    EXPECT_THAT(out_, HasSubstr("t0: made with avx2, retrained with avx2: other bits, validation loss "));
    EXPECT_THAT(out_, HasSubstr(" recorded, "));
    EXPECT_THAT(out_, HasSubstr(") compare the provenance\n"));
    EXPECT_EQ(run(verify_verb(), {"--retrain", "t1"}), exit_other);
    EXPECT_THAT(out_, HasSubstr(" retrained (as is expected: "));
    EXPECT_THAT(out_, HasSubstr(") compare bits where there is sm_90x132\n"));
}

TEST_F(TrainedArchive, isNotDoneWhereTheTrialThatIsAskedForHasNoResult) {
    trials_[0].result = archive::TrialResult();  // failed
    EXPECT_EQ(run(verify_verb(), {"--retrain", "t0"}), exit_other) << out_ << err_;
    EXPECT_THAT(out_, HasSubstr("t0: failed, there is nothing to compare\n"));
    EXPECT_EQ(run(verify_verb(), {"--retrain", "t2"}), exit_done) << out_ << err_;
}

TEST_F(TrainedArchive, goesOnWhereATrialFindsNoMemory) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "the address sanitizer ends a program that asks for so much memory";
#endif
    study::Trial& trial = trials_[0].planned.trial;  // of more memory than there are addresses
    trial.shape.width = std::int64_t{1} << 18;
    trial.shape.depth = 64;
    trials_[0].planned.parameters = study::count_parameters(trial.shape);
    trials_[0].planned.flops_per_token = study::count_flops(trial.shape, 1000);
    EXPECT_EQ(run(verify_verb(), {"--retrain", "all"}), exit_other) << out_ << err_;
    EXPECT_THAT(out_, HasSubstr("t0: cannot be trained again (memory was not enough)"));
    EXPECT_THAT(out_, HasSubstr("t2: made with avx2, retrained with avx2: the same bits\n"));
}

TEST_F(TrainedArchive, warnsOfAModelThatComesOutOtherwise) {
    EXPECT_EQ(run(export_verb(), {"--trial", "t1", "--to", folder_ / "same"}), exit_done) << err_;
    EXPECT_EQ(err_, "");
    trials_[1].result.weights_digest = std::string(64, 'a');
    trials_[1].provenance.instruction_set = "sm_90x132";
    EXPECT_EQ(run(export_verb(), {"--trial", "t1", "--to", folder_ / "other"}), exit_done) << err_;
    EXPECT_THAT(err_,
                HasSubstr("warning: t1 has other weights than when it was trained (made with sm_90x132"));
    // Of an earlier step nothing is known.
    EXPECT_EQ(run(export_verb(), {"--trial", "t1", "--step", "3", "--to", folder_ / "early"}), exit_done);
    EXPECT_EQ(err_, "");
}

}  // namespace
}  // namespace isogrid::verbs

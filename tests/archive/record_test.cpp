// What counts in a record's digest, and what does not.
#include "archive/record.hpp"

#include <cmath>
#include <functional>
#include <set>

#include <gtest/gtest.h>

#include "archive/sample_records.hpp"

namespace isogrid::archive {
namespace {

using Change = std::function<void(TrialRecord&)>;

TEST(Digest, changesWithEveryFieldThatCounts) {
    const std::vector<Change> changes = {
        [](TrialRecord& r) { r.index += 1; },
        [](TrialRecord& r) { r.planned.name += "x"; },
        [](TrialRecord& r) { r.planned.budget *= 2; },
        [](TrialRecord& r) { r.planned.trial.optimizer.learning_rate *= 2; },
        [](TrialRecord& r) { r.planned.trial.seed += 1; },
        [](TrialRecord& r) { r.planned.parameters.embedding += 1; },
        [](TrialRecord& r) { r.planned.parameters.head += 1; },
        [](TrialRecord& r) { r.planned.parameters.attention += 1; },
        [](TrialRecord& r) { r.planned.parameters.mlp += 1; },
        [](TrialRecord& r) { r.planned.parameters.norm += 1; },
        [](TrialRecord& r) { r.planned.flops_per_token.six_n += 1; },
        [](TrialRecord& r) { r.planned.flops_per_token.matmul += 1; },
        [](TrialRecord& r) { r.planned.flops_per_token.attention += 1; },
        [](TrialRecord& r) { r.planned.flops_per_token.exact += 1; },
        [](TrialRecord& r) { r.result.outcome = Outcome::diverged; },
        [](TrialRecord& r) { r.result.cause = "a cause"; },
        [](TrialRecord& r) { r.result.steps_done -= 1; },
        [](TrialRecord& r) { r.result.curve.pop_back(); },
        [](TrialRecord& r) { r.result.curve[1].step += 1; },
        [](TrialRecord& r) { r.result.curve[1].tokens += 1; },
        [](TrialRecord& r) { r.result.curve[1].flops += 1; },
        [](TrialRecord& r) { r.result.curve[1].training_loss += 1; },
        [](TrialRecord& r) { r.result.curve[1].validation_loss += 1; },
        [](TrialRecord& r) { r.result.curve[1].learning_rate += 1; },
        [](TrialRecord& r) { r.result.curve[1].gradient_norm += 1; },
        [](TrialRecord& r) { r.result.curve[1].noise.signal += 1; },
        [](TrialRecord& r) { r.result.curve[1].noise.variance += 1; },
        [](TrialRecord& r) { r.result.curve[1].noise_of_group[4].signal += 1; },
        [](TrialRecord& r) { r.result.curve[1].noise_of_group[4].variance += 1; },
        [](TrialRecord& r) { r.planned.studies.push_back("mup"); },
        [](TrialRecord& r) { r.planned.variant = "a variant"; },
        [](TrialRecord& r) { r.result.training_loss = std::nextafter(r.result.training_loss, 0); },
        [](TrialRecord& r) { r.result.validation_loss = std::nextafter(r.result.validation_loss, 0); },
        [](TrialRecord& r) { r.result.bits_per_byte = std::nextafter(r.result.bits_per_byte, 0); },
        [](TrialRecord& r) { r.result.weights_digest[0] = 'x'; },
    };
    std::set<std::string> digests = {digest(sample::record(2))};
    for (const Change& change : changes) {
        TrialRecord changed = sample::record(2);
        change(changed);
        EXPECT_TRUE(digests.insert(digest(changed)).second) << "change " << digests.size();
    }
}

TEST(Digest, ignoresProvenanceAndWhetherWeightsAreKept) {
    const std::string expected = digest(sample::record(2));
    TrialRecord other = sample::record(2);
    other.provenance = {};
    other.result.weights.clear();
    other.stored_weights = 17;
    EXPECT_EQ(digest(other), expected);
}

TEST(Digest, takesEveryNanForTheSame) {
    TrialRecord other = sample::record(2);
    other.result.curve[0].training_loss = -std::nan("7");
    EXPECT_EQ(digest(other), digest(sample::record(2)));
}

// Records of earlier versions have no noise, and keep the digests they were stored with.
TEST(Digest, ofEarlierVersionsLeavesOutWhatTheyDidNotHave) {
    TrialRecord earlier = sample::record(2);
    earlier.planned.trial.numerics = 2;
    TrialRecord without = earlier;
    without.planned.studies.clear();
    without.planned.variant.clear();
    for (CurvePoint& point : without.result.curve)
        point.noise = {};
    EXPECT_EQ(digest(earlier), digest(without));
}

// A text's length counts, so that what moves from one text to the next is seen.
TEST(Digest, tellsNeighbouringTextsApart) {
    TrialRecord left = sample::record(2), right = sample::record(2);
    left.result.cause = "completed";
    right.result.cause = "complete";
    EXPECT_NE(digest(left), digest(right));
}

TEST(Outcome, hasANameThatLeadsBack) {
    for (const Outcome outcome : {Outcome::completed, Outcome::diverged, Outcome::out_of_memory,
                                  Outcome::failed, Outcome::interrupted})
        EXPECT_EQ(parse_outcome(name(outcome)), outcome);
    EXPECT_EQ(parse_outcome("won"), std::nullopt);
}

TEST(Outcome, isFinishedWhenRunningAgainWouldGiveTheSame) {
    EXPECT_TRUE(is_finished(Outcome::completed));
    EXPECT_TRUE(is_finished(Outcome::diverged));
    EXPECT_FALSE(is_finished(Outcome::out_of_memory));
    EXPECT_FALSE(is_finished(Outcome::failed));
    EXPECT_FALSE(is_finished(Outcome::interrupted));
}

}  // namespace
}  // namespace isogrid::archive

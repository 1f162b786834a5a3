// The canonical text of a trial: stable, complete and reversible.
#include "study/trial.hpp"

#include <cmath>
#include <functional>
#include <limits>
#include <set>
#include <stdexcept>

#include <gtest/gtest.h>

#include "study/specification_scanner.hpp"

namespace isogrid::study {
namespace {

Trial example() {
    Trial trial;
    trial.shape = {.width = 64,
                   .depth = 2,
                   .heads = 4,
                   .mlp_width = 176,
                   .vocabulary = 256,
                   .context = 128,
                   .tied_head = false};
    trial.optimizer.learning_rate = 0.01;
    trial.schedule = {
        .kind = ScheduleKind::cosine, .warmup_steps = 50, .decay_steps = 0, .final_fraction = 0.1};
    trial.evaluation = {.tokens = 131072, .steps = {10, 100, 500}};
    trial.batch = 16;
    trial.leaves = 4;
    trial.steps = 500;
    trial.seed = 1;
    trial.token_digest = "ab";
    return trial;
}

// Archives know trials by these digits. They may change only together with numerics_version.
TEST(Identity, staysWhatItIs) {
    ASSERT_EQ(numerics_version, 6);
    EXPECT_EQ(identity(example()), "59525743091df4b4b1e560f19eb99ef55892136d9401d4d61b350c2e32073415");
}

TEST(CanonicalText, hasSortedKeysAndShortNumbers) {
    EXPECT_EQ(
        canonical_text(example()),
        R"({"batch":16,"evaluation":{"steps":[10,100,500],"tokens":131072},"leaves":4,)"
        R"("numerics_version":6,"optimizer":{"beta1":0.9,"beta2":0.95,"epsilon":1e-08,)"
        R"("gradient_clip":1.0,"learning_rate":0.01,"weight_decay":0.1},)"
        R"("parametrization":{"attention_multiplier":1.0,"base_width":64,"embedding_multiplier":1.0,"initial_deviation":0.02,)"
        R"("kind":"mup","output_multiplier":1.0},"precision":"float32",)"
        R"("schedule":{"decay_steps":0,"final_fraction":0.1,"kind":"cosine","warmup_steps":50},)"
        R"("seed":1,"shape":{"context":128,"depth":2,"heads":4,"mlp_width":176,"tied_head":false,)"
        R"("vocabulary":256,"width":64},"steps":500,"token_digest":"ab"})");
}

const std::vector<std::function<void(Trial&)>>& every_change() {
    static const std::vector<std::function<void(Trial&)>> changes = {
        [](Trial& trial) { trial.shape.width = 32; },
        [](Trial& trial) { trial.shape.depth = 1; },
        [](Trial& trial) { trial.shape.heads = 2; },
        [](Trial& trial) { trial.shape.mlp_width = 64; },
        [](Trial& trial) { trial.shape.vocabulary = 65536; },
        [](Trial& trial) { trial.shape.context = 64; },
        [](Trial& trial) { trial.shape.tied_head = true; },
        [](Trial& trial) { trial.parametrization.kind = ParametrizationKind::standard; },
        [](Trial& trial) { trial.parametrization.kind = ParametrizationKind::minicpm; },
        [](Trial& trial) { trial.parametrization.residual_multiplier = 1; },
        [](Trial& trial) { trial.parametrization.base_width = 128; },
        [](Trial& trial) { trial.parametrization.initial_deviation = 1.0 / 3.0; },
        [](Trial& trial) { trial.parametrization.embedding_multiplier = 10; },
        [](Trial& trial) { trial.parametrization.attention_multiplier = 0.5; },
        [](Trial& trial) { trial.parametrization.output_multiplier = 1e22; },
        [](Trial& trial) { trial.optimizer.learning_rate = std::nextafter(0.01, 1); },
        [](Trial& trial) { trial.optimizer.beta1 = 0; },
        [](Trial& trial) { trial.optimizer.beta2 = 0.1 + 0.2; },
        [](Trial& trial) { trial.optimizer.epsilon = 5e-324; },
        [](Trial& trial) { trial.optimizer.weight_decay = 0; },
        [](Trial& trial) { trial.optimizer.gradient_clip = 1e-7; },
        [](Trial& trial) { trial.schedule.kind = ScheduleKind::warmup_stable_decay; },
        [](Trial& trial) { trial.schedule.kind = ScheduleKind::linear; },
        [](Trial& trial) { trial.schedule.kind = ScheduleKind::constant; },
        [](Trial& trial) { trial.schedule.warmup_steps = 0; },
        [](Trial& trial) { trial.schedule.decay_steps = 7; },
        [](Trial& trial) { trial.schedule.final_fraction = 0; },
        [](Trial& trial) { trial.evaluation.tokens = 128; },
        [](Trial& trial) { trial.evaluation.steps = {500}; },
        [](Trial& trial) { trial.evaluation.sample = EvaluationSample::spread; },
        [](Trial& trial) { trial.precision = Precision::bfloat16; },
        [](Trial& trial) { trial.batch = 32; },
        [](Trial& trial) {
            trial.batch_schedule = {{.step = 100, .batch = 32, .learning_rate_factor = 0.1}};
        },
        [](Trial& trial) { trial.leaves = 1; },
        [](Trial& trial) { trial.gradient_sum = GradientSum::all_reduce; },
        [](Trial& trial) { trial.steps = std::int64_t{1} << 60; },
        [](Trial& trial) { trial.seed = std::numeric_limits<std::uint64_t>::max(); },
        [](Trial& trial) { trial.token_digest = "quote \" and \\"; },
    };
    return changes;
}

TEST(Identity, changesWithEveryPartOfATrial) {
    std::set<std::string> identities = {identity(example())};
    for (const auto& change : every_change()) {
        Trial trial = example();
        change(trial);
        identities.insert(identity(trial));
    }
    EXPECT_EQ(identities.size(), every_change().size() + 1);
}

TEST(CanonicalText, readsBackAsTheSameTrial) {
    EXPECT_EQ(parse_canonical_text(canonical_text(example())), example());
    for (const auto& change : every_change()) {
        Trial trial = example();
        change(trial);
        EXPECT_EQ(parse_canonical_text(canonical_text(trial)), trial) << canonical_text(trial);
    }
}

std::string replaced(const std::string& before, const std::string& after) {
    std::string text = canonical_text(example());
    return text.replace(text.find(before), before.size(), after);
}

// The quick reader must never read a text as another trial than the one that has it.
TEST(CanonicalText, isScannedAsItIsParsed) {
    EXPECT_EQ(scan_canonical_text(canonical_text(example())), example());
    for (const auto& change : every_change()) {
        Trial trial = example();
        change(trial);
        EXPECT_EQ(scan_canonical_text(canonical_text(trial)).value_or(trial), trial) << canonical_text(trial);
    }
    for (const std::string& text :
         {std::string(), canonical_text(example()) + " ", std::string("{\"batch\":16"),
          replaced("1e-08", "inf"), replaced("ab", "\xe9"), replaced("ab", "a\\u0062")})
        EXPECT_FALSE(scan_canonical_text(text)) << text;
}

TEST(CanonicalText, isRefusedInAnyOtherForm) {
    EXPECT_THROW(parse_canonical_text(""), std::invalid_argument);
    EXPECT_THROW(parse_canonical_text("{}"), std::invalid_argument);
    EXPECT_THROW(parse_canonical_text(canonical_text(example()) + " "), std::invalid_argument);
    EXPECT_THROW(parse_canonical_text(replaced("\"batch\":16", "\"batch\":\"16\"")), std::invalid_argument);
    EXPECT_THROW(parse_canonical_text(replaced("\"batch\":16", "\"batch\": 16")), std::invalid_argument);
    EXPECT_THROW(parse_canonical_text(replaced("\"batch\":16", "\"basket\":1,\"batch\":16")),
                 std::invalid_argument);
    for (const char* batch : {"16.0", "4e40", "99999999999999999999999999999999999999999"})
        EXPECT_THROW(parse_canonical_text(replaced("\"batch\":16", std::string("\"batch\":") + batch)),
                     std::invalid_argument)
            << batch;
    EXPECT_THROW(parse_canonical_text(replaced("1e-08", "1e-8")), std::invalid_argument);
    EXPECT_THROW(parse_canonical_text(replaced("cosine", "sine")), std::invalid_argument);
    EXPECT_THROW(parse_canonical_text(replaced("\"numerics_version\":6", "\"numerics_version\":7")),
                 std::invalid_argument);
}

// Programs go on; archives stay readable, and their trials keep the identities that they were made with.
TEST(CanonicalText, ofAnEarlierNumericsVersionKeepsItsIdentity) {
    const std::string text = replaced("\"numerics_version\":6", "\"numerics_version\":0");
    const Trial trial = parse_canonical_text(text);
    EXPECT_EQ(trial.numerics, 0);
    EXPECT_EQ(canonical_text(trial), text);
    EXPECT_NE(identity(trial), identity(example()));
}

TEST(Trial, countsItsTokens) {
    EXPECT_EQ(example().tokens_per_step(), 16 * 128);
    EXPECT_EQ(example().tokens(), 500 * 16 * 128);
}

}  // namespace
}  // namespace isogrid::study

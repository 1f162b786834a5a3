// A trial whose batch grows: the same bits on any number of ranks, from any checkpoint, and from a trunk.
#include <cmath>
#include <limits>
#include <map>

#include <gtest/gtest.h>

#include "archive/record.hpp"
#include "kernels/cpu/cpu_backend.hpp"
#include "train/kept_in_memory.hpp"
#include "train/small_trial.hpp"
#include "train/thread_group.hpp"
#include "train/trainer.hpp"

namespace isogrid::tests {
namespace {

/// 17 steps of 8 sequences, 10 of 16, 13 of 32: changes within rows of the curve, and one that is evaluated.
study::Trial growing() {
    study::Trial trial = small_trial();
    trial.schedule.kind = study::ScheduleKind::constant;
    trial.batch_schedule = {{.step = 17, .batch = 16, .learning_rate_factor = std::sqrt(2.0)},
                            {.step = 27, .batch = 32, .learning_rate_factor = 2}};
    trial.evaluation.steps = {10, 17, 40};
    return trial;
}

archive::TrialResult train_on(const study::Trial& trial, int ranks, KeptInMemory* memory = nullptr) {
    const data::TokenFile tokens = corpus();
    return on_ranks<archive::TrialResult>(ranks,
                                          [&](train::Communicator& group) {
                                              const auto backend = kernels::make_cpu_backend();
                                              KeptInMemory others;
                                              train::TrainOptions options;
                                              if (memory != nullptr)
                                                  options.checkpoints = group.rank() == 0 ? memory : &others;
                                              return train::train(trial, tokens, *backend, group, options);
                                          })
        .front();
}

std::string digest_of(const study::Trial& trial, archive::TrialResult result) {
    archive::TrialRecord record;
    record.planned.trial = trial;
    record.result = std::move(result);
    return archive::digest(record);
}

TEST(BatchSchedule, givesTheSameBitsOnAnyNumberOfRanks) {
    const std::string expected = digest_of(growing(), train_on(growing(), 1));
    for (const int ranks : {2, 4})
        EXPECT_EQ(digest_of(growing(), train_on(growing(), ranks)), expected) << ranks;
}

TEST(BatchSchedule, goesOnFromEveryCheckpoint) {
    KeptInMemory memory;
    memory.keeps_all = true;
    const std::string expected = digest_of(growing(), train_on(growing(), 1, &memory));
    for (const std::int64_t step : {16, 17, 18, 26, 27, 35}) {
        KeptInMemory from;
        from.start_from = memory.kept.at(step);
        EXPECT_EQ(digest_of(growing(), train_on(growing(), 1, &from)), expected) << step;
    }
}

TEST(BatchSchedule, leavesATrunkThatHadOneBatch) {
    study::Trial trunk = growing();
    trunk.batch_schedule.clear();
    trunk.steps = 17;
    trunk.evaluation.steps = {10, 17};
    KeptInMemory of_trunk, from_trunk;
    of_trunk.kept[17];
    train_on(trunk, 1, &of_trunk);
    from_trunk.start_from = of_trunk.kept.at(17);
    EXPECT_EQ(digest_of(growing(), train_on(growing(), 1, &from_trunk)),
              digest_of(growing(), train_on(growing(), 1)));
}

TEST(BatchSchedule, countsTokensAndKeepsItsRatesInEveryStage) {
    const study::Trial trial = growing();
    const archive::TrialResult result = train_on(trial, 1);
    std::map<std::int64_t, archive::CurvePoint> rows;
    for (const archive::CurvePoint& row : result.curve)
        rows[row.step] = row;
    EXPECT_EQ(rows.at(17).tokens, 17 * 8 * 16);
    EXPECT_EQ(rows.at(27).tokens, (17 * 8 + 10 * 16) * 16);
    EXPECT_EQ(rows.at(40).tokens, trial.tokens());
    EXPECT_DOUBLE_EQ(rows.at(17).learning_rate, 0.02);
    EXPECT_DOUBLE_EQ(rows.at(27).learning_rate, 0.02 * std::sqrt(2.0));
    EXPECT_DOUBLE_EQ(rows.at(40).learning_rate, 0.04);
    EXPECT_TRUE(std::isfinite(rows.at(40).noise.variance));
}

// A stage of the same batch trains on the same rows with the same blocks.
TEST(BatchSchedule, isNoChangeWhereTheBatchStays) {
    study::Trial plain = growing(), staged = growing();
    plain.batch_schedule.clear();
    staged.batch_schedule = {{.step = 17, .batch = 8}};
    EXPECT_EQ(train_on(plain, 1).weights_digest, train_on(staged, 1).weights_digest);
}

TEST(BatchSchedule, stopsAtALossOnlyOnceItsBatchHasChanged) {
    study::Trial trial = growing();
    trial.stop_loss = std::numeric_limits<double>::max();  // met by every evaluation
    EXPECT_EQ(train_on(trial, 1).steps_done, 40);
    trial.evaluation.steps = {10, 17, 30, 40};
    EXPECT_EQ(train_on(trial, 1).steps_done, 30);
}

}  // namespace
}  // namespace isogrid::tests

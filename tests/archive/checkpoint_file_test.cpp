// A checkpoint comes back bit for bit, or is refused by name.
#include "archive/checkpoint_file.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "archive/durable_file.hpp"
#include "archive/file_image.hpp"
#include "archive/record_rows.hpp"
#include "archive/schema.hpp"
#include "archive/table.hpp"
#include "archive/texts.hpp"

namespace isogrid::tests {
namespace {

namespace fs = std::filesystem;
using archive::Checkpoint;
using testing::HasSubstr;

class CheckpointFile : public testing::Test {
  protected:
    void SetUp() override {
        folder_ =
            fs::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
        fs::remove_all(folder_);
        fs::create_directories(folder_);
        path_ = folder_ / "checkpoint.h5";
        trial_.shape = {.width = 8, .depth = 1, .heads = 1, .mlp_width = 8, .vocabulary = 12, .context = 8};
        trial_.steps = 100;
        trial_.token_digest = std::string(64, 'a');
        const auto parameters = static_cast<std::size_t>(study::count_parameters(trial_.shape).total());
        checkpoint_ = {.step = 41,
                       .curve = {{.step = 0, .training_loss = std::nan(""), .validation_loss = 2.5},
                                 {.step = 40, .tokens = 320, .flops = 1e12, .training_loss = 2.25}},
                       .sums = {.loss = 0.1, .steps = 1, .of_leaves = {-0.0, 2, 3, 4, 5}, .of_batch = {6}},
                       .weights = std::vector<float>(parameters, 0.5f),
                       .first_moment = std::vector<float>(parameters, -1e-30f),
                       .second_moment = std::vector<float>(parameters, 3e-41f)};
        checkpoint_.weights[3] = std::numeric_limits<float>::infinity();
    }
    void TearDown() override { fs::remove_all(folder_); }

    bool write() { return archive::write_checkpoint(path_, trial_, "avx2", checkpoint_, {.tag = "t"}); }
    std::string fault(const study::Trial& trial, const std::string& instruction_set = "avx2") {
        const auto read = archive::read_checkpoint(path_, trial, instruction_set);
        return read ? "none" : base::to_string(read.error());
    }

    fs::path folder_, path_;
    study::Trial trial_;
    Checkpoint checkpoint_;
};

TEST_F(CheckpointFile, takesMemoryForFourArraysOfTheModelsSize) {
    // Embedding and head 2 x 12 x 8, attention 4 x 8 x 8, MLP 3 x 8 x 8, three norms of 8: 664 parameters.
    EXPECT_EQ(study::count_parameters(trial_.shape).total(), 664);
    EXPECT_EQ(archive::checkpoint_bytes(trial_), 4 * 664 * 4);
}

TEST_F(CheckpointFile, comesBackBitForBit) {
    ASSERT_TRUE(write());
    const auto read = archive::read_checkpoint(path_, trial_, "avx2");
    ASSERT_TRUE(read) << base::to_string(read.error());
    EXPECT_EQ(read->step, 41);
    ASSERT_EQ(read->curve.size(), 2u);
    EXPECT_TRUE(std::isnan(read->curve[0].training_loss));
    EXPECT_EQ(read->curve[1].tokens, 320);
    EXPECT_EQ(read->curve[1].flops, 1e12);
    EXPECT_EQ(read->sums.loss, 0.1);
    EXPECT_EQ(read->sums.steps, 1);
    EXPECT_EQ(read->sums.of_leaves, checkpoint_.sums.of_leaves);
    EXPECT_TRUE(std::signbit(read->sums.of_leaves[0]));
    EXPECT_EQ(read->sums.of_batch, checkpoint_.sums.of_batch);
    EXPECT_EQ(read->weights, checkpoint_.weights);
    EXPECT_EQ(read->first_moment, checkpoint_.first_moment);
    EXPECT_EQ(read->second_moment, checkpoint_.second_moment);  // denormal numbers too
}

TEST_F(CheckpointFile, ofAnotherTrialNumericsVersionOrInstructionSetIsRefusedByName) {
    ASSERT_TRUE(write());
    study::Trial other = trial_;
    other.seed = 77;
    EXPECT_THAT(fault(other), HasSubstr("is a checkpoint of another trial"));
    other = trial_;
    other.numerics = trial_.numerics - 1;
    EXPECT_THAT(fault(other), HasSubstr("is a checkpoint of another numerics version"));
    EXPECT_THAT(fault(trial_, "sm_90x132"),
                HasSubstr("instruction set with other bits (avx2, not sm_90x132)"));
    EXPECT_EQ(fault(trial_, "avx512"), "none") << "which has the same";
    EXPECT_EQ(fault(trial_), "none");
}

TEST_F(CheckpointFile, withAnotherNumberOfSumsIsRefusedByName) {
    for (const std::size_t count : {0, 11, 12, 13}) {
        archive::FileImage image;
        const hid_t file = image.file();
        archive::write_attribute(file, "schema", archive::checkpoint_schema);
        std::string trial = study::identity(trial_), instruction_set = "avx2", revision;
        std::int64_t step = 41;
        archive::write_table(file, "checkpoint",
                             {{"trial", &trial},
                              {"instruction_set", &instruction_set},
                              {"code_revision", &revision},
                              {"step", &step}},
                             1, [](std::size_t) {});
        archive::write_text(file, "specification", study::canonical_text(trial_));
        archive::CurvePoint point;
        archive::write_table(file, "curve", archive::columns_of(point), 1, [](std::size_t) {});
        double sum = 0.5;
        archive::write_table(file, "sums", {{"value", &sum}}, count, [](std::size_t) {});
        ASSERT_TRUE(archive::write_durably(path_, image.finish(path_), {.tag = "t"}));
        const bool right = count == 12;  // the loss, its steps and two norms of each of five groups
        EXPECT_THAT(fault(trial_),
                    HasSubstr(right ? "weights" : "cannot use /sums (it should hold 12 numbers)"));
    }
}

TEST_F(CheckpointFile, isNeverUsedWhenCutOrChangedAnywhere) {
    ASSERT_TRUE(write());
    std::ifstream stream(path_, std::ios::binary);
    const std::string whole((std::istreambuf_iterator<char>(stream)), {});
    const auto put = [&](const std::string& bytes) {
        std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
    };
    for (const std::size_t length : {std::size_t{0}, std::size_t{7}, whole.size() / 2, whole.size() - 1}) {
        put(whole.substr(0, length));
        EXPECT_NE(fault(trial_), "none") << length << " bytes of " << whole.size();
    }
    // One bit in every 97th byte. A byte that nothing reads (between parts) leaves the contents as they are.
    int refused = 0, looked = 0;
    for (std::size_t at = 0; at < whole.size(); at += 97, ++looked) {
        std::string changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ 4);
        put(changed);
        const auto read = archive::read_checkpoint(path_, trial_, "avx2");
        if (!read) {
            ++refused;
            continue;
        }
        EXPECT_EQ(read->step, 41) << "byte " << at;
        EXPECT_EQ(read->weights, checkpoint_.weights) << "byte " << at;
        EXPECT_EQ(read->first_moment, checkpoint_.first_moment) << "byte " << at;
        EXPECT_EQ(read->second_moment, checkpoint_.second_moment) << "byte " << at;
        EXPECT_EQ(read->curve.size(), 2u) << "byte " << at;
    }
    EXPECT_GT(refused, looked / 2);
}

TEST_F(CheckpointFile, isNotPutInPlaceByWhoeverLostTheLease) {
    EXPECT_FALSE(archive::write_checkpoint(path_, trial_, "avx2", checkpoint_,
                                           {.tag = "t", .still_holder = [] { return false; }}));
    EXPECT_TRUE(fs::is_empty(folder_));
}

}  // namespace
}  // namespace isogrid::tests

// Verifying names the trial that is damaged, and only that one.
#include "archive/verify.hpp"

#include <array>
#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "archive/archive.hpp"
#include "archive/sample_records.hpp"

namespace isogrid::archive {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Verify : public testing::Test {
  protected:
    void SetUp() override {
        archive_.study_name = "study";
        archive_.job_text = "a job file of its own";
        for (std::int64_t index = 0; index < 3; ++index)
            archive_.trials.push_back(sample::record(index));
        write_archive(path_, archive_, {"tag", {}});
    }

    /// Replaces the only place where the bytes of `value` stand by those of `other`.
    template <class Value>
    void falsify(const Value& value, const Value& other) {
        std::string bytes = sample::bytes_of(path_);
        const std::string_view wanted(reinterpret_cast<const char*>(&value), sizeof value);
        const std::size_t at = bytes.find(wanted);
        ASSERT_NE(at, std::string::npos);
        ASSERT_EQ(bytes.find(wanted, at + 1), std::string::npos) << "stands there twice";
        std::memcpy(bytes.data() + at, &other, sizeof other);
        sample::put_bytes(path_, bytes);
    }

    std::vector<bool> verdicts() {
        std::vector<bool> good;
        for (const TrialVerdict& trial : verify_archive(path_).trials)
            good.push_back(trial.good);
        return good;
    }

    sample::Folder folder_;
    std::filesystem::path path_ = folder_.path() / "a.h5";
    Archive archive_;
};

TEST_F(Verify, findsNothingInAGoodArchive) {
    const VerifyReport report = verify_archive(path_);
    EXPECT_TRUE(report.good()) << base::to_string(report.faults);
    EXPECT_EQ(report.digest, archive_digest(archive_.trials));
    ASSERT_EQ(report.trials.size(), 3U);
    EXPECT_EQ(report.trials[1].index, 1);
    EXPECT_EQ(report.trials[1].name, archive_.trials[1].planned.name);
    EXPECT_EQ(report.trials[1].id, study::identity(archive_.trials[1].planned.trial));
    EXPECT_EQ(report.trials[1].digest, digest(archive_.trials[1]));
    EXPECT_TRUE(report.trials[1].good);
}

TEST_F(Verify, namesTheTrialWhoseCurveChanged) {
    falsify(archive_.trials[1].result.curve[1].validation_loss, 2.5);
    EXPECT_THAT(verdicts(), ElementsAre(true, false, true));
    EXPECT_THAT(base::to_string(verify_archive(path_).faults),
                HasSubstr("trial 1 (b0-w32-d2) has a wrong digest"));
}

TEST_F(Verify, namesTheTrialWhoseWeightsChanged) {
    const std::vector<float>& weights = archive_.trials[2].result.weights;
    falsify(std::array{weights[0], weights[1]}, std::array{weights[0], 7.25F});
    EXPECT_THAT(verdicts(), ElementsAre(true, true, false));
    EXPECT_TRUE(read_archive(path_)) << "only verifying and reading with weights look at them";
    EXPECT_FALSE(read_archive(path_, WeightsUse::keep));
}

TEST_F(Verify, namesTheColumnThatContradictsTheSpecification) {
    falsify(std::array<std::int64_t, 2>{32, 2}, std::array<std::int64_t, 2>{48, 2});  // width, depth
    EXPECT_THAT(verdicts(), ElementsAre(true, false, true));
    EXPECT_THAT(base::to_string(verify_archive(path_).faults),
                HasSubstr("has a wrong width (48 is stored, 32 follows from its contents)"));
}

TEST_F(Verify, seesAChangedJobText) {
    falsify(std::array{'j', 'o', 'b', ' ', 'f', 'i', 'l', 'e', ' ', 'o', 'f'},
            std::array{'j', 'o', 'b', ' ', 'p', 'i', 'l', 'e', ' ', 'o', 'f'});
    EXPECT_THAT(verdicts(), ElementsAre(true, true, true));
    EXPECT_THAT(base::to_string(verify_archive(path_).faults), HasSubstr("cannot use job/text"));
}

TEST_F(Verify, speaksJson) {
    falsify(archive_.trials[1].result.curve[1].validation_loss, 2.5);
    const VerifyReport report = verify_archive(path_);
    const auto json = to_json(report);
    EXPECT_EQ(json["digest"], report.digest);
    EXPECT_EQ(json["status"], "damaged");
    EXPECT_EQ(json["trials"][0]["status"], "ok");
    EXPECT_EQ(json["trials"][1]["status"], "damaged");
    EXPECT_EQ(json["trials"][2]["index"], 2);
    EXPECT_THAT(to_text(report), HasSubstr("2 of 3 trials are good; digest " + report.digest));
}

TEST_F(Verify, saysWhyAFileCannotBeRead) {
    sample::put_bytes(path_, "no archive");
    const VerifyReport report = verify_archive(path_);
    EXPECT_FALSE(report.good());
    EXPECT_THAT(base::to_string(report.faults), HasSubstr("is not an HDF5 file"));
    EXPECT_EQ(to_json(report)["digest"], "");
}

}  // namespace
}  // namespace isogrid::archive

// An archive is a pure function of its records, gives all of them back, and is believed only when whole.
#include "archive/archive.hpp"

#include <algorithm>
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "archive/hdf5_handles.hpp"
#include "archive/sample_records.hpp"
#include "archive/texts.hpp"
#include "base/digest.hpp"

namespace isogrid::archive {
namespace {

using sample::Folder;
using testing::HasSubstr;
using testing::IsEmpty;

const Writer writer{"host-1-0-0", {}};

Archive sample_archive(std::int64_t trials, std::size_t weights = 5) {
    Archive archive{.study_name = "quickstart",
                    .job_text = "[study]\nname = \"quickstart\"  # é\n",
                    .corpus = {.vocabulary = 256,
                               .training_tokens = 1000000,
                               .validation_tokens = 10000,
                               .digest = base::sha256("a corpus")},
                    .budget_convention = study::FlopConvention::matmul,
                    .trials = {},
                    .build = {{"revision", "0123abc-dirty"}, {"MPI", "Open MPI 4.1.4"}}};
    for (std::int64_t index = 0; index < trials; ++index)
        archive.trials.push_back(sample::record(index, weights));
    return archive;
}

std::string fault_of(const std::filesystem::path& path) {
    const auto archive = read_archive(path, WeightsUse::keep);
    return archive ? "no fault" : base::to_string(archive.error());
}

TEST(Archive, bringsBackEveryField) {
    const Folder folder;
    const auto path = folder.path() / "a.h5";
    Archive archive = sample_archive(9);
    archive.trials[4] = sample::ended(archive.trials[4], Outcome::diverged, "loss 9.1 is above its start");
    archive.trials[5] = sample::ended(archive.trials[5], Outcome::failed, "the node is gone");
    ASSERT_TRUE(write_archive(path, archive, writer));
    const auto found = read_archive(path, WeightsUse::keep);
    ASSERT_TRUE(found) << base::to_string(found.error());
    EXPECT_EQ(found->study_name, archive.study_name);
    EXPECT_EQ(found->job_text, archive.job_text);
    EXPECT_EQ(found->corpus.vocabulary, archive.corpus.vocabulary);
    EXPECT_EQ(found->corpus.training_tokens, archive.corpus.training_tokens);
    EXPECT_EQ(found->corpus.validation_tokens, archive.corpus.validation_tokens);
    EXPECT_EQ(found->corpus.digest, archive.corpus.digest);
    EXPECT_EQ(found->budget_convention, archive.budget_convention);
    EXPECT_EQ(found->build, archive.build);
    ASSERT_EQ(found->trials.size(), archive.trials.size());
    for (std::size_t i = 0; i < archive.trials.size(); ++i)
        sample::expect_equal(found->trials[i], archive.trials[i]);
}

TEST(Archive, mayHoldNothingYet) {
    const Folder folder;
    write_archive(folder.path() / "a.h5", sample_archive(0), writer);
    const auto found = read_archive(folder.path() / "a.h5", WeightsUse::keep);
    ASSERT_TRUE(found) << base::to_string(found.error());
    EXPECT_THAT(found->trials, IsEmpty());
}

TEST(Archive, hasTheSameBytesWhateverTheOrderOfItsRecords) {
    const Folder folder;
    Archive archive = sample_archive(6);
    write_archive(folder.path() / "a.h5", archive, writer);
    std::reverse(archive.trials.begin(), archive.trials.end());
    std::swap(archive.trials[1], archive.trials[4]);
    write_archive(folder.path() / "b.h5", archive, Writer{"another-2-0-0", {}});
    EXPECT_EQ(sample::bytes_of(folder.path() / "a.h5"), sample::bytes_of(folder.path() / "b.h5"));
}

TEST(Archive, hasADigestOfItsTrialsDigestsInOrder) {
    Archive archive = sample_archive(3);
    std::string together;
    for (const TrialRecord& record : archive.trials)
        together += digest(record);
    EXPECT_EQ(archive_digest(archive.trials), base::sha256(together));
    std::reverse(archive.trials.begin(), archive.trials.end());
    EXPECT_EQ(archive_digest(archive.trials), base::sha256(together));
}

TEST(Archive, refusesATrialThatIsThereTwice) {
    const Folder folder;
    Archive archive = sample_archive(2);
    archive.trials.push_back(archive.trials[0]);
    EXPECT_THROW(write_archive(folder.path() / "a.h5", archive, writer), std::invalid_argument);
    EXPECT_THAT(sample::names_in(folder.path()), IsEmpty());
}

TEST(Archive, refusesWeightsThatAreNotThoseOfTheirDigest) {
    const Folder folder;
    Archive archive = sample_archive(2);
    archive.trials[1].result.weights[0] += 1;
    EXPECT_THROW(write_archive(folder.path() / "a.h5", archive, writer), std::invalid_argument);
}

TEST(Archive, fetchesWeightsOneTrialAtATimeWhenRecordsCameWithoutThem) {
    const Folder folder;
    const Archive whole = sample_archive(4);
    write_archive(folder.path() / "a.h5", whole, writer);
    auto light = read_archive(folder.path() / "a.h5");
    ASSERT_TRUE(light);
    EXPECT_THAT(light->trials[2].result.weights, IsEmpty());
    write_archive(folder.path() / "b.h5", *light, writer, [&](const TrialRecord& record) {
        return whole.trials[static_cast<std::size_t>(record.index)].result.weights;
    });
    EXPECT_EQ(sample::bytes_of(folder.path() / "a.h5"), sample::bytes_of(folder.path() / "b.h5"));
}

TEST(Archive, givesTheWeightsOfOneTrial) {
    const Folder folder;
    const auto path = folder.path() / "a.h5";
    Archive archive = sample_archive(4);
    archive.trials[1] = sample::ended(archive.trials[1], Outcome::diverged, "loss");
    write_archive(path, archive, writer);
    const auto id = [&](std::size_t trial) { return study::identity(archive.trials[trial].planned.trial); };
    const auto weights = read_weights_of(path, id(2));
    ASSERT_TRUE(weights) << base::to_string(weights.error());
    EXPECT_EQ(*weights, archive.trials[2].result.weights);
    EXPECT_THAT(base::to_string(read_weights_of(path, id(1)).error()), HasSubstr("has no weights"));
    EXPECT_THAT(base::to_string(read_weights_of(path, "0123").error()), HasSubstr("has no trial 0123"));
}

TEST(Archive, findsATrialByIndexNameOrIdentity) {
    const Archive archive = sample_archive(9);
    EXPECT_EQ(find_trial(archive.trials, "8").value(), 8U);
    EXPECT_EQ(find_trial(archive.trials, "b0-w32-d2").value(), 1U);
    const std::string id = study::identity(archive.trials[5].planned.trial);
    EXPECT_EQ(find_trial(archive.trials, id).value(), 5U);
    EXPECT_EQ(find_trial(archive.trials, id.substr(0, 8)).value(), 5U);
    EXPECT_FALSE(find_trial(archive.trials, "9"));
    EXPECT_FALSE(find_trial(archive.trials, "w32"));
    EXPECT_FALSE(find_trial(archive.trials, ""));
}

TEST(Archive, namesAFileThatIsMissingForeignOrTruncated) {
    const Folder folder;
    const auto path = folder.path() / "a.h5";
    EXPECT_THAT(fault_of(path), HasSubstr("cannot be read (No such file or directory)"));
    sample::put_bytes(path, "run,loss\n1,3.5\n");
    EXPECT_THAT(fault_of(path), HasSubstr("is not an HDF5 file"));
    {
        const Handle foreign(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), &H5Fclose,
                             "create");
    }
    EXPECT_THAT(fault_of(path), HasSubstr("is an HDF5 file, but not of isogrid"));
    write_archive(path, sample_archive(2), writer);
    const std::string good = sample::bytes_of(path);
    sample::put_bytes(path, good.substr(0, good.size() / 2));
    EXPECT_THAT(fault_of(path), HasSubstr("is truncated"));
}

/// One that opens and cannot be read, as without the right to: nothing is known of its first bytes.
TEST(Archive, saysWhyAFileCannotBeRead) {
    EXPECT_THAT(fault_of("/proc/self/mem"), HasSubstr("/proc/self/mem: cannot be read (Input/output error)"));
}

TEST(Archive, namesANewerSchemaAndAnotherKind) {
    const Folder folder;
    const auto path = folder.path() / "a.h5";
    const auto stamp = [&](const std::string& schema) {
        const Handle file = create_file(path.string());
        write_attribute(file, "schema", schema);
    };
    stamp("isogrid-archive/2");
    EXPECT_THAT(fault_of(path), HasSubstr("has a newer schema than this program reads"));
    stamp("isogrid-archive/0");
    EXPECT_THAT(fault_of(path), HasSubstr("has a schema that this program does not know"));
    stamp("isogrid-trial/1");
    EXPECT_THAT(fault_of(path), HasSubstr("is not the kind of file expected here"));
}

TEST(Archive, onAFullDiskSaysSoAndKeepsTheOneThatWasThere) {
    const Folder folder;
    const auto path = folder.path() / "a.h5";
    write_archive(path, sample_archive(2), writer);
    const std::string before = sample::bytes_of(path);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const rlimit tight{.rlim_cur = 4096, .rlim_max = limit.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
    EXPECT_THROW(write_archive(path, sample_archive(3), writer), std::runtime_error);
    setrlimit(RLIMIT_FSIZE, &limit);
    std::signal(SIGXFSZ, handler);
    EXPECT_EQ(sample::bytes_of(path), before);
    EXPECT_THAT(sample::names_in(folder.path()), testing::ElementsAre("a.h5"));
}

TEST(Archive, keepsTheOneThatWasThereWhenTheLeaseIsLost) {
    const Folder folder;
    const auto path = folder.path() / "a.h5";
    write_archive(path, sample_archive(2), writer);
    EXPECT_FALSE(write_archive(path, sample_archive(3), {"tag", [] { return false; }}));
    EXPECT_EQ(read_archive(path, WeightsUse::keep)->trials.size(), 2U);
}

TEST(Archive, holdsAThousandTrials) {
    const Folder folder;
    const auto path = folder.path() / "a.h5";
    const Archive archive = sample_archive(1000, 100);
    write_archive(path, archive, writer);
    const auto found = read_archive(path, WeightsUse::keep);
    ASSERT_TRUE(found) << base::to_string(found.error());
    sample::expect_equal(found->trials[999], archive.trials[999]);
}

}  // namespace
}  // namespace isogrid::archive

// A trial file holds every field, is in place whole or not at all, and is never trusted when touched.
#include "archive/trial_file.hpp"

#include <cmath>
#include <csignal>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "archive/sample_records.hpp"

namespace isogrid::archive {
namespace {

using sample::Folder;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Writer writer{"host-1-0-0", {}};

std::string fault_of(const std::filesystem::path& path) {
    const auto record = read_trial_file(path, WeightsUse::keep);
    return record ? "no fault" : base::to_string(record.error());
}

TEST(TrialFile, bringsBackEveryField) {
    const Folder folder;
    const TrialRecord record = sample::record(3);
    const auto path = write_trial_file(folder.path(), record, writer);
    ASSERT_TRUE(path);
    const auto found = read_trial_file(*path, WeightsUse::keep);
    ASSERT_TRUE(found) << base::to_string(found.error());
    sample::expect_equal(*found, record);
    EXPECT_EQ(digest(*found), digest(record));
    EXPECT_EQ(found->stored_weights, 5);
}

TEST(TrialFile, isNamedAfterTrialAndIdentityAndSetsWhatIsNotFinishedApart) {
    const TrialRecord record = sample::record(3);
    const std::string start = "b0-w64-d2-" + study::identity(record.planned.trial).substr(0, 12);
    EXPECT_EQ(trial_file_name(record), start + ".h5");
    EXPECT_EQ(trial_file_name(sample::ended(record, Outcome::diverged, "loss")), start + ".h5");
    EXPECT_EQ(trial_file_name(sample::ended(record, Outcome::failed, "why")), start + ".failed.h5");
}

TEST(TrialFile, letsWeightsGoOnceCheckedWhenNotAskedFor) {
    const Folder folder;
    const auto path = write_trial_file(folder.path(), sample::record(3), writer);
    const auto found = read_trial_file(*path, WeightsUse::check);
    ASSERT_TRUE(found);
    EXPECT_THAT(found->result.weights, IsEmpty());
    EXPECT_EQ(found->stored_weights, 5);
}

TEST(TrialFile, keepsOutcomesThatLeaveNoWeightsAndNoCurve) {
    const Folder folder;
    TrialRecord record = sample::ended(sample::record(0), Outcome::out_of_memory, "12 GB asked, 8 GB there");
    record.result.curve.clear();
    const auto path = write_trial_file(folder.path(), record, writer);
    const auto found = read_trial_file(*path, WeightsUse::keep);
    ASSERT_TRUE(found) << base::to_string(found.error());
    sample::expect_equal(*found, record);
}

TEST(TrialFile, hasTheSameBytesEachTime) {
    const Folder folder;
    const auto path = write_trial_file(folder.path(), sample::record(3), writer);
    const std::string first = sample::bytes_of(*path);
    write_trial_file(folder.path(), sample::record(3), Writer{"another-2-0-0", {}});
    EXPECT_EQ(sample::bytes_of(*path), first);
}

TEST(TrialFile, storesEveryNanAsTheSame) {
    const Folder folder;
    TrialRecord record = sample::record(3);
    const auto path = write_trial_file(folder.path(), record, writer);
    const std::string first = sample::bytes_of(*path);
    record.result.curve[0].training_loss = -std::nan("123");
    write_trial_file(folder.path(), record, writer);
    EXPECT_EQ(sample::bytes_of(*path), first);
}

TEST(TrialFile, leavesNothingWhenTheLeaseIsLost) {
    const Folder folder;
    EXPECT_FALSE(write_trial_file(folder.path(), sample::record(3), {"tag", [] { return false; }}));
    EXPECT_THAT(sample::names_in(folder.path()), IsEmpty());
}

TEST(TrialFile, isUnderItsFinalNameOnlyAfterTheLeaseWasChecked) {
    const Folder folder;
    const std::string name = trial_file_name(sample::record(3));
    std::vector<std::string> there;
    write_trial_file(folder.path(), sample::record(3), {"tag", [&] {
                                                            there = sample::names_in(folder.path());
                                                            return true;
                                                        }});
    EXPECT_THAT(there, ElementsAre(name + ".tmp-tag"));
    EXPECT_THAT(sample::names_in(folder.path()), ElementsAre(name));
}

// Some bit of each byte: either reading fails, or the record is the one that was written (padding).
TEST(TrialFile, isNeverTrustedWithWrongContentWhicheverByteIsFlipped) {
    const Folder folder;
    const TrialRecord record = sample::record(3);
    const auto path = write_trial_file(folder.path(), record, writer);
    const std::string good = sample::bytes_of(*path);
    for (std::size_t at = 0; at < good.size(); ++at) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ (1 << at % 8));
        sample::put_bytes(*path, bad);
        const auto found = read_trial_file(*path, WeightsUse::keep);
        if (!found) continue;
        sample::expect_equal(*found, record);
        ASSERT_EQ(digest(*found), digest(record)) << "byte " << at;
        if (HasFailure()) FAIL() << "byte " << at;
    }
}

TEST(TrialFile, namesATruncatedFileAtEveryLength) {
    const Folder folder;
    const auto path = write_trial_file(folder.path(), sample::record(3), writer);
    const std::string good = sample::bytes_of(*path);
    for (std::size_t size = 0; size < good.size(); size += 37) {
        sample::put_bytes(*path, good.substr(0, size));
        ASSERT_FALSE(read_trial_file(*path, WeightsUse::keep)) << size;
    }
    sample::put_bytes(*path, good.substr(0, good.size() - 1));
    EXPECT_THAT(fault_of(*path), HasSubstr("is truncated"));
}

// A disk that is full, by way of a limit on the size of files.
TEST(TrialFile, onAFullDiskSaysSoAndLeavesNothing) {
    const Folder folder;
    const auto before = std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const rlimit tight{.rlim_cur = 2000, .rlim_max = limit.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
    std::string message;
    try {
        write_trial_file(folder.path(), sample::record(3), writer);
    } catch (const std::runtime_error& error) {
        message = error.what();
    }
    setrlimit(RLIMIT_FSIZE, &limit);
    std::signal(SIGXFSZ, before);
    EXPECT_THAT(message, HasSubstr("cannot be written (File too large) make room"));
    EXPECT_THAT(sample::names_in(folder.path()), IsEmpty());
}

}  // namespace
}  // namespace isogrid::archive

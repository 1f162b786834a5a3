// Damage that is to reach our own readers must pass HDF5's checksums and the datasets' digests.
#include "fuzz/hdf5_checksums.hpp"

#include <filesystem>

#include <gtest/gtest.h>

#include "archive/archive.hpp"
#include "archive/sample_records.hpp"
#include "archive/verify.hpp"
#include "base/fault.hpp"
#include "fuzz/inputs.hpp"

using namespace isogrid;

TEST(Lookup3, givesThePublishedValues) {
    // From the self-test of Bob Jenkins' lookup3.c (2006), driver5.
    EXPECT_EQ(fuzz::lookup3(""), 0xdeadbeefU);
    EXPECT_EQ(fuzz::lookup3("Four score and seven years ago"), 0x17770551U);
}

TEST(RepairChecksums, leavesGoodFilesAsTheyAre) {
    const archive::sample::Folder scratch;
    int files = 0;
    for (const fuzz::Input& input : fuzz::inputs(scratch.path())) {
        for (const std::string& good : input.examples()) {
            std::string bytes = good;
            fuzz::repair_checksums(bytes);
            EXPECT_TRUE(bytes == good) << input.kind;
            files += input.hdf5;
        }
    }
    EXPECT_EQ(files, 4);
}

TEST(RepairChecksums, makesAChangedTableReadableSoThatOnlyItsRecordIsDoubted) {
    const archive::sample::Folder folder;
    archive::Archive archive;
    archive.study_name = "study";
    archive.trials = {archive::sample::record(0)};
    const auto file = folder.path() / "a.h5";
    archive::write_archive(file, archive, {"test", {}});
    std::string bytes = archive::sample::bytes_of(file);
    const std::size_t name = bytes.find(archive.trials[0].planned.name + std::string(1, '\0'));
    ASSERT_NE(name, std::string::npos);
    bytes[name] ^= 1;
    const auto fault_of = [&] {
        archive::sample::put_bytes(file, bytes);
        const auto read = archive::read_archive(file, archive::WeightsUse::keep);
        return read ? std::string() : base::to_string(read.error());
    };
    const std::string doubts = "its bytes are not those of its sha256";
    EXPECT_NE(fault_of().find(doubts), std::string::npos) << fault_of();
    fuzz::repair_checksums(bytes);
    EXPECT_EQ(fault_of().find(doubts), std::string::npos) << fault_of();
    const archive::VerifyReport report = archive::verify_archive(file);
    EXPECT_NE(base::to_string(report.faults).find("wrong digest"), std::string::npos)
        << base::to_string(report.faults);
}

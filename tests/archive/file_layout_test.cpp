// Only files that are laid out as isogrid writes them reach HDF5, which believes what a file says of its
// sizes.
#include "archive/file_layout.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "archive/archive.hpp"
#include "archive/checkpoint_file.hpp"
#include "archive/sample_records.hpp"
#include "archive/segment.hpp"
#include "archive/trial_file.hpp"

namespace isogrid::archive {
namespace {

using namespace std::string_view_literals;
using sample::Folder;
using testing::HasSubstr;

const Writer writer{"test", {}};

std::string fault_of(const std::filesystem::path& path) {
    try {
        ensure_own_layout(path);
        return "no fault";
    } catch (const Hdf5Error& error) {
        return error.what();
    }
}

/// A trial file, in which a test changes bytes.
class TrialFile {
  public:
    TrialFile() : path_(*write_trial_file(folder_.path(), sample::record(3), writer)) {
        bytes = sample::bytes_of(path_);
    }

    /// Where these bytes are, for the first time behind `from`.
    std::size_t find(std::string_view what, std::size_t from = 0) const {
        const std::size_t at = bytes.find(what, from);
        EXPECT_NE(at, std::string::npos);
        return at;
    }
    void put(std::size_t at, std::string_view what) {
        std::copy(what.begin(), what.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    }

    std::string fault() const {
        sample::put_bytes(path_, bytes);
        return fault_of(path_);
    }

    std::string bytes;

  private:
    Folder folder_;
    std::filesystem::path path_;
};

/// How an attribute named `schema` or `sha256` begins: version, sizes of name, type and extent.
constexpr std::string_view attribute = "\x03\0\x07\0\x08\0\x04\0\0"sv;
/// A place of links or attributes that are few, behind version and flags.
constexpr std::string_view nowhere = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"sv;

TEST(FileLayout, isThatOfEveryFileThatIsogridWrites) {
    const Folder folder;
    EXPECT_EQ(fault_of(*write_trial_file(folder.path(), sample::record(3), writer)), "no fault");
    EXPECT_EQ(fault_of(*write_segment(folder.path(), {sample::record(3), sample::record(4)}, {}, writer)),
              "no fault");
    const study::Trial trial = sample::record(3).planned.trial;
    Checkpoint checkpoint;
    checkpoint.weights.resize(static_cast<std::size_t>(study::count_parameters(trial.shape).total()));
    checkpoint.first_moment = checkpoint.second_moment = checkpoint.weights;
    write_checkpoint(folder.path() / "c.h5", trial, "avx2", std::move(checkpoint), writer);
    EXPECT_EQ(fault_of(folder.path() / "c.h5"), "no fault");
    Archive archive;
    for (const std::size_t trials : {0, 1, 40}) {
        while (archive.trials.size() < trials)
            archive.trials.push_back(sample::record(std::ssize(archive.trials)));
        write_archive(folder.path() / "a.h5", archive, writer);
        EXPECT_EQ(fault_of(folder.path() / "a.h5"), "no fault") << trials;
    }
}

TEST(FileLayout, endsWhereTheSuperblockSays) {
    TrialFile file;
    file.bytes.resize(file.bytes.size() - 1);
    EXPECT_THAT(file.fault(), HasSubstr("truncated file"));
}

TEST(FileLayout, isForeignWithAnotherSuperblock) {
    const Folder folder;
    const auto path = folder.path() / "a.h5";
    {
        const Handle other(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), &H5Fclose,
                           "create");
    }
    EXPECT_THROW(ensure_own_layout(path), ForeignLayout);
}

TEST(FileLayout, hasNoAttributeLongerThanItsMessage) {
    for (const std::size_t size : {2, 4, 6}) {  // of name, type, extent
        TrialFile file;
        file.put(file.find(attribute) + size, "\x93");
        EXPECT_THAT(file.fault(), HasSubstr("an attribute's")) << size;
    }
    TrialFile file;
    const std::size_t text = file.find("schema\0\x13\x10\0\0"sv) + 11;
    file.put(text, "\xff\xff\xff\x7f");
    EXPECT_THAT(file.fault(), HasSubstr("an attribute's value is cut off"));
}

TEST(FileLayout, hasNoLinksOrAttributesElsewhere) {
    TrialFile file;
    file.put(file.find(nowhere, 64), "\xf8");
    EXPECT_THAT(file.fault(), HasSubstr("a list of many"));
}

TEST(FileLayout, hasNothingInThePlaceOfSomethingElse) {
    TrialFile file;
    // The root group, at byte 48, where /trials is linked: round in a circle.
    file.put(file.find("\x01\0\x06trials"sv) + 9, "\x30\0\0\0"sv);
    EXPECT_THAT(file.fault(), HasSubstr("lies where something else is"));
}

TEST(FileLayout, hasNoDatasetBeyondItsEndOrOfAnotherSizeThanItsRows) {
    constexpr std::string_view contiguous = "\x08\x12\0\0\x03\x01"sv;
    TrialFile file;
    file.put(file.find(contiguous) + 6 + 4, "\x01");  // four gigabytes further
    EXPECT_THAT(file.fault(), HasSubstr("a dataset reaches beyond the file"));
    TrialFile other;
    other.put(other.find(contiguous) + 6 + 8, "\xff");
    EXPECT_THAT(other.fault(), HasSubstr("another size than its rows"));
    TrialFile many;
    many.put(many.find("\x02\x01\x01\x01"sv) + 4,
             "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    EXPECT_THAT(many.fault(), HasSubstr("another size than its rows"));
}

TEST(FileLayout, hasNoColumnBesideItsRow) {
    TrialFile file;
    const std::size_t column = file.find("index\0"sv) + 6;
    file.put(column, "\x10");
    EXPECT_THAT(file.fault(), HasSubstr("columns have gaps"));
    TrialFile other;
    other.put(other.find("index\0"sv) - 4, "\xff");  // the row's size
    EXPECT_THAT(other.fault(), HasSubstr("cannot use the file"));
}

TEST(FileLayout, hasNoMessagesOfOtherPrograms) {
    constexpr std::string_view fill = "\x05\x02\0\x01\x03\x0a"sv;
    TrialFile file;
    file.put(file.find(fill), "\x0b");  // a filter, for compression
    EXPECT_THAT(file.fault(), HasSubstr("none that isogrid writes"));
    TrialFile shared;
    shared.put(shared.find(fill) + 3, "\x02");
    EXPECT_THAT(shared.fault(), HasSubstr("shared"));
}

TEST(FileLayout, hasNoObjectOfAGigabyteHoweverLongTheFile) {
    const Folder folder;
    const auto path = folder.path() / "a.h5";
    TrialFile file;
    constexpr std::string_view whole = "\0\0\0\x40\0\0\0\0"sv;  // a gigabyte
    file.put(28, whole);
    file.put(53, "\x02");  // the size of the root group's header, in four bytes
    file.put(54, "\0\0\0\x20"sv);
    sample::put_bytes(path, file.bytes);
    std::filesystem::resize_file(path, std::uintmax_t{1} << 30);  // holes
    EXPECT_THAT(fault_of(path), HasSubstr("or is too long"));
}

}  // namespace
}  // namespace isogrid::archive

// What `isogrid batches` writes: the windows of the sampler, in a file that NumPy reads.
#include "data/batches.hpp"

#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "data/npy.hpp"
#include "scratch_folder.hpp"

namespace isogrid::data {
namespace {

TEST(BatchTokens, areTheWindowsOfTheSampler) {
    const std::int64_t context = 5;
    std::vector<Token> training(101);
    std::iota(training.begin(), training.end(), Token{0});  // a token is its own position
    const Sampler sampler(4, 101, context);
    const auto tokens = batch_tokens(training, sampler, context, 6, 27);
    ASSERT_EQ(tokens.size(), 21u * 6);
    for (std::int64_t sequence = 6, at = 0; sequence < 27; ++sequence)
        for (std::int64_t position = 0; position <= context; ++position, ++at)
            EXPECT_EQ(tokens[static_cast<std::size_t>(at)], sampler.window_start(sequence) + position);
    EXPECT_TRUE(batch_tokens(training, sampler, context, 2, 2).empty());
}

TEST(WriteNpy, writesWhatNumpyReads) {
    const ScratchFolder folder;
    const std::vector<Token> values = {1, 2, 3, 4, 5, 0x0607};
    const std::vector<std::int64_t> shape = {1, 2, 3};
    ASSERT_TRUE(write_npy(folder / "a.npy", values, shape));
    const std::string bytes = read_all(folder / "a.npy");

    // numpy/lib/format.py: magic, version 1.0, the length of what follows up to the values, a dictionary
    // padded with spaces to a multiple of 64 in all, a newline.
    EXPECT_EQ(bytes.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));  // 118 = 128 - 10
    const std::string dictionary = "{'descr': '<u2', 'fortran_order': False, 'shape': (1, 2, 3, ), }";
    EXPECT_EQ(bytes.substr(10, 118), dictionary + std::string(117 - dictionary.size(), ' ') + "\n");
    EXPECT_EQ(bytes.substr(128), std::string("\1\0\2\0\3\0\4\0\5\0\7\6", 12));
}

TEST(WriteNpy, writesWideIntegersAndEmptyArrays) {
    const ScratchFolder folder;
    const std::vector<std::int64_t> values = {-1}, one = {1}, none = {0, 4};
    ASSERT_TRUE(write_npy(folder / "a.npy", values, one));
    ASSERT_TRUE(write_npy(folder / "b.npy", std::span<const Token>(), none));
    EXPECT_NE(read_all(folder / "a.npy").find("'<i8', 'fortran_order': False, 'shape': (1, )"),
              std::string::npos);
    EXPECT_EQ(read_all(folder / "a.npy").substr(128), std::string(8, '\xff'));
    EXPECT_EQ(read_all(folder / "b.npy").size(), 128u);
}

TEST(WriteNpy, saysWhenThePlaceCannotBeWritten) {
    const std::vector<std::int64_t> values = {1}, shape = {1};
    EXPECT_FALSE(write_npy("/nonexistent/a.npy", values, shape));
}

}  // namespace
}  // namespace isogrid::data

#include "cluster/site/as_begun.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace isogrid;
using namespace isogrid::cluster;
using testing::AllOf;
using testing::HasSubstr;

TEST(AsBegun, goesOnWithTheBestThatHasTheBitsOfWhatIsThere) {
    using enum InstructionSet;
    using enum study::Precision;
    EXPECT_EQ(as_begun(amx, {}, bfloat16), amx);
    EXPECT_EQ(as_begun(amx, {"avx2"}, bfloat16), avx512_bf16) << "tiles sum in another order";
    EXPECT_EQ(as_begun(amx, {"avx2"}, float32), amx) << "and multiply no float32";
    EXPECT_EQ(as_begun(amx, {"amx", "sm_90x132"}, bfloat16), amx);
    EXPECT_EQ(as_begun(avx2, {"avx512"}, bfloat16), avx2);
    EXPECT_EQ(as_begun(avx512, {"amx"}, bfloat16), avx512) << "it cannot";
    EXPECT_EQ(as_begun(avx512, {"sm_90x132", "one of a later version"}, float32), avx512);
}

TEST(AsBegun, tellsOfOtherBitsThanThoseOfAllThatAreThere) {
    using enum study::Precision;
    EXPECT_FALSE(would_mix_bits({}, "avx2", float32)) << "a first start";
    EXPECT_FALSE(would_mix_bits({"avx2", "avx512"}, "amx", float32)) << "all of these sum in one order";
    EXPECT_TRUE(would_mix_bits({"avx2", "avx512"}, "amx", bfloat16));
    EXPECT_TRUE(would_mix_bits({"sm_90x132"}, "avx512", float32));
    EXPECT_TRUE(would_mix_bits({"sm_90x132"}, "sm_100x148", float32));
    EXPECT_FALSE(would_mix_bits({"sm_90x132", "avx2"}, "avx2", float32)) << "mixed already, and told then";

    EXPECT_THAT(warning_of_mixed_bits({"avx2", "avx512"}), HasSubstr("were trained with avx2, avx512, and"));
    EXPECT_THAT(
        warning_of_lower_set("avx512_bf16", InstructionSet::amx),
        AllOf(HasSubstr("trains with avx512_bf16, although all processors run amx"), HasSubstr("--isa")));
}

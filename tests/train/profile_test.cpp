// What a profile of a card says, on an emulated one: where time goes there is nobody's concern, that all of
// it is found is.
#include "train/bench/profile.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cuda/cuda_backend.hpp"

namespace isogrid::bench {
namespace {

TEST(Profile, hasATimeForEveryOpOfAStep) {
    const auto backend = kernels::cuda::make_backend(0, kernels::cuda::Arithmetic::float32);
    const BenchShape shape = parse_shapes("8,1,1,16,2,32")->front();
    const Profile profile = profile_of(shape, "bfloat16", {7.9e14, 3e12}, *backend, 0);
    EXPECT_EQ(profile.measured.size(), profile.roofline.ops.size());
    for (const OpCost& op : profile.roofline.ops) {
        ASSERT_TRUE(profile.measured.contains(op.name)) << op.name;
        EXPECT_GT(profile.measured.at(op.name), 0) << op.name;
    }
    EXPECT_GT(profile.seconds_a_step, 0);
    EXPECT_THAT(to_text(profile), testing::HasSubstr("ms a step as one launch"));
}

TEST(Profile, putsFirstWhatCostsMostAboveItsLeast) {
    Profile profile;
    profile.roofline.ops = {{.name = "near", .seconds = 3}, {.name = "far", .seconds = 1}};
    profile.measured = {{"near", 3.5}, {"far", 2}};
    const std::string text = to_text(profile);
    EXPECT_LT(text.find("far"), text.find("near"));
}

}  // namespace
}  // namespace isogrid::bench

#include "cluster/site/processor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "archive/provenance.hpp"
#include "cluster/small_study.hpp"

using namespace isogrid;
using namespace isogrid::cluster;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

const RunsHere everything = [](InstructionSet) { return true; };
const RunsHere only_avx2 = [](InstructionSet set) { return set == InstructionSet::avx2; };

std::string fault_of(std::string_view word, const RunsHere& runs_here) {
    const auto result = instruction_set_of("run", word, runs_here);
    return result ? "none" : base::to_string(result.error());
}

}  // namespace

TEST(InstructionSetOption, takesTheBestUnlessOneIsNamed) {
    EXPECT_EQ(instruction_set_of("run", "auto", everything), kernels::cpu::instruction_sets.back());
    EXPECT_EQ(instruction_set_of("run", "auto", only_avx2), InstructionSet::avx2);
    for (const InstructionSet set : kernels::cpu::instruction_sets)
        EXPECT_EQ(instruction_set_of("run", kernels::cpu::name(set), everything), set);
}

TEST(InstructionSetOption, refusesWhatIsUnknownOrCannotRunHere) {
    EXPECT_EQ(fault_of("sse9", everything), "isogrid run: --isa sse9 names no instruction set (known: " +
                                                instruction_set_words() + ") choose one of them\n");
    EXPECT_EQ(
        fault_of("avx512", only_avx2),
        "isogrid run: --isa avx512 cannot be used here (this processor runs avx2) choose one of these, or "
        "run where it does\n");
    EXPECT_THAT(fault_of("auto", [](InstructionSet) { return false; }), HasSubstr("cannot train on this"));
}

// What archives know by its words is what the backend promises (kernels/cpu/cpu_backend.hpp).
TEST(BitsOf, knowsEveryInstructionSetThatThereIs) {
    for (const InstructionSet set : kernels::cpu::instruction_sets) {
        const std::string word(name(set));
        EXPECT_EQ(archive::bits_of(word, study::Precision::float32), "avx2");
        EXPECT_EQ(archive::bits_of(word, study::Precision::bfloat16), word == "amx" ? "amx" : "avx2");
    }
    EXPECT_EQ(archive::bits_of("sm_90x132", study::Precision::float32), "sm_90x132");
}

TEST(PrecisionWarnings, sayWhereBfloat16IsSlow) {
    const auto slow = kernels::cpu::make_backend(InstructionSet::avx2);
    study::Study study = test::study_of({1e9});
    EXPECT_THAT(precision_warnings(study, *slow), IsEmpty());
    study.job.recipe.precision = study::Precision::bfloat16;
    const auto warnings = precision_warnings(study, *slow);
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_THAT(warnings[0], HasSubstr("runs, correct and slower (avx2 has no products of bfloat16"));
    if (!kernels::cpu::supported(InstructionSet::avx512_bf16)) GTEST_SKIP() << "no such processor";
    EXPECT_THAT(precision_warnings(study, *kernels::cpu::make_backend(InstructionSet::avx512_bf16)),
                IsEmpty());
}

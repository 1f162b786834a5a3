// Facts of the build, the host and the Slurm job are there and say what they should.
#include "archive/provenance.hpp"

#include <array>
#include <cstdlib>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "archive/process_identity.hpp"

namespace isogrid::archive {
namespace {

using testing::Contains;
using testing::Each;
using testing::EndsWith;
using testing::Field;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;

TEST(Provenance, knowsTheRevisionOfTheCodeOrThatItHasNone) {
    EXPECT_THAT(code_revision(), MatchesRegex("unknown|[0-9a-f]{40}(-dirty)?"));
}

TEST(Provenance, hasNoEmptyFactOfTheBuild) {
    EXPECT_THAT(build_facts(), Not(IsEmpty()));
    EXPECT_THAT(build_facts(), Each(Field(&Fact::value, Not(IsEmpty()))));
    EXPECT_THAT(build_facts(), Contains(Field(&Fact::value, MatchesRegex("1\\.[0-9]+\\.[0-9]+"))));  // HDF5
}

TEST(Provenance, namesTheHostAsTheSystemDoes) {
    std::array<char, 256> name{};
    ASSERT_EQ(::gethostname(name.data(), name.size() - 1), 0);
    EXPECT_EQ(host_name(), name.data());
    EXPECT_EQ(provenance_here().host, name.data());
    EXPECT_THAT(provenance_here().processor, Not(IsEmpty()));
}

TEST(Provenance, tellsTheSlurmJobAndItsRestarts) {
    ::setenv("SLURM_JOB_ID", "4242", 1);
    ::setenv("SLURM_RESTART_COUNT", "3", 1);
    EXPECT_EQ(provenance_here().slurm_job, "4242");
    EXPECT_EQ(provenance_here().slurm_restarts, 3);
    const std::string process = std::to_string(::getpid());
    EXPECT_THAT(writer_tag(), EndsWith(process + "-4242-3"));

    ::unsetenv("SLURM_JOB_ID");
    ::unsetenv("SLURM_RESTART_COUNT");
    EXPECT_EQ(provenance_here().slurm_job, "");
    EXPECT_THAT(writer_tag(), EndsWith(process + "-0-0"));
}

}  // namespace
}  // namespace isogrid::archive

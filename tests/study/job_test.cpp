// Reading job files: values and where they come from, and how several faults are told together.
// What each single fault says is tested with docs/job-faults.md.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/wording.hpp"
#include "study/job_text.hpp"

namespace isogrid::study {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;

std::vector<std::string> faults_with(const std::string& changes) {
    return testing::faults_of(testing::edited(testing::smallest_job(), changes));
}

TEST(Job, hasTheValuesOfItsFile) {
    const Job job = testing::parsed(testing::smallest_job()).value().job;
    EXPECT_EQ(job.name, "smallest");
    EXPECT_EQ(job.token_file, "jobs/english.tok");
    EXPECT_EQ(job.ladder.widths.size(), 12);
    EXPECT_EQ(job.recipe.optimizer.learning_rate, 0.01);
    EXPECT_THAT(job.isoflop.budgets, ElementsAre(1e12, 3e12, 1e13, 4e13));
    EXPECT_EQ(job.path, "jobs/x.toml");
    EXPECT_EQ(job.text, testing::smallest_job());
}

TEST(Job, namesTheKeyOfWhatOtherProgramsCallOtherwise) {
    EXPECT_THAT(faults_with("[recipe]\nbatch_size = 32\n"),
                ElementsAre(HasSubstr("(it is called recipe.batch here) write batch in [recipe]")));
    EXPECT_THAT(faults_with("[recipe]\nseq_len = 32\n"),
                ElementsAre(HasSubstr("(it is called model.context here) write context in [model]")));
    EXPECT_THAT(faults_with("[model]\nd_model = 32\nn_layers = 2\n"),
                ElementsAre(HasSubstr("called model.widths"), HasSubstr("called model.depth")));
    EXPECT_THAT(faults_with("[model]\nweight_decay = 0.1\n"), ElementsAre(HasSubstr("in [recipe]) move it")));
    EXPECT_THAT(faults_with("[recipe]\nepochs = 3\n"), ElementsAre(HasSubstr("follows from its study")));
    EXPECT_THAT(faults_with("[training]\nlr = 3\n"), ElementsAre(HasSubstr("stand in [recipe] here")));
}

TEST(Job, takesWholeNumbersForDecimalOnes) {
    const std::string whole = testing::edited(
        testing::smallest_job(), "[model]\naspect_ratio = 32\n[isoflop]\ntokens_per_parameter = [1, 400]\n");
    EXPECT_EQ(testing::parsed(whole).value().job.ladder.aspect_ratio, 32.0);
}

TEST(Job, resolvesItsTokenFileAgainstItsFolder) {
    const auto token_file = [](const std::string& tokens, const std::filesystem::path& folder) {
        std::filesystem::path asked;
        const auto read = [&](const std::filesystem::path& path) {
            asked = path;
            return testing::read_tokens("jobs/english.tok");
        };
        const std::string text =
            testing::edited(testing::smallest_job(), "[data]\ntokens = \"" + tokens + "\"\n");
        EXPECT_TRUE(parse_study(text, "x.toml", folder, read, testing::closed_form_flops));
        return asked;
    };
    EXPECT_EQ(token_file("../data/a.tok", "studies/jobs"), "studies/data/a.tok");
    EXPECT_EQ(token_file("a.tok", ""), "a.tok");
    EXPECT_EQ(token_file("/corpora/a.tok", "studies/jobs"), "/corpora/a.tok");
}

TEST(Job, isReadFromAFile) {
    const auto folder = std::filesystem::path(::testing::TempDir()) / "isogrid_job_test";
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "a.toml") << testing::smallest_job();
    const auto read = [&](const std::filesystem::path& path) {
        EXPECT_EQ(path, folder / "english.tok");
        return testing::read_tokens("jobs/english.tok");
    };
    const base::Result<Study> study = read_study(folder / "a.toml", read, testing::closed_form_flops);
    ASSERT_TRUE(study) << base::to_string(study.error());
    EXPECT_EQ(study->job.text, testing::smallest_job());
    EXPECT_EQ(study->job.tokens, "english.tok");
    EXPECT_EQ(study->job.token_file, folder / "english.tok");
    std::filesystem::remove_all(folder);
}

TEST(Job, thatIsAnArchiveIsSaidToBeOne) {
    const auto file = std::filesystem::path(::testing::TempDir()) / "isogrid_job_test.h5";
    std::ofstream(file) << "\x89HDF\r\n\x1a\n and so on";
    const auto study = read_study(file, testing::read_tokens, testing::closed_form_flops);
    ASSERT_FALSE(study);
    EXPECT_THAT(
        base::to_string(study.error()),
        HasSubstr("h5: is an HDF5 file, as archives are (a job file is TOML, a text) name the job file\n"));
    std::filesystem::remove(file);
}

TEST(Job, thatCannotBeReadIsOneFault) {
    const auto missing = read_study("nowhere/x.toml", testing::read_tokens, testing::closed_form_flops);
    ASSERT_FALSE(missing);
    EXPECT_EQ(base::to_string(missing.error()),
              "nowhere/x.toml: cannot be read (No such file or directory) check the path\n");

    const auto folder = read_study(::testing::TempDir(), testing::read_tokens, testing::closed_form_flops);
    ASSERT_FALSE(folder);
    EXPECT_THAT(base::to_string(folder.error()),
                HasSubstr("cannot be read (it is a folder) give a job file"));
}

TEST(Faults, comeAllAtOnceInTheOrderOfLines) {
    EXPECT_THAT(
        faults_with("[isoflop]\nbudgets = [1e12, 5e11, 1e13, 4e13]\nsizes = 0\n"
                    "[recipe]\nleaves = 3\nbeta1 = \"high\"\n"
                    "[model]\nwidths = [32, 33]\nlayers = 4\n"
                    "[data]\ntokens = \"french.tok\"\n"
                    "[study]\nname = \"Big\"\n"),
        ElementsAre(StartsWith("jobs/x.toml:2: study.name: "), StartsWith("jobs/x.toml:5: data.tokens: "),
                    StartsWith("jobs/x.toml:8: model.widths[2]: "),
                    StartsWith("jobs/x.toml:9: model.layers: unknown key"),
                    StartsWith("jobs/x.toml:13: recipe.leaves: "),
                    StartsWith("jobs/x.toml:14: recipe.beta1: "),
                    StartsWith("jobs/x.toml:17: isoflop.budgets[2]: "),
                    StartsWith("jobs/x.toml:18: isoflop.sizes: ")));
}

TEST(Faults, areToldUpToAHundredOfThem) {
    std::string widths;
    for (int i = 0; i < 3000; ++i)
        widths += "33, ";
    const auto faults = faults_with("[model]\nwidths = [" + widths + "]\n");
    ASSERT_EQ(faults.size(), 101U);
    EXPECT_THAT(faults[99], HasSubstr("model.widths["));
    EXPECT_THAT(faults[100], HasSubstr("more faults, or more (the first 100 are told) correct these first"));
}

TEST(Faults, ofAnEmptyFileAreTheRequiredKeys) {
    EXPECT_THAT(testing::faults_of(""),
                ElementsAre(StartsWith("jobs/x.toml: data.tokens: is missing"),
                            StartsWith("jobs/x.toml: isoflop.budgets: is missing"),
                            StartsWith("jobs/x.toml: model.widths: is missing"),
                            StartsWith("jobs/x.toml: recipe.learning_rate: is missing"),
                            StartsWith("jobs/x.toml: study.name: is missing")));
}

TEST(Faults, ofListsGiveTheLineOfTheElement) {
    EXPECT_THAT(testing::faults_of(testing::edited(testing::smallest_job(), "[isoflop]\nbudgets = [1e12,\n") +
                                   "  3e12, \"much\",\n  1e13]\n"),
                ElementsAre(StartsWith("jobs/x.toml:15: isoflop.budgets[3]: is the text \"much\"")));
}

TEST(Faults, haveNoFollowersFromOneCause) {
    // A wrong context spoils what is counted in sequences: nothing more is said of budgets or evaluation.
    EXPECT_THAT(faults_with("[model]\ncontext = 0\n"), SizeIs(1));
    EXPECT_THAT(faults_with("[recipe]\nbatch = 0\n"), SizeIs(1));
    EXPECT_THAT(faults_with("[recipe]\nbach = 1000000\n"), SizeIs(1));
    EXPECT_THAT(faults_with("[model]\nhead_width = \"wide\"\n"), SizeIs(1));
    EXPECT_THAT(faults_with("model = 3\n[model]\n"), SizeIs(1));  // TOML: defined twice
    EXPECT_THAT(testing::faults_of("= 3\n"), SizeIs(1));
}

TEST(Faults, ofAMisspeltTableDoNotIncludeItsRequiredKeys) {
    std::string text = testing::smallest_job();
    text.replace(text.find("[isoflop]"), 9, "[isoflops]");
    EXPECT_THAT(
        testing::faults_of(text),
        ElementsAre("jobs/x.toml:13: isoflops: unknown table (the nearest known one is isoflop) correct "
                    "or remove it"));
}

TEST(Faults, ofABudgetLeaveTheOthersChecked) {
    EXPECT_THAT(faults_with("[isoflop]\nbudgets = [1, 2, 1e12, \"x\"]\n"),
                UnorderedElementsAre(HasSubstr("budgets[1]: 1 is less than one step"),
                                     HasSubstr("budgets[2]: 2 is less than one step"),
                                     HasSubstr("budgets[4]: is the text")));
}

TEST(Faults, ofTheTokenFileAreAllPassedOnWithTheLineThatNamesIt) {
    const auto read = [](const std::filesystem::path&) -> base::Result<CorpusFacts> {
        return tl::unexpected(
            base::Faults{{"a.tok", "is torn", "1 byte", "copy it"}, {"", "is old", "", "renew it"}});
    };
    const auto study =
        parse_study(testing::smallest_job(), "jobs/x.toml", "jobs", read, testing::closed_form_flops);
    ASSERT_FALSE(study);
    EXPECT_EQ(base::to_string(study.error()),
              "jobs/x.toml:5: data.tokens: a.tok: is torn (1 byte) copy it\n"
              "jobs/x.toml:5: data.tokens: is old renew it\n");
}

TEST(Faults, doNotReachTheGraphWithImpossibleShapes) {
    const auto refuse = [](const Shape& shape) -> double {
        ADD_FAILURE() << "asked about " << shape.width;
        return 0;
    };
    const std::string text = testing::edited(testing::smallest_job(), "[model]\nwidths = [32, 33]\n");
    EXPECT_FALSE(parse_study(text, "jobs/x.toml", "jobs", testing::read_tokens, refuse));
}

}  // namespace
}  // namespace isogrid::study

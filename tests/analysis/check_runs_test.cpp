// Counts of runs that do not fit together, or are in a unit that nobody said.
#include "analysis/runs/check_runs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/csv_file.hpp"
#include "analysis/synthetic_runs.hpp"

namespace isogrid::analysis {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> warnings_of(const Runs& runs) {
    std::vector<std::string> said;
    for (const Reason& reason : check_runs(runs))
        said.push_back(to_string(reason));
    return said;
}

TEST(CheckRuns, saysThatTokensMayBeCountedInTheUnitOfTheBatch) {
    // Sequences of 2048 tokens: .02 a parameter, and no columns are swapped.
    const CsvFile file("n,b,s,d,c,l\n1e6,256,78,4e7,2.4e14,4\n1e6,512,78,8e7,4.8e14,3\n");
    const auto said = [&](const std::string& columns) {
        return warnings_of(read_csv(file.request("parameters=n,loss=l," + columns)).value());
    };
    const auto unit = HasSubstr(
        "mixed_conventions: D counts the unit of the batch (it is batch times steps: no tokens or flops "
        "column "
        "was named): where that is no token, D counts no tokens, and C = 6 N D, budgets and recommendations "
        "are "
        "no FLOPs; name tokens=");
    EXPECT_THAT(said("batch=b,steps=s"), ElementsAre(unit));
    EXPECT_THAT(said("batch=b,steps=s,tokens=d"), IsEmpty());
    EXPECT_THAT(said("batch=b,steps=s,seed=d"), ElementsAre(unit));
    EXPECT_THAT(said("tokens=s"), ElementsAre(HasSubstr("columns may be swapped")));
    const CsvFile curves("r,n,b,s,l\na,1e6,256,1,4\na,1e6,256,2,3\n");
    EXPECT_THAT(warnings_of(read_csv(curves.request("run=r,parameters=n,batch=b,step=s,loss=l")).value()),
                ElementsAre(unit));
    EXPECT_THAT(warnings_of(read_csv(curves.request("run=r,parameters=n,step=s,loss=l")).value()),
                ElementsAre(HasSubstr("D counts steps (no tokens, flops or batch column was named)")));
    // Without N there is no C.
    EXPECT_THAT(warnings_of(read_csv(curves.request("run=r,step=s,loss=l")).value()), IsEmpty());
}

TEST(CheckRuns, keepsTheUnitOfTheBatchInRunsOfSeveralFiles) {
    const CsvFile first("n,b,s,l\n1e6,256,78,4\n"), second("n,b,s,l\n1e6,512,78,3\n");
    const Runs runs =
        read_csv({first.name(), second.name()}, first.request("parameters=n,batch=b,steps=s,loss=l")).value();
    EXPECT_THAT(warnings_of(runs), ElementsAre(HasSubstr("D counts the unit of the batch")));
}

TEST(CheckRuns, saysThatAllCountsMayBeInThousandsMillionsOrBillions) {
    const CsvFile plain("n,d,l\n44000000,1e9,4\n1234567000,4e9,3\n");
    EXPECT_THAT(warnings_of(read_csv(plain.request("parameters=n,tokens=d,loss=l")).value()), IsEmpty());
    const CsvFile small("n,d,l\n13520,1e6,4\n55600,4e6,3\n");
    EXPECT_THAT(warnings_of(read_csv(small.request("parameters=n,tokens=d,loss=l")).value()), IsEmpty());
    for (const double unit : {1e3, 1e6, 1e9}) {
        Runs runs = isoflop_runs(four_budgets, 7, 3, known_loss);
        for (auto& run : runs.used)
            run.parameters /= unit, run.tokens /= unit, run.flops /= unit * unit;
        EXPECT_THAT(warnings_of(runs),
                    ElementsAre(AllOf(HasSubstr("mixed_conventions: "),
                                      HasSubstr("probably count in thousands, millions or billions"),
                                      HasSubstr("give plain counts"))))
            << unit;
    }
    const CsvFile millions("n,d,l\n44,1000,4\n124,4000,3\n");
    EXPECT_THAT(warnings_of(read_csv(millions.request("parameters=n,tokens=d,loss=l")).value()),
                ElementsAre(HasSubstr("the largest N is 124 (the columns probably")));
    const CsvFile thousands("n,d,l\n44250.5,1e6,4\n124300.25,4e6,3\n");
    EXPECT_THAT(warnings_of(read_csv(thousands.request("parameters=n,tokens=d,loss=l")).value()),
                ElementsAre(HasSubstr("N has fractions: that of line 2 is 44250.5")));
}

TEST(CheckRuns, namesRunsThatAreCountedInAnotherUnitThanTheOthers) {
    Runs runs = isoflop_runs(four_budgets, 7, 3, known_loss);
    runs.used[3].tokens /= 1e9;
    runs.used[9].parameters /= 1e6;
    runs.used[20].flops *= 9;  // less than ten times: another convention, not another unit
    const auto said = warnings_of(runs);
    ASSERT_EQ(said.size(), 1u);
    EXPECT_THAT(
        said[0],
        HasSubstr("mixed_conventions: C / (6 N D) of 2 of 28 runs lies more than 10 times off "
                  "the median, 1: run 3 (1e+09), run 9 (1e+06) (their N, D or C is in another "
                  "unit, or their N leaves out an embedding that takes most of C) count them as in the "
                  "other runs"));
    for (std::size_t i = 0; i < 8; ++i)
        runs.used[i].tokens = 1;
    EXPECT_THAT(warnings_of(runs)[0], HasSubstr(", run 4 (")) << warnings_of(runs)[0];
    EXPECT_THAT(warnings_of(runs)[0], HasSubstr(" and 4 more (their"));
}

}  // namespace
}  // namespace isogrid::analysis

// Which rows of a CSV are of one run, and which of two.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/csv_file.hpp"
#include "analysis/runs.hpp"

namespace isogrid::analysis {
namespace {

using testing::HasSubstr;

TEST(ReadCsv, refusesRowsThatDoNotNameTheirRun) {
    const CsvFile file("run,m,s,L\na,x,1,4\n,x,2,3\nb,y,1,4\n NA,y,2,3\nnan,y,3,2\n");
    const std::string faults = faults_of(file.request("run=run,name=m,step=s,loss=L"));
    for (const char* line : {":3", ":5", ":6"})
        EXPECT_THAT(faults,
                    HasSubstr(file.name() + line +
                              ": run (column 1, run) is missing (the run's name is needed in each of its "
                              "rows) fill it down, or leave such rows out with --skip-bad-rows\n"));
}

TEST(ReadCsv, doesNotTakeTheNamedRowsOfMergedCellsForWholeRuns) {
    const CsvFile file("run,s,L\na,1,4\n,2,3\n,3,2\nb,1,4\nb,2,3\nc,1,4\n,2,\nc,3,2\n");
    const Runs runs = read_csv(file.skipping("run=run,step=s,loss=L")).value();
    ASSERT_EQ(runs.used.size(), 2u);
    EXPECT_EQ(runs.used[0].name, "b");
    EXPECT_EQ(runs.used[1].name, "c");
    ASSERT_EQ(runs.rejected.size(), 4u);
    EXPECT_EQ(runs.rejected[0].name, "a");
    EXPECT_THAT(runs.rejected[0].reason, HasSubstr("ends before its last 2 rows"));
    EXPECT_EQ(runs.rejected[1].name, "line 3");
    EXPECT_EQ(runs.rejected[1].reason,
              "run (column 1, run) is missing (the run's name is needed in each of its rows)");
}

}  // namespace
}  // namespace isogrid::analysis

// Which rows of a CSV are of one run, and which of two.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/csv_file.hpp"
#include "analysis/runs/runs.hpp"

namespace isogrid::analysis {
namespace {

using testing::HasSubstr;

TEST(ReadCsv, refusesRowsThatDoNotNameTheirRun) {
    const CsvFile file("run,m,s,L\na,x,1,4\n,x,2,3\nb,y,1,4\n NA,y,2,3\nnan,y,3,2\n");
    const std::string faults = faults_of(file.request("run=run,name=m,step=s,loss=L"));
    EXPECT_EQ(faults,
              file.name() +
                  ":3: run (column 1, run) is missing, and so on lines 5 and 6 (the run's name is needed "
                  "in each of its rows) fill it down, or leave such rows out with --skip-bad-rows\n");
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

TEST(ReadCsv, refusesTwoLossesAtOnePointOfARun) {
    const std::string advice =
        " (its rows are of two runs, or of two losses) name a column that tells runs apart (run=), keep the "
        "rows of one with --where, or the later row of a point with --skip-bad-rows\n";
    const CsvFile seeds(
        "run,N,s,D,L\na,10,1,1e8,4\na,10,2,2e8,3\na,10,1,1e8,5\na,10,2,2e8,2\nb,10,1,1e8,3\n");
    EXPECT_EQ(faults_of(seeds.request("run=run,parameters=N,step=s,tokens=D,loss=L")),
              seeds.name() + ":4: run a has another loss at step 1 than on line 2" + advice);
    const CsvFile sets("run,set,D,L\na,c4,1e8,4\na,pile,1e8,3\na,c4,2e8,3\na,pile,2e8,2\n");
    EXPECT_EQ(faults_of(sets.request("run=run,tokens=D,loss=L")),
              sets.name() + ":3: run a has another loss at 100M tokens than on line 2" + advice);
    CsvRequest one = sets.request("run=run,tokens=D,loss=L");
    one.where = {{"set", "pile"}};
    EXPECT_EQ(read_csv(one).value().used[0].loss, 2);
    // A file that is one curve, and one whose last point alone is there twice.
    const CsvFile curve("s,L\n1,4\n2,3\n3,2\n3,1\n");
    EXPECT_THAT(faults_of(curve.request("step=s,loss=L")), HasSubstr(":5: run "));
}

TEST(ReadCsv, keepsTheLaterOfTwoLossesAtOnePointWhenBadRowsAreSkipped) {
    const CsvFile file("run,s,L\na,1,4\na,2,3\na,1,5\na,2,2\nb,1,3\n");
    const Runs runs = read_csv(file.skipping("run=run,step=s,loss=L")).value();
    ASSERT_EQ(runs.used.size(), 2u);
    ASSERT_EQ(runs.used[0].curve.size(), 2u);
    EXPECT_EQ(runs.used[0].curve[0].loss, 5);
    EXPECT_EQ(runs.used[0].loss, 2);
    ASSERT_EQ(runs.rejected.size(), 2u);
    EXPECT_EQ(runs.rejected[0].name, "line 2 of run a");
    EXPECT_EQ(runs.rejected[0].reason, "line 4 has another loss at the same point of the run");
}

TEST(ReadCsv, takesTheLaterLossOfStepsThatAResumedRunLoggedAgain) {
    std::string table = "run,s,L\n";
    for (int step = 1; step <= 8; ++step)
        table += "a," + std::to_string(step) + "," + std::to_string(20 - step) + "\n";
    for (int step = 6; step <= 10; ++step)  // from a checkpoint behind step 5
        table += "a," + std::to_string(step) + "," + std::to_string(20.5 - step) + "\n";
    const CsvFile resumed(table);
    const Runs runs = read_csv(resumed.request("run=run,step=s,loss=L")).value();
    ASSERT_EQ(runs.used.size(), 1u);
    ASSERT_EQ(runs.used[0].curve.size(), 10u);
    EXPECT_EQ(runs.used[0].curve[4].loss, 15);
    EXPECT_EQ(runs.used[0].curve[5].loss, 14.5);
    ASSERT_EQ(runs.rejected.size(), 3u);
    EXPECT_EQ(runs.rejected[0].name, "line 7 of run a");
    EXPECT_EQ(runs.rejected[0].reason,
              "line 10 has another loss at the same point of the run, which was taken up again before it");
    // What begins anew or nearly so, or does not come as far as it was, is another run.
    for (const char* other : {"run,s,L\na,1,5\na,2,4\na,1,5\na,2,3\na,3,2\n",
                              "run,s,L\na,1,5\na,2,4\na,3,3\na,2,5\na,3,4\na,4,3\n",
                              "run,s,L\na,1,5\na,2,4\na,3,3\na,4,2\na,3,3.5\n"}) {
        const CsvFile file(other);
        EXPECT_THAT(faults_of(file.request("run=run,step=s,loss=L")), HasSubstr("run a has another loss"));
    }
}

// The second attempt is given up, and the third repeats the first from its checkpoint on.
TEST(ReadCsv, takesTheLastOfThreeAttemptsAlsoWhereItSaysWhatTheFirstDid) {
    const std::string first = "a,1,4\na,2,3.5\na,3,3\na,4,2.5\na,5,2\n", third = "a,4,2.5\na,5,2\n";
    const CsvFile file("run,s,L\n" + first + "a,4,2.9\na,5,2.8\n" + third);
    const Runs runs = read_csv(file.request("run=run,step=s,loss=L")).value();
    ASSERT_EQ(runs.used.size(), 1u);
    EXPECT_EQ(runs.used[0].loss, 2);
    EXPECT_EQ(runs.used[0].curve.size(), 5u);
    EXPECT_EQ(runs.rejected.size(), 4u);
}

TEST(ReadCsv, takesNoNoticeOfRowsOfACurveThatSayTheSame) {
    const CsvFile file("run,s,lr,L\na,1,1,4\na,2,1,3\na,2,1,3\na,2,0,3\na,3,1,2\n");
    const Runs runs = read_csv(file.request("run=run,step=s,learning_rate=lr,loss=L")).value();
    ASSERT_EQ(runs.used.size(), 1u);
    EXPECT_EQ(runs.used[0].curve.size(), 4u);
    ASSERT_EQ(runs.rejected.size(), 1u);
    EXPECT_EQ(runs.rejected[0].name, "line 3 of run a");
    EXPECT_EQ(runs.rejected[0].reason, "the same row as line 4");
}

TEST(ReadCsv, refusesRowsThatDifferInTheTaskAlone) {
    const std::string table =
        "m,task,seed,N,D,L,e,B\na,arc,0,10,1e8,3,0.5,1\na,piqa,0,10,1e8,3,0.4,2\na,arc,1,10,1e8,3,0.5,1\n";
    const CsvFile file(table);
    for (const char* columns : {"parameters=N,tokens=D,loss=L,error=e,seed=seed",
                                "name=m,parameters=N,tokens=D,loss=L,error=e,seed=seed,noise_scale=B"}) {
        const std::string faults = faults_of(file.request(columns));
        EXPECT_THAT(faults, HasSubstr(file.name() + ":3: the same run as line 2 with another error"));
        EXPECT_THAT(faults, HasSubstr(") keep the rows of one task with --where, name the column that tells "
                                      "runs apart (seed=, name=), or leave the later rows out"));
        const Runs skipped = read_csv(file.skipping(columns)).value();
        EXPECT_EQ(skipped.used.size(), 2u);
        ASSERT_EQ(skipped.rejected.size(), 1u);
        EXPECT_THAT(skipped.rejected[0].reason, HasSubstr("the same run as line 2 with another error"));
        CsvRequest one = file.request(columns);
        one.where = {{"task", "arc"}};
        EXPECT_EQ(read_csv(one).value().used.size(), 2u);  // of two seeds
    }
    EXPECT_THAT(faults_of(file.request("seed=seed,parameters=N,tokens=D,loss=L,noise_scale=B")),
                HasSubstr(":3: the same run as line 2 with another noise_scale"));
}

TEST(ReadCsv, tellsRunsOfTwoFilesApartByWhatTheirSeedMeans) {
    const CsvFile first("run,seed,s,L\na,0,1,4\na,0,2,3\n"), same("run,seed,s,L\na,0.0,1,4\na,0.0,2,2\n"),
        silent("run,seed,s,L\na,,1,4\na,,2,2\n"), other("run,seed,s,L\na,1,1,4\na,1,2,2\n");
    const CsvRequest request = first.request("run=run,seed=seed,step=s,loss=L");
    const auto refused = [&](const CsvFile& second) {
        const auto runs = read_csv({first.name(), second.name()}, request);
        return runs ? "" : base::to_string(runs.error());
    };
    EXPECT_THAT(refused(same), HasSubstr(same.name() + ": run a stands in " + first.name() + " too"));
    EXPECT_THAT(refused(silent), HasSubstr(silent.name() + ": run a stands in"));
    EXPECT_EQ(refused(other), "");
}

/// A run of `rows` steps whose loss is measured each `every`, and rows behind its last.
std::string seldom_measured(int rows, int every, const std::string& behind) {
    std::string table = "run,s,L\n";
    for (int step = 1; step <= rows; ++step)
        table += "a," + std::to_string(step) + "," + (step % every == 0 ? "3" : "") + "\n";
    return table + behind;
}

TEST(ReadCsv, countsTheLastRowsAgainstAllRowsOfTheRun) {
    const auto used = [](const std::string& table) {
        const CsvFile file(table);
        return read_csv(file.skipping("run=run,step=s,loss=L")).value().used.size();
    };
    const std::string two = "a,101,\na,102,\n", three = two + "a,103,\n";
    EXPECT_EQ(used(seldom_measured(100, 2, two)), 1u);    // 2 of 102
    EXPECT_EQ(used(seldom_measured(100, 2, three)), 0u);  // 3 of 103
    EXPECT_EQ(used(seldom_measured(100, 4, three)), 1u);  // as many stand between any two losses
}

TEST(ReadCsv, takesNoRunForFinishedWhoseLossIsNoNumberAtItsEnd) {
    const auto used = [](const std::string& table) {
        const CsvFile file(table);
        return read_csv(file.skipping("run=run,step=s,loss=L")).value().used.size();
    };
    for (const char* loss : {"nan", "NaN", " -nan", "inf", "Infinity", "1e999", "diverged"}) {
        EXPECT_EQ(used(seldom_measured(200, 1, std::string("a,201,") + loss + "\n")), 0u) << loss;
        EXPECT_EQ(used(seldom_measured(200, 10, std::string("a,201,") + loss + "\na,202,\n")), 0u) << loss;
    }
    for (const char* loss : {"", "NA", "null", "None", "N/A", "-"})
        EXPECT_EQ(used(seldom_measured(200, 1, std::string("a,201,") + loss + "\n")), 1u) << loss;
    // Where nan is what stands between losses, it says that none was measured.
    EXPECT_EQ(used("run,s,L\na,1,nan\na,2,4\na,3,nan\na,4,3\na,5,nan\n"), 1u);
}

}  // namespace
}  // namespace isogrid::analysis

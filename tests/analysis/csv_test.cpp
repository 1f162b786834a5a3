// Reading runs from CSV: what is taken, what is rejected, what is a fault.
#include "analysis/runs/csv.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analysis/csv_file.hpp"
#include "analysis/runs/runs.hpp"
#include "scratch_folder.hpp"

namespace isogrid::analysis {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Csv, keepsQuotedCommasQuotesAndLineEnds) {
    const auto table = parse_csv(
        "\xEF\xBB\xBF"
        "a,\"b,c\"\r\n\"say \"\"hi\"\"\",\"two\nlines\"\r\n\r\n3,4\n",
        "f.csv");
    ASSERT_TRUE(table);
    EXPECT_THAT(table->columns, ElementsAre("a", "b,c"));
    ASSERT_EQ(table->rows.size(), 2u);
    EXPECT_THAT(table->rows[0].cells, ElementsAre("say \"hi\"", "two\nlines"));
    EXPECT_EQ(table->rows[1].line, 5u);  // the quoted cell spans lines 2 and 3, line 4 is blank
}

TEST(Csv, takesAQuotationMarkInsideACellForALetter) {
    const auto table = parse_csv("a,b\n3\" rack,1\n19\" rack,2\n\"x\"\"y\", \"2,5\"\n", "f.csv");
    ASSERT_TRUE(table);
    ASSERT_EQ(table->rows.size(), 3u);
    EXPECT_THAT(table->rows[0].cells, ElementsAre("3\" rack", "1"));
    EXPECT_THAT(table->rows[1].cells, ElementsAre("19\" rack", "2"));
    EXPECT_THAT(table->rows[2].cells, ElementsAre("x\"y", " 2,5"));
}

TEST(Csv, countsTheParametersThatATokenUses) {
    const CsvFile file("n,a,c,loss\n8e8,1e8,6e18,2.5\n");
    const Runs from_flops =
        read_csv(file.request("parameters=n,active_parameters=a,flops=c,loss=loss")).value();
    EXPECT_NEAR(from_flops.used[0].tokens / 1e10, 1, 1e-12);
    EXPECT_THAT(from_flops.conventions.tokens, HasSubstr("D = C / (6 N) with N the active parameters"));
    const CsvFile with_tokens("n,a,d,loss\n8e8,1e8,1e10,2.5\n");
    const Runs from_tokens =
        read_csv(with_tokens.request("parameters=n,active_parameters=a,tokens=d,loss=loss")).value();
    EXPECT_NEAR(from_tokens.used[0].flops / 6e18, 1, 1e-12);
    EXPECT_NEAR(from_tokens.used[0].budget / 6e18, 1, 1e-12);
    EXPECT_THAT(from_tokens.conventions.flops, HasSubstr("C = 6 N D with N the active parameters"));
}

/// Five budgets of seven sizes; tokens are whole batches.
std::string rounded_budgets(double batch) {
    std::string text = "n,d,loss\n";
    for (const double flops : {1e18, 3e18, 1e19, 3e19, 1e20})
        for (int k = -3; k <= 3; ++k) {
            const double size = std::sqrt(flops / 120) * std::exp2(0.5 * k);
            const double tokens = batch * std::round(flops / 6 / size / batch);
            text += std::to_string(size) + "," + std::to_string(tokens) + "," +
                    std::to_string(1.8 + 480 * std::pow(size, -.35) + 2100 * std::pow(tokens, -.37)) + "\n";
        }
    return text;
}

std::size_t budgets_of(const std::string& text) {
    const CsvFile file(text);
    const Runs runs = read_csv(file.request("parameters=n,tokens=d,loss=loss")).value();
    std::set<double> budgets;
    for (const Run& run : runs.used)
        budgets.insert(run.budget);
    return budgets.size();
}

TEST(Csv, takesRunsForOneBudgetWhoseTokensAreWholeBatches) {
    EXPECT_EQ(budgets_of(rounded_budgets(524288)), 5u);
    const CsvFile file(rounded_budgets(524288));
    const Runs runs = read_csv({file.name()}, file.request("parameters=n,tokens=d,loss=loss")).value();
    EXPECT_THAT(runs.notes, ElementsAre(HasSubstr("% off its budget")));
    EXPECT_NEAR(runs.used[0].budget / 1e18, 1, 1e-3);
    // Among computes of any kind only equal ones are a budget.
    std::string any = "n,d,loss\n";
    for (int k = 0; k < 40; ++k)
        any += "1e8," + std::to_string(1e9 * std::pow(1.015, k)) + ",3." + std::to_string(99 - k) + "\n";
    EXPECT_EQ(budgets_of(any), 40u);
}

TEST(Csv, keepsBudgetsThatStrayRunsDoNotTouch) {
    // With these the smallest budget is a group 4.5% wide, and none; the other four are as they were.
    std::string text = rounded_budgets(524288);
    for (const double off : {1.015, 1.03, 1.045})
        text += "1e8," + std::to_string(1e18 * off / 6e8) + ",3.2\n";
    const CsvFile file(text);
    std::map<double, int> runs_at;
    const Runs runs = read_csv(file.request("parameters=n,tokens=d,loss=loss")).value();
    for (const auto& run : runs.used)
        ++runs_at[run.budget];
    EXPECT_EQ(std::count_if(runs_at.begin(), runs_at.end(), [](const auto& at) { return at.second == 7; }),
              4);
}

TEST(Csv, passesOverColumnsWithoutANameAndRowsWithoutACell) {
    const auto table = parse_csv(",,,\na,b,, \n1,2,,\n,,,\n , ,\t,\n3,4,,note\n,,\n", "f.csv");
    ASSERT_TRUE(table) << base::to_string(table.error());
    EXPECT_THAT(table->columns, ElementsAre("a", "b", "", ""));
    ASSERT_EQ(table->rows.size(), 2u);
    EXPECT_THAT(table->rows[1].cells, ElementsAre("3", "4", "", "note"));
    EXPECT_EQ(table->rows[1].line, 6u);
    EXPECT_THAT(base::to_string(parse_csv(",,\n,,\n", "f.csv").error()), HasSubstr("no header"));
    const CsvFile file("N,D,L,,\n1e6,1e8,3.5,,\n,,,,\n,,,,\n1e6,2e8,3.4,,\n");
    EXPECT_EQ(faults_of(file.request("parameters=N,tokens=D,loss=L")), "");
    // A column is looked up by a name: nothing finds one that has none.
    for (const auto& [columns, condition] : {std::pair{"parameters=N,tokens=D,loss=L,seed= ", "N"},
                                             std::pair{"parameters=N,tokens=D,loss=L", " "}}) {
        CsvRequest request = file.request(columns);
        request.where = {{condition, "1e6"}};
        EXPECT_THAT(faults_of(request), HasSubstr("there is no column")) << columns;
        EXPECT_THAT(faults_of(request), HasSubstr("(the header has N, D, L)")) << columns;
    }
}

TEST(Csv, namesTheLineOfARowThatIsTooShort) {
    const auto table = parse_csv("a,b\n1,2\n3\n", "f.csv");
    ASSERT_TRUE(table);
    EXPECT_EQ(table->rows.size(), 1U);
    EXPECT_THAT(base::to_string(table->uneven), HasSubstr("f.csv:3: 1 cell (the header has 2)"));
}

TEST(ReadCsv, tellsOfShortRowsBesideAllOtherFaultsOrSkipsThem) {
    const CsvFile file("N,D,L\n1e6,1e8,3.5\n2e6,2e8\n4e6,nan,3\n");
    CsvRequest request = file.request("parameters=N,tokens=D,loss=L");
    EXPECT_THAT(faults_of(request), AllOf(HasSubstr(":3: 2 cells (the header has 3)"), HasSubstr(":4: ")));
    request.skip_bad_rows = true;
    const auto runs = read_csv(request);
    ASSERT_TRUE(runs);
    EXPECT_EQ(runs->used.size(), 1U);
    ASSERT_EQ(runs->rejected.size(), 2U);
    EXPECT_EQ(runs->rejected[1].name, "line 3");
    EXPECT_EQ(runs->rejected[1].reason, "has 2 cells (the header has 3)");
    EXPECT_THAT(runs->notes, Each(Not(HasSubstr("--where"))));
}

TEST(Csv, refusesAnOpenQuotationMarkAndAnEmptyFile) {
    EXPECT_THAT(base::to_string(parse_csv("a,b\n\"1,2\n", "f.csv").error()),
                HasSubstr("f.csv:2: a quotation mark"));
    EXPECT_THAT(base::to_string(parse_csv("", "f.csv").error()), HasSubstr("no header"));
}

TEST(ReadCsv, refusesAColumnThatStandsTwiceOnlyWhereItIsNamed) {
    const CsvFile file("N,D,L,note, note\n1e6,1e8,3.5,a,b\n");
    EXPECT_EQ(faults_of(file.request("parameters=N,tokens=D,loss=L")), "");
    EXPECT_EQ(faults_of(file.request("parameters=N,tokens=D,loss=L,seed=note")),
              file.name() +
                  ":1: column note appears twice (values are looked up by the column's name) rename "
                  "one of them\n");
    CsvRequest request = file.request("parameters=N,tokens=D,loss=L");
    request.where = {{"note", "a"}};
    EXPECT_THAT(faults_of(request), HasSubstr(":1: column note appears twice"));
}

TEST(ReadCsv, saysThatANumberIsTooLargeOrTooSmall) {
    const CsvFile file("N,D,L\n1e999,1e8,3.5\n1e6,-1e999,3.4\n1e6,1e-999,3.3\n");
    const std::string faults = faults_of(file.request("parameters=N,tokens=D,loss=L"));
    EXPECT_THAT(faults, HasSubstr(":2: parameters (column 1, N) is \"1e999\" (a number beyond 1.8e308 is too "
                                  "large to count with) correct it"));
    EXPECT_THAT(faults, HasSubstr(":3: tokens (column 2, D) is \"-1e999\" (a number beyond 1.8e308"));
    EXPECT_THAT(faults, HasSubstr(":4: tokens (column 2, D) is \"1e-999\" (a number this near to zero"));
}

TEST(ReadCsv, saysHowNumbersWithALetterBehindAreWritten) {
    const CsvFile file("N,D,L\n9.56M,1e8,3.5\n1e6,1.74 B,3.4\n12k,1T,3.4\n1.5Mx,1e3M,M\n");
    const std::string faults = faults_of(file.request("parameters=N,tokens=D,loss=L"));
    EXPECT_THAT(faults,
                HasSubstr("is \"9.56M\" (a number with a letter for millions) write 9.56e6, or leave"));
    EXPECT_THAT(faults, HasSubstr("is \"1.74 B\" (a number with a letter for billions) write 1.74e9, or"));
    EXPECT_THAT(faults, HasSubstr("is \"12k\" (a number with a letter for thousands) write 12e3, or"));
    EXPECT_THAT(faults, HasSubstr("is \"1T\" (a number with a letter for trillions) write 1e12, or"));
    for (const char* other : {"\"1.5Mx\"", "\"1e3M\"", "\"M\""})
        EXPECT_THAT(faults, HasSubstr(std::string("is ") + other + " (a number is needed) correct it"));
}

TEST(Csv, refusesCarriageReturnsInsideARowAndUtf16) {
    EXPECT_THAT(base::to_string(parse_csv("a,b\n1\r2,3\n", "f.csv").error()),
                HasSubstr("f.csv:2: a carriage return inside the row"));
    EXPECT_THAT(base::to_string(parse_csv("\xFF\xFE"
                                          "a",
                                          "f.csv")
                                    .error()),
                HasSubstr("f.csv: the text is UTF-16"));
    EXPECT_TRUE(parse_csv("a,b\r\n1,2\r", "f.csv"));  // cut off inside the last line end
}

TEST(Csv, saysWhenCellsAreSeparatedByOtherThanCommas) {
    EXPECT_THAT(
        base::to_string(parse_csv("N;D;L\n1;2;3,5\n", "f.csv").error()),
        HasSubstr("f.csv:1: the header is one column, \"N;D;L\" (its names are separated by semicolons)"));
    EXPECT_THAT(base::to_string(parse_csv("N\tD\n1\t2\n", "f.csv").error()), HasSubstr("by tabs"));
}

TEST(Csv, takesNoNoticeOfSpacesAroundColumnNames) {
    const auto table = parse_csv("a, b ,\tc\n1, 2, 3\n", "f.csv");
    ASSERT_TRUE(table);
    EXPECT_THAT(table->columns, ElementsAre("a", "b", "c"));
    const auto columns = parse_columns("parameters=n, loss = l");
    ASSERT_TRUE(columns);
    EXPECT_EQ(columns->at("loss"), "l");
}

TEST(Csv, saysWhatIsNoText) {
    EXPECT_THAT(base::to_string(parse_csv("\x89HDF\r\n\x1a\n", "f.h5").error()),
                HasSubstr("it is an HDF5 file"));
    EXPECT_THAT(base::to_string(parse_csv(std::string("a\0,\0b\0\n\0", 8), "f.csv").error()),
                HasSubstr("it holds zero bytes"));
}

TEST(Csv, listsTheFirstOfManyFaults) {
    std::string text = "N,D,L\n";
    for (int row = 0; row < 100; ++row)
        text += std::to_string(1000 + row) + ",20000,-" + std::to_string(row + 1) + "\n";
    const CsvFile file(text);
    const auto runs = read_csv(file.request("parameters=N,tokens=D,loss=L"));
    ASSERT_FALSE(runs);
    EXPECT_EQ(runs.error().size(), 21u);
    EXPECT_THAT(base::to_string(runs.error()), HasSubstr(": and 80 more (the first are listed)"));
}

TEST(Csv, saysOnceWhatIsWrongWithManyLines) {
    const auto faults = [](int rows) {
        std::string text = "a\n";
        for (int row = 0; row < rows; ++row)
            text += "1,5\n";
        return shortened(parse_csv(text, "f.csv")->uneven, "f.csv");
    };
    ASSERT_EQ(faults(100).size(), 1u);
    EXPECT_EQ(faults(1)[0].problem, "2 cells");
    EXPECT_EQ(faults(2)[0].problem, "2 cells, and so on line 3");
    EXPECT_EQ(faults(4)[0].problem, "2 cells, and so on lines 3, 4 and 5");
    EXPECT_EQ(faults(100)[0].problem, "2 cells, and so on lines 3, 4, 5 and 96 more");
    EXPECT_EQ(faults(100)[0].where, "f.csv:2");
}

TEST(ReadCsv, derivesTokensFromFlopsAndSaysSo) {
    const CsvFile file("N,C,L\n1e6,6e14,3.5\n");
    const auto runs = read_csv(file.request("parameters=N,flops=C,loss=L"));
    ASSERT_TRUE(runs);
    EXPECT_DOUBLE_EQ(runs->used[0].tokens, 1e8);
    EXPECT_THAT(runs->conventions.tokens, HasSubstr("D = C / (6 N), derived"));
}

TEST(ReadCsv, derivesFlopsFromTokensAndSaysSo) {
    const CsvFile file("N,D,L\n1e6,1e8,3.5\n");
    const auto runs = read_csv(file.request("parameters=N,tokens=D,loss=L"));
    ASSERT_TRUE(runs);
    EXPECT_DOUBLE_EQ(runs->used[0].flops, 6e14);
    EXPECT_THAT(runs->conventions.flops, HasSubstr("C = 6 N D, derived"));
}

TEST(ReadCsv, refusesMissingAndImpossibleValuesWithLineAndColumn) {
    const CsvFile file("N,D,L\n1e6,1e8,3.5\n1e6,2e8,\n1e6,3e8,NaN\n1e6,-5,3\n1e6,4e8,inf\n1e6,5e8,-2\n");
    const std::string faults = faults_of(file.request("parameters=N,tokens=D,loss=L"));
    EXPECT_THAT(faults,
                HasSubstr(file.name() + ":3: loss (column 3, L) is missing, and so on line 4 (a number "
                                        "is needed)"));
    EXPECT_THAT(faults, HasSubstr(file.name() + ":5: tokens (column 2, D) is -5 (a positive finite number"));
    EXPECT_THAT(faults, HasSubstr(file.name() + ":6: loss (column 3, L) is inf"));
    EXPECT_THAT(faults, HasSubstr(file.name() + ":7: loss (column 3, L) is -2"));
    EXPECT_THAT(faults, HasSubstr("--skip-bad-rows"));
}

TEST(ReadCsv, namesLineAndColumnInFilesWithAByteOrderMarkAndWindowsLineEnds) {
    const CsvFile file(
        "\xEF\xBB\xBFN,note,D,L\r\n"        // 1: the mark is no part of the first column's name
        "1e6,\"two\r\nlines\",1e8,3.5\r\n"  // 2 and 3
        "\r\n"                              // 4
        "NaN,,2e8,3.4\r\n"                  // 5
        "1e6,,3e8,\r\n"                     // 6: the return is no part of the last cell
        "1e6,,\"4,5\",3.2\r\n"              // 7
        "1e6,,-5,3.1\r\n");                 // 8
    const std::string faults = faults_of(file.request("parameters=N,tokens=D,loss=L"));
    EXPECT_THAT(faults, HasSubstr(file.name() + ":5: parameters (column 1, N) is missing"));
    EXPECT_THAT(faults, HasSubstr(file.name() + ":6: loss (column 4, L) is missing"));
    EXPECT_THAT(faults, HasSubstr(file.name() + ":7: tokens (column 3, D) is \"4,5\" (a number with a"));
    EXPECT_THAT(faults, HasSubstr(file.name() + ":8: tokens (column 3, D) is -5"));
    const CsvFile short_row("\xEF\xBB\xBFN,D,L\r\n1e6,1e8,3.5\r\n1e6,2e8\r\n1e6,3e8,3,2\r\n");
    const std::string counts = faults_of(short_row.request("parameters=N,tokens=D,loss=L"));
    EXPECT_THAT(counts, HasSubstr(short_row.name() + ":3: 2 cells (the header has 3) complete"));
    EXPECT_THAT(counts, HasSubstr(short_row.name() + ":4: 4 cells (the header has 3) quote"));
}

TEST(ReadCsv, rejectsSuchRowsWhenAskedToAndKeepsTheRest) {
    const CsvFile file("N,D,L\n1e6,1e8,3.5\n1e6,1e8,\n1e6,-5,3\n1e6,1e8,3.5\n1e6,2e8,3.4\n");
    CsvRequest request = file.request("parameters=N,tokens=D,loss=L");
    request.skip_bad_rows = true;
    const auto runs = read_csv(request);
    ASSERT_TRUE(runs);
    EXPECT_EQ(runs->used.size(), 2u);
    ASSERT_EQ(runs->rejected.size(), 3u);
    EXPECT_EQ(runs->rejected[0].name, "line 3");
    EXPECT_EQ(runs->rejected[0].reason, "loss (column 3, L) is missing (a number is needed)");
    EXPECT_THAT(runs->rejected[1].reason, HasSubstr("tokens (column 2, D) is -5"));
    EXPECT_EQ(runs->rejected[2].reason, "the same run as line 2");
}

TEST(ReadCsv, rejectsTextAndDecimalCommasToo) {
    const CsvFile file("N,D,L\n1e6,1e8,3.5\n1e6,many,3.4\n1e6,3e8,\"3,3\"\n1e6,4e8, NA\n 1e6 ,5e8, 3.1\n");
    CsvRequest request = file.request("parameters=N,tokens=D,loss=L");
    EXPECT_THAT(faults_of(request),
                HasSubstr(":4: loss (column 3, L) is \"3,3\" (a number with a decimal comma) write it "
                          "with a point, or leave such rows out with --skip-bad-rows"));
    request.skip_bad_rows = true;
    const auto runs = read_csv(request);
    ASSERT_TRUE(runs);
    EXPECT_EQ(runs->used.size(), 2u);
    ASSERT_EQ(runs->rejected.size(), 3u);
    EXPECT_EQ(runs->rejected[0].reason, "tokens (column 2, D) is \"many\" (a number is needed)");
    EXPECT_EQ(runs->rejected[1].reason, "loss (column 3, L) is \"3,3\" (a number with a decimal comma)");
    EXPECT_EQ(runs->rejected[2].reason, "loss (column 3, L) is missing (a number is needed)");
}

TEST(ReadCsv, refusesRunsThatStandTwice) {
    const CsvFile file("N,D,L,note\n1e6,1e8,3.5,a\n1e6,2e8,3.4,b\n1e6,1e8,3.5,c\n");
    EXPECT_THAT(faults_of(file.request("parameters=N,tokens=D,loss=L")),
                HasSubstr(file.name() + ":4: the same run as line 2 (equal in the columns L, N, D)"));
    EXPECT_EQ(faults_of(file.request("parameters=N,tokens=D,loss=L,seed=note")), "");
}

TEST(ReadCsv, rejectsRunsThatStandTwiceThoughOtherColumnsDiffer) {
    const CsvFile file("N,D,L,note\n1e6,1e8,3.5,a\n1e6,2e8,3.4,b\n1e6,1e8,3.5,c\n");
    CsvRequest request = file.request("parameters=N,tokens=D,loss=L");
    request.skip_bad_rows = true;
    const auto runs = read_csv(request);
    ASSERT_TRUE(runs);
    EXPECT_EQ(runs->used.size(), 2u);
    ASSERT_EQ(runs->rejected.size(), 1u);
    EXPECT_EQ(runs->rejected[0].name, "line 4");
    EXPECT_EQ(runs->rejected[0].reason, "the same run as line 2");
}

TEST(ReadCsv, findsRunsThatStandInTwoFiles) {
    const CsvFile first("N,D,L\n1e6,1e8,3.5\n1e6,2e8,3.4\n"), second("N,D,L\n1e6,4e8,3.2\n1e6,1e8,3.5\n");
    CsvRequest request = first.request("parameters=N,tokens=D,loss=L");
    const auto refused = read_csv({first.name(), second.name()}, request);
    ASSERT_FALSE(refused);
    EXPECT_THAT(base::to_string(refused.error()),
                HasSubstr(second.name() + ":3: the same run as " + first.name() + ":2 (equal in"));
    request.skip_bad_rows = true;
    const auto runs = read_csv({first.name(), second.name()}, request);
    ASSERT_TRUE(runs);
    EXPECT_EQ(runs->used.size(), 3u);
    // Curves may begin alike.
    const CsvFile a("s,L\n0,9\n10,5\n"), b("s,L\n0,9\n10,4\n");
    EXPECT_TRUE(read_csv({a.name(), b.name()}, a.request("step=s,loss=L")));
}

TEST(ReadCsv, tellsCurvesOfFilesApartThatHaveOneNameInTwoFolders) {
    const ScratchFolder folder;
    std::filesystem::create_directories(folder / "a");
    std::filesystem::create_directories(folder / "b");
    const auto put = [&](const char* name, const char* text) {
        write_all(folder / name, text);
        return folder / name;
    };
    const auto first = put("a/loss.csv", "s,L\n1,4\n2,3\n"), second = put("b/loss.csv", "s,L\n1,4\n2,2\n"),
               third = put("b/other.csv", "s,L\n1,4\n2,1\n");
    CsvRequest request;
    request.columns = parse_columns("step=s,loss=L").value();
    const Runs runs = read_csv({first, second, third}, request).value();
    ASSERT_EQ(runs.used.size(), 3u);
    EXPECT_EQ(runs.used[0].name, first.string());
    EXPECT_EQ(runs.used[1].name, second.string());
    EXPECT_EQ(runs.used[2].name, "other");
}

TEST(ReadCsv, refusesARunWithRowsInTwoFiles) {
    const CsvFile first("run,s,L\na,1,4\na,2,3\nb,1,5\n"), second("run,s,L\na,3,2\nc,1,5\n"),
        third("run,s,L\nd,3,2\n");
    const CsvRequest request = first.request("run=run,step=s,loss=L");
    const auto refused = read_csv({first.name(), second.name()}, request);
    ASSERT_FALSE(refused);
    EXPECT_EQ(
        base::to_string(refused.error()),
        second.name() + ": run a stands in " + first.name() +
            " too (a run is read from one file) put its rows into one file, or give two runs two names\n");
    EXPECT_TRUE(read_csv({first.name(), third.name()}, request));
}

TEST(ReadCsv, namesADecimalCommaForWhatItIs) {
    const CsvFile file("N,D,L\n1e6,1e8,\"3,5\"\n");
    EXPECT_THAT(
        faults_of(file.request("parameters=N,tokens=D,loss=L")),
        HasSubstr(file.name() +
                  ":2: loss (column 3, L) is \"3,5\" (a number with a decimal comma) write it with a point"));
}

TEST(ReadCsv, saysThatACommaMaySeparateThousands) {
    const auto said = [](const std::string& cell) {
        const CsvFile file("N,D,L\n1e6,\"" + cell + "\",3.5\n");
        return faults_of(file.request("parameters=N,tokens=D,loss=L"));
    };
    for (const char* cell : {"1,000", "70,000", " 3,142 "})
        EXPECT_THAT(said(cell),
                    HasSubstr("(a comma that may separate thousands or decimals) leave it out, or "
                              "write it as a point"));
    for (const char* cell : {"1,000,000", "1,000.5"})
        EXPECT_THAT(said(cell), HasSubstr("(a number with commas between thousands) leave them out"));
    for (const char* cell : {"0,123", "1234,567", "1,0000", "3,5"})
        EXPECT_THAT(said(cell), HasSubstr("(a number with a decimal comma)"));
    for (const char* cell : {"1,00,000", ",100,", "1,abc"})
        EXPECT_THAT(said(cell), HasSubstr("(a number is needed)"));
}

TEST(ReadCsv, treatsTextWhereANumberBelongsAsAFaultOfThatLine) {
    const CsvFile file("N,D,L\n1e6,1e8,3.5\n1e6,many,3.4\n");
    EXPECT_THAT(faults_of(file.request("parameters=N,tokens=D,loss=L")),
                HasSubstr(file.name() + ":3: tokens (column 2, D) is \"many\" (a number is needed)"));
}

TEST(ReadCsv, takesWhatSingleLawsNeed) {
    const CsvFile file("N,B,S,L,eta,web,code\n1e6,64,1000,3.5,0.01,0.75,0.25\n");
    const auto runs = read_csv(
        file.request("parameters=N,batch=B,steps=S,loss=L,learning_rate=eta,share.web=web,share.code=code"));
    ASSERT_TRUE(runs);
    const auto& run = runs->used[0];
    EXPECT_DOUBLE_EQ(run.tokens, 64000);  // batch times steps
    EXPECT_THAT(runs->conventions.tokens, HasSubstr("batch times steps"));
    EXPECT_DOUBLE_EQ(run.learning_rate.value(), 0.01);
    EXPECT_THAT(runs->sources, ElementsAre("code", "web"));
    EXPECT_THAT(run.shares, ElementsAre(0.25, 0.75));
    EXPECT_TRUE(know(*runs, Role::share));
    EXPECT_FALSE(know(*runs, Role::unique_tokens));
}

TEST(ReadCsv, takesRunsWithoutAnErrorOnTheTaskAndRefusesImpossibleOnes) {
    const CsvFile some(
        "N,D,L,e\n1e6,1e8,3.5,\n1e6,2e8,3.4,0.75\n1e6,3e8,3.3, NA\n1e6,4e8,3.2,0\n1e6,5e8,3.1,1\n");
    const auto runs = read_csv(some.request("parameters=N,tokens=D,loss=L,error=e"));
    ASSERT_TRUE(runs);
    ASSERT_EQ(runs->used.size(), 5u);
    EXPECT_FALSE(runs->used[0].error);
    EXPECT_DOUBLE_EQ(runs->used[1].error.value(), 0.75);
    EXPECT_FALSE(runs->used[2].error);
    EXPECT_TRUE(know(*runs, Role::error));
    const CsvFile bad("N,D,L,e\n1e6,1e8,3.5,75\n1e6,2e8,3.4,-0.1\n1e6,3e8,3.3,inf\n1e6,4e8,3.2,x\n");
    const std::string faults = faults_of(bad.request("parameters=N,tokens=D,loss=L,error=e"));
    EXPECT_THAT(faults, HasSubstr(":2: error (column 4, e) is 75 (a number from 0 to 1 is needed)"));
    EXPECT_THAT(faults, HasSubstr(":3: error (column 4, e) is -0.1 (a number from 0 to 1 is needed)"));
    EXPECT_THAT(faults, HasSubstr(":4: error (column 4, e) is inf (a number from 0 to 1 is needed)"));
    EXPECT_THAT(faults, HasSubstr(":5: error (column 4, e) is \"x\" (a number is needed)"));
}

TEST(ReadCsv, readsCurvesOfSchedulesWithoutSizes) {
    const CsvFile file("run,step,lr,L\na,0,0,9\na,100,0.3,5\na,200,0.1,4\n");
    const auto runs = read_csv(file.request("run=run,step=step,learning_rate=lr,loss=L"));
    ASSERT_TRUE(runs);
    ASSERT_EQ(runs->used.size(), 1u);
    EXPECT_DOUBLE_EQ(runs->used[0].learning_rate.value(), 0.3);  // the peak
    EXPECT_DOUBLE_EQ(runs->used[0].curve[2].step, 200);
    EXPECT_DOUBLE_EQ(runs->used[0].curve[2].learning_rate, 0.1);
    EXPECT_DOUBLE_EQ(runs->used[0].loss, 4);
}

TEST(ReadCsv, namesEveryColumnThatIsNotThere) {
    const CsvFile file("N,D,L\n1e6,1e8,3.5\n");
    const std::string faults = faults_of(file.request("parameters=N,tokens=T,loss=X"));
    EXPECT_THAT(faults, HasSubstr(":1: there is no column T (the header has N, D, L)"));
    EXPECT_THAT(faults, HasSubstr("there is no column X"));
}

TEST(ReadCsv, saysWhenTheFileIsMissingOrNothingPassesWhere) {
    EXPECT_THAT(faults_of({"/nowhere/runs.csv", {{"parameters", "N"}}, {}, 0}), HasSubstr("cannot be read"));
    const CsvFile file("N,D,L,kind\n1e6,1e8,3.5,a\n");
    CsvRequest request = file.request("parameters=N,tokens=D,loss=L");
    request.where = {{"kind", "b"}};
    EXPECT_THAT(faults_of(request), HasSubstr("no row passes every --where"));
}

TEST(ReadCsv, comparesWhereAsNumbersWhenBothAre) {
    const CsvFile file("N,D,L,C\n1e6,1e8,3.5,1e18\n1e6,2e8,3.4,2e18\n");
    CsvRequest request = file.request("parameters=N,tokens=D,loss=L");
    request.where = {{"C", "1000000000000000000"}};
    const auto runs = read_csv(request);
    ASSERT_TRUE(runs);
    ASSERT_EQ(runs->used.size(), 1u);
    EXPECT_DOUBLE_EQ(runs->used[0].loss, 3.5);
    EXPECT_THAT(runs->notes, ElementsAre("1 of 2 rows were set aside by --where"));
}

TEST(ReadCsv, dropsTheHighestLossesAndListsThem) {
    const CsvFile file("N,D,L\n1,1,3\n2,2,9\n3,3,4\n4,4,8\n");
    CsvRequest request = file.request("parameters=N,tokens=D,loss=L");
    request.drop_highest_loss = 2;
    const auto runs = read_csv(request);
    ASSERT_TRUE(runs);
    EXPECT_EQ(runs->used.size(), 2u);
    EXPECT_EQ(runs->rejected[0].name, "line 3");
    EXPECT_EQ(runs->rejected[1].name, "line 5");
}

TEST(DropHighestLoss, leavesTheLowestOfManyRuns) {
    Runs runs;
    runs.used.resize(60000);
    for (std::size_t i = 0; i < runs.used.size(); ++i)
        runs.used[i].loss = static_cast<double>(i % 2 == 0 ? 60000 - i : i);
    drop_highest_loss(runs, 30000);
    EXPECT_EQ(runs.used.size(), 30000u);
    EXPECT_EQ(runs.rejected.size(), 30000u);
    for (const auto& run : runs.used)
        ASSERT_LE(run.loss, 30000);
}

TEST(ReadCsv, dropsTheHighestLossesOfAllFiles) {
    const CsvFile low("N,D,L\n1,1,3\n2,2,4\n"), high("N,D,L\n3,3,9\n4,4,8\n5,5,7\n");
    CsvRequest request = low.request("parameters=N,tokens=D,loss=L");
    request.drop_highest_loss = 2;
    const auto runs = read_csv({low.name(), high.name()}, request);
    ASSERT_TRUE(runs);
    ASSERT_EQ(runs->used.size(), 3u);
    EXPECT_DOUBLE_EQ(runs->used[0].loss, 3);
    EXPECT_DOUBLE_EQ(runs->used[2].loss, 7);
    EXPECT_EQ(runs->rejected.size(), 2u);
}

TEST(ReadCsv, findsTheSameBudgetsHoweverRowsAreSplitOverFiles) {
    // One file's own computes are near each other; together with the other's no gaps remain.
    const std::string header = "N,D,L\n", near = "1,100,5\n1,101,4\n", far = "1,102.5,3\n1,104,2\n";
    const CsvFile whole(header + near + far), first(header + near), second(header + far);
    const CsvRequest request = whole.request("parameters=N,tokens=D,loss=L");
    const Runs together = read_csv(request).value();
    const Runs split = read_csv({first.name(), second.name()}, request).value();
    ASSERT_EQ(split.used.size(), together.used.size());
    for (std::size_t i = 0; i < split.used.size(); ++i)
        EXPECT_EQ(split.used[i].budget, together.used[i].budget);
}

TEST(ReadCsv, joinsRowsOfOneRunIntoACurveThatEndsWithTheMostTokens) {
    const CsvFile file("run,N,D,L\na,10,300,2\na,10,100,4\na,10,200,3\nb,20,100,5\n");
    const auto runs = read_csv(file.request("run=run,parameters=N,tokens=D,loss=L"));
    ASSERT_TRUE(runs);
    ASSERT_EQ(runs->used.size(), 2u);
    EXPECT_EQ(runs->used[0].name, "a");
    EXPECT_DOUBLE_EQ(runs->used[0].loss, 2);
    ASSERT_EQ(runs->used[0].curve.size(), 3u);
    EXPECT_DOUBLE_EQ(runs->used[0].curve[1].tokens, 200);
}

TEST(ReadCsv, endsARunWithItsLastStepWhereOtherColumnsSayTheSameOfAllItsRows) {
    const CsvFile steps("run,B,S,s,L\na,64,300,100,4\na,64,300,300,2\na,64,300,200,3\n");
    const auto by_step = read_csv(steps.request("run=run,batch=B,steps=S,step=s,loss=L"));
    ASSERT_TRUE(by_step);
    ASSERT_EQ(by_step->used.size(), 1u);
    EXPECT_DOUBLE_EQ(by_step->used[0].loss, 2);
    EXPECT_DOUBLE_EQ(by_step->used[0].tokens, 64 * 300);
    EXPECT_DOUBLE_EQ(by_step->used[0].curve[0].tokens, 64 * 100);
    EXPECT_DOUBLE_EQ(by_step->used[0].curve[1].loss, 3);
    EXPECT_THAT(by_step->conventions.tokens, HasSubstr("batch times the steps so far"));
    const CsvFile total("run,D,s,L\na,900,100,4\na,900,300,2\na,900,200,3\n");
    const auto by_tie = read_csv(total.request("run=run,tokens=D,step=s,loss=L"));
    ASSERT_TRUE(by_tie);
    EXPECT_DOUBLE_EQ(by_tie->used[0].loss, 2);
    EXPECT_DOUBLE_EQ(by_tie->used[0].curve[1].loss, 3);
}

TEST(ReadCsv, endsARunWithTheMostFlopsWhereTokensAreNotGiven) {
    const CsvFile file("run,C,L\na,1e18,4\na,3e18,2\na,2e18,3\n");
    const auto runs = read_csv(file.request("run=run,flops=C,loss=L"));
    ASSERT_TRUE(runs);
    EXPECT_DOUBLE_EQ(runs->used[0].loss, 2);
    EXPECT_DOUBLE_EQ(runs->used[0].flops, 3e18);
    EXPECT_DOUBLE_EQ(runs->used[0].curve[1].loss, 3);
}

TEST(ReadCsv, refusesARunWhoseRowsNothingPutsInOrder) {
    const CsvFile file("run,D,L\na,1e8,4\na,1e8,2\nb,1e8,3\n");
    for (const char* columns : {"run=run,loss=L", "run=run,tokens=D,loss=L"})
        EXPECT_EQ(faults_of(file.request(columns)).find(file.name() + ": the rows of run a have no order"),
                  0u);
    EXPECT_THAT(faults_of(file.request("run=run,loss=L")), HasSubstr("name the column that counts them"));
}

TEST(ReadCsv, takesNoNoticeOfSpacesAroundTexts) {
    const CsvFile file("run,seed,f,N,D,L\na,1, x,10,1e8,4\n a , 1,x ,10,2e8,3\n\"a\t\",1,x,10,3e8,2\n");
    const Runs runs =
        read_csv(file.request("run=run,seed=seed,family=f,parameters=N,tokens=D,loss=L")).value();
    ASSERT_EQ(runs.used.size(), 1u);
    EXPECT_EQ(runs.used[0].name, "a");
    EXPECT_EQ(runs.used[0].family, "x");
    EXPECT_EQ(runs.used[0].curve.size(), 3u);
    const CsvFile twice("name,N,D,L\na,10,1e8,4\n a,10, 1e8,4\n");
    EXPECT_THAT(faults_of(twice.request("name=name,parameters=N,tokens=D,loss=L")),
                HasSubstr(":3: the same run as line 2"));
}

TEST(ReadCsv, rejectsARunWhoseLastRowsHaveNoLoss) {
    const CsvFile file(
        "run,N,D,s,L\na,10,1e8,1,4\na,10,2e8,2,NaN\nb,10,1e8,1,4\na,10,3e8,3,NaN\nb,10,2e8,2,3\n");
    const auto read = [&](const std::string& columns) {
        CsvRequest request = file.request("run=run,parameters=N,loss=L," + columns);
        request.skip_bad_rows = true;
        return read_csv(request).value();
    };
    for (const char* columns : {"tokens=D", "step=s", "tokens=D,step=s", "flops=D"}) {
        const Runs runs = read(columns);
        ASSERT_EQ(runs.used.size(), 1u) << columns;
        EXPECT_EQ(runs.used[0].name, "b");
        ASSERT_EQ(runs.rejected.size(), 3u);
        EXPECT_EQ(runs.rejected[0].name, "a");
        EXPECT_THAT(runs.rejected[0].reason,
                    HasSubstr("ends before its last 2 rows, which are rejected (it may have diverged;"));
        EXPECT_EQ(runs.rejected[1].name, "line 3 of run a");
        EXPECT_EQ(runs.rejected[1].reason.find("loss (column 5, L) is missing"), 0u);
        EXPECT_EQ(runs.rejected[2].name, "line 5 of run a");
    }
    const CsvFile curve("s,L\n1,4\n2,\n");
    CsvRequest request = curve.request("step=s,loss=L");
    request.skip_bad_rows = true;
    const Runs none = read_csv(request).value();
    EXPECT_TRUE(none.used.empty());
    EXPECT_THAT(none.rejected[0].reason, HasSubstr("ends before its last row, which is rejected"));
    EXPECT_EQ(none.rejected[1].name, "line 3 of run " + none.rejected[0].name);
}

TEST(ReadCsv, takesARunWhoseLossIsMeasuredSeldomForFinished) {
    const CsvFile file(
        "run,N,s,L\na,10,1,\na,10,2,4\na,10,3,\na,10,4,3\na,10,5,\nb,10,0,\nb,10,1,4\nb,10,2,4\n");
    CsvRequest request = file.request("run=run,parameters=N,step=s,loss=L");
    request.skip_bad_rows = true;
    const Runs runs = read_csv(request).value();
    ASSERT_EQ(runs.used.size(), 2u);
    EXPECT_EQ(runs.used[0].curve.size(), 2u);
    EXPECT_EQ(runs.rejected.size(), 4u);
}

TEST(ReadCsv, takesARunWithASummaryBehindItsLastRowForFinished) {
    // The summary has no loss, and one step more: where tokens are given they have not grown.
    std::string table = "run,N,D,s,L\n";
    for (int step = 1; step <= 60; ++step)
        table += "a,10," + std::to_string(step) + "e6," + std::to_string(step) + ",3\n";
    const CsvFile file(table + "a,10,60e6,61,\n");
    for (const char* columns :
         {"run=run,parameters=N,tokens=D,step=s,loss=L", "run=run,parameters=N,step=s,loss=L"}) {
        CsvRequest request = file.request(columns);
        request.skip_bad_rows = true;
        EXPECT_EQ(read_csv(request).value().used.size(), 1u) << columns;
    }
    // Taken up again after it had diverged, with steps from 1 on.
    const CsvFile resumed(
        "run,N,D,s,L\na,10,1e8,1,4\na,10,2e8,2,\na,10,3e8,3,\na,10,2e8,1,3\na,10,3e8,1,2\n");
    CsvRequest request = resumed.request("run=run,parameters=N,tokens=D,step=s,loss=L");
    request.skip_bad_rows = true;
    EXPECT_EQ(read_csv(request).value().used.size(), 1u);
}

TEST(ReadCsv, refusesRowsOfOneRunThatAreOfSeveral) {
    const auto faults = [](const std::string& text, const std::string& columns) {
        const CsvFile file(text);
        const std::string said = faults_of(file.request(columns));
        return said.empty() ? said : said.substr(file.name().size());
    };
    const std::string seeds =
        "run,seed,N,D,L\na,1,10,1e8,4\na,1,10,2e8,3\na,2,10,1e8,5\na,2,10,2e8,2\nb,1,10,1e8,3\n";
    EXPECT_EQ(faults(seeds, "run=run,seed=seed,parameters=N,tokens=D,loss=L"),
              ": the rows of run a differ in their seed (they are of more than one run) name a column that "
              "tells runs apart (run=), or keep the rows of one with --where\n");
    EXPECT_THAT(
        faults("run,f,N,D,L\na,x,10,1e8,4\na,y,20,2e8,3\n", "run=run,family=f,parameters=N,tokens=D,loss=L"),
        HasSubstr("the rows of run a differ in their family, parameters ("));
    EXPECT_THAT(faults("w,s,L\n64,1,4\n128,2,3\n", "width=w,step=s,loss=L"),
                HasSubstr("differ in their width ("));
    EXPECT_THAT(faults("m,s,L\na,1,4\nb,2,3\n", "name=m,step=s,loss=L"),
                HasSubstr("the rows are of a and of b (without run="));
    // An empty cell says nothing of the seed, nor of the name; 1e1 is 10, and 1.0 is 1.
    EXPECT_EQ(faults("m,s,L\na,1,4\n,2,3\n", "name=m,step=s,loss=L"), "");
    EXPECT_EQ(faults("run,seed,N,D,L\na,nan,10,1e8,4\na,1,10,1e8,4\na,,1e1,2e8,3\na,1.0,10,3e8,2\n",
                     "run=run,seed=seed,parameters=N,tokens=D,loss=L"),
              "");
}

TEST(ReadCsv, givesBudgetsThatDifferByRoundingOneValue) {
    const CsvFile file("N,D,L\n3,1e8,3\n6,0.50000001e8,4\n7,1e8,5\n");
    const auto runs = read_csv(file.request("parameters=N,tokens=D,loss=L"));
    ASSERT_TRUE(runs);
    EXPECT_EQ(runs->used[0].budget, runs->used[1].budget);
    EXPECT_NE(runs->used[0].budget, runs->used[2].budget);
}

TEST(ParseColumns, namesUnknownRepeatedAndMissingRoles) {
    const auto faults = [](const char* text) { return base::to_string(parse_columns(text).error()); };
    EXPECT_THAT(faults("size=N,loss=L,tokens=D"), HasSubstr("unknown role size"));
    EXPECT_THAT(faults("parameters=N,parameters=M,loss=L,tokens=D"), HasSubstr("parameters is given twice"));
    EXPECT_THAT(faults("parameters=N,tokens=D"), HasSubstr("no column for loss"));
    EXPECT_THAT(faults("parameters"), HasSubstr("names no column"));
}

}  // namespace
}  // namespace isogrid::analysis

// Text, JSON and page: the contract, the width, nothing fetched from outside.
#include "analysis/report/report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "analysis/figures/numbers.hpp"
#include "analysis/report/axis_ticks.hpp"
#include "analysis/report/frontier_figures.hpp"
#include "analysis/report/gnuplot.hpp"
#include "analysis/report/sentences.hpp"
#include "analysis/report/text_lines.hpp"
#include "synthetic_runs.hpp"

namespace isogrid::analysis {
namespace {

using testing::HasSubstr;
using testing::Not;

Answer synthetic_answer() {
    Runs runs = isoflop_runs(four_budgets, 7, 3, known_loss);
    runs.used.back().bits_per_byte = 2.4;
    runs.used[runs.used.size() - 2].bits_per_byte = 2.3;
    runs.rejected.push_back(
        {"b9 <script>", std::string(64, 'f'), "diverged: loss above its start at step 12"});
    FitOptions options;
    options.bootstrap = 40;
    return answer(std::move(runs), {}, options, {}, {{"unigram", 4.6}, {"xz -9", 2.0}});
}

TEST(Answer, recommendsAtAHundredTimesTheLargestBudgetUnlessTold) {
    const Answer all = synthetic_answer();
    ASSERT_EQ(all.predictions.size(), 2u);  // the envelope is refused: there are no curves
    EXPECT_EQ(all.predictions[0].law, "joint");
    EXPECT_EQ(all.predictions[1].law, "isoflop");
    EXPECT_DOUBLE_EQ(all.predictions[0].flops, 6.4e21);
}

TEST(Answer, saysHowFarTheLawsDifferInSizeAndInLoss) {
    Answer all = synthetic_answer();
    all.predictions[1].parameters.value = 1.1 * all.predictions[0].parameters.value;
    all.predictions[1].loss.value = 1.05 * all.predictions[0].loss.value;
    EXPECT_EQ(describe_agreement(all),
              "The laws differ by a factor of 1.1 over the best size there, and by 5% over its loss.");
    all.predictions[1].loss.value = 1.3 * all.predictions[0].loss.value;  // of one size, and no agreement
    EXPECT_THAT(describe_agreement(all), HasSubstr("and by 30% over its loss: more budgets"));
    all.predictions[1].loss.value = all.predictions[0].loss.value / 1.3;  // isoflop's loss falls to zero
    EXPECT_EQ(describe_agreement(all),
              "The laws differ by a factor of 1.1 over the best size there, and by 30% over its loss, as "
              "isoflop has no floor: its loss there is a lower limit.");
}

TEST(Answer, warnsOfBudgetsFarBeyondTheRunsBesideTheDecision) {
    FitOptions options;
    options.bootstrap = 0;
    const Runs runs = isoflop_runs(four_budgets, 7, 3, known_loss);
    const auto at = [&](double flops) { return answer(runs, {"joint"}, options, {flops}, {}); };
    const Answer near = at(6.4e22), far = at(1e40);
    EXPECT_THAT(to_text(near), Not(HasSubstr("far_extrapolation")));
    EXPECT_THAT(to_text(far), HasSubstr("warning   far_extrapolation: 1.00e+40 FLOPs are 20 decades"));
    EXPECT_THAT(to_html(far, {}), HasSubstr("far_extrapolation"));
    EXPECT_THAT(to_json(far).at("decisions").at(0).at("warnings").at(0).get<std::string>(),
                HasSubstr("far_extrapolation"));
    EXPECT_TRUE(to_json(near).at("decisions").at(0).at("warnings").empty());
    EXPECT_THAT(to_html(at(6.4e20), {}),
                HasSubstr("This is 1 decade of compute beyond the largest run; the interval does not cover "
                          "the risk that the law fails out there."));
    EXPECT_THAT(to_html(at(6.4e21), {}), HasSubstr("This is 2 decades of compute"));
}

TEST(Answer, repeatsADoubtAboutUnitsBesideTheDecision) {
    FitOptions options;
    options.bootstrap = 0;
    Runs runs = isoflop_runs(four_budgets, 7, 3, known_loss);
    for (auto& run : runs.used)
        run.parameters /= 1e6, run.tokens /= 1e6, run.flops /= 1e12, run.budget /= 1e12;
    const Answer all = answer(std::move(runs), {"joint"}, options, {}, {});
    const std::string text = to_text(all);
    EXPECT_THAT(text.substr(text.find("decision  ")), HasSubstr("warning   mixed_conventions: "));
    const std::string html = to_html(all, {});
    EXPECT_LT(html.find("mixed_conventions"), html.find("<th class=\"text\">law</th><th>FLOPs</th>"));
}

TEST(Answer, isBriefWhereThatIsAskedFor) {
    const Answer all = synthetic_answer();
    const std::string text = to_text(all), brief = to_text(all, 80, Detail::brief);
    const std::string together = text.substr(text.find("The laws at a glance"));
    EXPECT_TRUE(brief.ends_with(together));
    EXPECT_THAT(brief, Not(HasSubstr("objective ")));
    EXPECT_THAT(text, HasSubstr("objective "));
}

TEST(Answer, givesTheLossOfALawWithoutAFloorAsALimit) {
    const Answer all = synthetic_answer();
    const Prediction &joint = all.predictions[0], &isoflop = all.predictions[1];
    EXPECT_THAT(describe(joint, all), HasSubstr("expect a loss of 2.1248 ("));
    const std::string least = "a loss of at least " + format_quantity(isoflop.loss.value, Quantity::loss);
    EXPECT_THAT(describe(isoflop, all), HasSubstr("expect " + least + "."));
    EXPECT_TRUE(describe_rival(isoflop, all).ends_with(", " + least));
    EXPECT_THAT(
        to_html(all, {}),
        HasSubstr("<td>at least " + format_quantity(isoflop.loss.value, Quantity::loss) + "</td><td>-</td>"));
    Prediction inside = isoflop;
    inside.flops = 1e19;
    EXPECT_THAT(describe(inside, all), Not(HasSubstr("at least")));
}

TEST(Answer, saysHowNearTheBestTrialComesToTheReferences) {
    const std::string words = describe_compression(synthetic_answer());
    EXPECT_THAT(words, HasSubstr("The best trial of the largest budget, run 26, reaches 2.3 bits per byte"));
    EXPECT_THAT(words, HasSubstr("50% better than unigram (4.6)"));
    EXPECT_THAT(words, HasSubstr("15% short of xz -9 (2)"));
}

TEST(Answer, speaksOfNoBudgetWhereAStudyHasNone) {
    Answer all = synthetic_answer();
    for (auto& run : all.runs.used)
        run.budget = 0;
    EXPECT_THAT(describe_compression(all),
                HasSubstr("The best trial of those that cost most, run 26, reaches 2.3 bits per byte"));
    FitOptions options;
    options.bootstrap = 0;
    for (const std::string& note : fit_joint(all.runs, options).notes)
        EXPECT_THAT(note, Not(HasSubstr("largest budget")));
}

TEST(Answer, saysThatASweepHasNotEndedWhereverItIsWritten) {
    Answer all = synthetic_answer();
    for (const bool ended : {true, false}) {
        all.runs.unfinished = ended ? "" : "the sweep goes on & on";
        EXPECT_EQ(to_text(all).find("  so far   the sweep goes on & on\n") == std::string::npos, ended);
        EXPECT_EQ(to_html(all, {}).find("So far: the sweep goes on &amp; on.") == std::string::npos, ended);
        EXPECT_EQ(to_json(all).at("input").value("unfinished", ""), all.runs.unfinished);
    }
}

TEST(Json, hasEveryKeyOfTheContract) {
    const nlohmann::json document = to_json(synthetic_answer());
    EXPECT_EQ(document.at("schema"), "isogrid-fit/1");
    EXPECT_EQ(document.at("input").at("digest").get<std::string>().size(), 64u);
    EXPECT_EQ(document.at("input").at("runs_used").size(), 28u);
    EXPECT_EQ(document.at("input").at("runs_rejected").at(0).at("run"), std::string(64, 'f'));
    EXPECT_TRUE(document.at("input").at("runs_rejected").at(0).contains("reason"));
    EXPECT_TRUE(document.at("conventions").contains("parameters"));
    EXPECT_TRUE(document.at("conventions").contains("flops"));

    const nlohmann::json& joint = document.at("laws").at("joint");
    EXPECT_EQ(joint.at("status"), "ok");
    EXPECT_EQ(joint.at("objective").at("kind"), "huber:0.001");
    EXPECT_TRUE(joint.at("objective").at("value").is_number());
    for (const char* name : {"E", "A", "B", "alpha", "beta"}) {
        const nlohmann::json& parameter = joint.at("parameters").at(name);
        EXPECT_TRUE(parameter.at("value").is_number());
        EXPECT_TRUE(parameter.at("se").is_number());
        EXPECT_EQ(parameter.at("ci95").size(), 2u);
    }
    EXPECT_TRUE(joint.at("warnings").is_array());

    const nlohmann::json& isoflop = document.at("laws").at("isoflop");
    EXPECT_TRUE(isoflop.at("parameters").contains("parameters_exponent"));
    EXPECT_TRUE(isoflop.at("parameters").contains("tokens_exponent"));
    ASSERT_EQ(isoflop.at("budgets").size(), 4u);
    for (const char* key : {"flops", "parameters", "tokens", "loss"})
        EXPECT_TRUE(isoflop.at("budgets").at(0).at(key).is_number()) << key;
    EXPECT_EQ(isoflop.at("budgets").at(0).at("status"), "ok");

    EXPECT_EQ(document.at("laws").at("envelope").at("status"), "refused");
    EXPECT_THAT(document.at("laws").at("envelope").at("reason").get<std::string>(), HasSubstr("no_curves"));

    const nlohmann::json& prediction = document.at("predictions").at(0);
    for (const char* key : {"flops", "parameters", "tokens"})
        EXPECT_TRUE(prediction.at(key).is_number()) << key;
    EXPECT_TRUE(prediction.at("loss").at("value").is_number());
    EXPECT_EQ(prediction.at("loss").at("ci95").size(), 2u);
}

TEST(Json, writesWhatIsNotKnownAsNull) {
    FitOptions options;
    options.bootstrap = 0;
    const Answer all = answer(isoflop_runs(four_budgets, 7, 3, known_loss), {"joint"}, options, {1e21}, {});
    const nlohmann::json document = to_json(all);
    EXPECT_TRUE(document.at("laws").at("joint").at("parameters").at("E").at("se").is_null());
    EXPECT_FALSE(document.at("laws").contains("isoflop"));
    EXPECT_EQ(document.at("predictions").size(), 1u);
    EXPECT_EQ(nlohmann::json::parse(document.dump()), document);
}

TEST(Answer, saysWhereTheObjectiveAskedForHasNoEffect) {
    FitOptions options;
    options.bootstrap = 0;
    const auto notes_of = [&](const char* law) {
        return answer(isoflop_runs(four_budgets, 7, 3, known_loss), {law}, options, {}, {})
            .fits.front()
            .notes;
    };
    const auto said = testing::Contains(HasSubstr("has no effect on this law"));
    EXPECT_THAT(notes_of("isoflop"), Not(said));  // nobody asked for one
    options.objective = parse_objective("l1").value();
    options.objective_asked = true;
    EXPECT_THAT(notes_of("isoflop"), said);
    EXPECT_THAT(notes_of("joint"), Not(said));
    EXPECT_THAT(notes_of("overtraining"), Not(said));  // of the loss, not of its logarithm, but l1
}

TEST(Answer, saysWhereTheResamplingAskedForHasNoEffect) {
    FitOptions options;
    options.bootstrap = 20;
    options.resampling = Resampling::residuals;
    const auto notes_of = [&](const char* law) {
        // compute asks for six budgets or more
        const Runs runs = isoflop_runs({1e18, 2e18, 4e18, 8e18, 1.6e19, 3.2e19, 6.4e19}, 7, 3, known_loss);
        return answer(runs, {law}, options, {}, {}).fits.front().notes;
    };
    const auto said = testing::Contains(HasSubstr("--resample residuals has no effect on this law"));
    EXPECT_THAT(notes_of("isoflop"), Not(said));  // nobody asked for it
    options.resampling_asked = true;
    EXPECT_THAT(notes_of("isoflop"), said);
    EXPECT_THAT(notes_of("joint"), Not(said));
    EXPECT_THAT(notes_of("compute"), Not(said));
    options.resampling = Resampling::cases;
    EXPECT_THAT(notes_of("compute"), testing::Contains(HasSubstr("draw again: residuals")));
    options.bootstrap = 0;
    EXPECT_THAT(notes_of("isoflop"), Not(testing::Contains(HasSubstr("--resample"))));  // no replicates
}

TEST(Answer, saysWhichOptionsChangeNothing) {
    const Runs runs = isoflop_runs(four_budgets, 7, 3, known_loss);
    FitOptions options;
    options.bootstrap = 0;
    const auto notes_of = [&](const std::string& law, std::optional<double> inference_tokens = {}) {
        return answer(runs, {law}, options, {}, {}, inference_tokens).notes;
    };
    EXPECT_THAT(notes_of("isoflop"), testing::IsEmpty());
    EXPECT_THAT(notes_of("joint", 1e12), testing::IsEmpty());
    EXPECT_THAT(
        notes_of("isoflop", 1e12),
        testing::ElementsAre(HasSubstr("--inference-tokens has no effect: isoflop decides, which knows the "
                                       "loss of best sizes alone")));
    EXPECT_THAT(notes_of("size", 1e12),
                testing::ElementsAre("--inference-tokens has no effect: no law decides"));
    options.hold_out = {"run 1"};
    options.check = options.base = JointLaw{1.8, 400, 1000, 0.3, 0.3};
    options.equal_exponents = true;
    options.overhead_from = 64;
    options.minimum = MinimumBy::akima;
    options.resampling_asked = true;
    const std::vector<std::string> all = {
        "--hold-out has no effect: schedule is not fitted, and other laws are fitted to all runs",
        "--check has no effect: joint is not fitted",
        "--constrain has no effect: joint is not fitted",
        "--overhead-from has no effect: critical_batch is not fitted",
        "--base has no effect: repetition is not fitted",
        "--minimum has no effect: isoflop is not fitted",
        "--resample has no effect: --bootstrap 0 draws nothing again"};
    EXPECT_EQ(notes_of("size"), all);
    EXPECT_THAT(notes_of("isoflop"), Not(testing::Contains(HasSubstr("--minimum"))));
    EXPECT_THAT(notes_of("joint"), Not(testing::Contains(HasSubstr("joint is not fitted"))));
    EXPECT_THAT(notes_of("joint_kaplan"), Not(testing::Contains(HasSubstr("--constrain"))));
    // The three ways to write the answer all tell it.
    const Answer told = answer(runs, {"size"}, options, {}, {{"xz -9", 2.0}});
    ASSERT_EQ(told.notes.size(), all.size() + 1);
    EXPECT_EQ(
        told.notes.back(),
        "--reference has no effect: these runs do not say their bits per byte (archives do where tokens are "
        "bytes, or with evaluation.sample = \"spread\")");
    EXPECT_EQ(to_json(told).at("notes").size(), told.notes.size());
    EXPECT_THAT(to_text(told), HasSubstr("  note     --base has no effect: repetition is not fitted\n"));
    EXPECT_THAT(to_html(told, {}), HasSubstr("Note: --base has no effect: repetition is not fitted."));
    EXPECT_THAT(synthetic_answer().notes, testing::IsEmpty());  // it has bits per byte
}

TEST(Answer, saysThatFewReplicatesTellNoIntervals) {
    const auto notes_of = [](std::size_t replicates) {
        FitOptions options;
        options.bootstrap = replicates;
        const Answer all = answer(isoflop_runs(four_budgets, 7, 3, known_loss), {"joint"}, options, {}, {});
        const bool interval = std::isfinite(all.fits.front().parameters.front().estimate.low);
        EXPECT_NE(interval,
                  testing::Value(all.notes, testing::Contains(HasSubstr("is too few for intervals"))) ||
                      replicates == 0);
        return all.notes;
    };
    EXPECT_THAT(notes_of(19), testing::ElementsAre("--bootstrap 19 is too few for intervals from replicates, "
                                                   "which need 20 (those from a profile need none)"));
    EXPECT_THAT(notes_of(1), testing::SizeIs(1));
    EXPECT_THAT(notes_of(20), testing::IsEmpty());
    EXPECT_THAT(notes_of(0), testing::IsEmpty());  // asked for
}

TEST(Answer, saysWhereProfileIntervalsHaveNoEffect) {
    FitOptions options;
    options.bootstrap = 20;
    options.objective = parse_objective("l2").value();
    const auto notes_of = [&](const char* law) {
        const Runs runs = isoflop_runs({1e18, 2e18, 4e18, 8e18, 1.6e19, 3.2e19, 6.4e19}, 7, 3, known_loss);
        return answer(runs, {law}, options, {}, {}).fits.front().notes;
    };
    const auto said = testing::Contains(HasSubstr("--intervals profile has no effect on this law"));
    EXPECT_THAT(notes_of("isoflop"), Not(said));  // nobody asked for them
    options.intervals = Intervals::profile;
    EXPECT_THAT(notes_of("isoflop"), said);
    EXPECT_THAT(notes_of("joint"), Not(said));
    EXPECT_THAT(notes_of("compute"), Not(said));
}

TEST(Json, saysWhichConstraintWasAskedFor) {
    FitOptions options;
    options.bootstrap = 0;
    options.equal_exponents = true;
    const auto document =
        to_json(answer(isoflop_runs(four_budgets, 7, 3, known_loss), {"joint"}, options, {1e21}, {}));
    EXPECT_EQ(document.at("settings").at("constrain"), "alpha=beta");
    const auto& parameters = document.at("laws").at("joint").at("parameters");
    EXPECT_EQ(parameters.at("alpha").at("value"), parameters.at("beta").at("value"));
    EXPECT_TRUE(to_json(synthetic_answer()).at("settings").at("constrain").is_null());
}

TEST(Text, fitsEightyColumnsAndNamesRefusals) {
    const std::string text = to_text(synthetic_answer());
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        EXPECT_LE(line.size(), 80u) << line;
    EXPECT_THAT(text, HasSubstr("REFUSED  no_curves"));
    EXPECT_THAT(text, HasSubstr("rejected b9"));
}

TEST(Text, putsNumbersBelowANameThatIsTooLong) {
    Answer all = synthetic_answer();
    LawFit& fit = *std::find_if(all.fits.begin(), all.fits.end(), [](const LawFit& f) { return !f.refused; });
    fit.derived = {{"ramp_critical_batch_against_batch_32_loss_difference", {.value = -0.012345}},
                   {"thirty_letters_make_no_new_line", {.value = 1.5}}};
    fit.derived.front().estimate.se = 0.00123;
    fit.derived.front().estimate.low = -0.01512;
    fit.derived.front().estimate.high = -0.009876;
    const std::string text = to_text(all);
    EXPECT_THAT(text, HasSubstr("\n  ramp_critical_batch_against_batch_32_loss_difference\n" +
                                std::string(26, ' ') + "-0.012345   +/- 0.0012     [-0.01512, -0.009876]\n"));
    EXPECT_THAT(text, HasSubstr("\n  thirty_letters_make_no_new_line 1.5\n"));
}

TEST(Text, alignsNamesByTheirLettersNotTheirBytes) {
    Answer all = synthetic_answer();
    all.fits.front().tables.push_back(
        {"k",
         "Names",
         {{"run", "run", Quantity::text}, {"x", "x", Quantity::number}, {"status", "status", Quantity::text}},
         {{"caf\xC3\xA9", 1.0, "ok"}, {"cafe", 1.0, "ok"}}});
    const std::string text = to_text(all);
    EXPECT_THAT(text, HasSubstr("\n  caf\xC3\xA9 1  ok\n"));
    EXPECT_THAT(text, HasSubstr("\n  cafe 1  ok\n"));
}

TEST(Text, breaksATableThatIsTooWideAndNamesItsRowsInEachPart) {
    Table wide{"k",
               "Wide",
               {{"kind", "kind", Quantity::text}, {"width", "width", Quantity::number}},
               {{"mup", 64.0}, {"mup", 128.0}, {"standard", 64.0}}};
    for (const char* title :
         {"aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbb", "cccccccccccccccccccc"}) {
        wide.columns.push_back({title, title, Quantity::number});
        for (auto& row : wide.rows)
            row.emplace_back(1.0);
    }
    wide.columns.push_back({"status", "status", Quantity::text});
    for (auto& row : wide.rows)
        row.emplace_back("ok");
    EXPECT_EQ(table_lines(wide, 80),
              "  kind     width aaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbb\n"
              "  mup         64                            1                            1\n"
              "  mup        128                            1                            1\n"
              "  standard    64                            1                            1\n"
              "\n"
              "  kind     width cccccccccccccccccccc  status\n"
              "  mup         64                    1  ok\n"
              "  mup        128                    1  ok\n"
              "  standard    64                    1  ok\n");
}

TEST(Text, tellsAtAGlanceWhichLawStandsWhoDecidesAndHowFarOffEachWas) {
    Answer all = synthetic_answer();
    for (LawFit& fit : all.fits)
        fit.held_out = {{"best size", 0.25}, {"loss", 0.03}};
    const std::string text = to_text(all);
    const std::string glance = text.substr(text.find("The laws at a glance"));
    EXPECT_THAT(glance, HasSubstr("  envelope        refused: no_curves"));
    EXPECT_THAT(glance, HasSubstr("  isoflop         stands "));
    EXPECT_THAT(glance, HasSubstr("  joint           decides "));
    EXPECT_THAT(glance, HasSubstr("best size 25%, loss 3%\n"));
}

TEST(Text, keepsLinesAndColoursOfNamesOffTheTerminal) {
    Answer all = synthetic_answer();
    all.runs.source = "runs\nof.csv";
    all.runs.rejected.push_back({"b10\x1b[31m", std::string(64, 'f'), "no\tloss"});
    all.fits.front().tables.push_back({"k", "Names", {{"run", "run", Quantity::text}}, {{"one\ntwo\x7f"}}});
    const std::string text = to_text(all);
    EXPECT_THAT(text, HasSubstr("runs of.csv"));
    EXPECT_THAT(text, HasSubstr("b10 [31m: no loss"));
    EXPECT_THAT(text, HasSubstr("one two\n"));
    EXPECT_EQ(text.find_first_of("\x1b\x7f\t"), std::string::npos);
}

TEST(FrontierFigures, drawTheLawThatDecidesAndItsRivalsBroken) {
    Answer all = synthetic_answer();
    ASSERT_FALSE(all.decisions.empty());
    std::map<std::string, bool> is_form_of_joint;
    for (const LawFit& fit : all.fits)
        if (!fit.refused && (fit.predict || fit.surface))
            is_form_of_joint[fit.name] = fit.surface.has_value();
    ASSERT_EQ(is_form_of_joint.size(), 4u);  // isoflop, joint, joint_kaplan, overtraining
    for (const auto& [deciding, is_form] : is_form_of_joint) {
        all.decisions.front().law = deciding;
        for (const Figure& figure : frontier_figures(all)) {
            std::map<std::string, Mark> drawn;
            for (const Series& series : figure.series)
                if (!series.label.empty()) drawn[series.label] = series.mark;
            ASSERT_EQ(drawn.size(), is_form_of_joint.size() + 1) << figure.key;  // and the target
            for (const auto& [law, broken] : is_form_of_joint)
                EXPECT_EQ(drawn.at(law), broken && law != deciding ? Mark::dashes : Mark::line) << law;
        }
    }
}

TEST(Page, showsAnIntervalWithAnOpenEndAsTheTextDoes) {
    Answer all = synthetic_answer();
    for (LawFit& fit : all.fits)
        if (fit.name == "joint") fit.parameters.front().estimate.low = -INFINITY;
    EXPECT_THAT(to_html(all, {}), HasSubstr("<td>-inf to "));
    EXPECT_THAT(to_text(all), HasSubstr("[-inf, "));
}

/// On a telephone a wide table scrolls by itself, not the page with it.
TEST(Page, scrollsEveryTableInABoxOfItsOwn) {
    const std::string page = to_html(synthetic_answer(), {});
    std::size_t tables = 0;
    for (std::size_t at = page.find("<table>"); at != std::string::npos; at = page.find("<table>", at + 1)) {
        const std::string before = page.substr(0, at);
        EXPECT_TRUE(before.ends_with("<div class=\"wide\">") || before.ends_with("<div class=\"scroll\">"))
            << page.substr(at, 80);
        ++tables;
    }
    EXPECT_GT(tables, 8u);
    std::size_t opened = 0, closed = 0;
    for (std::size_t at = page.find("<div"); at != std::string::npos; at = page.find("<div", at + 1))
        ++opened;
    for (std::size_t at = page.find("</div>"); at != std::string::npos; at = page.find("</div>", at + 1))
        ++closed;
    EXPECT_EQ(opened, closed);
}

TEST(Page, needsNothingFromOutside) {
    const Answer all = synthetic_answer();
    std::vector<Picture> pictures;
    for (const Figure& figure : frontier_figures(all))
        pictures.push_back({"", figure, draw(figure).value_or("")});
    for (const LawFit& fit : all.fits)
        for (const Figure& figure : fit.figures)
            pictures.push_back({fit.name, figure, draw(figure).value_or("")});
    const std::string page = to_html(all, pictures);
    for (const char* outside : {"http", "src=", "<script", "<link", "@import", "xlink"})
        EXPECT_THAT(page, Not(HasSubstr(outside)));
    EXPECT_THAT(page, HasSubstr("diverged: loss above its start"));
    EXPECT_THAT(page, HasSubstr("title=\"" + std::string(64, 'f') + "\""));
    EXPECT_THAT(page, HasSubstr("envelope refused: no_curves"));
    for (const char* key :
         {"isoflop-curves", "frontier-parameters", "frontier-tokens", "frontier-loss", "joint-residuals"})
        EXPECT_THAT(page, HasSubstr("figure-" + std::string(key)));
}

TEST(Gnuplot, drawsAnInlinePictureWithItsOwnIds) {
    const Figure figure{"shape",
                        "It's a title",
                        "",
                        {"x_1", Quantity::flops, true},
                        {"y", Quantity::loss, false},
                        {{"5 o'clock", Mark::points, 0.5, 0, {1e12, 1e15}, {1, 2}, {}},
                         {"", Mark::band, std::nullopt, 1, {1e12, 1e15}, {1, 2}, {2, 3}}}};
    const auto svg = draw(figure);
    if (!svg) GTEST_SKIP() << base::to_string(svg.error());
    EXPECT_TRUE(svg->starts_with("<svg"));
    EXPECT_THAT(*svg, HasSubstr("id='shape-gpPt5'"));
    EXPECT_THAT(*svg, HasSubstr("href='#shape-gpPt"));
    EXPECT_THAT(*svg, HasSubstr("5 o'clock"));
}

TEST(Gnuplot, drawsTitlesThatStayWords) {
    // A parametrization of somebody's CSV, say; the picture stands in a page that others open.
    const auto svg = draw({"k", "mup\" onload=\"x", "", {}, {}, {{"", Mark::points, 0.5, 0, {1}, {1}, {}}}});
    if (!svg) GTEST_SKIP() << base::to_string(svg.error());
    EXPECT_THAT(*svg, HasSubstr(" aria-label=\"mup&quot; onload=&quot;x\""));
}

TEST(Gnuplot, isMissedWithAClearMessage) {
    const std::string path = std::getenv("PATH");
    ::setenv("PATH", "/nowhere", 1);
    const auto svg = draw({"empty", "t", "", {}, {}, {{"", Mark::points, 0.5, 0, {1}, {1}, {}}}});
    ::setenv("PATH", path.c_str(), 1);
    ASSERT_FALSE(svg);
    EXPECT_THAT(base::to_string(svg.error()), HasSubstr("apt-get install gnuplot"));
}

TEST(Ticks, labelDecadesOnLongAxesAndStepsOnShortOnes) {
    const auto labels = [](double low, double high, Quantity quantity) {
        std::vector<std::string> found;
        for (const Tick& tick : logarithmic_ticks(low, high, quantity))
            if (!tick.label.empty()) found.push_back(tick.label);
        return found;
    };
    EXPECT_THAT(labels(1e12, 1e15, Quantity::flops),
                testing::ElementsAre("10^{12}", "10^{13}", "10^{14}", "10^{15}"));
    EXPECT_THAT(labels(1e4, 1e5, Quantity::parameters), testing::ElementsAre("10k", "20k", "50k", "100k"));
    EXPECT_THAT(labels(2e6, 5e6, Quantity::tokens),
                testing::ElementsAre("2M", "2.5M", "3M", "3.5M", "4M", "4.5M", "5M"));
    EXPECT_THAT(labels(1.75, 2.7, Quantity::loss), testing::ElementsAre("1.8", "2", "2.2", "2.4", "2.6"));
    EXPECT_THAT(labels(1.2e18, 2.1e18, Quantity::flops), testing::ElementsAre("1.2\xC3\x97"
                                                                              "10^{18}",
                                                                              "1.4\xC3\x97"
                                                                              "10^{18}",
                                                                              "1.6\xC3\x97"
                                                                              "10^{18}",
                                                                              "1.8\xC3\x97"
                                                                              "10^{18}",
                                                                              "2\xC3\x97"
                                                                              "10^{18}"));
}

TEST(Numbers, areWrittenByWhatTheyMeasure) {
    EXPECT_EQ(format_quantity(6.4e13, Quantity::flops), "6.40e+13");
    EXPECT_EQ(format_quantity(1234567, Quantity::parameters), "1.23M");
    EXPECT_EQ(format_quantity(999.7, Quantity::tokens), "1k");
    EXPECT_EQ(format_quantity(2.34567, Quantity::loss), "2.3457");
    EXPECT_EQ(format_quantity(std::nan(""), Quantity::number), "-");
    EXPECT_EQ(format_count(1.4e12), "1.4T");
    EXPECT_EQ(format_count(1.1e15), "1.10e+15");  // no suffix is that large
}

// Gnuplot has commands that start a shell, and titles come from job files and CSVs.
TEST(Gnuplot, takesNoLineOfATitleForACommand) {
    Figure figure{};
    figure.x.title = "x\nsystem 'true'";
    const std::string script = gnuplot_script(figure);
    EXPECT_THAT(script, testing::HasSubstr("x system ''true''"));
    EXPECT_THAT(script, testing::Not(testing::HasSubstr("\nsystem")));
}

}  // namespace
}  // namespace isogrid::analysis

// Which law should decide: rules held against published runs and our own archives. Every cut between budgets
// is tried: fit below it, predict the runs near the best size of each budget above it, up to 256 times as
// far. Prints a table in Markdown, which docs/laws/decide.md holds.
//   bench_decide [PART_OF_A_DATASET'S_NAME]
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iomanip>
#include <iostream>
#include <limits>
#include <map>
#include <set>
#include <string>

#include "analysis/answer/decide.hpp"
#include "analysis/published_data.hpp"

namespace {

using namespace isogrid::analysis;

constexpr std::array<double, 3> reaches = {4, 32, 256};  // times the compute fitted
constexpr double near_best_size = 2;                     // times the best size, or a part of it
constexpr std::size_t replicates = 100;                  // enough to see a parameter without a limit

struct Dataset {
    std::string name;
    Runs runs;
};

/// Many computes, hardly two alike, are counted in octaves.
void set_budgets(Runs& runs) {
    constexpr std::size_t many = 20;
    std::set<double> different;
    for (const Run& run : runs.used)
        different.insert(run.budget > 0 ? run.budget : run.flops);
    for (Run& run : runs.used)
        if (different.size() > many)
            run.budget = std::exp2(std::ceil(std::log2(run.flops) - 1e-9));
        else if (!(run.budget > 0))
            run.budget = run.flops;
}

Dataset published(const std::string& name, const std::filesystem::path& file, const std::string& columns,
                  std::vector<std::pair<std::string, std::string>> where = {}, std::size_t dropped = 0) {
    return {name,
            read_csv({published_data() / file, parse_columns(columns).value(), std::move(where), dropped})
                .value()};
}

std::vector<Dataset> datasets() {
    std::vector<Dataset> all;
    all.push_back(published("besiroglu", "besiroglu/svg_extracted_data.csv",
                            "parameters=Model Size,flops=Training FLOP,loss=loss", {}, 5));
    const char* porian = "parameters=n_params,flops=flops,tokens=tokens,loss=loss";
    for (const char* experiment :
         {"reproducing_kaplan", "last_layer_flops", "correct_warmup", "cosine_decay", "optimizer_tuning"})
        for (const char* text : {"rw", "owt2"})
            all.push_back(published("porian " + std::string(experiment) + " " + text,
                                    "porian/isoflop_points.csv", porian,
                                    {{"experiment", experiment}, {"dataset", text}}));
    for (const char* text : {"rpj", "c4_original", "rw_original"})
        all.push_back(published("gadre " + std::string(text), "gadre_overtraining/runs_104.csv",
                                "parameters=params,tokens=tokens,loss=loss_c4_val", {{"dataset", text}}));
    all.push_back(published("datablations", "datablations/runs_182.csv",
                            "parameters=params,tokens=tokens,unique_tokens=unique_tokens,loss=loss"));
    std::erase_if(all.back().runs.used, [](const Run& run) { return run.tokens > *run.unique_tokens; });
    const std::filesystem::path ours = std::filesystem::path(ISOGRID_SOURCE_DIR) / "analysis/example";
    for (const char* name :
         {"quickstart", "isoflop-cosine", "isoflop-trunks", "ladder-dictionary", "schedules"}) {
        Runs runs = read_archive_runs({ours / (std::string(name) + ".h5"), {}, {}, 0}).value();
        std::erase_if(runs.used, [](const Run& run) {
            return !run.studies.empty() &&
                   std::none_of(run.studies.begin(), run.studies.end(), [](const auto& study) {
                       return study == "isoflop" || study == "schedules" || study == "validation";
                   });
        });
        std::map<std::string, Runs> families;
        for (const Run& run : runs.used)
            families[run.family].used.push_back(run);
        for (auto& [family, some] : families)
            all.push_back({family.empty() ? name : std::string(name) + " " + family, std::move(some)});
    }
    for (Dataset& dataset : all)
        set_budgets(dataset.runs);
    return all;
}

/// By budget: the runs within a factor of 2 of the size that did best.
std::map<double, std::vector<Run>> runs_near_the_best(const Runs& runs) {
    std::map<double, std::vector<Run>> budgets;
    for (const Run& run : runs.used)
        budgets[run.budget].push_back(run);
    for (auto& [budget, some] : budgets) {
        const double best = std::min_element(some.begin(), some.end(), [](const Run& a, const Run& b) {
                                return a.loss < b.loss;
                            })->parameters;
        std::erase_if(some, [&](const Run& run) {
            return run.parameters > near_best_size * best * 1.001 ||
                   run.parameters * near_best_size * 1.001 < best;
        });
    }
    return budgets;
}

using Budgets = std::map<double, std::vector<Run>>;

std::vector<LawFit> fit_up_to(const Runs& runs, double budget) {
    Runs some = runs;
    std::erase_if(some.used, [&](const Run& run) { return run.budget > budget; });
    FitOptions options;
    options.bootstrap = replicates;
    return {fit_joint(some, options),           fit_joint_kaplan(some, options),
            fit_joint_rosenfeld(some, options), fit_overtraining(some, options),
            fit_isoflop(some, options),         fit_envelope(some, options)};
}
constexpr std::size_t forms = 4;  // of those the first, which know a loss everywhere

using Loss = std::function<double(double parameters, double tokens)>;

double mean_error(const Loss& loss, const std::vector<Run>& runs) {
    double sum = 0;
    for (const Run& run : runs)
        sum += std::abs(loss(run.parameters, run.tokens) / run.loss - 1) / static_cast<double>(runs.size());
    return sum;
}

/// A form that may decide at a cut, with its errors on budgets held out below it; infinite where none were.
struct Voice {
    const LawFit* fit = nullptr;
    double of_all = 0;     ///< over all runs held out (held_out_error_of_loss)
    double near_best = 0;  ///< over those near the best sizes

    double loss(double N, double D) const { return fit->surface->loss(N, D); }
};

/// What is known at a cut.
struct Known {
    std::vector<Voice> voices;     ///< of those who may speak, the joint law first where it stands
    std::vector<LawFit> of_sizes;  ///< isoflop and envelope
    double factor = 6;             ///< FLOPs a parameter and token
};

struct Rule {
    std::string name;
    std::function<double(const Known&, double N, double D)> loss;
};

const Voice& first_unless(const std::vector<Voice>& voices, double Voice::*error, double share) {
    const Voice* best = &voices.front();
    for (const Voice& voice : voices)
        if (voice.*error < share * (best->*error)) best = &voice;
    return *best;
}

/// The first form, unless a later one's error is below `share` of its.
Rule choose(const std::string& name, double Voice::*error, double share) {
    return {name, [=](const Known& known, double N, double D) {
                return first_unless(known.voices, error, share).loss(N, D);
            }};
}

/// As decide() does: the same with a half, of forms whose floor no run has gone below; without such a form by
/// isoflop or envelope, whose loss is that of the best size, which is near.
double loss_as_decided(const Known& known, double N, double D) {
    std::vector<Voice> possible = known.voices;
    std::erase_if(possible, [](const Voice& voice) { return voice.fit->surface->contradicted(); });
    if (!possible.empty()) return first_unless(possible, &Voice::of_all, 0.5).loss(N, D);
    for (const LawFit& fit : known.of_sizes)
        if (!fit.refused && fit.predict) return fit.predict(known.factor * N * D).loss.value;
    return known.voices.front().loss(N, D);
}

/// The mean of all log losses, weighted (Bates and Granger 1969 weigh by inverse squared error).
Rule combine(const std::string& name, const std::function<double(const Voice&)>& weight) {
    return {name, [=](const Known& known, double N, double D) {
                double sum = 0, weights = 0;
                for (const Voice& voice : known.voices)
                    if (const double w = weight(voice); w > 0)
                        sum += w * std::log(voice.loss(N, D)), weights += w;
                return weights > 0 ? std::exp(sum / weights) : known.voices.front().loss(N, D);
            }};
}

const std::vector<Rule> rules = {
    choose("first", &Voice::of_all, 0),
    choose("half", &Voice::of_all, 0.5),
    {"decided", loss_as_decided},
    choose("lowest", &Voice::of_all, 1),
    choose("half, near", &Voice::near_best, 0.5),
    choose("lowest, near", &Voice::near_best, 1),
    combine("mean", [](const Voice&) { return 1.0; }),
    combine("weighted, near", [](const Voice& v) { return 1 / (v.near_best * v.near_best); })};

/// Errors of each rule, added up.
struct Score {
    std::vector<double> sums = std::vector<double>(rules.size(), 0.0);
    int count = 0;

    void add(const std::vector<double>& errors) {
        for (std::size_t r = 0; r < errors.size(); ++r)
            sums[r] += errors[r];
        ++count;
    }
    void merge(const Score& other) {
        for (std::size_t r = 0; r < sums.size(); ++r)
            sums[r] += other.sums[r];
        count += other.count;
    }
    std::vector<double> means() const {
        std::vector<double> all = sums;
        for (double& sum : all)
            sum /= count;
        return all;
    }
    void print(const std::string& name) const {
        std::cout << "| " << name << " | " << count;
        for (const double mean : means())
            std::cout << " | " << std::fixed << std::setprecision(1) << 100 * mean;
        std::cout << " |" << std::endl;
    }
};

/// The mean error near the best sizes between earlier cuts and this one, averaged over the earlier cuts.
double error_near_best(const std::map<double, std::vector<LawFit>>& fits, std::size_t form, double cut,
                       const Budgets& budgets) {
    double sum = 0;
    int cuts = 0;
    for (const auto& [earlier, before] : fits) {
        if (earlier >= cut || before[form].refused || !before[form].surface) continue;
        double error = 0;
        int tried = 0;
        for (const auto& [budget, runs] : budgets)
            if (budget > earlier && budget <= cut)
                error += mean_error(before[form].surface->loss, runs), ++tried;
        sum += error / tried, ++cuts;
    }
    return cuts > 0 ? sum / cuts : std::numeric_limits<double>::infinity();
}

/// What a case is like.
struct Kind {
    bool joint = false;     ///< the joint law stands
    std::size_t reach = 0;  ///< the budget predicted is up to reaches[reach] times the cut
    auto operator<=>(const Kind&) const = default;
};

std::string described(const Kind& kind) {
    return ", to " + std::to_string(static_cast<int>(reaches[kind.reach])) + " times" +
           (kind.joint ? "" : ", no joint law");
}

std::map<Kind, Score> score(const Runs& runs) {
    const Budgets budgets = runs_near_the_best(runs);
    std::map<double, std::vector<LawFit>> fits;
    std::map<Kind, Score> scores;
    for (auto cut = budgets.begin(); std::next(cut) != budgets.end(); ++cut) {
        const auto& here = fits[cut->first] = fit_up_to(runs, cut->first);
        Known known{{}, {here.begin() + forms, here.end()}};
        for (std::size_t form = 0; form < forms; ++form)
            if (may_decide(here[form])) {
                known.voices.push_back({&here[form], held_out_error_of_loss(here[form]),
                                        error_near_best(fits, form, cut->first, budgets)});
                known.factor = here[form].surface->flops_per_parameter_token;
            }
        if (known.voices.empty()) continue;
        const bool joint = known.voices.front().fit->name == "joint";
        for (auto target = std::next(cut); target != budgets.end(); ++target) {
            const auto reach = std::find_if(reaches.begin(), reaches.end(), [&](double times) {
                return target->first <= times * cut->first * 1.001;
            });
            if (reach == reaches.end()) break;
            std::vector<double> errors;
            for (const Rule& rule : rules)
                errors.push_back(
                    mean_error([&](double N, double D) { return rule.loss(known, N, D); }, target->second));
            scores[{joint, static_cast<std::size_t>(reach - reaches.begin())}].add(errors);
        }
    }
    return scores;
}

}  // namespace

int main(int count, char** words) {
    std::cout << "| runs | cases";
    for (const Rule& rule : rules)
        std::cout << " | " << rule.name;
    std::cout << " |\n|---|---";
    for (std::size_t r = 0; r < rules.size(); ++r)
        std::cout << "|---";
    std::cout << "|" << std::endl;
    std::map<Kind, Score> all;
    for (const Dataset& dataset : datasets()) {
        if (count > 1 && dataset.name.find(words[1]) == std::string::npos) continue;
        Score with_joint;
        for (const auto& [kind, score] : score(dataset.runs)) {
            all[kind].add(score.means());
            if (kind.joint) with_joint.merge(score);
        }
        if (with_joint.count > 0) with_joint.print(dataset.name);
    }
    for (const auto& [kind, score] : all)
        score.print("mean of sets" + described(kind));
}

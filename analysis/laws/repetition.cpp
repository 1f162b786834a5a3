// What data is worth when it is seen again, and parameters when there are more than the data can teach.
#include "analysis/laws/repetition.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "analysis/fit/parametric.hpp"
#include "analysis/fit/validation.hpp"
#include "analysis/report/numbers.hpp"

namespace isogrid::analysis {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// log(1 + decay (1 - exp(-repetitions / decay))), what repetitions multiply fresh data by, and its
/// derivatives.
struct Worth {
    double log_factor = 0, by_log_decay = 0, by_repetitions = 0;

    Worth(double repetitions, double decay) {
        const double x = repetitions / decay, gone = -std::expm1(-x);
        const double factor = 1 + decay * gone;
        log_factor = std::log(factor);
        // The difference cancels where the decay is slow, and a slope of zero would look like no law at all.
        by_log_decay = decay * (x < 1e-3 ? x * x * (0.5 - x / 3) : gone - x * std::exp(-x)) / factor;
        by_repetitions = std::exp(-x) / factor;
    }
};

double effective(double count, double unique, double decay) {
    if (count <= unique) return count;
    return unique * std::exp(Worth(count / unique - 1, decay).log_factor);
}

/// The runs in logarithms, and the law in the coordinates of the optimizer: log R_D*, log R_N* and, unless
/// the base is given, log E, log A and log B at the mean size and data, log alpha, log beta.
struct LogRepetition {
    enum Place : std::size_t { log_rd, log_rn, log_E, log_a, log_b, log_alpha, log_beta };
    struct Row {
        double log_n, log_d, log_u, log_loss;
    };
    std::vector<Row> rows;
    double mean_n = 0, mean_d = 0;
    std::optional<GivenLaw> given;
    std::vector<double> held;  ///< the coordinates of the given base

    LogRepetition(const std::vector<Run>& runs, const std::optional<GivenLaw>& base) : given(base) {
        for (const Run& run : runs) {
            const double unique = std::min(run.unique_tokens.value_or(run.tokens), run.tokens);
            rows.push_back(
                {std::log(run.parameters), std::log(run.tokens), std::log(unique), std::log(run.loss)});
            mean_n += rows.back().log_n / static_cast<double>(runs.size());
            mean_d += rows.back().log_u / static_cast<double>(runs.size());
        }
        if (base)
            held = {0,
                    0,
                    std::log(base->E),
                    std::log(base->A) - base->alpha * mean_n,
                    std::log(base->B) - base->beta * mean_d,
                    std::log(base->alpha),
                    std::log(base->beta)};
    }

    std::size_t parameters() const { return given ? 2 : 7; }

    /// Beyond these limits the law hardly changes any more; from there on it does not change at all, or an
    /// optimizer would run on for ever.
    static constexpr double lowest = -16, highest = 21;
    static bool limited(double log_decay) { return log_decay <= lowest || log_decay >= highest; }
    static double decay(double log_decay) { return std::exp(std::clamp(log_decay, lowest, highest)); }

    double residual(std::span<const double> at, std::size_t i, std::span<double> gradient) const {
        const Row& row = rows[i];
        const auto base = given ? std::span<const double>(held) : at;
        const double rd = decay(at[log_rd]), rn = decay(at[log_rn]);
        const double al = std::exp(base[log_alpha]), be = std::exp(base[log_beta]);

        const Worth data(std::exp(row.log_d - row.log_u) - 1, rd);
        const double log_size = base[log_a] + al * mean_n, log_data = base[log_b] + be * mean_d;
        const double log_un = (std::log(al) + log_size - std::log(be) - log_data + be * row.log_u) / al;
        const bool excess = row.log_n > log_un;
        const double repetitions = excess ? std::expm1(row.log_n - log_un) : 0;
        const Worth size(repetitions, rn);
        const double log_n = excess ? log_un + size.log_factor : row.log_n;
        const double log_d = row.log_u + data.log_factor;

        const double n_term = log_size - al * log_n, d_term = log_data - be * log_d;
        const double top = std::max({base[log_E], n_term, d_term});
        const double e = std::exp(base[log_E] - top), n = std::exp(n_term - top), d = std::exp(d_term - top);
        const double sum = e + n + d;
        if (!gradient.empty()) {
            gradient[log_rd] = limited(at[log_rd]) ? 0 : -be * data.by_log_decay * d / sum;
            gradient[log_rn] = limited(at[log_rn]) || !excess ? 0 : -al * size.by_log_decay * n / sum;
            if (!given) {
                // The optimal size moves with the base: its share in log N'.
                const double by_un = excess ? 1 - (repetitions + 1) * size.by_repetitions : 0;
                const double pull = -al * by_un * n / sum;
                gradient[log_E] = e / sum;
                gradient[log_a] = n / sum + pull / al;
                gradient[log_b] = d / sum - pull / al;
                gradient[log_alpha] = al * (mean_n - log_n) * n / sum + pull * (1 / al + mean_n - log_un);
                gradient[log_beta] =
                    be * ((mean_d - log_d) * d / sum + pull * (row.log_u - 1 / be - mean_d) / al);
            }
            // Far out the law overflows: no place to go, and no slope to follow.
            for (const double slope : gradient)
                if (!std::isfinite(slope)) return slope;
        }
        return top + std::log(sum) - row.log_loss;
    }

    ResidualModel model() const {
        return {parameters(), rows.size(),
                [this](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                    return residual(at, i, gradient);
                }};
    }

    /// R_D*, R_N* and, unless given, E, A, B, alpha, beta.
    std::vector<double> report(std::span<const double> at) const {
        std::vector<double> values = {decay(at[log_rd]), decay(at[log_rn])};
        if (!given) {
            const double al = std::exp(at[log_alpha]), be = std::exp(at[log_beta]);
            values.insert(values.end(), {std::exp(at[log_E]), std::exp(at[log_a] + al * mean_n),
                                         std::exp(at[log_b] + be * mean_d), al, be});
        }
        return values;
    }

    RepetitionLaw law(std::span<const double> v) const {
        const JointLaw base = given ? JointLaw{given->E, given->A, given->B, given->alpha, given->beta}
                                    : JointLaw{v[2], v[3], v[4], v[5], v[6]};
        return {base, v[0], v[1]};
    }

    double most_epochs() const {
        double most = 1;
        for (const Row& row : rows)
            most = std::max(most, std::exp(row.log_d - row.log_u));
        return most;
    }
};

const std::array<double, 7> decays = {0.3, 1, 3, 10, 30, 100, 500};

/// Every pair of decays; a base is begun where the shares of its three terms are usual.
std::vector<std::vector<double>> starts(const LogRepetition& data) {
    double lowest = infinity;
    for (const auto& row : data.rows)
        lowest = std::min(lowest, row.log_loss);
    std::vector<std::vector<double>> bases = {{}};
    if (!data.given) {
        bases.clear();
        for (const double floor : {0.3, 0.7, 0.9})
            for (const double term : {0.05, 0.3})
                for (const double exponent : {0.2, 0.35, 0.6})
                    bases.push_back({lowest + std::log(floor), lowest + std::log(term),
                                     lowest + std::log(term), std::log(exponent), std::log(exponent)});
    }
    std::vector<std::vector<double>> grid;
    for (const auto& base : bases)
        for (const double rd : decays)
            for (const double rn : decays) {
                std::vector<double> start = {std::log(rd), std::log(rn)};
                start.insert(start.end(), base.begin(), base.end());
                grid.push_back(std::move(start));
            }
    return grid;
}

ParametricLaw parametric(const LogRepetition& data) {
    // The decays have no hard limits: running to infinity or zero is an answer, and judged as one.
    ParametricLaw law{.model = data.model(),
                      .parameters = {{"R_D*"}, {"R_N*"}},
                      .report = [&data](std::span<const double> at) { return data.report(at); },
                      .starts = starts(data),
                      .minimized_starts = 49};
    if (!data.given) {
        law.parameters.push_back({"E", 1e-3, infinity, /*soft=*/true});
        for (const char* name : {"A", "B"})
            law.parameters.push_back({name});
        for (const char* name : {"alpha", "beta"})
            law.parameters.push_back({name, 0.01, 3});
    }
    return law;
}

/// A place where starts end, and how many do.
struct Valley {
    std::vector<double> at;
    double value = 0;
    std::size_t starts = 0;
};

std::vector<Valley> local_optima(const std::vector<Minimum>& minima) {
    constexpr double same_value = 1e-5, same_place = 0.02;
    std::vector<Valley> optima;
    for (const Minimum& minimum : minima) {
        if (!minimum.converged) continue;
        const auto found = std::find_if(optima.begin(), optima.end(), [&](const Valley& known) {
            if (minimum.value > known.value * (1 + same_value)) return false;
            for (const std::size_t p : {0, 1}) {
                const double here = std::clamp(minimum.at[p], -7.0, 16.0);  // all of the limit is one place
                const double there = std::clamp(known.at[p], -7.0, 16.0);
                if (std::abs(here - there) > same_place) return false;
            }
            return true;
        });
        if (found != optima.end())
            ++found->starts;
        else
            optima.push_back({minimum.at, minimum.value, 1});
    }
    return optima;
}

Table optima_table(const LogRepetition& data, const std::vector<Valley>& optima) {
    Table table{"optima",
                "Where the starts end",
                {{"data_decay", "R_D*", Quantity::number},
                 {"parameter_decay", "R_N*", Quantity::number},
                 {"objective", "objective", Quantity::text},
                 {"above", "above the lowest", Quantity::percent},
                 {"starts", "starts", Quantity::number},
                 {"status", "", Quantity::text}},
                {}};
    for (const Valley& optimum : optima) {
        const auto values = data.report(optimum.at);
        table.rows.push_back({values[0], values[1], optimum.value, optimum.value / optima.front().value - 1,
                              static_cast<double>(optimum.starts),
                              &optimum == &optima.front() ? "lowest" : "local"});
    }
    return table;
}

/// The lowest objective with R_D* held, over a grid of R_D*.
struct Profile {
    std::vector<double> decay, objective;
};

Profile profile(const LogRepetition& data, const FitOptions& options, const std::vector<Valley>& optima,
                double highest) {
    Profile found;
    constexpr int points = 31;
    std::vector<double> last;  // where the point before ended
    const double low = std::log(0.3), high = std::log(highest);
    for (int k = 0; k < points; ++k) {
        const double held = low + (high - low) * k / (points - 1);
        const ResidualModel inner{
            data.parameters() - 1, data.rows.size(),
            [&data, held](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                std::array<double, 7> all{}, slopes{};
                all[0] = held;
                std::copy(at.begin(), at.end(), all.begin() + 1);
                const double residual = data.residual(
                    std::span(all).first(at.size() + 1), i,
                    gradient.empty() ? std::span<double>{} : std::span(slopes).first(at.size() + 1));
                std::copy_n(slopes.begin() + 1, gradient.size(), gradient.begin());
                return residual;
            }};
        std::vector<std::vector<double>> begin;
        for (std::size_t o = 0; o < std::min<std::size_t>(optima.size(), 2); ++o)
            begin.emplace_back(optima[o].at.begin() + 1, optima[o].at.end());
        if (!last.empty()) begin.push_back(last);
        const auto minima = minimize_from_many(inner, options.objective, {}, begin, begin.size());
        if (minima.empty()) continue;
        found.decay.push_back(std::exp(held));
        found.objective.push_back(minima.front().value);
        last = minima.front().at;
    }
    return found;
}

/// Value and interval of a decay whose replicates may run away: such ends are infinite or zero, and said so.
Estimate decay_estimate(double value, const ParametricFit& fit, std::size_t index, double most) {
    const auto limited = [&](double v) { return v > most ? infinity : v; };
    Estimate estimate = summarize(value, fit.replicates, index, fit.widening);
    estimate.value = limited(value);
    if (fit.replicates.size() < 20) return estimate;
    std::vector<double> sorted;
    for (const auto& replicate : fit.replicates)
        sorted.push_back(limited(replicate[index]));
    std::sort(sorted.begin(), sorted.end());
    // The quantiles' places (bootstrap.hpp) from the outer neighbour, as between a number and infinity there
    // is nothing.
    const auto count = static_cast<double>(sorted.size());
    const auto place = [&](double at) { return static_cast<std::size_t>(std::clamp(at, 0.0, count - 1)); };
    // Widened in logarithms, as a decay is positive; an infinite end stays so.
    const auto widened = [&](double end) {
        const bool finite = std::isfinite(end) && std::isfinite(estimate.value) && end > 0;
        return finite ? estimate.value * std::pow(end / estimate.value, fit.widening) : end;
    };
    estimate.low = widened(sorted[place(std::floor(0.025 * (count + 1) - 1))]);
    estimate.high = widened(sorted[place(std::ceil(0.975 * (count + 1) - 1))]);
    if (!std::isfinite(estimate.high)) estimate.se = std::nan("");
    return estimate;
}

/// The law at the fit and at its replicates.
struct Laws {
    RepetitionLaw law;
    std::vector<RepetitionLaw> replicates;
    double widening = 1;

    template <class Of>
    Estimate estimate(const Of& of) const {
        std::vector<double> spread;
        for (const RepetitionLaw& other : replicates)
            spread.push_back(of(other));
        return summarize(of(law), std::move(spread), widening);
    }
};

Table worth_table(const Laws& laws) {
    Table table{"repetition",
                "What so many epochs are worth, in epochs of fresh data",
                {{"epochs", "epochs", Quantity::number},
                 {"worth", "worth", Quantity::number},
                 {"low", "95% from", Quantity::number},
                 {"high", "to", Quantity::number},
                 {"next", "the next one", Quantity::percent}},
                {}};
    for (const double epochs : {2, 4, 8, 16, 32, 64, 128}) {
        const Estimate worth =
            laws.estimate([&](const auto& law) { return law.effective_tokens(epochs, 1); });
        table.rows.push_back(
            {epochs, worth.value, worth.low, worth.high, std::exp(-(epochs - 1) / laws.law.data_decay)});
    }
    return table;
}

/// For each amount of different tokens, the split of compute into size and epochs that the law likes best.
Table frontier_table(const Laws& laws, const std::vector<Run>& runs) {
    Table table{"frontier",
                "Best size and epochs where different tokens are limited (C = 6 N D)",
                {{"unique_tokens", "different tokens", Quantity::tokens},
                 {"flops", "compute", Quantity::flops},
                 {"parameters", "parameters", Quantity::parameters},
                 {"epochs", "epochs", Quantity::number},
                 {"loss", "loss", Quantity::loss},
                 {"low", "95% from", Quantity::loss},
                 {"high", "to", Quantity::loss}},
                {}};
    double unique = 0;
    for (const Run& run : runs)
        unique = std::max(unique, std::min(run.unique_tokens.value_or(run.tokens), run.tokens));
    const auto best = [&](const RepetitionLaw& law, double flops) {
        double low = std::log(law.optimal_size(unique)) - 7, high = low + 14;
        const auto loss = [&](double u) { return law.loss(std::exp(u), flops / 6 / std::exp(u), unique); };
        for (int k = 0; k < 80; ++k) {  // one valley: each term bends up in log N
            const double left = low + 0.382 * (high - low), right = high - 0.382 * (high - low);
            if (loss(left) < loss(right))
                high = right;
            else
                low = left;
        }
        return std::pair{std::exp((low + high) / 2), loss((low + high) / 2)};
    };
    for (const double more : {1.0, 3.0, 10.0, 30.0, 100.0}) {
        const double flops = 6 * laws.law.optimal_size(unique) * unique * more;
        const auto [size, loss] = best(laws.law, flops);
        const Estimate range = laws.estimate([&](const auto& law) { return best(law, flops).second; });
        table.rows.push_back({unique, flops, size, flops / 6 / size / unique, loss, range.low, range.high});
    }
    return table;
}

Figure worth_figure(const Laws& laws, const std::vector<Run>& runs) {
    Figure figure{"repetition-worth",
                  "What repeated data is worth",
                  "Effective over different tokens against epochs. Grey: every epoch as good as fresh data. "
                  "Dots: what each run's loss says its data was worth, the law's other terms granted.",
                  {"epochs D / U", Quantity::number, true},
                  {"effective epochs D' / U", Quantity::number, true},
                  {}};
    double most = 2;
    Series dots{"runs", Mark::dots, std::nullopt, 4, {}, {}, {}};
    Series law{"law", Mark::line, std::nullopt, 1, {}, {}, {}};
    Series fresh{"fresh data", Mark::dashes, std::nullopt, 4, {}, {}, {}};
    Series band{"95%", Mark::band, std::nullopt, 1, {}, {}, {}};
    for (const Run& run : runs) {
        const double unique = std::min(run.unique_tokens.value_or(run.tokens), run.tokens);
        const double epochs = run.tokens / unique;
        if (!(epochs > 1)) continue;
        most = std::max(most, epochs);
        const JointLaw& base = laws.law.base;
        const double left =
            run.loss - base.E -
            base.A * std::pow(laws.law.effective_parameters(run.parameters, unique), -base.alpha);
        const double worth = left > 0 ? std::pow(base.B / left, 1 / base.beta) / unique : infinity;
        if (worth > 0.03 && worth < 300) dots.x.push_back(epochs), dots.y.push_back(worth);
    }
    for (int k = 0; k <= 60; ++k) {
        const double epochs = std::exp(std::log(most * 1.3) * k / 60);
        const Estimate worth =
            laws.estimate([&](const auto& one) { return one.effective_tokens(epochs, 1); });
        law.x.push_back(epochs), law.y.push_back(worth.value);
        if (std::isfinite(worth.low)) {
            band.x.push_back(epochs), band.y.push_back(worth.low), band.upper.push_back(worth.high);
        }
        if (epochs < 60) fresh.x.push_back(epochs), fresh.y.push_back(epochs);
    }
    if (!band.x.empty()) figure.series.push_back(std::move(band));
    figure.series.insert(figure.series.end(), {std::move(dots), std::move(fresh), std::move(law)});
    return figure;
}

/// Loss over tokens of the sizes and data that were repeated most often.
Figure curves_figure(const Laws& laws, const std::vector<Run>& runs) {
    Figure figure{"repetition-curves",
                  "Loss against tokens where data is repeated",
                  "Points: runs of one size on the same different tokens. Lines: the law, with its 95% "
                  "interval.",
                  {"tokens D", Quantity::tokens, true},
                  {"loss (nats per token)", Quantity::loss, true},
                  {},
                  "size, different tokens"};
    std::map<std::pair<double, double>, std::vector<const Run*>> groups;
    for (const Run& run : runs)
        groups[{run.parameters, std::min(run.unique_tokens.value_or(run.tokens), run.tokens)}].push_back(
            &run);
    std::vector<std::pair<std::pair<double, double>, std::vector<const Run*>>> order(groups.begin(),
                                                                                     groups.end());
    std::stable_sort(order.begin(), order.end(),
                     [](const auto& a, const auto& b) { return a.second.size() > b.second.size(); });
    const std::size_t shown = std::min<std::size_t>(order.size(), 4);
    for (std::size_t g = 0; g < shown && order[g].second.size() >= 2; ++g) {
        const auto& [key, members] = order[g];
        const double shade = shown > 1 ? static_cast<double>(g) / static_cast<double>(shown - 1) : 0.5;
        Series points{"", Mark::points, shade, 0, {}, {}, {}};
        double low = infinity, high = 0;
        for (const Run* run : members) {
            points.x.push_back(run->tokens), points.y.push_back(run->loss);
            low = std::min(low, run->tokens), high = std::max(high, run->tokens);
        }
        Series line{
            format_count(key.first) + ", " + format_count(key.second), Mark::line, shade, 0, {}, {}, {}};
        Series band{"", Mark::band, shade, 0, {}, {}, {}};
        for (int k = 0; k <= 30; ++k) {
            const double tokens = low * std::pow(high / low, k / 30.0);
            const Estimate loss = laws.estimate(
                [&, N = key.first, U = key.second](const auto& law) { return law.loss(N, tokens, U); });
            line.x.push_back(tokens), line.y.push_back(loss.value);
            if (std::isfinite(loss.low))
                band.x.push_back(tokens), band.y.push_back(loss.low), band.upper.push_back(loss.high);
        }
        if (!band.x.empty()) figure.series.push_back(std::move(band));
        figure.series.push_back(std::move(line));
        figure.series.push_back(std::move(points));
    }
    return figure;
}

Figure profile_figure(const LogRepetition& data, const Profile& curve, const std::vector<Valley>& optima) {
    const double best = optima.front().value;
    Figure figure{
        "repetition-profile",
        "How well the runs determine the decay of repeated data",
        "The lowest objective with R_D* held, over the lowest of all. A curve that stays flat to the "
        "right says that the runs set no upper limit.",
        {"R_D* held", Quantity::number, true},
        {"objective over the lowest", Quantity::number, false},
        {}};
    Series line{"profile", Mark::line, std::nullopt, 0, curve.decay, {}, {}};
    for (const double value : curve.objective)
        line.y.push_back(value / best);
    Series marks{"local optima", Mark::diamonds, std::nullopt, 1, {}, {}, {}};
    for (const Valley& optimum : optima) {
        const double decay = data.report(optimum.at)[0];
        if (decay <= curve.decay.back() && decay >= curve.decay.front() && optimum.value < 1.1 * best)
            marks.x.push_back(decay), marks.y.push_back(optimum.value / best);
    }
    if (!line.y.empty()) figure.y.highest = std::min(1.5, *std::max_element(line.y.begin(), line.y.end()));
    figure.series = {std::move(line), std::move(marks)};
    return figure;
}

std::optional<Reason> too_few(const LogRepetition& data) {
    std::set<double> epochs, sizes;
    std::size_t repeated = 0;
    for (const auto& row : data.rows) {
        const double times = std::exp(row.log_d - row.log_u);
        if (times > 1.001) ++repeated;
        epochs.insert(std::round(20 * std::log(times)));
        sizes.insert(row.log_n);
    }
    const std::size_t fewest = data.parameters() + 3;
    const std::string what = std::to_string(data.rows.size()) + " runs, " + std::to_string(repeated) +
                             " of them with repeated data, " + std::to_string(epochs.size()) +
                             " different numbers of epochs, " + std::to_string(sizes.size()) + " sizes";
    if (data.rows.size() < fewest || repeated < 4 || epochs.size() < 3 || sizes.size() < 2)
        return Reason{Refusal::too_few_runs,
                      what + " (" + std::to_string(fewest) +
                          " runs, 4 repeated, 3 numbers of epochs and 2 sizes are needed) repeat data more "
                          "often, or give the law of fresh data with --base"};
    return std::nullopt;
}

/// Whether what is left can be told apart once decays that ran to a limit are set aside.
bool separable(const LogRepetition& data, std::span<const double> best) {
    std::vector<std::size_t> free;
    for (std::size_t p = 0; p < data.parameters(); ++p)
        if (p > LogRepetition::log_rn || !LogRepetition::limited(best[p])) free.push_back(p);
    if (free.empty()) return true;
    std::vector<double> begin;
    for (const std::size_t p : free)
        begin.push_back(best[p]);
    const ResidualModel rest{free.size(), data.rows.size(),
                             [&](std::span<const double> at, std::size_t i, std::span<double> gradient) {
                                 std::vector<double> all(best.begin(), best.end()), slopes(best.size());
                                 for (std::size_t k = 0; k < free.size(); ++k)
                                     all[free[k]] = at[k];
                                 const double residual = data.residual(all, i, slopes);
                                 for (std::size_t k = 0; k < gradient.size(); ++k)
                                     gradient[k] = slopes[free[k]];
                                 return residual;
                             }};
    return condition_number(rest, begin) < 1e7;
}

void judge_decay(const char* name, const char* what, const Estimate& estimate, double most, LawFit& fit) {
    const std::string where = std::isfinite(estimate.value) ? " in the bootstrap" : "";
    if (!std::isfinite(estimate.value) || estimate.high == infinity)
        fit.warnings.push_back(
            {Refusal::unbounded, std::string(name) + " has no upper limit" + where + " (the runs, of up to " +
                                     format_significant(most, 3) + " " + what +
                                     ", fit as well without any decay) read only the lower end"});
    if (estimate.value < 1e-3)
        fit.warnings.push_back({Refusal::on_bound, std::string(name) + " ended at zero (repetitions of " +
                                                       what + " show no worth at all) check the runs"});
}

}  // namespace

double RepetitionLaw::optimal_size(double unique_tokens) const {
    return std::exp(
        (std::log(base.alpha * base.A / (base.beta * base.B)) + base.beta * std::log(unique_tokens)) /
        base.alpha);
}

double RepetitionLaw::effective_tokens(double tokens, double unique_tokens) const {
    return effective(tokens, unique_tokens, std::min(data_decay, 1e20));
}

double RepetitionLaw::effective_parameters(double parameters, double unique_tokens) const {
    return effective(parameters, optimal_size(unique_tokens), std::min(parameter_decay, 1e20));
}

double RepetitionLaw::loss(double parameters, double tokens, double unique_tokens) const {
    const double unique = std::min(tokens, unique_tokens);
    return base.loss(effective_parameters(parameters, unique), effective_tokens(tokens, unique));
}

LawFit fit_repetition(const Runs& runs, const FitOptions& options) {
    LawFit fit;
    fit.name = "repetition";
    fit.objective = to_string(options.objective);
    const LogRepetition data(runs.used, options.base);
    if ((fit.refused = too_few(data))) return fit;
    const ParametricFit found = fit_parametric(parametric(data), options);
    fit.refused = found.refused;
    fit.warnings = found.warnings;
    fit.notes = found.notes;
    if (found.minima.empty()) return fit;
    fit.objective_value = found.minima.front().value;
    fit.parameters = found.parameters;
    if (fit.refused && fit.refused->kind == Refusal::ill_conditioned &&
        separable(data, found.minima.front().at))
        fit.refused.reset();  // a decay at its limit has no slope, and says so below
    const auto optima = local_optima(found.minima);
    if (!optima.empty()) fit.tables.push_back(optima_table(data, optima));
    if (fit.refused || optima.empty()) return fit;

    // From here on D' (or N') differs by less than 1% from no decay at all.
    const double most_epochs = data.most_epochs();
    double most_excess = 1;
    Laws laws{data.law(found.values), {}, found.widening};
    for (const auto& replicate : found.replicates)
        laws.replicates.push_back(data.law(replicate));
    for (const auto& row : data.rows)
        most_excess = std::max(most_excess, std::exp(row.log_n) / laws.law.optimal_size(std::exp(row.log_u)));
    fit.parameters[0].estimate = decay_estimate(found.values[0], found, 0, 50 * most_epochs);
    fit.parameters[1].estimate = decay_estimate(found.values[1], found, 1, 50 * most_excess);
    judge_decay("R_D*", "epochs", fit.parameters[0].estimate, most_epochs, fit);
    judge_decay("R_N*", "times the optimal size", fit.parameters[1].estimate, most_excess, fit);
    double near = 0;
    for (const Valley& optimum : optima)
        if (&optimum != &optima.front() && optimum.value < 1.01 * optima.front().value) ++near;
    if (near > 0)
        fit.warnings.push_back(
            {Refusal::several_optima,
             format_significant(near, 3) +
                 " other local optima come within 1% of the lowest objective (see the table of "
                 "optima) read the worth of epochs and its interval rather than R_D*"});
    const double size = laws.law.optimal_size(1e9);
    fit.notes.push_back("the optimal size for 1B different tokens is " + format_count(size, 3) +
                        "; parameters beyond it count less");
    fit.notes.push_back(options.base
                            ? "the law of fresh data is held as given with --base; its own error is in no "
                              "interval"
                            : "the law of fresh data is fitted together with the decays");
    double mean = 0, total = 0, left = 0;
    for (const Run& run : runs.used)
        mean += run.loss / static_cast<double>(runs.used.size());
    for (const Run& run : runs.used) {
        const double error =
            run.loss - laws.law.loss(run.parameters, run.tokens, run.unique_tokens.value_or(run.tokens));
        total += (run.loss - mean) * (run.loss - mean), left += error * error;
    }
    fit.derived.push_back({"R2", {1 - left / total}});

    fit.tables.push_back(worth_table(laws));
    fit.tables.push_back(frontier_table(laws, runs.used));
    std::vector<double> epochs, losses;
    for (std::size_t i = 0; i < data.rows.size(); ++i) {
        // In octaves: a fit for each number of epochs would take long and tell no more.
        const double octave = std::ceil((data.rows[i].log_d - data.rows[i].log_u) / std::log(2.0) - 1e-9);
        epochs.push_back(std::exp2(octave));
        losses.push_back(runs.used[i].loss);
    }
    const auto cuts = expanding_window(
        epochs, losses, data.parameters() + 4,
        [&](std::span<const std::size_t> some) -> std::optional<Predictor> {
            std::vector<double> weights(data.rows.size(), 0.0);
            bool repeated = false;
            for (const std::size_t i : some)
                weights[i] = 1, repeated = repeated || epochs[i] > 1;
            if (!repeated) return std::nullopt;
            const auto minima = minimize_from_many(data.model(), options.objective, weights, starts(data), 6);
            if (minima.empty()) return std::nullopt;
            return [law = data.law(data.report(minima.front().at)), &runs](std::size_t i) {
                const Run& run = runs.used[i];
                return law.loss(run.parameters, run.tokens, run.unique_tokens.value_or(run.tokens));
            };
        });
    if (!cuts.empty())
        fit.tables.push_back(validation_table(cuts, {"epochs", "up to epochs", Quantity::number}, "loss"));
    fit.figures.push_back(worth_figure(laws, runs.used));
    fit.figures.push_back(curves_figure(laws, runs.used));
    fit.figures.push_back(
        profile_figure(data, profile(data, options, optima, std::max(1000.0, 3 * most_epochs)), optima));
    return fit;
}

}  // namespace isogrid::analysis

#include "analysis/runs/csv_rows.hpp"

#include <algorithm>
#include <cmath>

#include "analysis/runs/csv_advice.hpp"
#include "base/digest.hpp"

namespace isogrid::analysis {

namespace {

/// Tokens and FLOPs that no column gives, from those that one does: C = 6 N D (Kaplan et al. 2020, section
/// 2.1), N the parameters that each token passes through.
void derive_counts(Run& run, std::optional<double> tokens, std::optional<double> flops,
                   std::optional<double> step) {
    // Of a curve's point, `steps` may be the whole run's: the steps so far are what tells the points apart.
    if (!tokens && run.batch && run.steps) tokens = *run.batch * step.value_or(*run.steps);
    const double used = run.active_parameters.value_or(run.parameters);
    if (!tokens && flops && used > 0) tokens = *flops / (6 * used);
    if (!tokens && step) tokens = *step * run.batch.value_or(1);
    run.tokens = tokens.value_or(0);
    run.flops = flops.value_or(6 * used * run.tokens);
    run.budget = run.flops;
}

}  // namespace

std::optional<double> RowReader::value(const CsvRow& row, const std::string& role, bool zero_allowed) {
    const auto place = places_.find(role);
    if (place == places_.end()) return std::nullopt;
    const std::string& cell = row.cells[place->second];
    if (is_missing(cell)) return bad(row, *place, "is missing", "a number is needed");
    const std::optional<double> found = number(cell);
    if (!found) {
        const Advice advice = advice_on(cell);
        return bad(row, *place, "is \"" + cell + "\"", advice.why, advice.what_to_do);
    }
    if (!std::isfinite(*found) || *found < 0 || (*found == 0 && !zero_allowed))
        return bad(row, *place, "is " + cell, "a positive finite number is needed");
    return found;
}

std::optional<double> RowReader::error(const CsvRow& row) {
    const auto place = places_.find(std::string(name(Role::error)));
    if (place == places_.end() || is_missing(row.cells[place->second])) return std::nullopt;
    const std::string& cell = row.cells[place->second];
    if (const auto found = number(cell); found && !(*found >= 0 && *found <= 1))
        return bad(row, *place, "is " + cell, "a number from 0 to 1 is needed");
    return value(row, place->first, /*zero_allowed=*/true);
}

std::string RowReader::text(const CsvRow& row, Role role) const {
    const auto place = places_.find(std::string(name(role)));
    return place == places_.end() ? std::string{} : trimmed(row.cells[place->second]);
}

std::string RowReader::where(const CsvRow& row) const {
    return request_.file.string() + ":" + std::to_string(row.line);
}

std::string RowReader::column(const Place& place) const {
    return place.first + " (column " + std::to_string(place.second + 1) + ", " +
           request_.columns.at(place.first) + ")";
}

std::optional<double> RowReader::bad(const CsvRow& row, const Place& place, const std::string& what,
                                     const std::string& why, const std::string& what_to_do) {
    if (!request_.skip_bad_rows)
        faults_.push_back({where(row), column(place) + " " + what, why,
                           what_to_do + ", or leave such rows out with --skip-bad-rows"});
    else if (reason_.empty())
        reason_ = column(place) + " " + what + " (" + why + ")";
    return std::nullopt;
}

bool RowReader::broke_down(const CsvRow& row) const {
    const auto place = places_.find(std::string(name(Role::loss)));
    return place != places_.end() && is_no_number(row.cells[place->second]);
}

bool RowReader::is_nameless(const CsvRow& row) const {
    const auto place = places_.find(std::string(name(Role::run)));
    return place != places_.end() && is_missing(row.cells[place->second]);
}

std::string RowReader::run_name(const CsvRow& row) {
    const std::string line = "line " + std::to_string(row.line);
    if (is_nameless(row)) {  // merged cells have their text in the first alone: each row would be a whole run
        bad(row, *places_.find(std::string(name(Role::run))), "is missing",
            "the run's name is needed in each of its rows", "fill it down");
        return line;
    }
    for (const Role role : {Role::run, Role::name})
        if (std::string given = text(row, role); !given.empty()) return given;
    return line;
}

Run RowReader::read(const CsvRow& row) {
    reason_.clear();
    const auto positive = [&](Role role) { return value(row, std::string(name(role))); };
    const auto from_zero = [&](Role role) {
        return value(row, std::string(name(role)), /*zero_allowed=*/true);
    };
    Run run;
    run.name = run_name(row);
    run.digest = base::sha256(row.text);
    run.parameters = positive(Role::parameters).value_or(0);
    run.loss = positive(Role::loss).value_or(0);
    const auto tokens = positive(Role::tokens), flops = positive(Role::flops);
    const auto step = from_zero(Role::step);
    run.batch = positive(Role::batch);
    run.steps = positive(Role::steps);
    run.learning_rate = from_zero(Role::learning_rate);
    run.width = positive(Role::width);
    run.unique_tokens = positive(Role::unique_tokens);
    run.error = error(row);
    run.loss_error = positive(Role::loss_error);
    run.noise_scale = positive(Role::noise_scale);
    run.active_parameters = positive(Role::active_parameters);
    run.experts = positive(Role::experts);
    run.seed = text(row, Role::seed);
    run.family = text(row, Role::family);
    run.parametrization = text(row, Role::parametrization);
    for (const std::string& source : sources_)
        run.shares.push_back(value(row, share_role(source), /*zero_allowed=*/true).value_or(0));
    if (const auto other = positive(Role::non_embedding_parameters))
        run.other_parameters = {{"as given", run.parameters}, {"non_embedding", *other}};
    derive_counts(run, tokens, flops, step);
    run.curve = {{run.tokens, run.flops, run.loss, step.value_or(std::nan("")),
                  run.learning_rate.value_or(std::nan(""))}};
    return run;
}

}  // namespace isogrid::analysis

// Runs from anybody's CSV file.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <iterator>
#include <set>

#include "analysis/csv.hpp"
#include "analysis/runs.hpp"
#include "study/digest.hpp"

namespace isogrid::analysis {
namespace {

constexpr std::array roles = {Role::parameters,
                              Role::tokens,
                              Role::loss,
                              Role::flops,
                              Role::batch,
                              Role::steps,
                              Role::step,
                              Role::run,
                              Role::name,
                              Role::seed,
                              Role::family,
                              Role::loss_error,
                              Role::learning_rate,
                              Role::width,
                              Role::parametrization,
                              Role::unique_tokens,
                              Role::error,
                              Role::noise_scale,
                              Role::active_parameters,
                              Role::experts,
                              Role::non_embedding_parameters};

/// Roles of mixed data are called share.SOURCE.
const std::string share_prefix = std::string(name(Role::share)) + ".";

bool is_share(std::string_view role) {
    return role.starts_with(share_prefix) && role.size() > share_prefix.size();
}

std::optional<double> number(std::string_view text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())))
        text.remove_prefix(1);
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
        text.remove_suffix(1);
    if (text.starts_with('+')) text.remove_prefix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

bool is_missing(std::string_view text) {
    constexpr std::array<std::string_view, 8> words = {"", "NA", "N/A", "nan", "NaN", "NAN", "null", "None"};
    return std::find(words.begin(), words.end(), text) != words.end();
}

/// Equal as numbers when both are numbers, as text otherwise.
bool matches(const std::string& cell, const std::string& wanted) {
    const auto left = number(cell), right = number(wanted);
    return left && right ? *left == *right : cell == wanted;
}

/// Where each role's column stands, or a fault for each that the header lacks.
study::Result<std::map<std::string, std::size_t>> find_columns(const CsvTable& table,
                                                               const CsvRequest& request) {
    std::string known;
    for (const std::string& column : table.columns)
        known += (known.empty() ? "" : ", ") + column;
    study::Faults faults;
    std::map<std::string, std::size_t> places;
    const auto place = [&](const std::string& key, const std::string& column) {
        const auto found = std::find(table.columns.begin(), table.columns.end(), column);
        if (found == table.columns.end())
            faults.push_back({request.file.string() + ":1", "there is no column " + column,
                              "the header has " + known, "correct --columns or --where"});
        places[key] = static_cast<std::size_t>(found - table.columns.begin());
    };
    for (const auto& [role, column] : request.columns)
        place(role, column);
    for (const auto& [column, value] : request.where)
        place("where " + column, column);
    if (!faults.empty()) return tl::unexpected(faults);
    return places;
}

/// `1,5` for 1.5: how half of the world writes it, and no CSV can mean.
bool has_decimal_comma(std::string text) {
    const std::size_t comma = text.find(',');
    if (comma == std::string::npos || text.find(',', comma + 1) != std::string::npos) return false;
    text[comma] = '.';
    return number(text).has_value();
}

/// One row's cells by role. What is wrong with a row is a fault or, with skip_bad_rows, the reason to reject
/// it.
struct RowReader {
    const CsvRequest& request;
    const std::map<std::string, std::size_t>& places;
    study::Faults& faults;
    std::string reason = {};  ///< why the row is rejected; empty when it is not

    /// Above zero, or from zero on; nothing where no column was named or the cell is bad.
    std::optional<double> value(const CsvRow& row, std::string_view role, bool zero_allowed = false) {
        const auto place = places.find(std::string(role));
        if (place == places.end()) return std::nullopt;
        const std::string& cell = row.cells[place->second];
        if (is_missing(cell)) return bad(row, *place, "is missing", "a number is needed");
        const std::optional<double> found = number(cell);
        if (!found) {
            const bool comma = has_decimal_comma(cell);
            faults.push_back({where(row), column(*place) + " is \"" + cell + "\"",
                              comma ? "a number with a decimal comma" : "a number is needed",
                              comma ? "write it with a point" : "correct the cell"});
            return std::nullopt;
        }
        if (!std::isfinite(*found) || *found < 0 || (*found == 0 && !zero_allowed))
            return bad(row, *place, "is " + cell, "a positive finite number is needed");
        return found;
    }
    std::string text(const CsvRow& row, Role role) const {
        const auto place = places.find(std::string(name(role)));
        return place == places.end() ? std::string{} : row.cells[place->second];
    }

  private:
    using Place = std::pair<const std::string, std::size_t>;

    std::string where(const CsvRow& row) const {
        return request.file.string() + ":" + std::to_string(row.line);
    }
    std::string column(const Place& place) const {
        return place.first + " (column " + std::to_string(place.second + 1) + ", " +
               request.columns.at(place.first) + ")";
    }
    std::optional<double> bad(const CsvRow& row, const Place& place, const std::string& what,
                              const char* why) {
        if (!request.skip_bad_rows)
            faults.push_back({where(row), column(place) + " " + what, why,
                              "correct it, or leave such rows out with --skip-bad-rows"});
        else if (reason.empty())
            reason = column(place) + " " + what + " (" + why + ")";
        return std::nullopt;
    }
};

Conventions conventions_of(const std::map<std::string, std::string>& columns) {
    const auto given = [&](const char* role) { return columns.contains(role); };
    Conventions said;
    said.parameters =
        given("parameters") ? "N as given in column " + columns.at("parameters") : "N is not given";
    said.loss = "as given in column " + columns.at("loss");
    said.tokens = given("tokens")                    ? "D as given in column " + columns.at("tokens")
                  : given("batch") && given("steps") ? "D = batch times steps, in the unit of the batch"
                  : given("flops") && given("parameters")
                      ? "D = C / (6 N), derived: no tokens column was named"
                  : given("step") ? "D = steps, times the batch where it is given"
                                  : "D is not given";
    said.flops = given("flops")        ? "C as given in column " + columns.at("flops")
                 : given("parameters") ? "C = 6 N D, derived: no flops column was named"
                                       : "C is not given";
    return said;
}

/// Tokens and FLOPs that no column gives, from those that one does.
void derive_counts(Run& run, std::optional<double> tokens, std::optional<double> flops,
                   std::optional<double> step) {
    if (!tokens && run.batch && run.steps) tokens = *run.batch * *run.steps;
    if (!tokens && flops && run.parameters > 0) tokens = *flops / (6 * run.parameters);
    if (!tokens && step) tokens = *step * run.batch.value_or(1);
    run.tokens = tokens.value_or(0);
    run.flops = flops.value_or(6 * run.parameters * run.tokens);
    run.budget = run.flops;
}

/// Reads what the row says of a run; its curve holds the row as a point.
Run read_run(RowReader& reader, const CsvRow& row, const std::vector<std::string>& sources) {
    const auto of = [&](Role role) { return reader.value(row, name(role)); };
    Run run;
    run.name = "line " + std::to_string(row.line);
    for (const Role role : {Role::name, Role::run})
        if (const std::string text = reader.text(row, role); !text.empty()) run.name = text;
    run.digest = study::sha256(row.text);
    run.parameters = of(Role::parameters).value_or(0);
    run.loss = of(Role::loss).value_or(0);
    const auto tokens = of(Role::tokens), flops = of(Role::flops);
    const auto step = reader.value(row, name(Role::step), /*zero_allowed=*/true);
    run.batch = of(Role::batch);
    run.steps = of(Role::steps);
    run.learning_rate = reader.value(row, name(Role::learning_rate), /*zero_allowed=*/true);
    run.width = of(Role::width);
    run.unique_tokens = of(Role::unique_tokens);
    run.error = reader.value(row, name(Role::error), /*zero_allowed=*/true);
    run.loss_error = of(Role::loss_error);
    run.noise_scale = of(Role::noise_scale);
    run.active_parameters = of(Role::active_parameters);
    run.experts = of(Role::experts);
    run.seed = reader.text(row, Role::seed);
    run.family = reader.text(row, Role::family);
    run.parametrization = reader.text(row, Role::parametrization);
    for (const std::string& source : sources)
        run.shares.push_back(reader.value(row, share_prefix + source, /*zero_allowed=*/true).value_or(0));
    if (const auto other = of(Role::non_embedding_parameters))
        run.other_parameters = {{"as given", run.parameters}, {"non_embedding", *other}};
    derive_counts(run, tokens, flops, step);
    run.curve = {{run.tokens, run.flops, run.loss, step.value_or(std::nan("")),
                  run.learning_rate.value_or(std::nan(""))}};
    return run;
}

/// Rows that say the same twice would count twice.
void find_duplicates(const CsvTable& table, const std::vector<const CsvRow*>& rows,
                     const std::map<std::string, std::size_t>& places, const CsvRequest& request,
                     study::Faults& faults) {
    std::map<std::vector<std::string>, std::size_t> seen;
    for (const CsvRow* row : rows) {
        std::vector<std::string> said;
        for (const auto& [role, place] : places)
            said.push_back(row->cells[place]);
        const auto [first, fresh] = seen.try_emplace(std::move(said), row->line);
        if (fresh || request.skip_bad_rows) continue;
        std::string columns;
        for (const auto& [role, column] : request.columns)
            columns += (columns.empty() ? "" : ", ") + column;
        faults.push_back({request.file.string() + ":" + std::to_string(row->line),
                          "the same run as line " + std::to_string(first->second),
                          "equal in the columns " + columns,
                          table.columns.size() > request.columns.size()
                              ? "remove it, name the column that tells them apart (seed=, name=), or leave "
                                "repeated rows out with --skip-bad-rows"
                              : "remove it, or leave repeated rows out with --skip-bad-rows"});
    }
}

/// Joins the rows of one run into its training curve; the row with the most tokens is the run's end.
void join_curves(std::vector<Run>& runs) {
    std::vector<Run> joined;
    std::map<std::string, std::size_t> place;
    for (Run& row : runs) {
        const auto [at, fresh] = place.try_emplace(row.name, joined.size());
        const CurveSample sample = row.curve.front();
        if (fresh) {
            row.curve.clear();
            joined.push_back(row);
        } else {
            Run& run = joined[at->second];
            std::vector<CurveSample> curve = std::move(run.curve);
            const auto peak = run.learning_rate && row.learning_rate
                                  ? std::optional(std::max(*run.learning_rate, *row.learning_rate))
                                  : std::nullopt;
            const std::string digest = study::sha256(run.digest + row.digest);
            if (row.tokens > run.tokens) run = row;
            run.curve = std::move(curve);
            run.learning_rate = peak;
            run.digest = digest;
        }
        joined[at->second].curve.push_back(sample);
    }
    for (Run& run : joined) {
        std::stable_sort(run.curve.begin(), run.curve.end(),
                         [](const auto& a, const auto& b) { return a.tokens < b.tokens; });
        if (!run.steps && run.curve.back().step > 0) run.steps = run.curve.back().step;
    }
    runs = std::move(joined);
}

}  // namespace

study::Result<std::map<std::string, std::string>> parse_columns(const std::string& text) {
    std::map<std::string, std::string> columns;
    study::Faults faults;
    std::string known;
    for (const Role role : roles)
        known += (known.empty() ? "" : ", ") + std::string(name(role));
    const auto is_known = [](const std::string& word) {
        return is_share(word) ||
               std::any_of(roles.begin(), roles.end(), [&](Role role) { return name(role) == word; });
    };
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        const std::string item = text.substr(begin, end - begin);
        begin = end + 1;
        const std::size_t equals = item.find('=');
        const std::string role = item.substr(0, equals);
        if (equals == std::string::npos || equals + 1 == item.size())
            faults.push_back({"--columns", "\"" + item + "\" names no column", "each item is ROLE=COLUMN",
                              "write for example parameters=n_params"});
        else if (!is_known(role))
            faults.push_back({"--columns", "unknown role " + role,
                              "the roles are " + known + " and " + share_prefix + "SOURCE",
                              "use one of them"});
        else if (!columns.try_emplace(role, item.substr(equals + 1)).second)
            faults.push_back({"--columns", role + " is given twice", "a role has one column", "drop one"});
    }
    if (!columns.contains("loss") && faults.empty())
        faults.push_back({"--columns", "no column for loss", "every law needs it", "add loss=COLUMN"});
    if (!faults.empty()) return tl::unexpected(faults);
    return columns;
}

study::Result<Runs> read_csv(const CsvRequest& request) {
    const auto text = read_text(request.file);
    if (!text) return tl::unexpected(text.error());
    const auto table = parse_csv(*text, request.file.string());
    if (!table) return tl::unexpected(table.error());
    const auto places = find_columns(*table, request);
    if (!places) return tl::unexpected(places.error());

    Runs runs;
    runs.source = request.file.string();
    runs.digest = study::sha256(*text);
    runs.conventions = conventions_of(request.columns);
    for (const auto& [role, column] : request.columns)
        if (is_share(role)) runs.sources.push_back(role.substr(share_prefix.size()));
    std::vector<const CsvRow*> rows;
    for (const CsvRow& row : table->rows)
        if (std::all_of(request.where.begin(), request.where.end(), [&](const auto& wanted) {
                return matches(row.cells[places->at("where " + wanted.first)], wanted.second);
            }))
            rows.push_back(&row);
    if (rows.empty())
        return study::fail(
            runs.source, "no runs",
            request.where.empty() ? "the file has only a header" : "no row passes every --where",
            "check the file and the conditions");

    study::Faults faults;
    find_duplicates(*table, rows, *places, request, faults);
    std::set<std::string> seen;
    for (const CsvRow* row : rows) {
        RowReader reader{request, *places, faults};
        Run run = read_run(reader, *row, runs.sources);
        if (request.skip_bad_rows && !seen.insert(row->text).second)
            reader.reason = "the same row stands above it";
        if (reader.reason.empty())
            runs.used.push_back(std::move(run));
        else
            runs.rejected.push_back({run.name, run.digest, reader.reason});
    }
    constexpr std::size_t listed = 20;
    if (faults.size() > listed) {
        const std::size_t more = faults.size() - listed;
        faults.resize(listed);
        faults.push_back({runs.source, "and " + std::to_string(more) + " more", "the first are listed", ""});
    }
    if (!faults.empty()) return tl::unexpected(faults);
    if (places->contains("step") && !places->contains("run"))  // the file is one run's curve
        for (Run& run : runs.used)
            run.name = request.file.stem().string();
    if (places->contains("run") || places->contains("step"))
        join_curves(runs.used);
    else
        for (Run& run : runs.used)
            run.curve.clear();
    join_budgets(runs.used);
    drop_highest_loss(runs, request.drop_highest_loss);
    if (rows.size() < table->rows.size())
        runs.notes.push_back(std::to_string(table->rows.size() - rows.size()) + " of " +
                             std::to_string(table->rows.size()) + " rows were set aside by --where");
    return runs;
}

study::Result<Runs> read_csv(const std::vector<std::filesystem::path>& files, CsvRequest request) {
    Runs all;
    std::string digests;
    for (const std::filesystem::path& file : files) {
        request.file = file;
        auto runs = read_csv(request);
        if (!runs || files.size() == 1) return runs;
        digests += runs->digest;
        all.source = all.source.empty()
                         ? runs->source
                         : std::to_string(files.size()) + " files, the first " + files.front().string();
        all.conventions = runs->conventions;
        all.sources = runs->sources;
        std::move(runs->used.begin(), runs->used.end(), std::back_inserter(all.used));
        std::move(runs->rejected.begin(), runs->rejected.end(), std::back_inserter(all.rejected));
        for (const std::string& note : runs->notes)
            all.notes.push_back(file.filename().string() + ": " + note);
    }
    all.digest = study::sha256(digests);
    join_budgets(all.used);
    return all;
}

}  // namespace isogrid::analysis

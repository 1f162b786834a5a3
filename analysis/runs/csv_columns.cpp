#include "analysis/runs/csv_columns.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <iterator>

#include "base/wording.hpp"

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
const std::string share_prefix = share_role("");

bool is_share(std::string_view role) {
    return role.starts_with(share_prefix) && role.size() > share_prefix.size();
}

/// Equal as numbers when both are numbers, as text otherwise.
bool matches(const std::string& cell, const std::string& wanted) {
    const auto left = number(cell), right = number(wanted);
    return left && right ? *left == *right : trimmed(cell) == trimmed(wanted);
}

std::string lower(std::string text) {
    for (char& letter : text)
        letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    return text;
}

/// What somebody meant by `word` who may have slipped, or held Loss and loss to be the same: `; the nearest
/// is WORD`.
std::string guess(const std::string& word, const std::vector<std::string>& known) {
    std::vector<std::string> lowered;
    for (const std::string& candidate : known)
        lowered.push_back(lower(candidate));
    const auto found = base::nearest(lower(word), lowered);
    if (!found) return {};
    return "; the nearest is " + known[static_cast<std::size_t>(
                                     std::find(lowered.begin(), lowered.end(), *found) - lowered.begin())];
}

}  // namespace

bool is_missing(std::string_view text) {
    constexpr std::array<std::string_view, 8> words = {"", "NA", "N/A", "nan", "NaN", "NAN", "null", "None"};
    return std::find(words.begin(), words.end(), trimmed(text)) != words.end();
}

bool is_no_number(std::string_view text) {
    const std::string word = lower(trimmed(text));
    if (is_missing(text)) return word == "nan";
    const auto found = number(text);
    const auto is_letter = [](unsigned char letter) { return std::isalnum(letter) != 0; };  // `-` is no word
    return found ? !std::isfinite(*found) : std::any_of(word.begin(), word.end(), is_letter);
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

std::string share_role(const std::string& source) {
    return std::string(name(Role::share)) + "." + source;
}

std::vector<std::string> sources_of(const std::map<std::string, std::string>& columns) {
    std::vector<std::string> sources;
    for (const auto& [role, column] : columns)
        if (is_share(role)) sources.push_back(role.substr(share_prefix.size()));
    return sources;
}

base::Result<std::map<std::string, std::string>> parse_columns(const std::string& text) {
    std::map<std::string, std::string> columns;
    base::Faults faults;
    std::vector<std::string> known;
    for (const Role role : roles)
        known.emplace_back(name(role));
    const auto is_known = [](const std::string& word) {
        return is_share(word) ||
               std::any_of(roles.begin(), roles.end(), [&](Role role) { return name(role) == word; });
    };
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        const std::string item = text.substr(begin, end - begin);
        begin = end + 1;
        const std::size_t equals = item.find('=');
        const std::string role = trimmed(item.substr(0, equals));
        if (equals == std::string::npos || equals + 1 == item.size())
            faults.push_back({"--columns", "\"" + item + "\" names no column", "each item is ROLE=COLUMN",
                              "write for example parameters=n_params"});
        else if (!is_known(role))
            faults.push_back({"--columns", "unknown role " + role,
                              "the roles are " + base::listed(known) + " and " + share_prefix + "SOURCE" +
                                  guess(role, known),
                              "use one of them"});
        else if (!columns.try_emplace(role, trimmed(item.substr(equals + 1))).second)
            faults.push_back({"--columns", role + " is given twice", "a role has one column", "drop one"});
    }
    if (!columns.contains("loss") && faults.empty())
        faults.push_back({"--columns", "no column for loss", "every law needs it", "add loss=COLUMN"});
    if (!faults.empty()) return tl::unexpected(faults);
    return columns;
}

base::Result<Places> find_columns(const CsvTable& table, const CsvRequest& request) {
    base::Faults faults;
    Places places;
    std::vector<std::string> named;
    std::copy_if(table.columns.begin(), table.columns.end(), std::back_inserter(named),
                 [](const std::string& column) { return !column.empty(); });
    const auto place = [&](const std::string& key, const std::string& column) {
        const auto found = std::find(table.columns.begin(), table.columns.end(), trimmed(column));
        if (found == table.columns.end() || found->empty())
            faults.push_back({request.file.string() + ":1", "there is no column " + column,
                              "the header has " + base::listed(named) + guess(column, named),
                              "correct --columns or --where"});
        else if (std::count(found, table.columns.end(), *found) > 1)
            faults.push_back({request.file.string() + ":1", "column " + *found + " appears twice",
                              "values are looked up by the column's name", "rename one of them"});
        places[key] = static_cast<std::size_t>(found - table.columns.begin());
    };
    for (const auto& [role, column] : request.columns)
        place(role, column);
    for (const auto& [column, value] : request.where)
        place("where " + column, column);
    if (!faults.empty()) return tl::unexpected(faults);
    return places;
}

std::vector<const CsvRow*> chosen_rows(const CsvTable& table, const CsvRequest& request,
                                       const Places& places) {
    std::vector<const CsvRow*> rows;
    for (const CsvRow& row : table.rows)
        if (std::all_of(request.where.begin(), request.where.end(), [&](const auto& wanted) {
                return matches(row.cells[places.at("where " + wanted.first)], wanted.second);
            }))
            rows.push_back(&row);
    return rows;
}

Conventions conventions_of(const std::map<std::string, std::string>& columns) {
    const auto given = [&](const char* role) { return columns.contains(role); };
    const auto batch_times = [](const std::string& steps) {
        return "D = batch times " + steps + ", in the unit of the batch";
    };
    Conventions said;
    said.parameters =
        given("parameters") ? "N as given in column " + columns.at("parameters") : "N is not given";
    said.loss = "as given in column " + columns.at("loss");
    if (given("batch")) said.batch = "in the unit of column " + columns.at("batch");
    const std::string active = given("active_parameters") ? " with N the active parameters" : "";
    TokensUnit unit = TokensUnit::tokens;
    if (given("tokens")) {
        said.tokens = "D as given in column " + columns.at("tokens");
    } else if (given("batch") && given("steps")) {
        said.tokens = batch_times(given("step") ? "the steps so far" : "steps");
        unit = TokensUnit::of_the_batch;
    } else if (given("flops") && given("parameters")) {
        said.tokens = "D = C / (6 N)" + active + ", derived: no tokens column was named";
    } else if (given("step") && given("batch")) {
        said.tokens = batch_times("the steps so far");
        unit = TokensUnit::of_the_batch;
    } else if (given("step")) {
        said.tokens = "D = steps: no tokens or batch column was named";
        unit = TokensUnit::steps;
    } else {
        said.tokens = "D is not given";
    }
    if (given("flops")) {
        said.flops = "C as given in column " + columns.at("flops");
    } else if (given("parameters")) {
        said.flops = "C = 6 N D" + active + ", derived: no flops column was named";
        said.tokens_unit = unit;
    } else {
        said.flops = "C is not given";
    }
    return said;
}

}  // namespace isogrid::analysis

// The answer by the contract `isogrid-fit/1`.
#include <cmath>

#include <nlohmann/json.hpp>

#include "analysis/report/report.hpp"
#include "analysis/report/sentences.hpp"

namespace isogrid::analysis {
namespace {

using nlohmann::json;

/// JSON has no NaN and no infinity: what is not known is null.
json number(double value) {
    return std::isfinite(value) ? json(value) : json(nullptr);
}

json interval(const Estimate& estimate) {
    return json::array({number(estimate.low), number(estimate.high)});
}

json full(const Estimate& estimate) {
    return {{"value", number(estimate.value)}, {"se", number(estimate.se)}, {"ci95", interval(estimate)}};
}

json parameters(const std::vector<Parameter>& list) {
    json object = json::object();
    for (const Parameter& parameter : list)
        object[parameter.name] = full(parameter.estimate);
    return object;
}

json rows(const Table& table) {
    json array = json::array();
    for (const auto& row : table.rows) {
        json object = json::object();
        for (std::size_t c = 0; c < table.columns.size(); ++c) {
            const double* value = std::get_if<double>(&row[c]);
            object[table.columns[c].key] = value ? number(*value) : json(std::get<std::string>(row[c]));
        }
        array.push_back(std::move(object));
    }
    return array;
}

json law(const LawFit& fit) {
    const Law& about = law_of(fit);
    json object = {{"status", fit.refused ? "refused" : "ok"},
                   {"reason", fit.refused ? json(to_string(*fit.refused)) : json(nullptr)},
                   {"refusal", fit.refused ? json(name(fit.refused->kind)) : json(nullptr)},
                   {"title", about.title},
                   {"equation", about.equation},
                   {"source", about.source},
                   {"objective", {{"kind", fit.objective}, {"value", number(fit.objective_value)}}},
                   {"parameters", parameters(fit.parameters)},
                   {"derived", parameters(fit.derived)},
                   {"warnings", json::array()},
                   {"notes", fit.notes}};
    for (const Reason& warning : fit.warnings)
        object["warnings"].push_back(to_string(warning));
    for (const Table& table : fit.tables)
        object[table.key] = rows(table);
    return object;
}

json input(const Runs& runs) {
    json object = {{"source", runs.source}, {"digest", runs.digest},          {"runs_used", json::array()},
                   {"runs", json::array()}, {"runs_rejected", json::array()}, {"notes", runs.notes}};
    if (!runs.unfinished.empty()) object["unfinished"] = runs.unfinished;
    for (const Run& run : runs.used) {
        object["runs_used"].push_back(run.digest);
        object["runs"].push_back({{"name", run.name},
                                  {"digest", run.digest},
                                  {"parameters", run.parameters},
                                  {"tokens", run.tokens},
                                  {"flops", run.flops},
                                  {"budget", run.budget},
                                  {"loss", run.loss},
                                  {"bits_per_byte", number(run.bits_per_byte)}});
    }
    for (const RejectedRun& run : runs.rejected)
        object["runs_rejected"].push_back({{"run", run.digest}, {"name", run.name}, {"reason", run.reason}});
    return object;
}

json decided(const Decision& decision) {
    const auto known = [](const std::optional<Estimate>& estimate) {
        return estimate ? full(*estimate) : json(nullptr);
    };
    const auto word = [](const std::string& text) { return text.empty() ? json(nullptr) : json(text); };
    json object = {
        {"flops", decision.flops},
        {"law", decision.law},
        {"decades_beyond_runs", number(decision.decades)},
        {"parameters", full(decision.parameters)},
        {"tokens", full(decision.tokens)},
        {"loss", full(decision.loss)},
        {"batch", known(decision.batch)},
        {"batch_law", word(decision.batch_law)},
        {"batch_follows", word(decision.batch_follows)},
        {"tokens_per_batch_unit", decision.batch_unit ? json(*decision.batch_unit) : json(nullptr)},
        {"steps", known(decision.steps)},
        {"learning_rate", known(decision.learning_rate)},
        {"learning_rate_law", word(decision.learning_rate_law)},
        {"lifetime", nullptr},
        {"words", describe(decision)},
        {"warnings", json::array()}};
    for (const Reason& warning : decision.warnings)
        object["warnings"].push_back(to_string(warning));
    if (const auto& life = decision.lifetime)
        object["lifetime"] = {{"inference_tokens", life->inference_tokens},
                              {"parameters", full(life->parameters)},
                              {"tokens", full(life->tokens)},
                              {"training_flops", full(life->training_flops)},
                              {"total_flops", full(life->total_flops)},
                              {"compute_optimal_total_flops", number(life->compute_optimal_total)}};
    return object;
}

}  // namespace

json to_json(const Answer& answer) {
    json document = {{"schema", "isogrid-fit/1"},
                     {"input", input(answer.runs)},
                     {"conventions",
                      {{"parameters", answer.runs.conventions.parameters},
                       {"tokens", answer.runs.conventions.tokens},
                       {"flops", answer.runs.conventions.flops},
                       {"loss", answer.runs.conventions.loss},
                       {"batch", answer.runs.conventions.batch}}},
                     {"settings",
                      {{"objective", to_string(answer.options.objective)},
                       {"bootstrap", answer.options.bootstrap},
                       {"resample", name(answer.options.resampling)},
                       {"intervals", name(answer.options.intervals)},
                       {"minimum", name(answer.options.minimum)},
                       {"constrain", answer.options.equal_exponents ? json("alpha=beta") : json(nullptr)},
                       {"seed", answer.options.seed}}},
                     {"notes", answer.notes},
                     {"laws", json::object()},
                     {"predictions", json::array()}};
    for (const LawFit& fit : answer.fits)
        document["laws"][fit.name] = law(fit);
    document["not_asked"] = json::object();
    for (const NotAsked& law : answer.not_asked) {
        json& unasked = document["not_asked"][law.law] = {
            {"needs", json::array()}, {"unvaried", json::array()}, {"studies", law.studies}};
        for (const Role role : law.missing)
            unasked["needs"].push_back(name(role));
        for (const Role role : law.unvaried)
            unasked["unvaried"].push_back(name(role));
    }
    document["rivals"] = json::array();
    const auto predicted = [&](const Prediction& p) {
        return json({{"law", p.law},
                     {"flops", p.flops},
                     {"decades_beyond_runs", number(std::log10(p.flops / answer.largest_fitted))},
                     {"parameters", number(p.parameters.value)},
                     {"parameters_ci95", interval(p.parameters)},
                     {"tokens", number(p.tokens.value)},
                     {"tokens_ci95", interval(p.tokens)},
                     {"loss", {{"value", number(p.loss.value)}, {"ci95", interval(p.loss)}}}});
    };
    for (const Prediction& prediction : answer.predictions)
        document["predictions"].push_back(predicted(prediction));
    for (const Prediction& rival : answer.rivals)
        document["rivals"].push_back(predicted(rival));
    document["decisions"] = json::array();
    for (const Decision& decision : answer.decisions)
        document["decisions"].push_back(decided(decision));
    document["warnings"] = json::array();
    for (const Reason& warning : answer.warnings)
        document["warnings"].push_back(to_string(warning));
    if (const std::string words = describe_compression(answer); !words.empty()) {
        document["compression"] = {{"words", words}, {"references", json::object()}};
        for (const Reference& reference : answer.references)
            document["compression"]["references"][reference.name] = reference.bits_per_byte;
    }
    return document;
}

}  // namespace isogrid::analysis

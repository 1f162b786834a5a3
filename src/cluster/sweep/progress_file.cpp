#include "cluster/sweep/progress_file.hpp"

#include <string_view>
#include <system_error>

#include <nlohmann/json.hpp>

#include "base/json_text.hpp"
#include "cluster/sweep/sweep_json.hpp"
#include "files/replace.hpp"
#include "files/text.hpp"

namespace isogrid::cluster {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view schema = "isogrid-progress/1";

std::filesystem::path temporary_of(const std::filesystem::path& file) {
    return file.string() + ".new";
}

}  // namespace

void write_progress_file(const std::filesystem::path& file, const ProgressFile& progress) {
    const Json json = {
        {"schema", schema}, {"written_unix", progress.written_unix}, {"sweep", to_json(progress.state)}};
    files::replace(file, temporary_of(file), base::json_text(json, 4));
}

void remove_progress_file(const std::filesystem::path& file) {
    std::error_code absent;
    std::filesystem::remove(file, absent);
    std::filesystem::remove(temporary_of(file), absent);
}

std::optional<ProgressFile> read_progress_file(const std::filesystem::path& file) {
    const auto text = files::text_of(file);
    if (!text) return std::nullopt;
    try {
        const Json json = Json::parse(*text);
        if (json.at("schema") != schema) return std::nullopt;
        return ProgressFile{.state = sweep_state_from(json.at("sweep")),
                            .written_unix = json.at("written_unix")};
    } catch (const nlohmann::json::exception&) {
        return std::nullopt;
    }
}

}  // namespace isogrid::cluster

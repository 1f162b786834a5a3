#include "archive/crate.hpp"

#include <algorithm>
#include <cctype>
#include <ctime>
#include <fstream>
#include <set>
#include <span>
#include <stdexcept>
#include <system_error>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/digest.hpp"
#include "base/json_text.hpp"
#include "base/wording.hpp"
#include "files/durable.hpp"

namespace isogrid::archive {

namespace {

using Json = nlohmann::ordered_json;
using Path = std::filesystem::path;

constexpr const char* specification = "https://w3id.org/ro/crate/1.1";
constexpr const char* job_name = "job.toml";

Json reference(const std::string& id) {
    return {{"@id", id}};
}

/// A file's name as a relative URI: letters that mean something there as % and two digits (RFC 3986, 2.3).
std::string as_uri(const std::string& name) {
    constexpr const char* digits = "0123456789ABCDEF";
    std::string uri;
    for (const unsigned char letter : name) {
        if (std::isalnum(letter) != 0 ||
            std::string_view("-._~").find(static_cast<char>(letter)) != std::string::npos)
            uri += static_cast<char>(letter);
        else
            uri.append({'%', digits[letter / 16], digits[letter % 16]});
    }
    return uri;
}

std::string iso_8601(double unix_seconds) {
    const auto seconds = static_cast<std::time_t>(unix_seconds);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

/// Different values of one provenance column, sorted; trials that were set aside may have none.
std::vector<std::string> all_of(const Archive& archive, std::string TrialProvenance::*column) {
    std::set<std::string> values;
    for (const TrialRecord& record : archive.trials)
        values.insert(record.provenance.*column);
    values.erase("");
    return {values.begin(), values.end()};
}

Json file_entity(const std::string& id, const std::string& name, const std::string& format,
                 std::uintmax_t bytes, const std::string& sha256) {
    return {{"@id", id},
            {"@type", "File"},
            {"name", name},
            {"encodingFormat", format},
            {"contentSize", std::to_string(bytes)},
            {"sha256", sha256}};
}

std::string trials_of(const Archive& archive) {
    return std::to_string(archive.trials.size()) + " trials";
}

/// From the start of the first trial to the end of the last, in seconds since 1970; 0 where none is known.
struct Period {
    double begin = 0, end = 0;
};

Period period_of(const Archive& archive) {
    Period period;
    for (const TrialRecord& record : archive.trials) {
        const TrialProvenance& provenance = record.provenance;
        if (provenance.started_unix == 0) continue;  // set aside without a start that could note it
        period.begin =
            period.begin == 0 ? provenance.started_unix : std::min(period.begin, provenance.started_unix);
        period.end = std::max(period.end, provenance.started_unix + provenance.seconds);
    }
    return period;
}

Json root_entity(const Archive& archive, const std::string& file, const std::string& digest,
                 const std::string& license) {
    Json root = {
        {"@id", "./"},
        {"@type", "Dataset"},
        {"name", archive.study_name},
        {"description", "Scaling-law study " + archive.study_name + ": " + trials_of(archive) +
                            " of small language models, with specifications, learning curves, losses "
                            "and the provenance of each."},
        {"datePublished", iso_8601(period_of(archive).end)},
        {"identifier", "sha256:" + digest},
        {"hasPart", {reference(file), reference(job_name)}},
        {"mentions", reference("#sweep")}};
    if (!license.empty()) root["license"] = reference(license);
    return root;
}

Json tokens_entity(const study::CorpusFacts& corpus) {
    return {{"@id", "#tokens"},
            {"@type", "CreativeWork"},
            {"name", "Token file"},
            {"description", "Not part of this crate: " + std::to_string(corpus.training_tokens) +
                                " tokens to train on, " + std::to_string(corpus.validation_tokens) +
                                " to validate on, of " + std::to_string(corpus.vocabulary) + " kinds"},
            {"sha256", corpus.digest}};
}

Json sweep_entity(const Archive& archive, const std::string& file) {
    const Period period = period_of(archive);
    Json sweep = {{"@id", "#sweep"},
                  {"@type", "CreateAction"},
                  {"name", "Training of " + trials_of(archive)},
                  {"description", "On " + base::listed(all_of(archive, &TrialProvenance::processor)) + " (" +
                                      base::listed(all_of(archive, &TrialProvenance::instruction_set)) + ")"},
                  {"startTime", iso_8601(period.begin)},
                  {"endTime", iso_8601(period.end)},
                  {"instrument", reference("#isogrid")},
                  {"object", {reference(job_name), reference("#tokens")}},
                  {"result", reference(file)}};
    if (period.begin == 0) sweep.erase("startTime"), sweep.erase("endTime");
    return sweep;
}

/// A file, a mebibyte at a time.
void for_each_block(const Path& path, const Put& use) {
    std::ifstream file(path, std::ios::binary);
    std::vector<char> block(std::size_t{1} << 20);
    while (file.read(block.data(), static_cast<std::streamsize>(block.size())), file.gcount() > 0)
        use(std::as_bytes(std::span(block).first(static_cast<std::size_t>(file.gcount()))));
    if (!file.is_open() || file.bad())
        throw std::runtime_error(path.string() + ": cannot be read to its end (the disk refuses) try again");
}

std::string sha256_of(const Path& path) {
    base::Sha256 hash;
    for_each_block(path, [&](std::span<const std::byte> block) {
        hash.update(std::string_view(reinterpret_cast<const char*>(block.data()), block.size()));
    });
    return hash.finish();
}

/// A folder that goes away again, unless all of the crate came into it: half a crate would stand in the way
/// of the next try, and could be taken for a whole one.
struct Unfinished {
    Path folder;
    bool finished = false;

    ~Unfinished() {
        std::error_code ignored;
        if (!finished) std::filesystem::remove_all(folder, ignored);
    }
};

}  // namespace

std::string crate_metadata(const Archive& archive, const std::string& name, std::uintmax_t bytes,
                           const std::string& sha256, const std::string& license) {
    const std::string file = as_uri(name), digest = archive_digest(archive.trials);
    Json archive_file = file_entity(file, name, "application/x-hdf5", bytes, sha256);
    archive_file["description"] =
        "The results: " + trials_of(archive) + " (schema isogrid-archive/1, docs/archive.md)";
    archive_file["identifier"] = "sha256:" + digest;

    Json graph = {{{"@id", "ro-crate-metadata.json"},
                   {"@type", "CreativeWork"},
                   {"conformsTo", reference(specification)},
                   {"about", reference("./")}},
                  root_entity(archive, file, digest, license),
                  archive_file,
                  file_entity(job_name, job_name, "application/toml", archive.job_text.size(),
                              base::sha256(archive.job_text)),
                  tokens_entity(archive.corpus),
                  {{"@id", "#isogrid"},
                   {"@type", "SoftwareApplication"},
                   {"name", "isogrid"},
                   {"version", base::listed(all_of(archive, &TrialProvenance::code_revision))}},
                  sweep_entity(archive, file)};
    if (!license.empty()) graph.push_back({{"@id", license}, {"@type", "CreativeWork"}, {"name", license}});
    // RO-Crate 1.1's own context does not know sha256.
    const Json metadata = {
        {"@context", {std::string(specification) + "/context", {{"sha256", "https://schema.org/sha256"}}}},
        {"@graph", graph}};
    return base::json_text(metadata, 4);
}

base::Result<void> write_crate(const Path& archive, const Path& folder, const std::string& license,
                               const Writer& writer) {
    const auto read = read_archive(archive);
    if (!read) return tl::unexpected(read.error());
    std::error_code error;
    if (!std::filesystem::create_directory(folder, error))
        return base::fail(folder.string(), "cannot be made a crate",
                          error ? error.message() : "it is there already", "name a folder that is not there");
    Unfinished unfinished{folder};
    const Path file = folder / archive.filename();
    std::filesystem::create_hard_link(files::behind_links(archive), file, error);  // or the link is linked
    if (error)
        write_durably(
            file, [&](const Put& put) { for_each_block(archive, put); }, writer);
    write_durably(folder / job_name, std::as_bytes(std::span(read->job_text)), writer);
    const std::string metadata = crate_metadata(*read, archive.filename().string(),
                                                std::filesystem::file_size(file), sha256_of(file), license);
    write_durably(folder / "ro-crate-metadata.json", std::as_bytes(std::span(metadata)), writer);
    unfinished.finished = true;
    return {};
}

}  // namespace isogrid::archive

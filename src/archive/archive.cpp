#include "archive/archive.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <stdexcept>
#include <tuple>

#include "archive/file_image.hpp"
#include "archive/record_rows.hpp"
#include "archive/record_tables.hpp"
#include "archive/schema.hpp"
#include "archive/stored_weights.hpp"
#include "archive/table.hpp"
#include "archive/texts.hpp"
#include "base/digest.hpp"
#include "base/names.hpp"
#include "base/wording.hpp"

namespace isogrid::archive {

namespace {

/// The one row of /job/study.
struct StudyRow {
    std::string name, budget_convention;
    study::CorpusFacts corpus;
};

Row columns_of(StudyRow& row) {
    return {{"name", &row.name},
            {"budget_convention", &row.budget_convention},
            {"vocabulary", &row.corpus.vocabulary},
            {"training_tokens", &row.corpus.training_tokens},
            {"validation_tokens", &row.corpus.validation_tokens},
            {"token_digest", &row.corpus.digest}};
}

Row columns_of(Fact& fact) {
    return {{"name", &fact.name}, {"value", &fact.value}};
}

/// Trials in the archive's order, which depends on the records alone.
std::vector<PreparedRecord> in_order(const std::vector<TrialRecord>& trials) {
    std::vector<PreparedRecord> ordered;
    std::set<std::string_view> identities;
    ordered.reserve(trials.size());
    for (const TrialRecord& record : trials)
        if (!identities.insert(ordered.emplace_back(prepare(record)).id).second)
            throw std::invalid_argument("an archive holds each trial once (one is there twice)");
    std::sort(ordered.begin(), ordered.end(), [](const PreparedRecord& left, const PreparedRecord& right) {
        const auto place = [](const PreparedRecord& of) {
            return std::tuple(of.record->index, of.record->planned.budget,
                              of.record->planned.parameters.total(), std::string_view(of.id));
        };
        return place(left) < place(right);
    });
    return ordered;
}

std::string digest_of_digests(const std::vector<PreparedRecord>& ordered) {
    base::Sha256 hash;
    for (const PreparedRecord& prepared : ordered)
        hash.update(prepared.digest);
    return hash.finish();
}

void write_job(hid_t file, const Archive& archive) {
    const Handle job = create_group(file, "job");
    write_text(job, "text", archive.job_text);
    StudyRow row;
    write_table(job, "study", columns_of(row), 1, [&](std::size_t) {
        row = {archive.study_name, std::string(study::name(archive.budget_convention)), archive.corpus};
    });
}

void write_build(hid_t file, const Facts& build) {
    Fact fact;
    write_table(file, "provenance/build", columns_of(fact), build.size(),
                [&](std::size_t i) { fact = build[i]; });
}

study::FlopConvention convention_named(const std::string& text) {
    if (const auto convention = base::value_named(text, study::flop_conventions)) return *convention;
    throw Hdf5Error("cannot use /job/study (no FLOP convention is named " + text + ")");
}

StudyRow read_study_row(hid_t file) {
    StudyRow row;
    const StoredTable study(file, "job/study", columns_of(row));
    if (study.rows() != 1) throw Hdf5Error("cannot use /job/study (one row expected)");
    study.load(0);
    return row;
}

/// Digests of trials, one after the other, must give that of the file.
void ensure_digest(base::Sha256& together, const std::string& expected) {
    if (together.finish() != expected)
        throw Hdf5Error("cannot use the trials (together they have another digest than the file says)");
}

/// Everything but the trials.
Archive read_around(hid_t file) {
    Archive archive;
    archive.job_text = read_text(file, "job/text");
    const StudyRow row = read_study_row(file);
    archive.study_name = row.name;
    archive.budget_convention = convention_named(row.budget_convention);
    archive.corpus = row.corpus;

    Fact fact;
    const StoredTable build(file, "provenance/build", columns_of(fact));
    for (std::size_t i = 0; i < build.rows(); ++i) {
        build.load(i);
        archive.build.push_back(fact);
    }
    return archive;
}

}  // namespace

Archive archive_without_trials(const study::Study& study) {
    return {.study_name = study.job.name,
            .job_text = study.job.text,
            .corpus = study.corpus,
            .budget_convention = study.job.isoflop.convention,
            .trials = {},
            .build = build_facts()};
}

bool allows_threads() {
    hbool_t threadsafe = 0;
    return H5is_library_threadsafe(&threadsafe) >= 0 && threadsafe;
}

std::string archive_digest(const std::vector<TrialRecord>& trials) {
    return digest_of_digests(in_order(trials));
}

bool write_archive(const std::filesystem::path& path, const Archive& archive, const Writer& writer,
                   const ReadWeights& read_weights) {
    const std::vector<PreparedRecord> ordered = in_order(archive.trials);
    FileImage image;
    write_attribute(image.file(), "schema", archive_schema);
    write_attribute(image.file(), "digest", digest_of_digests(ordered));
    write_job(image.file(), archive);
    const WeightsPlace weights = write_records(image.file(), ordered);
    write_build(image.file(), archive.build);
    return write_image(path, image, weights, ordered, read_weights, writer);
}

base::Result<Archive> read_archive(const std::filesystem::path& path, WeightsUse weights) {
    const auto file = open_checked(path, archive_schema);
    if (!file) return tl::unexpected(file.error());
    try {
        Archive archive = read_around(*file);
        CheckedRecords checked = read_records(*file, path.string(), weights, Checks::seals);
        if (base::Faults faults = all_faults(checked); !faults.empty())
            return tl::unexpected(std::move(faults));
        base::Sha256 together;
        for (CheckedRecord& record : checked.records) {
            together.update(record.digest);
            archive.trials.push_back(std::move(record.record));
        }
        archive.digest = read_attribute(*file, "digest");
        ensure_digest(together, archive.digest);
        return archive;
    } catch (const Hdf5Error& error) {
        return damaged(path, error);
    }
}

base::Result<Listing> list_archive(const std::filesystem::path& path) {
    const auto file = open_checked(path, archive_schema);
    if (!file) return tl::unexpected(file.error());
    try {
        Listing listing{read_study_row(*file).name, read_attribute(*file, "digest"), {}};
        TrialRow row;
        const StoredTable trials(*file, "trials", columns_of(row));
        base::Sha256 together;
        for (std::size_t i = 0; i < trials.rows(); ++i) {
            trials.load(i);
            together.update(row.digest);
            const auto outcome = parse_outcome(row.outcome);
            if (!outcome) throw Hdf5Error("cannot use /trials (" + row.outcome + " is no outcome)");
            listing.trials.push_back({row.planned.name, *outcome, row.result.cause});
        }
        ensure_digest(together, listing.digest);
        return listing;
    } catch (const Hdf5Error& error) {
        return damaged(path, error);
    }
}

base::Result<std::size_t> find_trial(const std::vector<TrialRecord>& trials, std::string_view which) {
    constexpr std::size_t least_digits = 4;
    std::int64_t index = -1;
    const auto [end, error] = std::from_chars(which.data(), which.data() + which.size(), index);
    const bool is_index = error == std::errc{} && end == which.data() + which.size();
    std::vector<std::size_t> by_index, by_name, by_identity;
    for (std::size_t i = 0; i < trials.size(); ++i) {
        if (is_index && trials[i].index == index) by_index.push_back(i);
        if (trials[i].planned.name == which) by_name.push_back(i);
        if (which.size() >= least_digits && study::identity(trials[i].planned.trial).starts_with(which))
            by_identity.push_back(i);
    }
    for (const auto* found : {&by_index, &by_name, &by_identity}) {
        if (found->size() == 1) return found->front();
        if (found->size() > 1)
            return base::fail("", "trial " + std::string(which) + " is not one trial",
                              std::to_string(found->size()) + " answer to it", "give the whole identity");
    }
    std::vector<std::string> names;
    for (const TrialRecord& trial : trials)
        names.push_back(trial.planned.name);
    const auto begins = std::find_if(names.begin(), names.end(),
                                     [&](const std::string& name) { return name.starts_with(which); });
    const auto meant =
        begins != names.end() && !which.empty() ? std::optional(*begins) : base::nearest(which, names);
    return base::fail("", "there is no trial " + std::string(which),
                      "none of " + std::to_string(trials.size()) + " has this index, name or identity" +
                          (meant ? "; the nearest name is " + *meant : ""),
                      "isogrid plan lists those of a job, isogrid verify --json those of an archive");
}

base::Result<std::vector<float>> read_weights_of(const std::filesystem::path& path, std::string_view id) {
    auto file = open_checked(path, archive_schema);
    if (!file) return tl::unexpected(file.error());
    try {
        return StoredWeights(std::move(*file), path.string()).read(id);
    } catch (const Hdf5Error& error) {
        return damaged(path, error);
    }
}

}  // namespace isogrid::archive

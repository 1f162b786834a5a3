#include "archive/record_tables.hpp"

#include <functional>
#include <stdexcept>
#include <utility>

#include "archive/record_rows.hpp"
#include "archive/stored_weights.hpp"
#include "archive/table.hpp"
#include "study/specification_scanner.hpp"

namespace isogrid::archive {

namespace {

std::int64_t weights_of(const TrialRecord& record) {
    return record.result.weights.empty() ? record.stored_weights
                                         : static_cast<std::int64_t>(record.result.weights.size());
}

/// Puts a record's weights, once they are seen to be those of their digest.
void put_weights(const Put& put, const TrialRecord& record, const ReadWeights& read_weights) {
    if (weights_of(record) == 0) return;
    if (record.result.weights.empty() && !read_weights)
        throw std::invalid_argument("trial " + record.planned.name + " was read without its weights");
    const std::vector<float> fetched =
        record.result.weights.empty() ? read_weights(record) : std::vector<float>{};
    const std::vector<float>& weights = record.result.weights.empty() ? fetched : record.result.weights;
    if (std::ssize(weights) != weights_of(record) || weights_digest(weights) != record.result.weights_digest)
        throw std::invalid_argument("trial " + record.planned.name +
                                    ": its weights are not those of its weights_digest");
    put(std::as_bytes(std::span(weights)));
}

/// The next part of `length`, right behind the one before.
Part next_part(std::int64_t& end, std::int64_t length) {
    return {std::exchange(end, end + length), length};
}

/// True when `part` starts where the one before ended and lies inside the dataset; moves the end on.
bool follows(Part part, std::int64_t& end, std::size_t extent) {
    const bool plausible = inside({0, part.length}, extent);
    const std::int64_t expected = std::exchange(end, plausible ? end + part.length : end);
    return part.offset == expected && inside(part, extent);
}

/// Says of the trial at hand that something is wrong, and why.
using Blame = std::function<void(std::string problem, std::string why)>;

class RecordReader {
  public:
    RecordReader(hid_t file, std::string where, Checks checks)
        : where_(std::move(where)),
          trials_(file, "trials", columns_of(row_), checks == Checks::seals),
          specifications_(file, "specifications", {{"specification", &specification_}},
                          checks == Checks::seals),
          curves_(file, "curves", columns_of(point_), checks == Checks::seals),
          provenances_(file, "provenance/trials", columns_of(provenance_)),
          weights_(open_dataset(file, "weights")),
          weights_extent_(extent_of(weights_)) {
        if (specifications_.rows() != trials_.rows() || provenances_.rows() != trials_.rows())
            throw Hdf5Error("cannot use the tables (they have different numbers of trials)");
        ensure_contiguous(weights_, "weights");
        by_seals_ =
            checks == Checks::seals && trials_.sealed() && specifications_.sealed() && curves_.sealed();
    }

    std::size_t trials() const { return trials_.rows(); }

    CheckedRecord read(std::size_t trial, WeightsUse weights) {
        trials_.load(trial);
        specifications_.load(trial);
        provenances_.load(trial);

        CheckedRecord checked;
        TrialRecord& record = checked.record;
        checked.id = row_.id;
        checked.digest = row_.digest;
        record.index = row_.index;
        record.planned = row_.planned;
        record.planned.studies = split(row_.studies);
        record.provenance = provenance_;
        record.result = row_.result;
        record.stored_digest = row_.digest;
        const std::string trial_name = "trial " + std::to_string(row_.index) + " (" + row_.planned.name + ")";
        const Blame blame = [&](std::string problem, std::string why) {
            checked.faults.push_back({where_, trial_name + " " + std::move(problem), std::move(why),
                                      "do not use it; run it again"});
        };

        if (const auto outcome = parse_outcome(row_.outcome))
            record.result.outcome = *outcome;
        else
            blame("has no known outcome", row_.outcome);
        if (follows(row_.curve, curves_end_, curves_.rows()))
            record.result.curve = read_curve(row_.curve);
        else
            blame("has no curve of its own", "its part of /curves does not follow the part before");
        if (follows(row_.weights, weights_end_, weights_extent_))
            read_weights(record, weights, blame);
        else
            blame("has no weights of its own", "its part of /weights does not follow the part before");
        try {
            record.planned.trial = trial_of(specification_);
            if (!by_seals_) compare(record, blame);
        } catch (const std::invalid_argument& error) {
            record.planned.trial = {};
            blame("has a specification that this program cannot use", error.what());
        }
        return checked;
    }

    /// A fault when something stands in the datasets that belongs to no trial.
    base::Faults leftovers() const {
        if (curves_end_ == static_cast<std::int64_t>(curves_.rows()) &&
            weights_end_ == static_cast<std::int64_t>(weights_extent_))
            return {};
        return {{where_, "holds more or less than its trials",
                 "the parts of /curves or /weights do not add up", "do not use it; bring back a good copy"}};
    }

  private:
    study::Trial trial_of(const std::string& specification) const {
        if (by_seals_)  // its spelling is known to be ours
            if (auto trial = study::scan_canonical_text(specification)) return std::move(*trial);
        return study::parse_canonical_text(specification);
    }

    std::vector<CurvePoint> read_curve(Part part) {
        std::vector<CurvePoint> curve;
        curve.reserve(static_cast<std::size_t>(part.length));
        for (std::int64_t i = 0; i < part.length; ++i) {
            curves_.load(static_cast<std::size_t>(part.offset + i));
            curve.push_back(point_);
        }
        return curve;
    }

    void read_weights(TrialRecord& record, WeightsUse use, const Blame& blame) {
        record.stored_weights = row_.weights.length;
        if (use == WeightsUse::skip || row_.weights.length == 0) return;
        std::vector<float> weights = read_part(weights_, row_.weights);
        if (weights_digest(weights) != record.result.weights_digest)
            blame("has wrong weights", "their digest is another than weights_digest says");
        if (use == WeightsUse::keep) record.result.weights = std::move(weights);
    }

    /// Every column must be what the record, made from specification and result, would write again.
    void compare(const TrialRecord& record, const Blame& blame) {
        TrialRow again = row_of(prepare(record, specification_));
        again.curve = row_.curve;
        again.weights = row_.weights;
        const Row found = columns_of(row_), expected = columns_of(again);
        for (std::size_t i = 0; i < found.size(); ++i)
            if (!same_value(found[i], expected[i]))
                blame(
                    "has a wrong " + std::string(found[i].name),
                    text_of(found[i]) + " is stored, " + text_of(expected[i]) + " follows from its contents");
    }

    std::string where_;
    TrialRow row_;
    std::string specification_;
    CurvePoint point_;
    TrialProvenance provenance_;
    StoredTable trials_, specifications_, curves_, provenances_;
    Handle weights_;
    std::size_t weights_extent_;
    std::int64_t curves_end_ = 0, weights_end_ = 0;
    bool by_seals_ = false;
};

}  // namespace

WeightsPlace write_records(hid_t file, std::span<const PreparedRecord> records) {
    std::vector<Part> curves, weights;
    std::int64_t curves_end = 0, weights_end = 0;
    for (const PreparedRecord& prepared : records) {
        curves.push_back(next_part(curves_end, std::ssize(prepared.record->result.curve)));
        weights.push_back(next_part(weights_end, weights_of(*prepared.record)));
    }

    TrialRow row;
    write_table(file, "trials", columns_of(row), records.size(), [&](std::size_t trial) {
        row = row_of(records[trial]);
        row.curve = curves[trial];
        row.weights = weights[trial];
    });

    std::string specification;
    write_table(file, "specifications", {{"specification", &specification}}, records.size(),
                [&](std::size_t trial) { specification = records[trial].specification; });

    std::vector<const CurvePoint*> points;
    for (const PreparedRecord& prepared : records)
        for (const CurvePoint& on_curve : prepared.record->result.curve)
            points.push_back(&on_curve);
    CurvePoint point;
    write_table(file, "curves", columns_of(point), points.size(),
                [&](std::size_t at) { point = *points[at]; });

    const auto extent = static_cast<std::size_t>(weights_end);
    const Handle numbers(H5Dcreate2(file, "weights", H5T_IEEE_F32LE, make_space(extent), H5P_DEFAULT,
                                    properties_left_out(), H5P_DEFAULT),
                         &H5Dclose, "create /weights");

    // No trial's digest covers the provenance: it carries its own.
    TrialProvenance provenance;
    const Handle group = create_group(file, "provenance");
    write_table(group, "trials", columns_of(provenance), records.size(),
                [&](std::size_t trial) { provenance = records[trial].record->provenance; });
    return {extent > 0 ? static_cast<std::size_t>(H5Dget_offset(numbers)) : 0, extent * sizeof(float)};
}

bool write_image(const std::filesystem::path& path, FileImage& image, WeightsPlace place,
                 std::span<const PreparedRecord> records, const ReadWeights& read_weights,
                 const Writer& writer) {
    const std::span<const std::byte> bytes = image.finish(path);
    return write_durably(
        path,
        [&](const Put& put) {
            put(bytes.first(place.offset));
            for (const PreparedRecord& prepared : records)
                put_weights(put, *prepared.record, read_weights);
            put(bytes.subspan(place.offset + place.size));
        },
        writer);
}

CheckedRecords read_records(hid_t file, const std::string& where, WeightsUse weights, Checks checks) {
    RecordReader reader(file, where, checks);
    CheckedRecords checked;
    for (std::size_t trial = 0; trial < reader.trials(); ++trial)
        checked.records.push_back(reader.read(trial, weights));
    checked.faults = reader.leftovers();
    return checked;
}

base::Faults all_faults(const CheckedRecords& checked) {
    base::Faults faults = checked.faults;
    for (const CheckedRecord& record : checked.records)
        faults.insert(faults.end(), record.faults.begin(), record.faults.end());
    return faults;
}

}  // namespace isogrid::archive

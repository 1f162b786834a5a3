#include "archive/checkpoint_file.hpp"

#include <bit>
#include <span>
#include <stdexcept>
#include <utility>

#include "archive/file_image.hpp"
#include "archive/provenance.hpp"
#include "archive/record_rows.hpp"
#include "archive/schema.hpp"
#include "archive/table.hpp"
#include "archive/texts.hpp"
#include "base/digest.hpp"

namespace isogrid::archive {

namespace {

/// The one row of /checkpoint.
struct Stamp {
    std::string trial, instruction_set, code_revision;
    std::int64_t step = 0;
};

Row columns_of(Stamp& stamp) {
    return {{"trial", &stamp.trial},
            {"instruction_set", &stamp.instruction_set},
            {"code_revision", &stamp.code_revision},
            {"step", &stamp.step}};
}

std::string sha256_of(const std::vector<float>& values) {
    return base::sha256(std::as_bytes(std::span(values)));
}

void write_values(hid_t file, const std::string& name, std::vector<float> values) {
    const Handle dataset(H5Dcreate2(file, name.c_str(), H5T_IEEE_F32LE, make_space(values.size()),
                                    H5P_DEFAULT, dataset_properties(), H5P_DEFAULT),
                         &H5Dclose, "create " + name);
    ensure(H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
           "write " + name);
    write_seal(dataset, sha256_of(values));
}

std::vector<float> read_values(hid_t file, const std::string& name, std::int64_t count) {
    const Handle dataset = open_dataset(file, name);
    if (extent_of(dataset) != static_cast<std::size_t>(count))
        throw Hdf5Error("cannot use " + name + " (it should hold " + std::to_string(count) + " numbers)");
    std::vector<float> values(static_cast<std::size_t>(count));
    ensure(H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), "read " + name);
    check_seal(dataset, name, sha256_of(values));
    return values;
}

RowSums read_sums(hid_t file) {
    RowSumNumbers sums{};
    double sum = 0;
    const StoredTable table(file, "sums", {{"value", &sum}});
    if (table.rows() != sums.size())
        throw Hdf5Error("cannot use /sums (it should hold " + std::to_string(sums.size()) + " numbers)");
    for (std::size_t row = 0; row < sums.size(); ++row) {
        table.load(row);
        sums[row] = sum;
    }
    return std::bit_cast<RowSums>(sums);
}

/// Only what is bit for bit the beginning of this trial may be gone on from.
base::Result<void> check_stamp(const std::string& where, const Stamp& stamp, const std::string& specification,
                               const study::Trial& trial, const std::string& instruction_set) {
    const char* begin = "the trial begins anew; delete it";
    int numerics = -1;
    try {
        numerics = study::parse_canonical_text(specification).numerics;
    } catch (const std::invalid_argument& error) {
        return base::fail(where, "is a checkpoint of a trial that this program does not know", error.what(),
                          begin);
    }
    if (numerics != trial.numerics)
        return base::fail(where, "is a checkpoint of another numerics version",
                          "its steps have the bits of version " + std::to_string(numerics) +
                              ", the trial's those of " + std::to_string(trial.numerics),
                          begin);
    if (stamp.trial != study::identity(trial))
        return base::fail(
            where, "is a checkpoint of another trial",
            "it is of " + stamp.trial.substr(0, 12) + ", not of " + study::identity(trial).substr(0, 12),
            begin);
    if (bits_of(stamp.instruction_set, trial.precision) != bits_of(instruction_set, trial.precision))
        return base::fail(where, "is a checkpoint of an instruction set with other bits",
                          stamp.instruction_set + ", not " + instruction_set,
                          stamp.instruction_set.starts_with("sm_")
                              ? "the trial begins anew; to go on with it give it such a card and CUDA"
                              : "the trial begins anew; to go on with it add --isa " + stamp.instruction_set);
    return {};
}

}  // namespace

namespace {

/// Gives its numbers away as it goes: they are as large as the model.
void fill(hid_t file, const study::Trial& trial, const std::string& instruction_set, Checkpoint checkpoint) {
    write_attribute(file, "schema", checkpoint_schema);
    Stamp stamp{study::identity(trial), instruction_set, code_revision(), checkpoint.step};
    write_table(file, "checkpoint", columns_of(stamp), 1, [](std::size_t) {});
    write_text(file, "specification", study::canonical_text(trial));

    CurvePoint point;
    write_table(file, "curve", columns_of(point), checkpoint.curve.size(),
                [&](std::size_t row) { point = checkpoint.curve[row]; });
    const auto sums = std::bit_cast<RowSumNumbers>(checkpoint.sums);
    double sum = 0;
    write_table(file, "sums", {{"value", &sum}}, sums.size(), [&](std::size_t row) { sum = sums[row]; });
    write_values(file, "weights", std::exchange(checkpoint.weights, {}));
    write_values(file, "first_moment", std::exchange(checkpoint.first_moment, {}));
    write_values(file, "second_moment", std::exchange(checkpoint.second_moment, {}));
}

}  // namespace

bool write_checkpoint(const std::filesystem::path& path, const study::Trial& trial,
                      const std::string& instruction_set, Checkpoint checkpoint, const Writer& writer) {
    FileImage image;
    try {
        fill(image.file(), trial, instruction_set, std::move(checkpoint));
    } catch (const Hdf5Error& error) {
        throw std::runtime_error(path.string() + ": cannot be prepared in memory (" + error.what() +
                                 ") give the job more memory, and files more room (ulimit -f)");
    }
    return write_durably(path, image.finish(path), writer);
}

std::int64_t checkpoint_bytes(const study::Trial& trial) {
    return 4 * study::count_parameters(trial.shape).total() * static_cast<std::int64_t>(sizeof(float));
}

base::Result<Checkpoint> read_checkpoint(const std::filesystem::path& path, const study::Trial& trial,
                                         const std::string& instruction_set) {
    const auto file = open_checked(path, checkpoint_schema);
    if (!file) return tl::unexpected(file.error());
    try {
        Stamp stamp;
        const StoredTable stamps(*file, "checkpoint", columns_of(stamp));
        if (stamps.rows() != 1) throw Hdf5Error("cannot use /checkpoint (one row expected)");
        stamps.load(0);
        if (const auto checked =
                check_stamp(path.string(), stamp, read_text(*file, "specification"), trial, instruction_set);
            !checked)
            return tl::unexpected(checked.error());

        Checkpoint checkpoint{.step = stamp.step};
        CurvePoint point;
        const StoredTable curve(*file, "curve", columns_of(point));
        for (std::size_t row = 0; row < curve.rows(); ++row) {
            curve.load(row);
            checkpoint.curve.push_back(point);
        }
        checkpoint.sums = read_sums(*file);
        if (checkpoint.step < 1 || checkpoint.step > trial.steps || checkpoint.curve.empty())
            throw Hdf5Error("cannot use /checkpoint (its step is none of the trial's)");
        const std::int64_t parameters = study::count_parameters(trial.shape).total();
        checkpoint.weights = read_values(*file, "weights", parameters);
        checkpoint.first_moment = read_values(*file, "first_moment", parameters);
        checkpoint.second_moment = read_values(*file, "second_moment", parameters);
        return checkpoint;
    } catch (const Hdf5Error& error) {
        return damaged(path, error);
    }
}

}  // namespace isogrid::archive

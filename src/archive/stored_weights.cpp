#include "archive/stored_weights.hpp"

#include <span>
#include <stdexcept>
#include <utility>

#include "archive/schema.hpp"
#include "archive/table.hpp"
#include "base/digest.hpp"

namespace isogrid::archive {

namespace {

/// Selects one part of a dataset of numbers.
Handle select(const Handle& dataset, Part part) {
    Handle space(H5Dget_space(dataset), &H5Sclose, "read the extent of weights");
    const auto start = static_cast<hsize_t>(part.offset), count = static_cast<hsize_t>(part.length);
    ensure(H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, nullptr, &count, nullptr), "select weights");
    return space;
}

}  // namespace

std::string weights_digest(const std::vector<float>& weights) {
    return base::sha256(std::as_bytes(std::span(weights)));
}

bool inside(Part part, std::size_t extent) {
    const auto limit = static_cast<std::int64_t>(extent);
    return part.offset >= 0 && part.length >= 0 && part.length <= limit && part.offset <= limit - part.length;
}

std::vector<float> read_part(const Handle& dataset, Part part) {
    std::vector<float> weights(static_cast<std::size_t>(part.length));
    if (!weights.empty())
        ensure(H5Dread(dataset, H5T_NATIVE_FLOAT, make_space(weights.size()), select(dataset, part),
                       H5P_DEFAULT, weights.data()),
               "read weights");
    return weights;
}

StoredWeights::StoredWeights(Handle file, std::string where)
    : file_(std::move(file)), where_(std::move(where)), dataset_(open_dataset(file_, "weights")) {
    ensure_contiguous(dataset_, "weights");
    const std::size_t extent = extent_of(dataset_);
    TrialRow row;
    const StoredTable trials(file_, "trials", columns_of(row), /*check_seal=*/false);  // weights have digests
    for (std::size_t trial = 0; trial < trials.rows(); ++trial) {
        trials.load(trial);
        if (!inside(row.weights, extent))
            throw Hdf5Error("cannot use /trials (the weights of " + row.planned.name +
                            " lie outside /weights)");
        entries_[row.id] = {row.planned.name, row.outcome, row.result.weights_digest, row.weights};
    }
}

base::Result<std::vector<float>> StoredWeights::read(std::string_view id) const {
    const auto found = entries_.find(id);
    if (found == entries_.end())
        return base::fail(where_, "has no trial " + std::string(id), "no row of /trials has this identity",
                          "isogrid verify lists them");
    const Entry& entry = found->second;
    if (entry.part.length == 0)
        return base::fail(where_, "trial " + entry.name + " has no weights",
                          "it is " + entry.outcome + ", or its study did not keep weights",
                          "run it with run.keep_weights = true into another archive");
    std::vector<float> weights = read_part(dataset_, entry.part);
    if (weights_digest(weights) != entry.digest)
        throw Hdf5Error("cannot use /weights (those of " + entry.name + " have another digest)");
    return weights;
}

base::Result<StoredWeights> open_weights(const std::filesystem::path& path) {
    auto file = open_any(path);
    if (!file) return tl::unexpected(file.error());
    try {
        return StoredWeights(std::move(*file), path.string());
    } catch (const Hdf5Error& error) {
        return damaged(path, error);
    }
}

std::vector<float> WeightsOfFiles::read(const std::filesystem::path& file, const study::Trial& trial) {
    constexpr std::size_t most_open = 64;
    auto open = open_.find(file);
    if (open == open_.end()) {
        if (open_.size() >= most_open) open_.clear();
        auto weights = open_weights(file);
        if (!weights) throw std::runtime_error(base::to_string(weights.error()));
        open = open_.emplace(file, std::move(*weights)).first;
    }
    auto weights = open->second.read(study::identity(trial));
    if (!weights) throw std::runtime_error(base::to_string(weights.error()));
    return std::move(*weights);
}

}  // namespace isogrid::archive

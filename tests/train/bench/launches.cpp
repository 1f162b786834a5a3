#include "train/bench/launches.hpp"

#include <algorithm>
#include <cmath>
#include <variant>

#include "kernels/cuda/sizes.hpp"

namespace isogrid::bench {
namespace {

using Kind = Launch::Kind;

constexpr double threads_a_block = 256, lanes = 32, warps_a_block = threads_a_block / lanes;
constexpr double waves = 16 * multiprocessors;  // kernels that stride over their numbers have as many at most

double pieces(double whole, double piece) {
    return std::ceil(whole / piece);
}

/// Of a kernel that does all of its op's work.
Launch all_by(double blocks) {
    return {Kind::kernel, blocks, 1};
}
Launch helper(double blocks) {
    return {Kind::kernel, blocks, 0};
}

Launch product(double rows, double columns, double terms) {
    const double tiles = pieces(rows, 128) * pieces(columns, 128);
    const double parts =
        std::clamp(std::floor(multiprocessors / tiles), 1.0, std::max(1.0, std::floor(terms / 512)));
    return {Kind::product, tiles * parts, 1};
}

/// As along_rows in kernels/cuda/elementwise.cu.
Launch along_rows(double rows, double columns) {
    const double neighbours = std::fmod(columns, 4) == 0 ? 4 : 1, of_row = pieces(columns, neighbours);
    const double threads = std::min(pieces(of_row, lanes) * lanes, threads_a_block),
                 across = pieces(of_row, threads);
    return all_by(across * std::min(rows, std::max(std::floor(waves / across), 1.0)));
}

double parts_of_sum(double numbers) {
    return std::clamp(std::floor(numbers / (8 * threads_a_block)), 1.0, 1024.0);
}

struct Count {
    const graph::Graph& graph;

    double rows(graph::TensorId id) const { return static_cast<double>(graph.tensor(id).rows); }
    double columns(graph::TensorId id) const { return static_cast<double>(graph.tensor(id).columns); }
    double size(graph::TensorId id) const { return rows(id) * columns(id); }
    static double tiles(const kernels::AttentionShape& shape, double rows_of_tile) {
        return pieces(static_cast<double>(shape.context), rows_of_tile) *
               static_cast<double>(shape.heads * shape.batch);
    }

    using Launches = std::vector<Launch>;
    Launches operator()(const graph::Embedding& o) const {
        return {all_by(pieces(rows(o.out), warps_a_block))};
    }
    Launches operator()(const graph::EmbeddingBackward& o) const {
        const double count = rows(o.out_gradient), vocabulary = rows(o.table_gradient);
        const double windows = pieces(count, 64) * pieces(columns(o.out_gradient), 128);
        Launches all = {{Kind::clearing},
                        helper(pieces(count, 512)),
                        helper(pieces(vocabulary, threads_a_block)),
                        helper(1),
                        helper(pieces(count, threads_a_block)),
                        all_by(windows),
                        helper(windows)};
        if (o.mode == graph::Write::replace) all.push_back({Kind::clearing});
        return all;
    }
    Launches operator()(const graph::RmsNorm& o) const { return {all_by(pieces(rows(o.x), warps_a_block))}; }
    Launches operator()(const graph::RmsNormBackward& o) const {
        constexpr double most_blocks = 264, room = 48 * 1024;
        const double width = columns(o.x);
        const double warps = std::clamp(std::floor(room / (4 * width)), 1.0, warps_a_block);
        const double rows_a_block = pieces(pieces(rows(o.x), most_blocks), warps) * warps;
        return {all_by(pieces(rows(o.x), rows_a_block)), helper(pieces(width, lanes))};
    }
    Launches operator()(const graph::Linear& o) const {
        return {product(rows(o.out), columns(o.out), columns(o.x))};
    }
    Launches operator()(const graph::LinearBackwardInput& o) const {
        return {product(rows(o.x_gradient), columns(o.x_gradient), columns(o.out_gradient))};
    }
    Launches operator()(const graph::LinearBackwardWeights& o) const {
        return {product(rows(o.weights_gradient), columns(o.weights_gradient), rows(o.x))};
    }
    Launches operator()(const graph::Attention& o) const {
        if (graph.element() == kernels::Element::float32) return {all_by(tiles(o.shape, 32))};
        return in_sequences(o.shape, [](const kernels::AttentionShape& some, double packed) {
            return Launches{helper(packed), all_by(tiles(some, rows_of_queries(some)))};
        });
    }
    Launches operator()(const graph::AttentionBackward& o) const {
        const Launch means = helper(tiles(o.shape, threads_a_block / 8));
        const auto half = [](double blocks) { return Launch{Kind::kernel, blocks, 0.5}; };
        if (graph.element() == kernels::Element::float32)
            return {means, half(tiles(o.shape, 32)), half(tiles(o.shape, 32))};
        Launches all = in_sequences(o.shape, [&](const kernels::AttentionShape& some, double packed) {
            return Launches{helper(packed), half(tiles(some, rows_of_queries(some))), half(tiles(some, 64))};
        });
        all.push_back(means);
        return all;
    }
    Launches operator()(const graph::SwiGlu& o) const { return {along_rows(rows(o.out), columns(o.out))}; }
    Launches operator()(const graph::SwiGluBackward& o) const {
        return {along_rows(rows(o.out_gradient), columns(o.out_gradient))};
    }
    Launches operator()(const graph::Add& o) const { return {all_by(strided(size(o.out), 1))}; }
    Launches operator()(const graph::Round& o) const {
        return {all_by(strided(rows(o.out) * static_cast<double>(kernels::row_stride(
                                                 graph.tensor(o.out).columns, kernels::Element::bfloat16)),
                               4))};
    }
    Launches operator()(const graph::CrossEntropy& o) const { return {all_by(rows(o.logits))}; }
    Launches operator()(const graph::CrossEntropyGradient& o) const { return {all_by(rows(o.logits))}; }
    Launches operator()(const graph::ChunkedHead& o) const {
        return in_chunks(o.logits, [&](double rows_of_chunk) {
            return Launches{product(rows_of_chunk, columns(o.logits), columns(o.x)), helper(rows_of_chunk)};
        });
    }
    Launches operator()(const graph::ChunkedHeadGradient& o) const {
        return in_chunks(o.logits, [&](double rows_of_chunk) {
            return Launches{product(rows_of_chunk, columns(o.logits), columns(o.x)), helper(rows_of_chunk),
                            product(columns(o.logits), columns(o.x), rows_of_chunk),
                            product(rows_of_chunk, columns(o.x), columns(o.logits))};
        });
    }

  private:
    /// As query_rows in kernels/cuda/attention_bfloat16.cu.
    static double rows_of_queries(const kernels::AttentionShape& shape) {
        return shape.head_width <= 64 ? 128 : 64;
    }
    /// Of as many sequences at a time as attention in bfloat16 packs: of_some(them, blocks that pack them).
    template <class OfSome>
    static Launches in_sequences(const kernels::AttentionShape& shape, OfSome of_some) {
        const kernels::cuda::PackedSize size = kernels::cuda::packed_size(shape);
        Launches all;
        for (std::int64_t first = 0; first < shape.batch; first += size.sequences) {
            kernels::AttentionShape some = shape;
            some.batch = std::min(size.sequences, shape.batch - first);
            const double packed = pieces(static_cast<double>(size.rows), kernels::cuda::packed_tile) *
                                  static_cast<double>(some.heads * some.batch);
            for (const Launch& launch : of_some(some, packed))
                all.push_back(launch);
        }
        return shared(all);
    }
    static double strided(double numbers, double of_thread) {
        return std::clamp(pieces(pieces(numbers, of_thread), threads_a_block), 1.0, waves);
    }
    template <class OfChunk>
    Launches in_chunks(graph::TensorId chunk, OfChunk of_chunk) const {
        Launches all;
        const auto count = static_cast<double>(graph.rows());
        for (double first = 0; first < count; first += rows(chunk))
            for (const Launch& launch : of_chunk(std::min(rows(chunk), count - first)))
                all.push_back(launch);
        return shared(all);
    }
    /// Their shares as parts of the work of all.
    static Launches shared(Launches all) {
        double work = 0;
        for (const Launch& launch : all)
            work += launch.share;
        for (Launch& launch : all)
            launch.share /= work;
        return all;
    }
};

}  // namespace

std::vector<Launch> launches_of(const graph::Op& op, const graph::Graph& graph) {
    return std::visit(Count{graph}, op);
}

std::vector<Launch> launches_around(double blocks, double rows, double parameters, double tensors) {
    std::vector<Launch> all = {{Kind::clearing}};
    for (double block = 0; block < blocks; ++block) {
        all.push_back(helper(parts_of_sum(rows)));
        all.push_back(helper(1));
    }
    const double of_norm = parts_of_sum(parameters);
    const double of_tensor =
        std::clamp(std::floor(std::floor(parameters / tensors) / (4 * threads_a_block)), 1.0, 64.0);
    for (const Launch& launch : {Launch{Kind::kernel, of_norm, 1.0 / 8}, helper(1), helper(1), helper(1),
                                 Launch{Kind::kernel, of_tensor * tensors, 7.0 / 8}})
        all.push_back(launch);  // the norm, closing and AdamW, by the bytes that they move
    return all;
}

double filled(const std::vector<Launch>& launches) {
    double time = 0, work = 0;
    for (const Launch& launch : launches) {
        work += launch.share;
        time += launch.share * multiprocessors / std::min(multiprocessors, launch.blocks);
    }
    return work > 0 ? work / time : 1;
}

}  // namespace isogrid::bench

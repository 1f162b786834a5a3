// How many rows a card takes at once. Apart from the backend, so that what a step does and moves can be
// counted where there is no card (tests/train/bench/roofline.hpp).
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "kernels/backend.hpp"

namespace isogrid::kernels::cuda {

/// Rows of a training step in a model of `width`: as many as fill the card at each launch, and few enough
/// that 24 layers' activations fit beside a model of the width: 65,536 up to width 512, 32,768 at 1,024. Not
/// measured yet.
constexpr std::int64_t rows_at_once(std::int64_t width) {
    constexpr std::int64_t most_rows = 65536, most_numbers = std::int64_t{1} << 25;
    return std::clamp<std::int64_t>(most_numbers / width, 1, most_rows);
}

/// Rows of `vocabulary` logits: these and their gradient stay in the second-level cache of a large card (50
/// MB on an H100) between the kernel that writes them and those that read them, and rows are enough for
/// products to fill the card. Whole tiles of rows, which begin where every product can read them. Not
/// measured yet.
constexpr std::int64_t logit_rows_at_once(std::int64_t vocabulary) {
    constexpr std::int64_t most_logits = std::int64_t{1} << 23, fewest_rows = 512, tile = 64;
    return std::max(most_logits / vocabulary / tile * tile, fewest_rows);
}

/// Trials on one card, each on a stream of its own: as many as one likes, but where products of cuBLASLt
/// beside each other can be wrong, on compute capability 10 and 11 from cuBLAS 12.8 on, mended in 13.1.1
/// and 13.2.2 (NVIDIA's bugs 5807900 and 5943783, in CUDA's release notes). `version` as
/// Products::library_version.
constexpr int trials_at_once(int capability, std::size_t version) {
    const bool is_wrong = version >= 120800 && (version < 130101 || (version >= 130200 && version < 130202));
    return capability >= 100 && capability < 120 && is_wrong ? 1 : std::numeric_limits<int>::max();
}

/// Heads as attention in bfloat16 packs them (attention_packing.hpp).
struct PackedSize {
    std::int64_t rows, width;  ///< of a head
    std::int64_t sequences;    ///< at once
    std::int64_t bytes;        ///< of them all
};
constexpr int packed_tile = 64, packed_parts = 4;

/// Rows are whole pairs of tiles, and widths those that kernels are compiled for. As many sequences as stay
/// in the second-level cache of a large card between the kernel that packs them and those that read them, and
/// enough to fill it. Not measured yet.
constexpr PackedSize packed_size(const AttentionShape& shape) {
    constexpr std::int64_t most_bytes = std::int64_t{1} << 25, pair_of_tiles = 2 * packed_tile;
    const std::int64_t rows = (shape.context + pair_of_tiles - 1) / pair_of_tiles * pair_of_tiles;
    const auto width = static_cast<std::int64_t>(
        std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(16, shape.head_width))));
    const std::int64_t sequence_bytes = shape.heads * rows * (packed_parts * width * 2 + 2 * 4);
    const std::int64_t sequences = std::clamp<std::int64_t>(most_bytes / sequence_bytes, 1, shape.batch);
    return {rows, width, sequences, sequences * sequence_bytes};
}

}  // namespace isogrid::kernels::cuda

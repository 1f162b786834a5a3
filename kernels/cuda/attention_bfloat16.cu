// Causal attention in bfloat16 on tensor cores: tiles of 64 rows, four warps of 16 each, scores in registers
// (Dao 2023, FlashAttention-2, algorithms 1 and 2). Gradients of queries and of keys come from two kernels,
// which make the scores anew, so that each sum has one owner and one order.
#include "kernels/cuda/attention_tiles.hpp"

namespace isogrid::kernels::cuda {
namespace {

constexpr int tile = 64, warps = 4, threads = warps * lanes, rows_of_warp = 16;
constexpr float log2_e = 1.4426950408889634f, ln_2 = 0.6931471805599453f;

/// Rows of a tile in shared memory are apart by 8 numbers more than they have: 8 of them lie in different
/// banks.
template <int width>
constexpr int pitch_of = width + 8;
template <int width>
constexpr int tile_size = tile* pitch_of<width>;

/// Where this lane's words of four 8 x 8 matrices begin that stand in a square: two below each other, two
/// beside each other. `beside_first`: the second matrix is the one beside the first, else the one below it.
template <int pitch>
__device__ const Bfloat16* square_at(const Bfloat16* from, int row, int column, bool beside_first) {
    const int lane = static_cast<int>(threadIdx.x) % lanes, matrix = lane / 8;
    const int second = matrix % 2, third = matrix / 2;
    const int down = beside_first ? third : second, along = beside_first ? second : third;
    return from + (row + 8 * down + lane % 8) * pitch + column + 8 * along;
}

/// 16 rows and 16 columns as multiply_tile's left factor.
template <int pitch>
__device__ void load_left(std::uint32_t (&words)[4], const Bfloat16* from, int row, int column) {
    load_tiles(words, square_at<pitch>(from, row, column, false));
}

/// Two right factors, of sums over columns: their columns are rows `row` to `row` + 16 of the matrix.
template <int pitch>
__device__ void load_rights_of_rows(std::uint32_t (&words)[4], const Bfloat16* from, int row, int column) {
    load_tiles(words, square_at<pitch>(from, row, column, true));
}

/// Two right factors, of sums over rows: their columns are columns `column` to `column` + 16 of the matrix.
template <int pitch>
__device__ void load_rights_of_columns(std::uint32_t (&words)[4], const Bfloat16* from, int row, int column) {
    load_tiles_transposed(words, square_at<pitch>(from, row, column, false));
}

/// sums (16, others) = rows `left_row` of left . rows of right, over `width` columns.
template <int width, int others>
__device__ void multiply_rows(float (&sums)[others / 8][4], const Bfloat16* left, int left_row,
                              const Bfloat16* right) {
    constexpr int pitch = pitch_of<width>;
#pragma unroll
    for (int other = 0; other < others / 8; ++other)
#pragma unroll
        for (int i = 0; i < 4; ++i)
            sums[other][i] = 0;
#pragma unroll
    for (int column = 0; column < width; column += 16) {
        std::uint32_t of_left[4], of_right[4];
        load_left<pitch>(of_left, left, left_row, column);
#pragma unroll
        for (int other = 0; other < others; other += 16) {
            load_rights_of_rows<pitch>(of_right, right, other, column);
            multiply_tile(sums[other / 8], of_left, of_right[0], of_right[1]);
            multiply_tile(sums[other / 8 + 1], of_left, of_right[2], of_right[3]);
        }
    }
}

/// sums (16, width) += weights (16, others) . right (others, width); weights are rounded.
template <int width, int others>
__device__ void add_weighted_rows(float (&sums)[width / 8][4], const float (&weights)[others / 8][4],
                                  const Bfloat16* right) {
#pragma unroll
    for (int other = 0; other < others; other += 16) {
        // A lane's sums of one product are its words of the next one's left factor.
        const float(&near)[4] = weights[other / 8], (&far)[4] = weights[other / 8 + 1];
        const std::uint32_t of_left[4] = {rounded_pair(near[0], near[1]), rounded_pair(near[2], near[3]),
                                          rounded_pair(far[0], far[1]), rounded_pair(far[2], far[3])};
#pragma unroll
        for (int column = 0; column < width; column += 16) {
            std::uint32_t of_right[4];
            load_rights_of_columns<pitch_of<width>>(of_right, right, other, column);
            multiply_tile(sums[column / 8], of_left, of_right[0], of_right[1]);
            multiply_tile(sums[column / 8 + 1], of_left, of_right[2], of_right[3]);
        }
    }
}

/// Where the sums of this lane stand: sums[n][i] is at row low_row + 8 (i / 2) and column 8 n + pair + i % 2.
struct Place {
    int first_row, low_row, pair;  ///< of the warp; of the lane
};
__device__ Place place_of_lane() {
    const int lane = static_cast<int>(threadIdx.x) % lanes;
    const int first_row = static_cast<int>(threadIdx.x) / lanes * rows_of_warp;
    return {first_row, first_row + lane / 4, lane % 4 * 2};
}

/// The four lanes of a row.
__device__ float sum_over_row(float value) {
    value += __shfl_xor_sync(all_lanes, value, 1);
    return value + __shfl_xor_sync(all_lanes, value, 2);
}
__device__ float largest_of_row(float value) {
    value = fmaxf(value, __shfl_xor_sync(all_lanes, value, 1));
    return fmaxf(value, __shfl_xor_sync(all_lanes, value, 2));
}

/// The warp's rows of a tile that begins at row `first`, each times its factor, into the head.
template <int width>
__device__ void write_rows(const Head<Bfloat16>& head, std::int64_t first, const Place& place,
                           const float (&sums)[width / 8][4], float low_factor, float high_factor) {
#pragma unroll
    for (int part = 0; part < 2; ++part) {
        const std::int64_t row = first + place.low_row + 8 * part;
        const float factor = part == 0 ? low_factor : high_factor;
        if (row >= head.rows) continue;
        auto* words = reinterpret_cast<std::uint32_t*>(head.first + row * head.stride + place.pair);
#pragma unroll
        for (int column = 0; column < width; column += 8)
            if (column + place.pair < head.width)  // widths are even: both numbers, or none
                words[column / 2] = rounded_pair(factor * sums[column / 8][2 * part],
                                                 factor * sums[column / 8][2 * part + 1]);
    }
}

/// A gradient of rotated rows, turned back on its way through `staged`, (tile, width + 4) of shared memory.
template <int width>
__device__ void write_turned_back(const Head<Bfloat16>& head, const RotaryTables& rotary, std::int64_t first,
                                  const Place& place, const float (&sums)[width / 8][4], float* staged) {
    constexpr int pitch = width + 4;
    __syncthreads();
#pragma unroll
    for (int column = 0; column < width; column += 8)
#pragma unroll
        for (int i = 0; i < 4; ++i)
            staged[(place.low_row + i / 2 * 8) * pitch + column + place.pair + i % 2] = sums[column / 8][i];
    __syncthreads();
    write_rows_turned_back<tile, pitch>(head, rotary, first, staged);
}

template <int width>
__global__ void __launch_bounds__(threads)
    attention_kernel(AttentionShape shape, RotaryTables rotary, const Bfloat16* qkv, Bfloat16* out,
                     float* log_sum) {
    constexpr int pitch = pitch_of<width>;
    Bfloat16 *q = shared_at<Bfloat16>(), *k = q + tile_size<width>, *v = k + tile_size<width>;
    const std::int64_t columns = 3 * shape.width();
    const std::int64_t first = std::int64_t{gridDim.x - 1 - blockIdx.x} * tile;  // the longest first
    const Place place = place_of_lane();
    load_rotated_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, 0), rotary, first, q);

    const float scale = shape.scale * log2_e;
    float largest[2] = {-INFINITY, -INFINITY}, sum[2] = {}, mixed[width / 8][4] = {};
    for (std::int64_t key = 0; key <= first; key += tile) {
        __syncthreads();
        load_rotated_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, shape.width()), rotary, key,
                                              k);
        load_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, 2 * shape.width()), key, v);
        __syncthreads();
        float scores[tile / 8][4];
        multiply_rows<width, tile>(scores, q, place.first_row, k);
        float most[2] = {largest[0], largest[1]};
#pragma unroll
        for (int n = 0; n < tile / 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const bool seen = key + 8 * n + place.pair + i % 2 <= first + place.low_row + i / 2 * 8;
                scores[n][i] = seen ? scale * scores[n][i] : -INFINITY;
                most[i / 2] = fmaxf(most[i / 2], scores[n][i]);
            }
        float shrink[2];
#pragma unroll
        for (int part = 0; part < 2; ++part) {
            most[part] = largest_of_row(most[part]);
            shrink[part] = exp2f(largest[part] - most[part]);
            largest[part] = most[part];
            sum[part] *= shrink[part];
        }
#pragma unroll
        for (int n = 0; n < tile / 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                scores[n][i] = exp2f(scores[n][i] - largest[i / 2]);
                sum[i / 2] += scores[n][i];
            }
#pragma unroll
        for (int n = 0; n < width / 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i)
                mixed[n][i] *= shrink[i / 2];
        add_weighted_rows<width, tile>(mixed, scores, v);
    }
    sum[0] = sum_over_row(sum[0]);
    sum[1] = sum_over_row(sum[1]);
    write_rows<width>(head_of_block(out, shape, shape.width(), 0), first, place, mixed, 1 / sum[0],
                      1 / sum[1]);
    if (place.pair == 0)
        for (int part = 0; part < 2; ++part) {
            const std::int64_t row = first + place.low_row + 8 * part;
            if (row < shape.context)
                log_sum[first_row_of_block(shape) + row] = largest[part] * ln_2 + logf(sum[part]);
        }
}

template <int width>
__global__ void __launch_bounds__(threads)
    query_gradient_kernel(AttentionShape shape, RotaryTables rotary, const Bfloat16* out_gradient,
                          const Bfloat16* qkv, const float* log_sum, const float* means,
                          Bfloat16* qkv_gradient) {
    constexpr int pitch = pitch_of<width>;
    Bfloat16 *q = shared_at<Bfloat16>(), *gradient = q + tile_size<width>, *k = gradient + tile_size<width>,
             *v = k + tile_size<width>;
    const std::int64_t columns = 3 * shape.width();
    const std::int64_t first = std::int64_t{gridDim.x - 1 - blockIdx.x} * tile;
    const Place place = place_of_lane();
    load_rotated_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, 0), rotary, first, q);
    load_rows<width, tile, pitch>(head_of_block(out_gradient, shape, shape.width(), 0), first, gradient);
    float total[2] = {}, mean[2] = {};
    for (int part = 0; part < 2; ++part) {
        const std::int64_t row = first + place.low_row + 8 * part;
        if (row >= shape.context) continue;
        total[part] = log2_e * log_sum[first_row_of_block(shape) + row];
        mean[part] = means[first_row_of_block(shape) + row];
    }

    const float scale = shape.scale * log2_e;
    float sums[width / 8][4] = {};
    for (std::int64_t key = 0; key <= first; key += tile) {
        __syncthreads();
        load_rotated_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, shape.width()), rotary, key,
                                              k);
        load_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, 2 * shape.width()), key, v);
        __syncthreads();
        float scores[tile / 8][4], along[tile / 8][4];
        multiply_rows<width, tile>(scores, q, place.first_row, k);
        multiply_rows<width, tile>(along, gradient, place.first_row, v);
#pragma unroll
        for (int n = 0; n < tile / 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const bool seen = key + 8 * n + place.pair + i % 2 <= first + place.low_row + i / 2 * 8;
                const float probability = seen ? exp2f(scale * scores[n][i] - total[i / 2]) : 0.0f;
                scores[n][i] = shape.scale * probability * (along[n][i] - mean[i / 2]);
            }
        add_weighted_rows<width, tile>(sums, scores, k);
    }
    write_turned_back<width>(head_of_block(qkv_gradient, shape, columns, 0), rotary, first, place, sums,
                             shared_at<float>());
}

/// Queries at a time: fewer where heads are wide, so that two gradients and the scores fit into registers.
template <int width>
constexpr int queries_at_once = width > 64 ? 32 : 64;

template <int width>
__global__ void __launch_bounds__(threads)
    key_value_gradient_kernel(AttentionShape shape, RotaryTables rotary, const Bfloat16* out_gradient,
                              const Bfloat16* qkv, const float* log_sum, const float* means,
                              Bfloat16* qkv_gradient) {
    constexpr int pitch = pitch_of<width>, queries = queries_at_once<width>;
    Bfloat16 *k = shared_at<Bfloat16>(), *v = k + tile_size<width>, *q = v + tile_size<width>,
             *gradient = q + tile_size<width>;
    float *totals = reinterpret_cast<float*>(gradient + tile_size<width>), *mean = totals + tile;
    const std::int64_t columns = 3 * shape.width(), first = std::int64_t{blockIdx.x} * tile;
    const Place place = place_of_lane();
    load_rotated_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, shape.width()), rotary, first,
                                          k);
    load_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, 2 * shape.width()), first, v);

    const float scale = shape.scale * log2_e;
    float key_sums[width / 8][4] = {}, value_sums[width / 8][4] = {};
    for (std::int64_t query = first; query < shape.context; query += queries) {
        __syncthreads();
        load_rotated_rows<width, queries, pitch>(head_of_block(qkv, shape, columns, 0), rotary, query, q);
        load_rows<width, queries, pitch>(head_of_block(out_gradient, shape, shape.width(), 0), query,
                                         gradient);
        for (int i = threadIdx.x; i < queries; i += blockDim.x) {
            const bool exists = query + i < shape.context;
            totals[i] = exists ? log2_e * log_sum[first_row_of_block(shape) + query + i] : 0;
            mean[i] = exists ? means[first_row_of_block(shape) + query + i] : 0;
        }
        __syncthreads();
        float weights[queries / 8][4], slopes[queries / 8][4];  // (keys, queries)
        multiply_rows<width, queries>(weights, k, place.first_row, q);
        multiply_rows<width, queries>(slopes, v, place.first_row, gradient);
#pragma unroll
        for (int n = 0; n < queries / 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int other = 8 * n + place.pair + i % 2;
                const std::int64_t row = query + other;
                const bool seen = row < shape.context && first + place.low_row + i / 2 * 8 <= row;
                weights[n][i] = seen ? exp2f(scale * weights[n][i] - totals[other]) : 0.0f;
                slopes[n][i] = shape.scale * weights[n][i] * (slopes[n][i] - mean[other]);
            }
        add_weighted_rows<width, queries>(value_sums, weights, gradient);
        add_weighted_rows<width, queries>(key_sums, slopes, q);
    }
    write_rows<width>(head_of_block(qkv_gradient, shape, columns, 2 * shape.width()), first, place,
                      value_sums, 1, 1);
    write_turned_back<width>(head_of_block(qkv_gradient, shape, columns, shape.width()), rotary, first, place,
                             key_sums, shared_at<float>());
}

template <int width>
constexpr std::size_t shared_bytes(int tiles) {
    return static_cast<std::size_t>(tiles * tile_size<width>) * sizeof(Bfloat16);
}

}  // namespace

void attention_bfloat16(const Card& card, const Bfloat16* qkv, RotaryTables rotary, AttentionShape shape,
                        Bfloat16* out, float* log_sum) {
    for_compiled_width(shape.head_width, [&]<int width>() {
        launch(card, attention_kernel<width>, tiles_of(shape, tile), threads, shared_bytes<width>(3), shape,
               rotary, qkv, out, log_sum);
    });
}

void attention_backward_bfloat16(const Card& card, const Bfloat16* out_gradient, const Bfloat16* qkv,
                                 RotaryTables rotary, const float* log_sum, const float* means,
                                 AttentionShape shape, Bfloat16* qkv_gradient) {
    for_compiled_width(shape.head_width, [&]<int width>() {
        launch(card, query_gradient_kernel<width>, tiles_of(shape, tile), threads, shared_bytes<width>(4),
               shape, rotary, out_gradient, qkv, log_sum, means, qkv_gradient);
        launch(card, key_value_gradient_kernel<width>, tiles_of(shape, tile), threads,
               shared_bytes<width>(4) + 2 * tile * sizeof(float), shape, rotary, out_gradient, qkv, log_sum,
               means, qkv_gradient);
    });
}

}  // namespace isogrid::kernels::cuda

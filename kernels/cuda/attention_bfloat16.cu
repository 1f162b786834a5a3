// Causal attention in bfloat16 on tensor cores: tiles of 64 rows, four warps of 16 each, scores in registers
// (Dao 2023, FlashAttention-2, algorithms 1 and 2). Gradients of queries and of keys come from two kernels,
// which make the scores anew, so that each sum has one owner and one order.
#include "kernels/cuda/attention_products.hpp"
#include "kernels/cuda/attention_tiles.hpp"

namespace isogrid::kernels::cuda {
namespace {

constexpr int tile = 64, threads = tile / rows_of_warp * lanes;
constexpr float log2_e = 1.4426950408889634f, ln_2 = 0.6931471805599453f;

template <int width>
constexpr int tile_size = tile* pitch_of<width>;

/// The four lanes of a row.
__device__ float sum_over_row(float value) {
    value += __shfl_xor_sync(all_lanes, value, 1);
    return value + __shfl_xor_sync(all_lanes, value, 2);
}
__device__ float largest_of_row(float value) {
    value = fmaxf(value, __shfl_xor_sync(all_lanes, value, 1));
    return fmaxf(value, __shfl_xor_sync(all_lanes, value, 2));
}

/// Hides from each row the keys that come after it, in the tile whose keys are as far along as its rows.
__device__ void hide_later_keys(float (&scores)[tile / 8][4], const Place& place) {
#pragma unroll
    for (int n = 0; n < tile / 8; ++n)
#pragma unroll
        for (int i = 0; i < 4; ++i)
            if (8 * n + i % 2 - i / 2 * 8 > place.low_row - place.pair) scores[n][i] = -INFINITY;
}

/// The warp's rows of a tile that begins at row `first`, each times its factor, into the head.
template <int width>
__device__ void write_rows(const Head<Bfloat16>& head, int first, const Place& place,
                           const float (&sums)[width / 8][4], float low_factor, float high_factor) {
#pragma unroll
    for (int part = 0; part < 2; ++part) {
        const int row = first + place.low_row + 8 * part;
        const float factor = part == 0 ? low_factor : high_factor;
        if (row >= head.rows) continue;
        auto* words = reinterpret_cast<std::uint32_t*>(head.row(row) + place.pair);
#pragma unroll
        for (int column = 0; column < width; column += 8)
            if (column + place.pair < head.width)  // widths are even: both numbers, or none
                words[column / 2] = rounded_pair(factor * sums[column / 8][2 * part],
                                                 factor * sums[column / 8][2 * part + 1]);
    }
}

/// A gradient of rotated rows, turned back on its way through `staged`, (tile, width + 4) of shared memory.
template <int width>
__device__ void write_turned_back(const Head<Bfloat16>& head, const RotaryTables& rotary, int first,
                                  const Place& place, const float (&sums)[width / 8][4], float* staged) {
    constexpr int pitch = width + 4;
    __syncthreads();
#pragma unroll
    for (int column = 0; column < width; column += 8)
#pragma unroll
        for (int i = 0; i < 4; ++i)
            staged[(place.low_row + i / 2 * 8) * pitch + column + place.pair + i % 2] = sums[column / 8][i];
    __syncthreads();
    write_rows_turned_back<width, tile, pitch>(head, rotary, first, staged);
}

template <int width>
__global__ void __launch_bounds__(threads)
    attention_kernel(AttentionShape shape, RotaryTables rotary, const Bfloat16* qkv, Bfloat16* out,
                     float* log_sum) {
    constexpr int pitch = pitch_of<width>;
    Bfloat16 *q = shared_at<Bfloat16>(), *k = q + tile_size<width>, *v = k + tile_size<width>;
    const std::int64_t columns = 3 * shape.width();
    const int first = static_cast<int>(gridDim.x - 1 - blockIdx.x) * tile;  // the longest first
    const Place place = place_of_lane();
    load_rotated_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, 0), rotary, first, q);

    const float scale = shape.scale * log2_e;
    float largest[2] = {-INFINITY, -INFINITY}, sum[2] = {}, mixed[width / 8][4] = {};
    for (int key = 0; key <= first; key += tile) {
        __syncthreads();
        load_rotated_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, shape.width()), rotary, key,
                                              k);
        load_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, 2 * shape.width()), key, v);
        __syncthreads();
        float scores[tile / 8][4];
        multiply_rows<width, tile>(scores, q, place.first_row, k);
#pragma unroll
        for (int n = 0; n < tile / 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i)
                scores[n][i] *= scale;
        if (key == first) hide_later_keys(scores, place);
        float most[2] = {largest[0], largest[1]};
#pragma unroll
        for (int n = 0; n < tile / 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i)
                most[i / 2] = fmaxf(most[i / 2], scores[n][i]);
        float shrink[2];
#pragma unroll
        for (int part = 0; part < 2; ++part) {
            most[part] = largest_of_row(most[part]);
            shrink[part] = power_of_two(largest[part] - most[part]);
            largest[part] = most[part];
            sum[part] *= shrink[part];
        }
#pragma unroll
        for (int n = 0; n < tile / 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                scores[n][i] = power_of_two(scores[n][i] - largest[i / 2]);
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
            const int row = first + place.low_row + 8 * part;
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
    const int first = static_cast<int>(gridDim.x - 1 - blockIdx.x) * tile;
    const Place place = place_of_lane();
    load_rotated_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, 0), rotary, first, q);
    load_rows<width, tile, pitch>(head_of_block(out_gradient, shape, shape.width(), 0), first, gradient);
    float total[2] = {}, mean[2] = {};
    for (int part = 0; part < 2; ++part) {
        const int row = first + place.low_row + 8 * part;
        if (row >= shape.context) continue;
        total[part] = log2_e * log_sum[first_row_of_block(shape) + row];
        mean[part] = means[first_row_of_block(shape) + row];
    }

    const float scale = shape.scale * log2_e;
    float sums[width / 8][4] = {};
    for (int key = 0; key <= first; key += tile) {
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
            for (int i = 0; i < 4; ++i)
                scores[n][i] = scale * scores[n][i] - total[i / 2];
        if (key == first) hide_later_keys(scores, place);
#pragma unroll
        for (int n = 0; n < tile / 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i)
                scores[n][i] = shape.scale * power_of_two(scores[n][i]) * (along[n][i] - mean[i / 2]);
        add_weighted_rows<width, tile>(sums, scores, k);
    }
    write_turned_back<width>(head_of_block(qkv_gradient, shape, columns, 0), rotary, first, place, sums,
                             shared_at<float>());
}

/// Queries at a time: half a tile, so that two gradients, the scores and theirs fit into registers.
constexpr int queries = tile / 2;

template <int width>
__global__ void __launch_bounds__(threads)
    key_value_gradient_kernel(AttentionShape shape, RotaryTables rotary, const Bfloat16* out_gradient,
                              const Bfloat16* qkv, const float* log_sum, const float* means,
                              Bfloat16* qkv_gradient) {
    constexpr int pitch = pitch_of<width>;
    Bfloat16 *k = shared_at<Bfloat16>(), *v = k + tile_size<width>, *q = v + tile_size<width>,
             *gradient = q + tile_size<width>;
    float *totals = reinterpret_cast<float*>(gradient + tile_size<width>), *mean = totals + tile;
    const std::int64_t columns = 3 * shape.width();
    const int first = static_cast<int>(blockIdx.x) * tile, context = static_cast<int>(shape.context);
    const Place place = place_of_lane();
    load_rotated_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, shape.width()), rotary, first,
                                          k);
    load_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, 2 * shape.width()), first, v);

    const float scale = shape.scale * log2_e;
    float key_sums[width / 8][4] = {}, value_sums[width / 8][4] = {};
    for (int query = first; query < context; query += queries) {
        __syncthreads();
        load_rotated_rows<width, queries, pitch>(head_of_block(qkv, shape, columns, 0), rotary, query, q);
        load_rows<width, queries, pitch>(head_of_block(out_gradient, shape, shape.width(), 0), query,
                                         gradient);
        for (int i = threadIdx.x; i < queries; i += blockDim.x) {
            const bool exists = query + i < context;
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
            for (int i = 0; i < 4; ++i)
                weights[n][i] = scale * weights[n][i] - totals[8 * n + place.pair + i % 2];
        if (query < first + tile || query + queries > context) {
#pragma unroll
            for (int n = 0; n < queries / 8; ++n)
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    const int other = query + 8 * n + place.pair + i % 2;
                    const bool seen = other < context && first + place.low_row + i / 2 * 8 <= other;
                    if (!seen) weights[n][i] = -INFINITY;
                }
        }
#pragma unroll
        for (int n = 0; n < queries / 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                weights[n][i] = power_of_two(weights[n][i]);
                slopes[n][i] =
                    shape.scale * weights[n][i] * (slopes[n][i] - mean[8 * n + place.pair + i % 2]);
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

void attention_of(const Card& card, const Bfloat16* qkv, RotaryTables rotary, AttentionShape shape,
                  Bfloat16* out, float* log_sum) {
    launch_for_width(
        card, shape, tile, threads,
        [&]<int width>() { return std::pair(&attention_kernel<width>, shared_bytes<width>(3)); }, rotary, qkv,
        out, log_sum);
}

void attention_gradient_of(const Card& card, const Bfloat16* out_gradient, const Bfloat16* qkv,
                           RotaryTables rotary, const float* log_sum, const float* means,
                           AttentionShape shape, Bfloat16* qkv_gradient) {
    const auto run = [&](auto kernel) {
        launch_for_width(card, shape, tile, threads, kernel, rotary, out_gradient, qkv, log_sum, means,
                         qkv_gradient);
    };
    run([&]<int width>() { return std::pair(&query_gradient_kernel<width>, shared_bytes<width>(4)); });
    run([&]<int width>() {
        return std::pair(&key_value_gradient_kernel<width>,
                         shared_bytes<width>(4) + 2 * tile * sizeof(float));
    });
}

}  // namespace isogrid::kernels::cuda

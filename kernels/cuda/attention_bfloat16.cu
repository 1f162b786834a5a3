// Causal attention in bfloat16 on tensor cores: four warps of one or two squares of 16 rows each, scores in
// registers (Dao 2023, FlashAttention-2, algorithms 1 and 2), tiles copied while others are multiplied.
// Gradients of queries and of keys come from two kernels, which make the scores anew, so that each sum has
// one owner and one order.
#include "kernels/cuda/attention_packing.hpp"

namespace isogrid::kernels::cuda {
namespace {

constexpr int tile = packed_tile, half_tile = tile / 2, warps = 4, threads = warps * lanes;
constexpr float ln_2 = 0.6931471805599453f;

/// Squares of a warp whose rows are queries: two, so that each number of keys and values is read from shared
/// memory half as often, where the sums of two fit into registers.
template <int width>
constexpr int query_squares = width <= 64 ? 2 : 1;
template <int width>
constexpr int query_rows = warps* rows_of_square* query_squares<width>;

/// Bytes of shared memory.
template <int width>
constexpr std::size_t bytes_of_rows(int rows) {
    return static_cast<std::size_t>(rows * pitch_of<width>) * sizeof(Bfloat16);
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

/// Calls run(square, n, i) for every score of the lane.
template <int squares, int others, class Run>
__device__ void for_scores(Run run) {
#pragma unroll
    for (int square = 0; square < squares; ++square)
#pragma unroll
        for (int n = 0; n < others / 8; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i)
                run(square, n, i);
}

/// Hides from each query the keys that come after it; the lane's first query is `ahead` behind its first key.
template <int squares, int others>
__device__ void hide_later_keys(float (&scores)[squares][others / 8][4], int ahead) {
    for_scores<squares, others>([&](int square, int n, int i) {
        if (8 * n + i % 2 > ahead + 16 * square + i / 2 * 8) scores[square][n][i] = -INFINITY;
    });
}

/// The warp's rows of those that begin at row `first`, each times its factor, into the head.
template <int width, int squares>
__device__ void write_rows(const Head<Bfloat16>& head, int first, const Place& place,
                           const float (&sums)[squares][width / 8][4], const float (&factors)[squares][2]) {
#pragma unroll
    for (int square = 0; square < squares; ++square)
#pragma unroll
        for (int part = 0; part < 2; ++part) {
            const int row = first + place.low_row + 16 * square + 8 * part;
            const float factor = factors[square][part];
            if (row >= head.rows) continue;
            auto* words = reinterpret_cast<std::uint32_t*>(head.row(row) + place.pair);
#pragma unroll
            for (int column = 0; column < width; column += 8)
                if (column + place.pair < head.width)  // widths are even: both numbers, or none
                    words[column / 2] = rounded_pair(factor * sums[square][column / 8][2 * part],
                                                     factor * sums[square][column / 8][2 * part + 1]);
        }
}

/// A gradient of rotated rows, turned back on its way through `staged`, (rows, width + 4) of shared memory.
template <int width, int squares>
__device__ void write_turned_back(const Head<Bfloat16>& head, const RotaryTables& rotary, int first,
                                  const Place& place, const float (&sums)[squares][width / 8][4],
                                  float* staged) {
    constexpr int pitch = width + 4;
    __syncthreads();
    for_scores<squares, width>([&](int square, int n, int i) {
        staged[(place.low_row + 16 * square + i / 2 * 8) * pitch + 8 * n + place.pair + i % 2] =
            sums[square][n][i];
    });
    __syncthreads();
    write_rows_turned_back<width, warps * rows_of_square * squares, pitch>(head, rotary, first, staged);
}

/// Behind the last key that the warp's queries see, which begin at row `first`; 0 behind the context's end.
template <int squares>
__device__ int end_of_keys(int first, int context) {
    return first < context ? first + rows_of_square * squares : 0;
}

/// Values come while scores are made, and the next keys while values are mixed.
template <int width>
__global__ void __launch_bounds__(threads)
    attention_kernel(AttentionShape shape, PackedHeads packed, Bfloat16* out, float* log_sum) {
    constexpr int squares = query_squares<width>, rows = query_rows<width>, pitch = pitch_of<width>;
    Bfloat16 *q = shared_at<Bfloat16>(), *k = q + rows * pitch, *v = k + tile * pitch;
    const int first = static_cast<int>(gridDim.x - 1 - blockIdx.x) * rows;  // the longest first
    const int context = static_cast<int>(shape.context),
              end = first + rows < context ? first + rows : context;
    const Place place = place_of_lane<squares>();
    const int own_end = end_of_keys<squares>(first + place.first_row, context);
    begin_rows<width, rows>(packed.part<width>(queries, first), q);
    begin_rows<width, tile>(packed.part<width>(keys, 0), k);

    const float scale = shape.scale * log2_e;
    float largest[squares][2], sum[squares][2] = {}, mixed[squares][width / 8][4] = {};
#pragma unroll
    for (int square = 0; square < squares; ++square)
        largest[square][0] = largest[square][1] = -INFINITY;
    for (int key = 0; key < end; key += tile) {
        const bool sees = key < own_end;
        float scores[squares][tile / 8][4] = {};
        wait_for_copies();
        __syncthreads();  // keys are there, and nobody reads the last values any more
        begin_rows<width, tile>(packed.part<width>(values, key), v);
        if (sees) add_products_of_rows<width, tile>(scores, q, place.first_row, k);
        wait_for_copies();
        __syncthreads();  // values are there, and nobody reads the keys any more
        if (key + tile < end) begin_rows<width, tile>(packed.part<width>(keys, key + tile), k);
        if (!sees) continue;
        for_scores<squares, tile>([&](int square, int n, int i) { scores[square][n][i] *= scale; });
        if (key + tile > first + place.first_row)
            hide_later_keys<squares, tile>(scores, first + place.low_row - key - place.pair);
        float most[squares][2], shrink[squares][2];
#pragma unroll
        for (int square = 0; square < squares; ++square)
#pragma unroll
            for (int part = 0; part < 2; ++part)
                most[square][part] = largest[square][part];
        for_scores<squares, tile>([&](int square, int n, int i) {
            most[square][i / 2] = fmaxf(most[square][i / 2], scores[square][n][i]);
        });
#pragma unroll
        for (int square = 0; square < squares; ++square)
#pragma unroll
            for (int part = 0; part < 2; ++part) {
                most[square][part] = largest_of_row(most[square][part]);
                shrink[square][part] = power_of_two(largest[square][part] - most[square][part]);
                largest[square][part] = most[square][part];
                sum[square][part] *= shrink[square][part];
            }
        for_scores<squares, tile>([&](int square, int n, int i) {
            scores[square][n][i] = power_of_two(scores[square][n][i] - largest[square][i / 2]);
            sum[square][i / 2] += scores[square][n][i];
        });
        for_scores<squares, width>(
            [&](int square, int n, int i) { mixed[square][n][i] *= shrink[square][i / 2]; });
        add_weighted_rows<width, tile>(mixed, scores, v);
    }
    float factors[squares][2];
#pragma unroll
    for (int square = 0; square < squares; ++square)
#pragma unroll
        for (int part = 0; part < 2; ++part) {
            const int row = first + place.low_row + 16 * square + 8 * part;
            const float total = sum_over_row(sum[square][part]);
            factors[square][part] = 1 / total;
            if (place.pair == 0 && row < context)
                log_sum[first_row_of_block(shape) + row] = largest[square][part] * ln_2 + logf(total);
        }
    write_rows<width>(head_of_block(out, shape, shape.width(), 0), first, place, mixed, factors);
}

/// Two tiles of keys and values, of half the rows: one comes while the other is multiplied.
template <int width>
__global__ void __launch_bounds__(threads) query_gradient_kernel(AttentionShape shape, RotaryTables rotary,
                                                                 PackedHeads packed, Bfloat16* qkv_gradient) {
    constexpr int squares = query_squares<width>, rows = query_rows<width>, pitch = pitch_of<width>;
    Bfloat16 *q = shared_at<Bfloat16>(), *gradient = q + rows * pitch, *stages = gradient + rows * pitch;
    const int first = static_cast<int>(gridDim.x - 1 - blockIdx.x) * rows;
    const int context = static_cast<int>(shape.context),
              end = first + rows < context ? first + rows : context;
    const Place place = place_of_lane<squares>();
    const int own_end = end_of_keys<squares>(first + place.first_row, context);
    const auto begin_stage = [&](int stage, int key) {
        Bfloat16* k = stages + stage * tile * pitch;
        begin_rows<width, half_tile>(packed.part<width>(keys, key), k);
        begin_rows<width, half_tile>(packed.part<width>(values, key), k + half_tile * pitch);
    };
    begin_rows<width, rows>(packed.part<width>(queries, first), q);
    begin_rows<width, rows>(packed.part<width>(gradients, first), gradient);
    begin_stage(0, 0);
    float total[squares][2], mean[squares][2];
#pragma unroll
    for (int square = 0; square < squares; ++square)
#pragma unroll
        for (int part = 0; part < 2; ++part) {
            const int row = first + place.low_row + 16 * square + 8 * part;
            total[square][part] = *packed.log_sums(row);
            mean[square][part] = *packed.means(row);
        }

    const float scale = shape.scale * log2_e;
    float sums[squares][width / 8][4] = {};
    for (int key = 0, stage = 0; key < end; key += half_tile, stage ^= 1) {
        const Bfloat16 *k = stages + stage * tile * pitch, *v = k + half_tile * pitch;
        wait_for_copies();
        __syncthreads();  // this stage is there, and nobody reads the other any more
        if (key + half_tile < end) begin_stage(stage ^ 1, key + half_tile);
        if (key >= own_end) continue;
        float scores[squares][half_tile / 8][4] = {}, along[squares][half_tile / 8][4] = {};
        add_products_of_rows<width, half_tile>(scores, q, place.first_row, k);
        add_products_of_rows<width, half_tile>(along, gradient, place.first_row, v);
        for_scores<squares, half_tile>([&](int square, int n, int i) {
            scores[square][n][i] = scale * scores[square][n][i] - total[square][i / 2];
        });
        if (key + half_tile > first + place.first_row)
            hide_later_keys<squares, half_tile>(scores, first + place.low_row - key - place.pair);
        for_scores<squares, half_tile>([&](int square, int n, int i) {
            scores[square][n][i] = shape.scale * power_of_two(scores[square][n][i]) *
                                   (along[square][n][i] - mean[square][i / 2]);
        });
        add_weighted_rows<width, half_tile>(sums, scores, k);
    }
    write_turned_back<width>(head_of_block(qkv_gradient, shape, 3 * shape.width(), 0), rotary, first, place,
                             sums, shared_at<float>());
}

/// The same with keys and values at rest and half tiles of queries, so that two gradients, the scores and
/// theirs fit into registers.
template <int width>
__global__ void __launch_bounds__(threads)
    key_value_gradient_kernel(AttentionShape shape, RotaryTables rotary, PackedHeads packed,
                              Bfloat16* qkv_gradient) {
    constexpr int pitch = pitch_of<width>;
    Bfloat16 *k = shared_at<Bfloat16>(), *v = k + tile * pitch, *stages = v + tile * pitch;
    auto* statistics = reinterpret_cast<float*>(stages + 2 * tile * pitch);  // (2, tile)
    const std::int64_t columns = 3 * shape.width();
    const int first = static_cast<int>(blockIdx.x) * tile, context = static_cast<int>(shape.context);
    const Place place = place_of_lane<1>();
    const auto begin_stage = [&](int stage, int query) {
        Bfloat16* q = stages + stage * tile * pitch;
        begin_rows<width, half_tile>(packed.part<width>(queries, query), q);
        begin_rows<width, half_tile>(packed.part<width>(gradients, query), q + half_tile * pitch);
        begin_numbers<half_tile>(packed.log_sums(query), statistics + stage * tile);
        begin_numbers<half_tile>(packed.means(query), statistics + stage * tile + half_tile);
    };
    begin_rows<width, tile>(packed.part<width>(keys, first), k);
    begin_rows<width, tile>(packed.part<width>(values, first), v);
    begin_stage(0, first);

    const float scale = shape.scale * log2_e;
    float key_sums[1][width / 8][4] = {}, value_sums[1][width / 8][4] = {};
    for (int query = first, stage = 0; query < context; query += half_tile, stage ^= 1) {
        const Bfloat16 *q = stages + stage * tile * pitch, *gradient = q + half_tile * pitch;
        const float *total = statistics + stage * tile, *mean = total + half_tile;
        wait_for_copies();
        __syncthreads();
        if (query + half_tile < context) begin_stage(stage ^ 1, query + half_tile);
        float weights[1][half_tile / 8][4] = {}, slopes[1][half_tile / 8][4] = {};  // (keys, queries)
        add_products_of_rows<width, half_tile>(weights, k, place.first_row, q);
        add_products_of_rows<width, half_tile>(slopes, v, place.first_row, gradient);
        for_scores<1, half_tile>([&](int, int n, int i) {
            weights[0][n][i] = scale * weights[0][n][i] - total[8 * n + place.pair + i % 2];
        });
        if (query < first + tile)
            for_scores<1, half_tile>([&](int, int n, int i) {
                const bool seen = first + place.low_row + i / 2 * 8 <= query + 8 * n + place.pair + i % 2;
                if (!seen) weights[0][n][i] = -INFINITY;
            });
        for_scores<1, half_tile>([&](int, int n, int i) {
            weights[0][n][i] = power_of_two(weights[0][n][i]);
            slopes[0][n][i] =
                shape.scale * weights[0][n][i] * (slopes[0][n][i] - mean[8 * n + place.pair + i % 2]);
        });
        add_weighted_rows<width, half_tile>(value_sums, weights, gradient);
        add_weighted_rows<width, half_tile>(key_sums, slopes, q);
    }
    write_rows<width>(head_of_block(qkv_gradient, shape, columns, 2 * shape.width()), first, place,
                      value_sums, {{1, 1}});
    write_turned_back<width>(head_of_block(qkv_gradient, shape, columns, shape.width()), rotary, first, place,
                             key_sums, shared_at<float>());
}

}  // namespace

void attention_of(const Card& card, const Bfloat16* qkv, RotaryTables rotary, AttentionShape shape,
                  Bfloat16* out, float* log_sum, void* workspace) {
    for_sequences(shape, workspace, [&](AttentionShape some, std::int64_t first, PackedHeads packed) {
        const std::int64_t row = first * shape.context;
        for_compiled_width(shape.head_width, [&]<int width>() {
            launch(card, &pack_kernel<width>, packed_tiles(some), packing_threads, 0, some, rotary,
                   qkv + row * 3 * shape.width(), Backward{}, packed);
            launch(card, &attention_kernel<width>, tiles_of(some, query_rows<width>), threads,
                   bytes_of_rows<width>(query_rows<width> + 2 * tile), some, packed,
                   out + row * shape.width(), log_sum + row * shape.heads);
        });
    });
}

void attention_gradient_of(const Card& card, const Bfloat16* out_gradient, const Bfloat16* qkv,
                           RotaryTables rotary, const float* log_sum, const float* means,
                           AttentionShape shape, Bfloat16* qkv_gradient, void* workspace) {
    for_sequences(shape, workspace, [&](AttentionShape some, std::int64_t first, PackedHeads packed) {
        const std::int64_t row = first * shape.context;
        Bfloat16* gradient = qkv_gradient + row * 3 * shape.width();
        for_compiled_width(shape.head_width, [&]<int width>() {
            launch(card, &pack_kernel<width>, packed_tiles(some), packing_threads, 0, some, rotary,
                   qkv + row * 3 * shape.width(),
                   Backward{out_gradient + row * shape.width(), log_sum + row * shape.heads,
                            means + row * shape.heads},
                   packed);
            launch(card, &query_gradient_kernel<width>, tiles_of(some, query_rows<width>), threads,
                   bytes_of_rows<width>(2 * query_rows<width> + 2 * tile), some, rotary, packed, gradient);
            launch(card, &key_value_gradient_kernel<width>, tiles_of(some, tile), threads,
                   bytes_of_rows<width>(4 * tile) + 2 * tile * sizeof(float), some, rotary, packed, gradient);
        });
    });
}

}  // namespace isogrid::kernels::cuda

// Causal attention in float32, for comparing with the processor: tiles of 32 rows, eight threads a row.
#include "kernels/cuda/attention_tiles.hpp"

namespace isogrid::kernels::cuda {
namespace {

constexpr int tile = 32, row_threads = 8, threads = tile * row_threads, of_thread = tile / row_threads;
constexpr int score_pitch = tile + 1;

/// A row's numbers are spread over its eight threads, which are neighbours in a warp.
__device__ float sum_over_row(float value) {
    for (int distance = 1; distance < row_threads; distance *= 2)
        value += __shfl_xor_sync(all_lanes, value, distance);
    return value;
}
__device__ float largest_of_row(float value) {
    for (int distance = 1; distance < row_threads; distance *= 2)
        value = fmaxf(value, __shfl_xor_sync(all_lanes, value, distance));
    return value;
}

template <int width>
constexpr int pitch_of = width + 1;  // odd: rows of a column lie in different banks
template <int width>
constexpr int tile_size = tile* pitch_of<width>;

template <int width>
__device__ float dot(const float* a, const float* b) {
    float total = 0;
    for (int column = 0; column < width; ++column)
        total += a[column] * b[column];
    return total;
}

/// The thread's place: a row of the tile, and of that row every eighth number.
struct Place {
    int row, part;
};
__device__ Place place_of_thread() {
    return {static_cast<int>(threadIdx.x) / row_threads, static_cast<int>(threadIdx.x) % row_threads};
}

/// sums[i] += weights . column part + 8 i of rows, (tile, pitch).
template <int width>
__device__ void add_weighted_rows(const float* weights, const float* rows, int part,
                                  float (&sums)[width / row_threads]) {
    for (int i = 0; i < tile; ++i)
        for (int j = 0; j < width / row_threads; ++j)
            sums[j] += weights[i] * rows[i * pitch_of<width> + part + j * row_threads];
}

template <int width>
__global__ void __launch_bounds__(threads) attention_kernel(AttentionShape shape, RotaryTables rotary,
                                                            const float* qkv, float* out, float* log_sum) {
    constexpr int pitch = pitch_of<width>;
    float *q = shared_at<float>(), *k = q + tile_size<width>, *v = k + tile_size<width>,
          *weights = v + tile_size<width>;
    const std::int64_t columns = 3 * shape.width();
    const int first = static_cast<int>(blockIdx.x) * tile, context = static_cast<int>(shape.context);
    const Place place = place_of_thread();
    load_rotated_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, 0), rotary, first, q);

    float largest = -INFINITY, sum = 0, mixed[width / row_threads] = {};
    for (int key = 0; key <= first; key += tile) {
        __syncthreads();
        load_rotated_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, shape.width()), rotary, key,
                                              k);
        load_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, 2 * shape.width()), key, v);
        __syncthreads();
        float scores[of_thread], most = largest;
        for (int i = 0; i < of_thread; ++i) {
            const int other = place.part + i * row_threads;
            scores[i] = key + other <= first + place.row
                            ? shape.scale * dot<width>(q + place.row * pitch, k + other * pitch)
                            : -INFINITY;
            most = fmaxf(most, scores[i]);
        }
        most = largest_of_row(most);
        const float shrink = expf(largest - most);
        largest = most;
        sum *= shrink;
        for (int j = 0; j < width / row_threads; ++j)
            mixed[j] *= shrink;
        for (int i = 0; i < of_thread; ++i) {
            const float weight = expf(scores[i] - most);
            sum += weight;
            weights[place.row * score_pitch + place.part + i * row_threads] = weight;
        }
        __syncwarp();
        add_weighted_rows<width>(weights + place.row * score_pitch, v, place.part, mixed);
        __syncwarp();
    }
    sum = sum_over_row(sum);
    const int row = first + place.row;
    if (row >= context) return;
    const Head<float> result = head_of_block(out, shape, shape.width(), 0);
    for (int j = 0; j < width / row_threads; ++j) {
        const int column = place.part + j * row_threads;
        if (column < shape.head_width) result.row(row)[column] = mixed[j] / sum;
    }
    if (place.part == 0) log_sum[first_row_of_block(shape) + row] = largest + logf(sum);
}

__device__ float probability_of(float scaled_score, float log_sum, bool seen) {
    return seen ? expf(scaled_score - log_sum) : 0.0f;
}

template <int width>
__device__ void write_gradient(const Head<float>& head, const RotaryTables& rotary, int first,
                               const Place& place, const float (&sums)[width / row_threads], float* staged) {
    __syncthreads();
    for (int j = 0; j < width / row_threads; ++j)
        staged[place.row * pitch_of<width> + place.part + j * row_threads] = sums[j];
    __syncthreads();
    write_rows_turned_back<width, tile, pitch_of<width>>(head, rotary, first, staged);
}

template <int width>
__global__ void __launch_bounds__(threads)
    query_gradient_kernel(AttentionShape shape, RotaryTables rotary, const float* out_gradient,
                          const float* qkv, const float* log_sum, const float* means, float* qkv_gradient) {
    constexpr int pitch = pitch_of<width>;
    float *q = shared_at<float>(), *gradient = q + tile_size<width>, *k = gradient + tile_size<width>,
          *v = k + tile_size<width>, *slopes = v + tile_size<width>;
    const std::int64_t columns = 3 * shape.width();
    const int first = static_cast<int>(blockIdx.x) * tile, context = static_cast<int>(shape.context);
    const Place place = place_of_thread();
    load_rotated_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, 0), rotary, first, q);
    load_rows<width, tile, pitch>(head_of_block(out_gradient, shape, shape.width(), 0), first, gradient);
    const int row = first + place.row;
    const bool exists = row < context;
    const float total = exists ? log_sum[first_row_of_block(shape) + row] : 0;
    const float mean = exists ? means[first_row_of_block(shape) + row] : 0;

    float sums[width / row_threads] = {};
    for (int key = 0; key <= first; key += tile) {
        __syncthreads();
        load_rotated_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, shape.width()), rotary, key,
                                              k);
        load_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, 2 * shape.width()), key, v);
        __syncthreads();
        for (int i = 0; i < of_thread; ++i) {
            const int other = place.part + i * row_threads;
            const float score = shape.scale * dot<width>(q + place.row * pitch, k + other * pitch);
            const float probability = probability_of(score, total, exists && key + other <= row);
            const float along = dot<width>(gradient + place.row * pitch, v + other * pitch);
            slopes[place.row * score_pitch + other] = shape.scale * probability * (along - mean);
        }
        __syncwarp();
        add_weighted_rows<width>(slopes + place.row * score_pitch, k, place.part, sums);
        __syncwarp();
    }
    write_gradient<width>(head_of_block(qkv_gradient, shape, columns, 0), rotary, first, place, sums, q);
}

template <int width>
__global__ void __launch_bounds__(threads)
    key_value_gradient_kernel(AttentionShape shape, RotaryTables rotary, const float* out_gradient,
                              const float* qkv, const float* log_sum, const float* means,
                              float* qkv_gradient) {
    constexpr int pitch = pitch_of<width>;
    float *k = shared_at<float>(), *v = k + tile_size<width>, *q = v + tile_size<width>,
          *gradient = q + tile_size<width>, *slopes = gradient + tile_size<width>,
          *weights = slopes + tile * score_pitch;
    const std::int64_t columns = 3 * shape.width();
    const int first = static_cast<int>(blockIdx.x) * tile, context = static_cast<int>(shape.context);
    const Place place = place_of_thread();
    load_rotated_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, shape.width()), rotary, first,
                                          k);
    load_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, 2 * shape.width()), first, v);

    float key_sums[width / row_threads] = {}, value_sums[width / row_threads] = {};
    for (int query = first; query < context; query += tile) {
        __syncthreads();
        load_rotated_rows<width, tile, pitch>(head_of_block(qkv, shape, columns, 0), rotary, query, q);
        load_rows<width, tile, pitch>(head_of_block(out_gradient, shape, shape.width(), 0), query, gradient);
        __syncthreads();
        for (int i = 0; i < of_thread; ++i) {
            const int other = place.part + i * row_threads;
            const int row = query + other;
            const bool seen = row < context && first + place.row <= row;
            const float score = shape.scale * dot<width>(k + place.row * pitch, q + other * pitch);
            const float probability =
                probability_of(score, seen ? log_sum[first_row_of_block(shape) + row] : 0, seen);
            const float along = dot<width>(v + place.row * pitch, gradient + other * pitch);
            const float mean = seen ? means[first_row_of_block(shape) + row] : 0;
            weights[place.row * score_pitch + other] = probability;
            slopes[place.row * score_pitch + other] = shape.scale * probability * (along - mean);
        }
        __syncwarp();
        add_weighted_rows<width>(slopes + place.row * score_pitch, q, place.part, key_sums);
        add_weighted_rows<width>(weights + place.row * score_pitch, gradient, place.part, value_sums);
        __syncwarp();
    }
    write_gradient<width>(head_of_block(qkv_gradient, shape, columns, shape.width()), rotary, first, place,
                          key_sums, q);
    const Head<float> values = head_of_block(qkv_gradient, shape, columns, 2 * shape.width());
    for (int j = 0; j < width / row_threads; ++j) {
        const int column = place.part + j * row_threads;
        if (first + place.row < context && column < shape.head_width)
            values.row(first + place.row)[column] = value_sums[j];
    }
}

template <int width>
constexpr std::size_t shared_bytes(int tiles, int score_tiles) {
    return sizeof(float) *
           static_cast<std::size_t>(tiles * tile_size<width> + score_tiles * tile * score_pitch);
}

}  // namespace

void attention_of(const Card& card, const float* qkv, RotaryTables rotary, AttentionShape shape, float* out,
                  float* log_sum) {
    launch_for_width(
        card, shape, tile, threads,
        [&]<int width>() { return std::pair(&attention_kernel<width>, shared_bytes<width>(3, 1)); }, rotary,
        qkv, out, log_sum);
}

void attention_gradient_of(const Card& card, const float* out_gradient, const float* qkv, RotaryTables rotary,
                           const float* log_sum, const float* means, AttentionShape shape,
                           float* qkv_gradient) {
    const auto run = [&](auto kernel) {
        launch_for_width(card, shape, tile, threads, kernel, rotary, out_gradient, qkv, log_sum, means,
                         qkv_gradient);
    };
    run([&]<int width>() { return std::pair(&query_gradient_kernel<width>, shared_bytes<width>(4, 1)); });
    run([&]<int width>() { return std::pair(&key_value_gradient_kernel<width>, shared_bytes<width>(4, 2)); });
}

}  // namespace isogrid::kernels::cuda

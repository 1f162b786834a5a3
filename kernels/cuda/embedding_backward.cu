// The gradient of the embedding's table without atomics: rows are sorted by their token, and each token's
// rows summed in rising order.
//
// Sorting: a block a chunk of rows finds each row's rank among the rows of its token in the chunk, and how
// many the chunk has of each token; sums over chunks and then over tokens say where each row goes. Summing:
// the sorted rows are cut into windows of equal length, so that a frequent token is as much work as many rare
// ones.
#include "kernels/cuda/device.hpp"
#include "kernels/cuda/kernels.hpp"

namespace isogrid::kernels::cuda {
namespace {

constexpr int chunk = 512, window = 64, scan_threads = 1024, chunks_at_once = 8;

/// counts (chunks, vocabulary) is zero before.
__global__ void count_kernel(std::int64_t rows, std::int64_t vocabulary, const TokenId* ids,
                             std::int32_t* ranks, std::int32_t* counts) {
    TokenId* of_chunk = shared_at<TokenId>();
    const std::int64_t first = std::int64_t{blockIdx.x} * chunk, row = first + threadIdx.x;
    const int filled = static_cast<int>(first + chunk < rows ? chunk : rows - first);
    const int mine = static_cast<int>(threadIdx.x);
    if (mine < filled) of_chunk[mine] = ids[row];
    __syncthreads();
    if (mine >= filled) return;
    const TokenId id = of_chunk[mine];
    int before = 0, after = 0;
    for (int other = 0; other < filled; ++other)
        if (of_chunk[other] == id) {
            before += other < mine;
            after += other > mine;
        }
    ranks[row] = before;
    if (after == 0) counts[blockIdx.x * vocabulary + id] = before + 1;
}

/// Turns counts into the number of a token's rows in earlier chunks; totals[token] is all of them. Some
/// counts are read before the first of them is written, as each is a wait for memory.
__global__ void sum_chunks_kernel(std::int64_t chunks, std::int64_t vocabulary, std::int32_t* counts,
                                  std::int32_t* totals) {
    const std::int64_t token = thread_of_grid();
    if (token >= vocabulary) return;
    std::int32_t total = 0;
    for (std::int64_t first = 0; first < chunks; first += chunks_at_once) {
        std::int32_t here[chunks_at_once];
#pragma unroll
        for (int i = 0; i < chunks_at_once; ++i)
            here[i] = first + i < chunks ? counts[(first + i) * vocabulary + token] : 0;
#pragma unroll
        for (int i = 0; i < chunks_at_once; ++i) {
            if (first + i < chunks) counts[(first + i) * vocabulary + token] = total;
            total += here[i];
        }
    }
    totals[token] = total;
}

/// starts[token] = the totals of all tokens before it; starts has one more, for the end. One block.
__global__ void __launch_bounds__(scan_threads)
    sum_tokens_kernel(std::int64_t vocabulary, const std::int32_t* totals, std::int32_t* starts) {
    std::int32_t* sums = shared_at<std::int32_t>();
    const std::int64_t share = (vocabulary + blockDim.x - 1) / blockDim.x;
    const std::int64_t first = threadIdx.x * share;
    const std::int64_t end = first + share < vocabulary ? first + share : vocabulary;
    std::int32_t mine = 0;
    for (std::int64_t token = first; token < end; ++token)
        mine += totals[token];
    sums[threadIdx.x] = mine;
    __syncthreads();
    for (unsigned distance = 1; distance < blockDim.x; distance *= 2) {
        const std::int32_t before = threadIdx.x >= distance ? sums[threadIdx.x - distance] : 0;
        __syncthreads();
        sums[threadIdx.x] += before;
        __syncthreads();
    }
    std::int32_t start = sums[threadIdx.x] - mine;
    for (std::int64_t token = first; token < end; ++token) {
        starts[token] = start;
        start += totals[token];
    }
    if (threadIdx.x == blockDim.x - 1) starts[vocabulary] = sums[threadIdx.x];
}

__global__ void place_kernel(std::int64_t rows, std::int64_t vocabulary, const TokenId* ids,
                             const std::int32_t* ranks, const std::int32_t* counts,
                             const std::int32_t* starts, std::int32_t* order) {
    const std::int64_t row = thread_of_grid();
    if (row >= rows) return;
    const TokenId id = ids[row];
    order[starts[id] + counts[row / chunk * vocabulary + id] + ranks[row]] = static_cast<std::int32_t>(row);
}

struct Rows {
    std::int64_t rows, width;
    const TokenId* ids;
    const float* gradient;
    float scale;
    const std::int32_t *starts, *order;
};

/// A row of a window, where it lies in the gradient, and the run of its token among the sorted rows.
struct SortedRow {
    std::int32_t row, token, run_first, run_end;
};

/// Sums the runs of equal tokens in window blockIdx.x, a thread a column. Those that lie in it as a whole are
/// done; of one that began before, the sum goes to `heads` (windows, width), of one that goes on to `tails`.
/// Where rows lie is looked up once for all columns, and some rows are read at a time, as each look is a wait
/// for memory.
__global__ void sum_window_kernel(Rows sorted, bool adds, float* table, float* heads, float* tails) {
    constexpr int rows_at_once = 8;
    const std::int64_t width = sorted.width, column = std::int64_t{blockIdx.y} * blockDim.x + threadIdx.x;
    const std::int64_t first = std::int64_t{blockIdx.x} * window;
    const std::int64_t end = first + window < sorted.rows ? first + window : sorted.rows;
    const int count = static_cast<int>(end - first);
    auto* rows = shared_at<SortedRow>();
    for (int i = threadIdx.x; i < count; i += blockDim.x) {
        const std::int32_t row = sorted.order[first + i], token = static_cast<std::int32_t>(sorted.ids[row]);
        rows[i] = {row, token, sorted.starts[token], sorted.starts[token + 1]};
    }
    __syncthreads();
    if (column >= width) return;
    float total = 0;
    for (int some = 0; some < count; some += rows_at_once) {
        float numbers[rows_at_once];
#pragma unroll
        for (int i = 0; i < rows_at_once; ++i)
            if (some + i < count) numbers[i] = sorted.gradient[rows[some + i].row * width + column];
#pragma unroll
        for (int i = 0; i < rows_at_once; ++i) {
            if (some + i >= count) break;
            const SortedRow& here = rows[some + i];
            const std::int64_t at = first + some + i;
            float& place = table[here.token * width + column];
            if (at == here.run_first || at == first) total = here.run_first >= first && adds ? place : 0;
            // each product is rounded, as on a processor
            total = __fadd_rn(total, __fmul_rn(sorted.scale, numbers[i]));
            if (at + 1 != here.run_end && at + 1 != end) continue;
            if (here.run_first < first)
                heads[blockIdx.x * width + column] = total;
            else if (here.run_end > end)
                tails[blockIdx.x * width + column] = total;
            else
                place = total;
        }
    }
}

/// Adds up the run that begins in window blockIdx.x and goes on, if one does.
__global__ void join_windows_kernel(Rows sorted, float* table, const float* heads, const float* tails) {
    const std::int64_t width = sorted.width, column = std::int64_t{blockIdx.y} * blockDim.x + threadIdx.x;
    const std::int64_t first = std::int64_t{blockIdx.x} * window, end = first + window;
    if (column >= width || end >= sorted.rows) return;
    const std::int64_t token = sorted.ids[sorted.order[end - 1]];
    const std::int64_t run_end = sorted.starts[token + 1];
    if (sorted.starts[token] < first || run_end <= end) return;
    float total = tails[blockIdx.x * width + column];
    for (std::int64_t next = blockIdx.x + std::int64_t{1}; next * window < run_end; ++next)
        total += heads[next * width + column];
    table[token * width + column] = total;
}

unsigned pieces(std::int64_t whole, std::int64_t piece) {
    return static_cast<unsigned>((whole + piece - 1) / piece);
}

}  // namespace

/// Counts of chunks, totals, starts, ranks and order; heads and tails.
std::int64_t embedding_backward_bytes(std::int64_t rows, std::int64_t width, std::int64_t vocabulary) {
    static_assert(sizeof(std::int32_t) == sizeof(float));
    const std::int64_t whole_numbers = pieces(rows, chunk) * vocabulary + 2 * vocabulary + 1 + 2 * rows;
    return (whole_numbers + 2 * std::int64_t{pieces(rows, window)} * width) * std::int64_t{sizeof(float)};
}

void embedding_backward(const Card& card, std::span<const TokenId> ids, ConstMatrix out_gradient, float scale,
                        MutableMatrix table_gradient, Write mode) {
    const std::int64_t rows = out_gradient.rows, width = out_gradient.columns;
    const std::int64_t vocabulary = table_gradient.rows;
    const unsigned chunks = pieces(rows, chunk), windows = pieces(rows, window);
    if (mode == Write::replace)
        check(cudaMemsetAsync(table_gradient.data, 0,
                              static_cast<std::size_t>(table_gradient.size()) * sizeof(float), card.stream),
              "clearing a gradient");

    const std::int64_t counted = chunks * vocabulary;
    auto* counts = card.scratch->take<std::int32_t>(embedding_backward_bytes(rows, width, vocabulary) /
                                                    std::int64_t{sizeof(std::int32_t)});
    std::int32_t *totals = counts + counted, *starts = totals + vocabulary, *ranks = starts + vocabulary + 1,
                 *order = ranks + rows;
    auto* heads = reinterpret_cast<float*>(order + rows);
    float* tails = heads + windows * width;

    check(cudaMemsetAsync(counts, 0, static_cast<std::size_t>(counted) * sizeof(std::int32_t), card.stream),
          "clearing counts");
    launch(card, count_kernel, dim3(chunks), chunk, chunk * sizeof(TokenId), rows, vocabulary, ids.data(),
           ranks, counts);
    launch(card, sum_chunks_kernel, dim3(pieces(vocabulary, threads_a_block)), threads_a_block, 0,
           std::int64_t{chunks}, vocabulary, counts, totals);
    launch(card, sum_tokens_kernel, dim3(1), scan_threads, scan_threads * sizeof(std::int32_t), vocabulary,
           totals, starts);
    launch(card, place_kernel, dim3(pieces(rows, threads_a_block)), threads_a_block, 0, rows, vocabulary,
           ids.data(), ranks, counts, starts, order);

    const Rows sorted{rows, width, ids.data(), out_gradient.data, scale, starts, order};
    constexpr unsigned columns = 128;
    const dim3 grid(windows, pieces(width, columns));
    launch(card, sum_window_kernel, grid, columns, window * sizeof(SortedRow), sorted, mode == Write::add,
           table_gradient.data, heads, tails);
    launch(card, join_windows_kernel, grid, columns, 0, sorted, table_gradient.data, heads, tails);
}

}  // namespace isogrid::kernels::cuda

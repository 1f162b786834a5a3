// Matrix products of linear layers, forward and backward.
//
// Weights are laid out once a step: for the forward pass in panels of sixteen outputs, a word of each of them
// at every step along the inputs, and for the backward pass in panels of sixteen inputs, in bfloat16 with
// words paired along the outputs. In bfloat16 zeros fill up panels to whole tiles. A gradient of weights sums
// over rows: in float32 its operands are laid out in panels too, some rows at a time, and in bfloat16 x is
// first paired along the rows; so is the other operand, on tiles only as it is copied to them.
#include "kernels/cpu/simd.hpp"
#include "kernels/cpu/simd/lanes.hpp"
#include "kernels/cpu/simd/product.hpp"
#ifdef ISOGRID_TILES
#include "kernels/cpu/simd/tiled_product.hpp"
#endif

namespace isogrid::kernels::cpu::ISOGRID_ISA {

namespace {

/// Sixteen words of a row of weights from word `word` on, the last one filled up with zeros.
template <class Words>
Lanes words_of_row(const float* row, int64_t inputs, int64_t word) {
    const auto numbers = [&](int64_t first) {
        const int64_t left = inputs - first;
        return left >= lanes ? load(row + first, Full{})
               : left > 0    ? load(row + first, Part(left))
                             : broadcast(0.0f);
    };
    if constexpr (Words::numbers == 1)
        return numbers(word);
    else
        return words(numbers(2 * word), numbers(2 * word + lanes));
}

/// Steps of a panel of weights over so many numbers: bfloat16 fill tiles, with zeros behind the last.
template <class Words>
int64_t panel_steps(int64_t numbers) {
    return Words::numbers == 1 ? numbers : round_up_to_lanes(words_of<Words>(numbers));
}

/// Panels of sixteen outputs: [panel][step][lane] is word `step` of output 16 panel + lane.
template <class Words>
void pack_forward(int64_t outputs, int64_t inputs, const float* weights, float* packed) {
    const int64_t steps = panel_steps<Words>(inputs);
    for (int64_t output = 0; output < outputs; output += lanes)
        for (int64_t step = 0; step < steps; step += lanes) {
            Lanes square[lanes];
            for (int64_t lane = 0; lane < lanes; ++lane)
                square[lane] = output + lane < outputs
                                   ? words_of_row<Words>(weights + (output + lane) * inputs, inputs, step)
                                   : broadcast(0.0f);
            transpose(square);
            const int64_t count = steps - step < lanes ? steps - step : lanes;
            for (int64_t i = 0; i < count; ++i)
                store(packed + output * steps + (step + i) * lanes, square[i], Full{});
        }
}

/// (rows, columns) with `stride` in panels of sixteen columns, the last one filled up with zeros:
/// [panel][row][lane].
void lay_in_panels(int64_t rows, int64_t columns, const float* from, int64_t stride, float* panels) {
    for (int64_t row = 0; row < rows; ++row)
        for_lanes(columns, [&](int64_t i, auto part) {
            store(panels + i * rows + row * lanes, load(from + row * stride + i, part), Full{});
        });
}

/// Panels of sixteen inputs: [panel][step][lane] pairs outputs 2 step and 2 step + 1 of input 16 panel +
/// lane.
void pack_backward(int64_t outputs, int64_t inputs, const float* weights, float* packed) {
    const int64_t steps = panel_steps<Bfloat16Words>(outputs);
    const auto row = [&](int64_t output, int64_t i, auto part) {
        return output < outputs ? load(weights + output * inputs + i, part) : broadcast(0.0f);
    };
    for (int64_t step = 0; step < steps; ++step)
        for_lanes(inputs, [&](int64_t i, auto part) {
            store(packed + i * steps + step * lanes, pair(row(2 * step, i, part), row(2 * step + 1, i, part)),
                  Full{});
        });
}

/// Words of the panels of one pass, over `numbers` numbers to `columns` sums.
int64_t panel_words(int64_t columns, int64_t numbers, Element element) {
    return round_up_to_lanes(columns) * (element == Element::float32 ? panel_steps<Float32Words>(numbers)
                                                                     : panel_steps<Bfloat16Words>(numbers));
}

/// The panels of a pass over bfloat16, as the right operand of its product.
Right bfloat16_panels(const float* panels, int64_t numbers) {
    return {panels, lanes, panel_steps<Bfloat16Words>(numbers) * lanes, true};
}

int64_t packed_floats(int64_t outputs, int64_t inputs, Element element) {
    return panel_words(outputs, inputs, element) + panel_words(inputs, outputs, element);
}

void pack_weights(int64_t outputs, int64_t inputs, const float* weights, Element element, float* packed) {
    float* backward = packed + panel_words(outputs, inputs, element);
    if (element == Element::float32) {
        pack_forward<Float32Words>(outputs, inputs, weights, packed);
        lay_in_panels(outputs, inputs, weights, inputs, backward);
        return;
    }
    pack_forward<Bfloat16Words>(outputs, inputs, weights, packed);
    pack_backward(outputs, inputs, weights, backward);
}

/// Products of bfloat16, on tiles where the instruction set has them: whatever the sizes, since the bits of a
/// gradient must not depend on how its rows are cut into blocks.
void bfloat16_product(int64_t rows, int64_t columns, int64_t steps, Left left, Right right, Target target) {
#ifdef ISOGRID_TILES
    tiled_product<ISOGRID_TILES>(rows, columns, steps, left, right, target);
#else
    product<Bfloat16Words>(rows, columns, steps, left, right, target);
#endif
}

Target target_of(Element element, void* out, int64_t columns) {
    Target target;
    target.stride = columns;
    if (element == Element::float32)
        target.sums = static_cast<float*>(out);
    else
        target.rounded = static_cast<Bfloat16*>(out);
    return target;
}

void linear(int64_t rows, int64_t outputs, int64_t inputs, Element element, const void* x,
            const float* packed, const float* addend, Element out_element, void* out) {
    Target target = target_of(out_element, out, outputs);
    target.addend = addend;
    const auto* words = static_cast<const float*>(x);
    if (element == Element::float32)
        return product<Float32Words>(rows, outputs, inputs, {words, inputs, 1},
                                     {packed, lanes, inputs * lanes}, target);
    const SmallNumbersAreZero as_the_processor;
    const int64_t steps = words_of<Bfloat16Words>(inputs);
    bfloat16_product(rows, outputs, steps, {words, steps, 1}, bfloat16_panels(packed, inputs), target);
}

void linear_backward_input(int64_t rows, int64_t outputs, int64_t inputs, Element element,
                           const void* out_gradient, const float* packed, Element x_element, void* x_gradient,
                           Write mode) {
    Target target = target_of(x_element, x_gradient, inputs);
    target.mode = mode;
    const auto* words = static_cast<const float*>(out_gradient);
    const float* backward = packed + panel_words(outputs, inputs, element);
    if (element == Element::float32)
        return product<Float32Words>(rows, inputs, outputs, {words, outputs, 1},
                                     {backward, lanes, outputs * lanes}, target);
    const SmallNumbersAreZero as_the_processor;
    const int64_t steps = words_of<Bfloat16Words>(outputs);
    bfloat16_product(rows, inputs, steps, {words, steps, 1}, bfloat16_panels(backward, outputs), target);
}

/// Words of rows 2 i and 2 i + 1: (rows, columns) bfloat16 to (rows / 2, columns) words.
void pair_rows(int64_t rows, int64_t columns, const Bfloat16* from, float* paired) {
    const int64_t stride = (columns + 1) / 2 * 2;
    for (int64_t row = 0; row + 2 <= rows; row += 2, from += 2 * stride, paired += columns)
        for_lanes(columns, [&](int64_t i, auto part) {
            store(paired + i, pair(from + i, from + stride + i, part), part);
        });
    if (rows % 2 != 0)
        for_lanes(columns, [&](int64_t i, auto part) {
            store(paired + i, pair(load(from + i, part), broadcast(0.0f)), part);
        });
}

/// Rows of a float32 gradient of weights that are laid out together: sixteen of x's columns stay in the first
/// cache.
constexpr int64_t rows_laid_out = 256;

/// gradient (outputs, inputs) = or += out_gradient^T x over the rows, rows_laid_out of them at a time.
/// `panels` has room for these rows of x.
void laid_out_gradient(int64_t rows, int64_t outputs, int64_t inputs, const float* out_gradient,
                       const float* x, Target target, float* panels) {
    alignas(64) float strip[rows_laid_out * tile_rows];
    int64_t first = 0;
    do {  // once where there are no rows
        const int64_t count = rows - first < rows_laid_out ? rows - first : rows_laid_out;
        lay_in_panels(count, inputs, x + first * inputs, inputs, panels);
        for (int64_t output = 0; output < outputs; output += tile_rows) {
            const int64_t strip_outputs = outputs - output < tile_rows ? outputs - output : tile_rows;
            const Part part(strip_outputs);
            for (int64_t row = 0; row < count; ++row)
                store(strip + row * tile_rows, load(out_gradient + (first + row) * outputs + output, part),
                      part);
            Target sums = target;
            sums.sums += output * inputs;
            product<Float32Words>(strip_outputs, inputs, count, {strip, 1, tile_rows},
                                  {panels, lanes, count * lanes}, sums);
        }
        first += count;
        target.mode = Write::add;
    } while (first < rows);
}

int64_t linear_workspace(int64_t rows, [[maybe_unused]] int64_t outputs, int64_t inputs, Element element) {
    if (element == Element::float32)
        return (rows < rows_laid_out ? rows : rows_laid_out) * round_up_to_lanes(inputs);
#ifdef ISOGRID_TILES
    return words_of<Bfloat16Words>(rows) * inputs;
#else
    return words_of<Bfloat16Words>(rows) * (outputs + inputs);
#endif
}

void linear_backward_weights(int64_t rows, int64_t outputs, int64_t inputs, Element element,
                             const void* out_gradient, const void* x, float* weights_gradient, Write mode,
                             float* workspace) {
    Target target = target_of(Element::float32, weights_gradient, inputs);
    target.mode = mode;
    if (element == Element::float32)
        return laid_out_gradient(rows, outputs, inputs, static_cast<const float*>(out_gradient),
                                 static_cast<const float*>(x), target, workspace);
    const SmallNumbersAreZero as_the_processor;
    const int64_t steps = words_of<Bfloat16Words>(rows);
    pair_rows(rows, inputs, static_cast<const Bfloat16*>(x), workspace);
    const Right paired_x = {workspace, inputs, lanes};
    const auto* gradient = static_cast<const Bfloat16*>(out_gradient);
#ifdef ISOGRID_TILES
    tiled_product<ISOGRID_TILES>(outputs, inputs, steps, LeftLines{gradient, rows, (outputs + 1) / 2 * 2},
                                 paired_x, target);
#else
    float* paired_gradient = workspace + steps * inputs;
    pair_rows(rows, outputs, gradient, paired_gradient);
    product<Bfloat16Words>(outputs, inputs, steps, {paired_gradient, 1, outputs}, paired_x, target);
#endif
}

}  // namespace

void provide_linear(Simd& simd) {
    simd.pack_weights = pack_weights;
    simd.packed_floats = packed_floats;
    simd.linear = linear;
    simd.linear_backward_input = linear_backward_input;
    simd.linear_backward_weights = linear_backward_weights;
    simd.linear_workspace = linear_workspace;
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA

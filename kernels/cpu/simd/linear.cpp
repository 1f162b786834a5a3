// Matrix products of linear layers, forward and backward.
//
// Weights are laid out once a step: for the forward pass in panels of sixteen outputs, a word of each of them
// at every step along the inputs. The backward pass reads float32 weights as they are; bfloat16 ones in
// panels of sixteen inputs, their words paired along the outputs. A gradient of weights sums over rows, so in
// bfloat16 both its operands are first paired along the rows.
#include "kernels/cpu/simd.hpp"
#include "kernels/cpu/simd/lanes.hpp"
#include "kernels/cpu/simd/product.hpp"
#ifdef ISOGRID_TILES
#include "kernels/cpu/simd/tiles.hpp"
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

/// Panels of sixteen outputs: [panel][step][lane] is word `step` of output 16 panel + lane.
template <class Words>
void pack_forward(int64_t outputs, int64_t inputs, const float* weights, float* packed) {
    const int64_t steps = words_of<Words>(inputs);
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

/// Panels of sixteen inputs: [panel][step][lane] pairs outputs 2 step and 2 step + 1 of input 16 panel +
/// lane.
void pack_backward(int64_t outputs, int64_t inputs, const float* weights, float* packed) {
    const int64_t steps = words_of<Bfloat16Words>(outputs);
    for (int64_t step = 0; step < steps; ++step) {
        const float* even = weights + 2 * step * inputs;
        const bool both = 2 * step + 1 < outputs;
        for_lanes(inputs, [&](int64_t i, auto part) {
            store(packed + i * steps + step * lanes,
                  pair(load(even + i, part), both ? load(even + inputs + i, part) : broadcast(0.0f)), Full{});
        });
    }
}

int64_t forward_words(int64_t outputs, int64_t inputs, Element element) {
    const int64_t steps = element == Element::float32 ? inputs : words_of<Bfloat16Words>(inputs);
    return round_up_to_lanes(outputs) * steps;
}

int64_t packed_floats(int64_t outputs, int64_t inputs, Element element) {
    const int64_t forward = forward_words(outputs, inputs, element);
    if (element == Element::float32) return forward;
    return forward + round_up_to_lanes(inputs) * words_of<Bfloat16Words>(outputs);
}

void pack_weights(int64_t outputs, int64_t inputs, const float* weights, Element element, float* packed) {
    if (element == Element::float32) return pack_forward<Float32Words>(outputs, inputs, weights, packed);
    pack_forward<Bfloat16Words>(outputs, inputs, weights, packed);
    pack_backward(outputs, inputs, weights, packed + forward_words(outputs, inputs, element));
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
    bfloat16_product(rows, outputs, steps, {words, steps, 1}, {packed, lanes, steps * lanes}, target);
}

void linear_backward_input(int64_t rows, int64_t outputs, int64_t inputs, Element element,
                           const void* out_gradient, const float* weights, const float* packed,
                           Element x_element, void* x_gradient, Write mode) {
    Target target = target_of(x_element, x_gradient, inputs);
    target.mode = mode;
    const auto* words = static_cast<const float*>(out_gradient);
    if (element == Element::float32)
        return product<Float32Words>(rows, inputs, outputs, {words, outputs, 1}, {weights, inputs, lanes},
                                     target);
    const SmallNumbersAreZero as_the_processor;
    const int64_t steps = words_of<Bfloat16Words>(outputs);
    bfloat16_product(rows, inputs, steps, {words, steps, 1},
                     {packed + forward_words(outputs, inputs, element), lanes, steps * lanes}, target);
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

int64_t linear_workspace(int64_t rows, int64_t outputs, int64_t inputs, Element element) {
    return element == Element::float32 ? 0 : words_of<Bfloat16Words>(rows) * (outputs + inputs);
}

void linear_backward_weights(int64_t rows, int64_t outputs, int64_t inputs, Element element,
                             const void* out_gradient, const void* x, float* weights_gradient, Write mode,
                             float* workspace) {
    Target target = target_of(Element::float32, weights_gradient, inputs);
    target.mode = mode;
    if (element == Element::float32)
        return product<Float32Words>(outputs, inputs, rows,
                                     {static_cast<const float*>(out_gradient), 1, outputs},
                                     {static_cast<const float*>(x), inputs, lanes}, target);
    const SmallNumbersAreZero as_the_processor;
    const int64_t steps = words_of<Bfloat16Words>(rows);
    float *paired_gradient = workspace, *paired_x = workspace + steps * outputs;
    pair_rows(rows, outputs, static_cast<const Bfloat16*>(out_gradient), paired_gradient);
    pair_rows(rows, inputs, static_cast<const Bfloat16*>(x), paired_x);
    bfloat16_product(outputs, inputs, steps, {paired_gradient, 1, outputs}, {paired_x, inputs, lanes},
                     target);
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

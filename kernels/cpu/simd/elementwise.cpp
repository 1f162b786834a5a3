// Ops that treat each number apart: SwiGLU, rounding, sums, AdamW.
#include "kernels/cpu/simd.hpp"
#include "kernels/cpu/simd/lanes.hpp"

namespace isogrid::kernels::cpu::ISOGRID_ISA {

namespace {

/// 1 / (1 + exp(-x)), as exact as what becomes of it.
Lanes logistic(Lanes x, const float*) {
    const Lanes one = broadcast(1.0f);
    return one / (one + exponential(broadcast(0.0f) - x));
}
Lanes logistic(Lanes x, const Bfloat16*) {
    constexpr float log2_of_e = 1.44269504088896341f;
    const Lanes one = broadcast(1.0f);
    const Lanes exponent = minimum(x * broadcast(-log2_of_e), broadcast(126.0f));
    return one / (one + rough_exponential2(exponent));
}

template <class Number>
void gate(int64_t rows, int64_t hidden, const Number* gate_up, Number* out) {
    for (int64_t row = 0; row < rows; ++row, gate_up += 2 * hidden, out += hidden)
        for_lanes(hidden, [&](int64_t i, auto part) {
            const Lanes x = load(gate_up + i, part);
            store(out + i, x * logistic(x, out) * load(gate_up + hidden + i, part), part);
        });
}

template <class Number>
void gate_backward(int64_t rows, int64_t hidden, const Number* out_gradient, const Number* gate_up,
                   Number* gate_up_gradient) {
    const Lanes one = broadcast(1.0f);
    for (int64_t row = 0; row < rows;
         ++row, out_gradient += hidden, gate_up += 2 * hidden, gate_up_gradient += 2 * hidden)
        for_lanes(hidden, [&](int64_t i, auto part) {
            const Lanes x = load(gate_up + i, part), gradient = load(out_gradient + i, part);
            const Lanes sigmoid = logistic(x, gate_up);
            const Lanes slope = sigmoid * multiply_add(x, one - sigmoid, one);
            const Lanes through_gate = gradient * load(gate_up + hidden + i, part) * slope;
            store(gate_up_gradient + hidden + i, gradient * (x * sigmoid), part);
            store(gate_up_gradient + i, through_gate, part);
        });
}

void swiglu(int64_t rows, int64_t hidden, Element element, const void* gate_up, void* out) {
    if (element == Element::float32)
        gate(rows, hidden, static_cast<const float*>(gate_up), static_cast<float*>(out));
    else
        gate(rows, hidden, static_cast<const Bfloat16*>(gate_up), static_cast<Bfloat16*>(out));
}

void swiglu_backward(int64_t rows, int64_t hidden, Element element, const void* out_gradient,
                     const void* gate_up, void* gate_up_gradient) {
    if (element == Element::float32)
        gate_backward(rows, hidden, static_cast<const float*>(out_gradient),
                      static_cast<const float*>(gate_up), static_cast<float*>(gate_up_gradient));
    else
        gate_backward(rows, hidden, static_cast<const Bfloat16*>(out_gradient),
                      static_cast<const Bfloat16*>(gate_up), static_cast<Bfloat16*>(gate_up_gradient));
}

/// A row of an odd number of columns is followed by a zero.
void round(int64_t rows, int64_t columns, const float* x, Bfloat16* out) {
    const int64_t stride = (columns + 1) / 2 * 2;
    for (int64_t row = 0; row < rows; ++row, x += columns, out += stride) {
        for_lanes(columns, [&](int64_t i, auto part) { store(out + i, load(x + i, part), part); });
        if (stride > columns) out[columns].bits = 0;
    }
}

void add(int64_t size, const float* a, const float* b, float* out) {
    for_lanes(size,
              [&](int64_t i, auto part) { store(out + i, load(a + i, part) + load(b + i, part), part); });
}

double sum_values(int64_t size, const float* values) {
    DoubleLanes total = widen(broadcast(0.0f));
    for_lanes(size, [&](int64_t i, auto part) { total = total + widen(load(values + i, part)); });
    return sum(total);
}

double sum_of_squares(int64_t size, const float* values) {
    DoubleLanes total = widen(broadcast(0.0f));
    for_lanes(size, [&](int64_t i, auto part) {
        const DoubleLanes value = widen(load(values + i, part));
        total = total + value * value;
    });
    return sum(total);
}

void adamw(int64_t size, const AdamWStep& step, float scale, float first_correction, float second_correction,
           const float* gradient, float* weights, float* first_moment, float* second_moment) {
    const Lanes beta1 = broadcast(step.beta1), rest1 = broadcast(float(1.0 - step.beta1));
    const Lanes beta2 = broadcast(step.beta2), rest2 = broadcast(float(1.0 - step.beta2));
    const Lanes correct1 = broadcast(first_correction), correct2 = broadcast(second_correction);
    const Lanes rate = broadcast(step.learning_rate), decay = broadcast(step.decay);
    const Lanes epsilon = broadcast(step.epsilon), gradient_scale = broadcast(scale);
    for_lanes(size, [&](int64_t i, auto part) {
        const Lanes slope = gradient_scale * load(gradient + i, part);
        const Lanes first = multiply_add(beta1, load(first_moment + i, part), rest1 * slope);
        const Lanes second = multiply_add(beta2, load(second_moment + i, part), rest2 * slope * slope);
        store(first_moment + i, first, part);
        store(second_moment + i, second, part);
        const Lanes move = first * correct1 / (square_root(second * correct2) + epsilon);
        const Lanes weight = load(weights + i, part);
        store(weights + i, weight - multiply_add(decay, weight, rate * move), part);
    });
}

}  // namespace

void provide_elementwise(Simd& simd) {
    simd.swiglu = swiglu;
    simd.swiglu_backward = swiglu_backward;
    simd.add = add;
    simd.round = round;
    simd.sum = sum_values;
    simd.sum_of_squares = sum_of_squares;
    simd.adamw = adamw;
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA

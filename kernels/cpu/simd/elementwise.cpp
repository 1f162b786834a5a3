// Ops on flat runs of numbers: SwiGLU, sums, AdamW.
#include "kernels/cpu/simd.hpp"
#include "kernels/cpu/simd/lanes.hpp"

namespace isogrid::kernels::cpu::ISOGRID_ISA {

namespace {

Lanes logistic(Lanes x) {
    const Lanes one = broadcast(1.0f);
    return one / (one + exponential(broadcast(0.0f) - x));
}

void swiglu(int64_t size, const float* gate, const float* up, float* out) {
    for_lanes(size, [&](int64_t i, auto part) {
        const Lanes x = load(gate + i, part);
        store(out + i, x * logistic(x) * load(up + i, part), part);
    });
}

void swiglu_backward(int64_t size, const float* out_gradient, const float* gate, const float* up,
                     float* gate_gradient, float* up_gradient) {
    const Lanes one = broadcast(1.0f);
    for_lanes(size, [&](int64_t i, auto part) {
        const Lanes x = load(gate + i, part), gradient = load(out_gradient + i, part);
        const Lanes sigmoid = logistic(x);
        const Lanes slope = sigmoid * multiply_add(x, one - sigmoid, one);
        const Lanes through_gate = gradient * load(up + i, part) * slope;
        store(up_gradient + i, gradient * (x * sigmoid), part);
        store(gate_gradient + i, through_gate, part);
    });
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

void adamw(int64_t size, const AdamWStep& step, float first_correction, float second_correction,
           const float* gradient, float* weights, float* first_moment, float* second_moment) {
    const Lanes beta1 = broadcast(step.beta1), rest1 = broadcast(float(1.0 - step.beta1));
    const Lanes beta2 = broadcast(step.beta2), rest2 = broadcast(float(1.0 - step.beta2));
    const Lanes correct1 = broadcast(first_correction), correct2 = broadcast(second_correction);
    const Lanes rate = broadcast(step.learning_rate), decay = broadcast(step.decay);
    const Lanes epsilon = broadcast(step.epsilon), gradient_scale = broadcast(step.gradient_scale);
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
    simd.sum = sum_values;
    simd.sum_of_squares = sum_of_squares;
    simd.adamw = adamw;
}

}  // namespace isogrid::kernels::cpu::ISOGRID_ISA

// The oracle: every op as plain loops over its definition, accumulated in float64. Slow on purpose.
#include <algorithm>
#include <cassert>
#include <cmath>
#include <vector>

#include "kernels/host_backend.hpp"

namespace isogrid::kernels {

namespace {

void write(float& place, double value, Write mode) {
    place = static_cast<float>(mode == Write::add ? place + value : value);
}

/// One head of one sequence inside a (batch * context, heads * head_width) matrix.
template <class T>
struct Head {
    T* first;
    std::int64_t stride;
    T* operator[](std::int64_t token) const { return first + token * stride; }
};

template <class T>
Head<T> head_of(Matrix<T> matrix, const AttentionShape& shape, std::int64_t sequence, std::int64_t head) {
    const std::int64_t stride = shape.heads * shape.head_width;
    assert(matrix.rows == shape.batch * shape.context && matrix.columns == stride);
    return {matrix.data + sequence * shape.context * stride + head * shape.head_width, stride};
}

double dot(const float* a, const float* b, std::int64_t size) {
    double total = 0;
    for (std::int64_t i = 0; i < size; ++i)
        total += double(a[i]) * b[i];
    return total;
}

/// log(sum(exp(values))), safe from overflow by taking the largest value out first.
template <class T>
double log_sum_exp(const T* values, std::int64_t size) {
    const double largest = *std::max_element(values, values + size);
    double total = 0;
    for (std::int64_t i = 0; i < size; ++i)
        total += std::exp(values[i] - largest);
    return largest + std::log(total);
}

class ReferenceBackend final : public HostBackend {
  public:
    std::string name() const override { return "reference"; }
    std::string instruction_set() const override { return "plain loops, float64 accumulation"; }

    void embedding(std::span<const TokenId> ids, ConstMatrix table, float scale, MutableMatrix out) override {
        const std::int64_t width = table.columns;
        for (std::int64_t row = 0; row < out.rows; ++row)
            for (std::int64_t column = 0; column < width; ++column)
                out.data[row * width + column] = scale * table.data[ids[row] * width + column];
    }

    void embedding_backward(std::span<const TokenId> ids, ConstMatrix out_gradient, float scale,
                            MutableMatrix table_gradient, Write mode) override {
        const std::int64_t width = table_gradient.columns;
        if (mode == Write::replace) std::fill_n(table_gradient.data, table_gradient.size(), 0.0f);
        for (std::int64_t row = 0; row < out_gradient.rows; ++row)
            for (std::int64_t column = 0; column < width; ++column)
                table_gradient.data[ids[row] * width + column] +=
                    scale * out_gradient.data[row * width + column];
    }

    void rms_norm(ConstMatrix x, const float* gain, float epsilon, MutableMatrix out,
                  float* inverse_rms) override {
        const std::int64_t width = x.columns;
        for (std::int64_t row = 0; row < x.rows; ++row) {
            const float* values = x.data + row * width;
            const double inverse = 1 / std::sqrt(dot(values, values, width) / width + epsilon);
            for (std::int64_t column = 0; column < width; ++column)
                out.data[row * width + column] = static_cast<float>(values[column] * inverse * gain[column]);
            inverse_rms[row] = static_cast<float>(inverse);
        }
    }

    /// With y = x r g and r = inverse_rms: dx_j = r (g_j dy_j - x_j r^2 / width * sum_i(dy_i g_i x_i)).
    void rms_norm_backward(ConstMatrix out_gradient, ConstMatrix x, const float* gain,
                           const float* inverse_rms, MutableMatrix x_gradient, Write x_mode,
                           float* gain_gradient, Write gain_mode) override {
        const std::int64_t width = x.columns;
        std::vector<double> gain_total(width, 0.0);
        for (std::int64_t row = 0; row < x.rows; ++row) {
            const float* values = x.data + row * width;
            const float* gradient = out_gradient.data + row * width;
            const double inverse = inverse_rms[row];
            double projection = 0;
            for (std::int64_t column = 0; column < width; ++column) {
                projection += double(gradient[column]) * gain[column] * values[column];
                gain_total[column] += gradient[column] * values[column] * inverse;
            }
            const double pull = projection * inverse * inverse / width;
            for (std::int64_t column = 0; column < width; ++column)
                write(x_gradient.data[row * width + column],
                      inverse * (double(gain[column]) * gradient[column] - values[column] * pull), x_mode);
        }
        for (std::int64_t column = 0; column < width; ++column)
            write(gain_gradient[column], gain_total[column], gain_mode);
    }

    void linear(ConstMatrix x, ConstMatrix weights, float scale, MutableMatrix out, Write mode) override {
        for (std::int64_t row = 0; row < x.rows; ++row)
            for (std::int64_t output = 0; output < weights.rows; ++output)
                write(out.data[row * weights.rows + output],
                      scale * dot(x.data + row * x.columns, weights.data + output * x.columns, x.columns),
                      mode);
    }

    void linear_backward_input(ConstMatrix out_gradient, ConstMatrix weights, float scale,
                               MutableMatrix x_gradient, Write mode) override {
        const std::int64_t outputs = weights.rows, inputs = weights.columns;
        for (std::int64_t row = 0; row < out_gradient.rows; ++row)
            for (std::int64_t input = 0; input < inputs; ++input) {
                double total = 0;
                for (std::int64_t output = 0; output < outputs; ++output)
                    total += double(out_gradient.data[row * outputs + output]) *
                             weights.data[output * inputs + input];
                write(x_gradient.data[row * inputs + input], scale * total, mode);
            }
    }

    void linear_backward_weights(ConstMatrix out_gradient, ConstMatrix x, float scale,
                                 MutableMatrix weights_gradient, Write mode) override {
        const std::int64_t outputs = out_gradient.columns, inputs = x.columns;
        for (std::int64_t output = 0; output < outputs; ++output)
            for (std::int64_t input = 0; input < inputs; ++input) {
                double total = 0;
                for (std::int64_t row = 0; row < x.rows; ++row)
                    total += double(out_gradient.data[row * outputs + output]) * x.data[row * inputs + input];
                write(weights_gradient.data[output * inputs + input], scale * total, mode);
            }
    }

    void rotary(ConstMatrix x, const float* cosines, const float* sines, RotaryShape shape, bool inverse,
                MutableMatrix out) override {
        const std::int64_t half = shape.head_width / 2;
        for (std::int64_t row = 0; row < x.rows; ++row) {
            const std::int64_t position = row % shape.context;
            for (std::int64_t head = 0; head < shape.heads; ++head) {
                const std::int64_t start = row * x.columns + head * shape.head_width;
                for (std::int64_t i = 0; i < half; ++i) {
                    const double cosine = cosines[position * half + i];
                    const double sine = inverse ? -sines[position * half + i] : sines[position * half + i];
                    const double first = x.data[start + i], second = x.data[start + i + half];
                    out.data[start + i] = static_cast<float>(first * cosine - second * sine);
                    out.data[start + i + half] = static_cast<float>(second * cosine + first * sine);
                }
            }
        }
    }

    void attention(ConstMatrix q, ConstMatrix k, ConstMatrix v, AttentionShape shape, MutableMatrix out,
                   float* log_sum, float*) override {
        std::vector<double> scores(shape.context);
        for (std::int64_t sequence = 0; sequence < shape.batch; ++sequence)
            for (std::int64_t head = 0; head < shape.heads; ++head) {
                const auto queries = head_of(q, shape, sequence, head);
                const auto keys = head_of(k, shape, sequence, head);
                const auto values = head_of(v, shape, sequence, head);
                const auto results = head_of(out, shape, sequence, head);
                float* log_sums = log_sum + (sequence * shape.heads + head) * shape.context;
                for (std::int64_t i = 0; i < shape.context; ++i) {
                    for (std::int64_t j = 0; j <= i; ++j)
                        scores[j] = shape.scale * dot(queries[i], keys[j], shape.head_width);
                    const double total = log_sum_exp(scores.data(), i + 1);
                    log_sums[i] = static_cast<float>(total);
                    for (std::int64_t column = 0; column < shape.head_width; ++column) {
                        double mixed = 0;
                        for (std::int64_t j = 0; j <= i; ++j)
                            mixed += std::exp(scores[j] - total) * values[j][column];
                        results[i][column] = static_cast<float>(mixed);
                    }
                }
            }
    }

    /// With p = softmax(s): dv_j = sum_i p_ij dout_i, ds_ij = p_ij (dout_i . v_j - dout_i . out_i).
    void attention_backward(ConstMatrix out_gradient, ConstMatrix q, ConstMatrix k, ConstMatrix v,
                            ConstMatrix out, const float* log_sum, AttentionShape shape,
                            MutableMatrix q_gradient, MutableMatrix k_gradient, MutableMatrix v_gradient,
                            float*) override {
        const std::int64_t size = shape.context * shape.head_width;
        for (std::int64_t sequence = 0; sequence < shape.batch; ++sequence)
            for (std::int64_t head = 0; head < shape.heads; ++head) {
                const auto gradients = head_of(out_gradient, shape, sequence, head);
                const auto queries = head_of(q, shape, sequence, head);
                const auto keys = head_of(k, shape, sequence, head);
                const auto values = head_of(v, shape, sequence, head);
                const auto results = head_of(out, shape, sequence, head);
                const float* log_sums = log_sum + (sequence * shape.heads + head) * shape.context;
                std::vector<double> dq(size, 0.0), dk(size, 0.0), dv(size, 0.0);
                for (std::int64_t i = 0; i < shape.context; ++i) {
                    const double mean = dot(gradients[i], results[i], shape.head_width);
                    for (std::int64_t j = 0; j <= i; ++j) {
                        const double score = shape.scale * dot(queries[i], keys[j], shape.head_width);
                        const double probability = std::exp(score - log_sums[i]);
                        const double score_gradient = shape.scale * probability *
                                                      (dot(gradients[i], values[j], shape.head_width) - mean);
                        for (std::int64_t column = 0; column < shape.head_width; ++column) {
                            dq[i * shape.head_width + column] += score_gradient * keys[j][column];
                            dk[j * shape.head_width + column] += score_gradient * queries[i][column];
                            dv[j * shape.head_width + column] += probability * gradients[i][column];
                        }
                    }
                }
                store(dq, head_of(q_gradient, shape, sequence, head), shape);
                store(dk, head_of(k_gradient, shape, sequence, head), shape);
                store(dv, head_of(v_gradient, shape, sequence, head), shape);
            }
    }

    std::int64_t attention_workspace(AttentionShape) const override { return 0; }

    void swiglu(ConstMatrix gate, ConstMatrix up, MutableMatrix out) override {
        for (std::int64_t i = 0; i < out.size(); ++i)
            out.data[i] =
                static_cast<float>(gate.data[i] / (1 + std::exp(-double(gate.data[i]))) * up.data[i]);
    }

    void swiglu_backward(ConstMatrix out_gradient, ConstMatrix gate, ConstMatrix up,
                         MutableMatrix gate_gradient, MutableMatrix up_gradient) override {
        for (std::int64_t i = 0; i < gate.size(); ++i) {
            const double value = gate.data[i], gradient = out_gradient.data[i];
            const double sigmoid = 1 / (1 + std::exp(-value));
            const double slope = sigmoid * (1 + value * (1 - sigmoid));
            const double up_value = up.data[i];
            gate_gradient.data[i] = static_cast<float>(gradient * up_value * slope);
            up_gradient.data[i] = static_cast<float>(gradient * value * sigmoid);
        }
    }

    void add(ConstMatrix a, ConstMatrix b, MutableMatrix out) override {
        for (std::int64_t i = 0; i < out.size(); ++i)
            out.data[i] = a.data[i] + b.data[i];
    }

    void cross_entropy(ConstMatrix logits, std::span<const TokenId> targets, float* losses,
                       float* log_sum) override {
        for (std::int64_t row = 0; row < logits.rows; ++row) {
            const float* values = logits.data + row * logits.columns;
            const double total = log_sum_exp(values, logits.columns);
            log_sum[row] = static_cast<float>(total);
            losses[row] = static_cast<float>(total - values[targets[row]]);
        }
    }

    void cross_entropy_backward(ConstMatrix logits, std::span<const TokenId> targets, const float* log_sum,
                                float scale, MutableMatrix logits_gradient) override {
        for (std::int64_t row = 0; row < logits.rows; ++row)
            for (std::int64_t column = 0; column < logits.columns; ++column) {
                const std::int64_t i = row * logits.columns + column;
                const double probability = std::exp(double(logits.data[i]) - log_sum[row]);
                logits_gradient.data[i] =
                    static_cast<float>(scale * (probability - (column == targets[row] ? 1 : 0)));
            }
    }

    void accumulate(std::span<float> destination, std::span<const float> source) override {
        for (std::size_t i = 0; i < destination.size(); ++i)
            destination[i] += source[i];
    }

    double sum(std::span<const float> values) override {
        double total = 0;
        for (const float value : values)
            total += value;
        return total;
    }

    double sum_of_squares(std::span<const float> values) override {
        return dot(values.data(), values.data(), static_cast<std::int64_t>(values.size()));
    }

    void adamw(AdamWStep step, std::span<const float> gradient, std::span<float> weights,
               std::span<float> first_moment, std::span<float> second_moment) override {
        const double first_correction = 1 - std::pow(double(step.beta1), double(step.step));
        const double second_correction = 1 - std::pow(double(step.beta2), double(step.step));
        for (std::size_t i = 0; i < weights.size(); ++i) {
            const double slope = double(step.gradient_scale) * gradient[i];
            const double first = step.beta1 * double(first_moment[i]) + (1.0 - step.beta1) * slope;
            const double second = step.beta2 * double(second_moment[i]) + (1.0 - step.beta2) * slope * slope;
            first_moment[i] = static_cast<float>(first);
            second_moment[i] = static_cast<float>(second);
            const double move =
                first / first_correction / (std::sqrt(second / second_correction) + step.epsilon);
            weights[i] =
                static_cast<float>(weights[i] - step.decay * double(weights[i]) - step.learning_rate * move);
        }
    }

  private:
    static void store(const std::vector<double>& values, Head<float> head, const AttentionShape& shape) {
        for (std::int64_t token = 0; token < shape.context; ++token)
            for (std::int64_t column = 0; column < shape.head_width; ++column)
                head[token][column] = static_cast<float>(values[token * shape.head_width + column]);
    }
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() {
    return std::make_unique<ReferenceBackend>();
}

}  // namespace isogrid::kernels

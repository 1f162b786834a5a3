// The oracle: every op as plain loops over its definition, accumulated in float64. Slow on purpose.
#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/bfloat16.hpp"
#include "kernels/host_backend.hpp"

namespace isogrid::kernels {

namespace {

void write(float& place, double value, Write mode) {
    place = static_cast<float>(mode == Write::add ? place + value : value);
}

double read(ConstActivations matrix, std::int64_t row, std::int64_t column) {
    const std::int64_t i = row * matrix.stride() + column;
    if (matrix.element == Element::bfloat16) return widened(static_cast<const Bfloat16*>(matrix.data)[i]);
    return static_cast<const float*>(matrix.data)[i];
}

void write(Activations matrix, std::int64_t row, std::int64_t column, double value, Write mode) {
    const std::int64_t i = row * matrix.stride() + column;
    if (matrix.element == Element::float32) return write(static_cast<float*>(matrix.data)[i], value, mode);
    assert(mode == Write::replace);
    auto* numbers = static_cast<Bfloat16*>(matrix.data);
    numbers[i] = rounded(static_cast<float>(value));
    if (column == matrix.columns - 1 && matrix.stride() > matrix.columns) numbers[i + 1] = {0};
}

double dot(const float* a, const float* b, std::int64_t size) {
    double total = 0;
    for (std::int64_t i = 0; i < size; ++i)
        total += double(a[i]) * b[i];
    return total;
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

/// One head of one sequence, token by token: (context, head_width).
using Head = std::vector<std::vector<double>>;

/// `first_column` is where the head's columns begin in the matrix.
Head read_head(ConstActivations matrix, const AttentionShape& shape, std::int64_t sequence,
               std::int64_t first_column) {
    assert(matrix.rows == shape.rows());
    Head head(shape.context, std::vector<double>(shape.head_width));
    for (std::int64_t token = 0; token < shape.context; ++token)
        for (std::int64_t column = 0; column < shape.head_width; ++column)
            head[token][column] = read(matrix, sequence * shape.context + token, first_column + column);
    return head;
}

void write_head(const Head& head, Activations matrix, const AttentionShape& shape, std::int64_t sequence,
                std::int64_t first_column) {
    for (std::int64_t token = 0; token < shape.context; ++token)
        for (std::int64_t column = 0; column < shape.head_width; ++column)
            write(matrix, sequence * shape.context + token, first_column + column, head[token][column],
                  Write::replace);
}

void rotate(Head& head, RotaryTables tables, bool back) {
    const std::int64_t half = std::int64_t(head[0].size()) / 2;
    for (std::size_t token = 0; token < head.size(); ++token)
        for (std::int64_t i = 0; i < half; ++i) {
            const double cosine = tables.cosines[token * half + i];
            const double sine = back ? -tables.sines[token * half + i] : tables.sines[token * half + i];
            const double first = head[token][i], second = head[token][i + half];
            head[token][i] = first * cosine - second * sine;
            head[token][i + half] = second * cosine + first * sine;
        }
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
    bool multiplies_natively(Element element) const override { return element == Element::float32; }

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

    void rms_norm(ConstMatrix x, const float* gain, float epsilon, Activations out,
                  float* inverse_rms) override {
        const std::int64_t width = x.columns;
        for (std::int64_t row = 0; row < x.rows; ++row) {
            const float* values = x.data + row * width;
            const double inverse = 1 / std::sqrt(dot(values, values, width) / width + epsilon);
            for (std::int64_t column = 0; column < width; ++column)
                write(out, row, column, values[column] * inverse * gain[column], Write::replace);
            inverse_rms[row] = static_cast<float>(inverse);
        }
    }

    /// With y = x r g and r = inverse_rms: dx_j = r (g_j dy_j - x_j r^2 / width * sum_i(dy_i g_i x_i)).
    void rms_norm_backward(ConstMatrix out_gradient, ConstMatrix x, const float* gain,
                           const float* inverse_rms, MutableMatrix x_gradient, Write x_mode,
                           float* gain_gradient, Write gain_mode, Activations rounded) override {
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
        if (rounded.data != nullptr) round(x_gradient, rounded);
    }

    /// A copy, rounded to the element.
    PackedWeights pack_weights(ConstMatrix weights, Element element, float* packed) override {
        for (std::int64_t i = 0; i < weights.size(); ++i)
            packed[i] = element == Element::bfloat16 ? widened(rounded(weights.data[i])) : weights.data[i];
        return {weights, element, packed};
    }

    std::int64_t packed_floats(std::int64_t outputs, std::int64_t inputs, Element) const override {
        return outputs * inputs;
    }

    void linear(ConstActivations x, PackedWeights weights, const float* addend, Activations out) override {
        const std::int64_t outputs = weights.weights.rows, inputs = weights.weights.columns;
        for (std::int64_t row = 0; row < x.rows; ++row)
            for (std::int64_t output = 0; output < outputs; ++output) {
                double total = addend != nullptr ? addend[row * outputs + output] : 0.0;
                for (std::int64_t input = 0; input < inputs; ++input)
                    total += read(x, row, input) * weights.packed[output * inputs + input];
                write(out, row, output, total, Write::replace);
            }
    }

    void linear_backward_input(ConstActivations out_gradient, PackedWeights weights, Activations x_gradient,
                               Write mode) override {
        const std::int64_t outputs = weights.weights.rows, inputs = weights.weights.columns;
        for (std::int64_t row = 0; row < out_gradient.rows; ++row)
            for (std::int64_t input = 0; input < inputs; ++input) {
                double total = 0;
                for (std::int64_t output = 0; output < outputs; ++output)
                    total += read(out_gradient, row, output) * weights.packed[output * inputs + input];
                write(x_gradient, row, input, total, mode);
            }
    }

    void linear_backward_weights(ConstActivations out_gradient, ConstActivations x,
                                 MutableMatrix weights_gradient, Write mode, float*) override {
        const std::int64_t outputs = out_gradient.columns, inputs = x.columns;
        for (std::int64_t output = 0; output < outputs; ++output)
            for (std::int64_t input = 0; input < inputs; ++input) {
                double total = 0;
                for (std::int64_t row = 0; row < x.rows; ++row)
                    total += read(out_gradient, row, output) * read(x, row, input);
                write(weights_gradient.data[output * inputs + input], total, mode);
            }
    }

    std::int64_t linear_workspace(std::int64_t, std::int64_t, std::int64_t, Element) const override {
        return 0;
    }

    void attention(ConstActivations qkv, RotaryTables rotary, AttentionShape shape, Activations out,
                   float* log_sum, float*) override {
        for_heads(
            shape,
            [&](std::int64_t sequence, std::int64_t column, float* log_sums) {
                Head q = read_head(qkv, shape, sequence, column);
                Head k = read_head(qkv, shape, sequence, shape.width() + column);
                const Head v = read_head(qkv, shape, sequence, 2 * shape.width() + column);
                rotate(q, rotary, false);
                rotate(k, rotary, false);
                Head mixed(shape.context, std::vector<double>(shape.head_width, 0.0));
                std::vector<double> scores(shape.context);
                for (std::int64_t i = 0; i < shape.context; ++i) {
                    for (std::int64_t j = 0; j <= i; ++j)
                        scores[j] = shape.scale * dot(q[i], k[j]);
                    const double total = log_sum_exp(scores.data(), i + 1);
                    log_sums[i] = static_cast<float>(total);
                    for (std::int64_t j = 0; j <= i; ++j)
                        for (std::int64_t c = 0; c < shape.head_width; ++c)
                            mixed[i][c] += std::exp(scores[j] - total) * v[j][c];
                }
                write_head(mixed, out, shape, sequence, column);
            },
            log_sum);
    }

    /// With p = softmax(s): dv_j = sum_i p_ij dout_i, ds_ij = p_ij (dout_i . v_j - dout_i . out_i).
    void attention_backward(ConstActivations out_gradient, ConstActivations qkv, RotaryTables rotary,
                            ConstActivations out, const float* log_sum, AttentionShape shape,
                            Activations qkv_gradient, float*) override {
        for_heads(
            shape,
            [&](std::int64_t sequence, std::int64_t column, const float* log_sums) {
                const Head gradients = read_head(out_gradient, shape, sequence, column);
                const Head results = read_head(out, shape, sequence, column);
                Head q = read_head(qkv, shape, sequence, column);
                Head k = read_head(qkv, shape, sequence, shape.width() + column);
                const Head v = read_head(qkv, shape, sequence, 2 * shape.width() + column);
                rotate(q, rotary, false);
                rotate(k, rotary, false);
                Head dq(shape.context, std::vector<double>(shape.head_width, 0.0)), dk = dq, dv = dq;
                for (std::int64_t i = 0; i < shape.context; ++i) {
                    const double mean = dot(gradients[i], results[i]);
                    for (std::int64_t j = 0; j <= i; ++j) {
                        const double probability = std::exp(shape.scale * dot(q[i], k[j]) - log_sums[i]);
                        const double score_gradient =
                            shape.scale * probability * (dot(gradients[i], v[j]) - mean);
                        for (std::int64_t c = 0; c < shape.head_width; ++c) {
                            dq[i][c] += score_gradient * k[j][c];
                            dk[j][c] += score_gradient * q[i][c];
                            dv[j][c] += probability * gradients[i][c];
                        }
                    }
                }
                rotate(dq, rotary, true);
                rotate(dk, rotary, true);
                write_head(dq, qkv_gradient, shape, sequence, column);
                write_head(dk, qkv_gradient, shape, sequence, shape.width() + column);
                write_head(dv, qkv_gradient, shape, sequence, 2 * shape.width() + column);
            },
            log_sum);
    }

    std::int64_t attention_workspace(AttentionShape, Element) const override { return 0; }

    void swiglu(ConstActivations gate_up, Activations out) override {
        for (std::int64_t row = 0; row < out.rows; ++row)
            for (std::int64_t column = 0; column < out.columns; ++column) {
                const double gate = read(gate_up, row, column), up = read(gate_up, row, out.columns + column);
                write(out, row, column, gate / (1 + std::exp(-gate)) * up, Write::replace);
            }
    }

    void swiglu_backward(ConstActivations out_gradient, ConstActivations gate_up,
                         Activations gate_up_gradient) override {
        const std::int64_t hidden = out_gradient.columns;
        for (std::int64_t row = 0; row < out_gradient.rows; ++row)
            for (std::int64_t column = 0; column < hidden; ++column) {
                const double gate = read(gate_up, row, column), up = read(gate_up, row, hidden + column);
                const double gradient = read(out_gradient, row, column);
                const double sigmoid = 1 / (1 + std::exp(-gate));
                const double slope = sigmoid * (1 + gate * (1 - sigmoid));
                write(gate_up_gradient, row, column, gradient * up * slope, Write::replace);
                write(gate_up_gradient, row, hidden + column, gradient * gate * sigmoid, Write::replace);
            }
    }

    void add(ConstMatrix a, ConstMatrix b, MutableMatrix out) override {
        for (std::int64_t i = 0; i < out.size(); ++i)
            out.data[i] = a.data[i] + b.data[i];
    }

    void round(ConstMatrix x, Activations out) override {
        assert(out.element == Element::bfloat16);
        for (std::int64_t row = 0; row < x.rows; ++row)
            for (std::int64_t column = 0; column < x.columns; ++column)
                write(out, row, column, x.data[row * x.columns + column], Write::replace);
    }

    void cross_entropy(ConstMatrix logits, std::span<const TokenId> targets, float logit_scale,
                       float* losses) override {
        for (std::int64_t row = 0; row < logits.rows; ++row) {
            const std::vector<double> scaled = scaled_row(logits, row, logit_scale);
            losses[row] =
                static_cast<float>(log_sum_exp(scaled.data(), logits.columns) - scaled[targets[row]]);
        }
    }

    void cross_entropy_gradient(MutableMatrix logits, std::span<const TokenId> targets, float logit_scale,
                                float loss_scale, float* losses, Activations logits_gradient) override {
        for (std::int64_t row = 0; row < logits.rows; ++row) {
            const std::vector<double> scaled = scaled_row(logits, row, logit_scale);
            const double total = log_sum_exp(scaled.data(), logits.columns);
            losses[row] = static_cast<float>(total - scaled[targets[row]]);
            for (std::int64_t column = 0; column < logits.columns; ++column) {
                const double wanted = column == targets[row] ? 1 : 0;
                write(logits_gradient, row, column,
                      double(loss_scale) * logit_scale * (std::exp(scaled[column] - total) - wanted),
                      Write::replace);
            }
        }
    }

    using HostBackend::accumulate;
    void accumulate(std::span<float> destination, std::span<const float> source) override {
        for (std::size_t i = 0; i < destination.size(); ++i)
            destination[i] += source[i];
    }

    void add_sum(std::span<const float> values, double* total) override {
        double sum = 0;
        for (const float value : values)
            sum += value;
        *total += sum;
    }

    void add_sums_of_squares(std::span<const float> values, std::span<const Run> runs,
                             double* totals) override {
        for (const Run& run : runs)
            totals[run.kind] += dot(values.data() + run.first, values.data() + run.first, run.size);
    }

    void adamw(std::span<const Run> runs, const AdamWStep* steps, const Standing* standing,
               std::span<const float> gradient, std::span<float> weights, std::span<float> first_moment,
               std::span<float> second_moment, PackedCopies copies) override {
        if (standing->ended_at != 0) return;
        for (const Run& run : runs) {
            const AdamWStep& step = steps[run.kind];
            const double first_correction = 1 - std::pow(double(step.beta1), double(step.step));
            const double second_correction = 1 - std::pow(double(step.beta2), double(step.step));
            for (auto i = static_cast<std::size_t>(run.first);
                 i < static_cast<std::size_t>(run.first + run.size); ++i) {
                const double slope = double(standing->gradient_scale) * gradient[i];
                const double first = step.beta1 * double(first_moment[i]) + (1.0 - step.beta1) * slope;
                const double second =
                    step.beta2 * double(second_moment[i]) + (1.0 - step.beta2) * slope * slope;
                first_moment[i] = static_cast<float>(first);
                second_moment[i] = static_cast<float>(second);
                const double move =
                    first / first_correction / (std::sqrt(second / second_correction) + step.epsilon);
                weights[i] = static_cast<float>(weights[i] - step.decay * double(weights[i]) -
                                                step.learning_rate * move);
            }
        }
        pack_weights_again(copies);
    }

  private:
    static std::vector<double> scaled_row(ConstMatrix logits, std::int64_t row, float scale) {
        const float* first = logits.data + row * logits.columns;
        std::vector<double> scaled(first, first + logits.columns);
        for (double& value : scaled)
            value *= scale;
        return scaled;
    }

    /// Calls work(sequence, the head's first column, its log sums) for every head of every sequence.
    template <class Work, class Float>
    static void for_heads(const AttentionShape& shape, Work work, Float* log_sum) {
        for (std::int64_t sequence = 0; sequence < shape.batch; ++sequence)
            for (std::int64_t head = 0; head < shape.heads; ++head)
                work(sequence, head * shape.head_width,
                     log_sum + (sequence * shape.heads + head) * shape.context);
    }
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() {
    return std::make_unique<ReferenceBackend>();
}

}  // namespace isogrid::kernels

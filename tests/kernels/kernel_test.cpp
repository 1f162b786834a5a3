// What the kernel tests share.
#include "kernels/kernel_test.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "kernels/bfloat16.hpp"

namespace isogrid::kernels::test {

Values random_values(std::int64_t count, std::uint32_t seed) {
    std::mt19937 generator(seed);
    Values values(count);
    for (float& value : values)
        value = static_cast<float>(generator() >> 8) * 0x1p-23f - 1;
    return values;
}

std::vector<TokenId> random_ids(std::int64_t count, TokenId vocabulary, std::uint32_t seed) {
    std::mt19937 generator(seed);
    std::vector<TokenId> ids(count);
    for (TokenId& id : ids)
        id = static_cast<TokenId>(generator() % static_cast<std::uint32_t>(vocabulary));
    return ids;
}

Values absolute(Values values) {
    for (float& value : values)
        value = std::abs(value);
    return values;
}

double root_mean_square(const Values& values) {
    double total = 0;
    for (const float value : values)
        total += double(value) * value;
    return std::sqrt(total / double(values.size()));
}

Values exact(Values values, Element element) {
    if (element == Element::bfloat16)
        for (float& value : values)
            value = widened(rounded(value));
    return values;
}

std::string name(Element element) {
    return element == Element::bfloat16 ? "bfloat16" : "float32";
}

std::vector<std::int64_t> widths_of(Element element) {
    if (element == Element::bfloat16) return {8, 18, 48, 130};
    return {8, 17, 48, 130};
}

std::vector<std::uint32_t> bits(const Values& values) {
    std::vector<std::uint32_t> words;
    for (const float value : values)
        words.push_back(std::bit_cast<std::uint32_t>(value));
    return words;
}

namespace {
/// Not-a-number in both elements, as wide as the widest vector.
const std::vector<std::byte> after_an_array(64, std::byte{0xff});
}  // namespace

Device::~Device() {
    std::vector<std::byte> found(after_an_array.size());
    for (const std::byte* end : ends_) {
        backend.copy_out(found.data(), end, found.size());
        EXPECT_EQ(found, after_an_array) << "what stands after an array was overwritten";
    }
}

void* Device::place(const void* source, std::size_t bytes) {
    storage_.push_back(backend.allocate(64 * offset_ + bytes + after_an_array.size()));
    std::byte* to = storage_.back().get() + 64 * offset_;
    backend.copy_in(to, source, bytes);
    backend.copy_in(to + bytes, after_an_array.data(), after_an_array.size());
    ends_.push_back(to + bytes);
    return to;
}

float* Device::hold(const Values& values) {
    return static_cast<float*>(place(values.data(), values.size() * sizeof(float)));
}

std::span<const TokenId> Device::hold(const std::vector<TokenId>& ids) {
    return {static_cast<const TokenId*>(place(ids.data(), ids.size() * sizeof(TokenId))), ids.size()};
}

float* Device::poisoned(std::int64_t count) {
    return hold(Values(count, std::numeric_limits<float>::quiet_NaN()));
}

float* Device::output(Write mode, std::int64_t count) {
    return mode == Write::add ? hold(random_values(count, 12345)) : poisoned(count);
}

Values Device::read(const float* from, std::int64_t count) {
    Values values(count);
    backend.copy_out(values.data(), from, values.size() * sizeof(float));
    return values;
}

ConstActivations Device::hold(const Values& values, std::int64_t rows, std::int64_t columns,
                              Element element) {
    if (element == Element::float32) return ConstMatrix{hold(values), rows, columns};
    const std::int64_t stride = row_stride(columns, element);
    std::vector<Bfloat16> numbers(rows * stride, Bfloat16{0});
    for (std::int64_t row = 0; row < rows; ++row)
        for (std::int64_t column = 0; column < columns; ++column)
            numbers[row * stride + column] = rounded(values[row * columns + column]);
    return {place(numbers.data(), numbers.size() * sizeof(Bfloat16)), rows, columns, element};
}

Activations Device::poisoned(std::int64_t rows, std::int64_t columns, Element element) {
    const std::vector<std::byte> ones(floats_of(rows, columns, element) * sizeof(float), std::byte{0xff});
    return {place(ones.data(), ones.size()), rows, columns, element};  // not-a-number in both elements
}

Values Device::read(ConstActivations matrix) {
    if (matrix.element == Element::float32)
        return read(static_cast<const float*>(matrix.data), matrix.size());
    std::vector<Bfloat16> numbers(matrix.rows * matrix.stride());
    backend.copy_out(numbers.data(), matrix.data, numbers.size() * sizeof(Bfloat16));
    Values values;
    for (std::int64_t row = 0; row < matrix.rows; ++row) {
        for (std::int64_t column = 0; column < matrix.columns; ++column)
            values.push_back(widened(numbers[row * matrix.stride() + column]));
        if (matrix.stride() > matrix.columns) {
            EXPECT_EQ(numbers[row * matrix.stride() + matrix.columns].bits, 0) << "what fills up a row";
        }
    }
    return values;
}

PackedWeights Device::pack(const Values& weights, std::int64_t outputs, std::int64_t inputs,
                           Element element) {
    return backend.pack_weights({hold(weights), outputs, inputs}, element,
                                poisoned(backend.packed_floats(outputs, inputs, element)));
}

void adamw(Device& device, const AdamWStep& step, float gradient_scale, const float* gradient, float* weights,
           float* first_moment, float* second_moment, std::int64_t count) {
    const auto size = static_cast<std::size_t>(count);
    device.backend.adamw({device.hold_one(Run{0, count, 0}), 1}, device.hold_one(step),
                         device.hold_one(Standing{.gradient_scale = gradient_scale}), {gradient, size},
                         {weights, size}, {first_moment, size}, {second_moment, size}, {});
}

void KernelTest::SetUp() {
    if (const std::string why = why_not_here(GetParam()); !why.empty()) GTEST_SKIP() << why;
    fast = make_fast_backend(GetParam());
}

void KernelTest::expect_agreement(const Op& op, const std::vector<double>& tolerances,
                                  const std::vector<double>& relative) {
    Device plain(*reference);
    const Outputs expected = op(plain);
    ASSERT_EQ(expected.size(), tolerances.size());
    std::vector<std::vector<double>> each;
    for (std::size_t output = 0; output < expected.size(); ++output)
        each.emplace_back(expected[output].size(), tolerances[output]);
    expect_agreement(op, each, relative);
}

void KernelTest::expect_agreement(const Op& op, const std::vector<std::vector<double>>& tolerances,
                                  const std::vector<double>& relative) {
    Device plain(*reference), here(*fast), elsewhere(*fast, 3);
    const Outputs expected = op(plain), actual = op(here), again = op(elsewhere);
    ASSERT_EQ(actual.size(), expected.size());
    ASSERT_EQ(tolerances.size(), expected.size());
    ASSERT_TRUE(relative.empty() || relative.size() == expected.size());
    for (std::size_t output = 0; output < expected.size(); ++output) {
        const Values& wanted = expected[output];
        const Values& found = actual[output];
        ASSERT_EQ(found.size(), wanted.size());
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            const double tolerance = tolerances[output][i] +
                                     (relative.empty() ? 0 : relative[output] * std::abs(double(wanted[i])));
            // Written so that not-a-number fails.
            if (std::abs(double(found[i]) - wanted[i]) <= tolerance) continue;
            if (++wrong > 3) break;
            ADD_FAILURE() << "output " << output << ", number " << i << ": " << found[i] << " instead of "
                          << wanted[i] << " (tolerance " << tolerance << ")";
        }
        EXPECT_EQ(bits(found), bits(again[output]))
            << "output " << output << " differs between two calls with the same inputs";
    }
}

void KernelTest::expect_agreement_in_the_mean(const Op& op, const std::vector<double>& shares) {
    Device plain(*reference), here(*fast);
    const Outputs expected = op(plain), actual = op(here);
    ASSERT_EQ(actual.size(), expected.size());
    ASSERT_EQ(shares.size(), expected.size());
    for (std::size_t output = 0; output < expected.size(); ++output) {
        Values errors;
        for (std::size_t i = 0; i < expected[output].size(); ++i)
            errors.push_back(actual[output][i] - expected[output][i]);
        EXPECT_LE(root_mean_square(errors), shares[output] * root_mean_square(expected[output]))
            << "output " << output;
    }
}

INSTANTIATE_TEST_SUITE_P(Fast, KernelTest, testing::ValuesIn(fast_backend_names()),
                         [](const auto& info) { return info.param; });

}  // namespace isogrid::kernels::test

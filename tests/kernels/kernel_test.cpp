// What the kernel tests share.
#include "kernels/kernel_test.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "kernels/cpu/cpu_backend.hpp"

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

void* Device::place(const void* source, std::size_t bytes) {
    storage_.push_back(backend.allocate(bytes + 64 * offset_));
    std::byte* to = storage_.back().get() + 64 * offset_;
    backend.copy_in(to, source, bytes);
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

std::unique_ptr<Backend> make_fast_backend(const std::string& name) {
    return cpu::make_backend(name == "avx512" ? cpu::InstructionSet::avx512 : cpu::InstructionSet::avx2);
}

bool runs_here(const std::string& name) {
    return cpu::supported(name == "avx512" ? cpu::InstructionSet::avx512 : cpu::InstructionSet::avx2);
}

void KernelTest::SetUp() {
    if (!runs_here(GetParam())) GTEST_SKIP() << "this processor does not run " << GetParam();
    fast = make_fast_backend(GetParam());
}

void KernelTest::expect_agreement(const Op& op, const std::vector<double>& tolerances) {
    Device plain(*reference);
    const Outputs expected = op(plain);
    ASSERT_EQ(expected.size(), tolerances.size());
    std::vector<std::vector<double>> each;
    for (std::size_t output = 0; output < expected.size(); ++output)
        each.emplace_back(expected[output].size(), tolerances[output]);
    expect_agreement(op, each);
}

void KernelTest::expect_agreement(const Op& op, const std::vector<std::vector<double>>& tolerances) {
    Device plain(*reference), here(*fast), elsewhere(*fast, 3);
    const Outputs expected = op(plain), actual = op(here), again = op(elsewhere);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t output = 0; output < expected.size(); ++output) {
        const Values& wanted = expected[output];
        const Values& found = actual[output];
        ASSERT_EQ(found.size(), wanted.size());
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            // Written so that not-a-number fails.
            if (std::abs(double(found[i]) - wanted[i]) <= tolerances[output][i]) continue;
            if (++wrong > 3) break;
            ADD_FAILURE() << "output " << output << ", number " << i << ": " << found[i] << " instead of "
                          << wanted[i] << " (tolerance " << tolerances[output][i] << ")";
        }
        EXPECT_EQ(0, std::memcmp(found.data(), again[output].data(), found.size() * sizeof(float)))
            << "output " << output << " differs between two calls with the same inputs";
    }
}

}  // namespace isogrid::kernels::test

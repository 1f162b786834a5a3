// What the kernel tests share: memory of a backend, random inputs, and the fixture that runs one op on a fast
// backend and on the reference.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/backend.hpp"

namespace isogrid::kernels::test {

using Values = std::vector<float>;

constexpr double epsilon = 1.1920929e-7;  ///< distance from 1 to the next float: twice the rounding error

/// `count` numbers even in [-1, 1), the same for the same seed.
Values random_values(std::int64_t count, std::uint32_t seed);
std::vector<TokenId> random_ids(std::int64_t count, TokenId vocabulary, std::uint32_t seed);
Values absolute(Values values);
double root_mean_square(const Values& values);
/// Each rounded to what `element` can hold.
Values exact(Values values, Element element);

constexpr Element elements[] = {Element::float32, Element::bfloat16};
/// From one bfloat16 to the next at most, relatively. Two results that lie on either side of the middle
/// between two neighbours, however close, are rounded that far apart.
constexpr double bfloat16_unit = 0x1p-7;
constexpr double unit_of(Element element) {
    return element == Element::bfloat16 ? bfloat16_unit : 0;  // float32 tolerances count roundings themselves
}
std::string name(Element element);

/// Sizes that are no multiples of what registers hold, and some that are.
constexpr std::int64_t some_rows[] = {1, 3, 37};
constexpr std::int64_t some_widths[] = {8, 17, 48, 130};
/// The same of activations, whose widths are even in bfloat16.
std::vector<std::int64_t> widths_of(Element element);

/// What a number is in memory: not-a-number equals itself here, and zeros of either sign differ.
std::vector<std::uint32_t> bits(const Values& values);

/// A backend and arrays in its memory, which live as long as the Device. Each is followed by not-a-numbers,
/// and in the end they must still stand there.
class Device {
  public:
    /// Arrays begin `offset` x 64 bytes into their allocations, to show that addresses do not matter.
    explicit Device(Backend& backend, std::size_t offset = 0) : backend(backend), offset_(offset) {}
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    float* hold(const Values& values);
    std::span<const TokenId> hold(const std::vector<TokenId>& ids);
    float* poisoned(std::int64_t count);  ///< full of not-a-number
    /// Where an op writes: poisoned to be replaced, or random numbers to be added to.
    float* output(Write mode, std::int64_t count);
    Values read(const float* from, std::int64_t count);

    /// A matrix of numbers that `element` holds exactly; the odd element of a row is zero.
    ConstActivations hold(const Values& values, std::int64_t rows, std::int64_t columns, Element element);
    Activations poisoned(std::int64_t rows, std::int64_t columns, Element element);
    /// The numbers of a matrix, without what fills up its rows.
    Values read(ConstActivations matrix);
    template <class Value>
    const Value* hold_one(const Value& value) {
        return static_cast<const Value*>(place(&value, sizeof value));
    }
    PackedWeights pack(const Values& weights, std::int64_t outputs, std::int64_t inputs, Element element);

    Backend& backend;

  private:
    void* place(const void* source, std::size_t bytes);

    std::size_t offset_;
    std::vector<Storage> storage_;
    std::vector<const std::byte*> ends_;  ///< of the arrays
};

/// A step of AdamW over `count` parameters of one kind, clipped by `gradient_scale`.
void adamw(Device& device, const AdamWStep& step, float gradient_scale, const float* gradient, float* weights,
           float* first_moment, float* second_moment, std::int64_t count);

using Outputs = std::vector<Values>;
using Op = std::function<Outputs(Device&)>;

/// A fast backend by its name.
class KernelTest : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override;
    /// Runs `op` on the reference and twice on the fast backend, at other addresses and after other work:
    /// the two agree bit for bit, and with the reference within `tolerances`, one an output, and `relative`
    /// (one an output, or none) times each number.
    void expect_agreement(const Op& op, const std::vector<double>& tolerances,
                          const std::vector<double>& relative = {});
    /// As above, with a tolerance of its own for each number.
    void expect_agreement(const Op& op, const std::vector<std::vector<double>>& tolerances,
                          const std::vector<double>& relative = {});
    /// The root mean square of each output's errors is below its share of that of the numbers themselves:
    /// what errors of random sign leave, far below the bounds for any single number.
    void expect_agreement_in_the_mean(const Op& op, const std::vector<double>& shares);

    std::unique_ptr<Backend> fast, reference = make_reference_backend();
};

/// The backends that are held to the reference, by name. Which there are is the test program's choice: the
/// processor's instruction sets and `cuda`, or `cuda_on_cpu` (fast_backends.cpp,
/// cuda_on_cpu/fast_backends.cpp).
std::vector<std::string> fast_backend_names();
/// Those of them whose sums over rows run in rising order from block to block: the processor's.
std::vector<std::string> names_that_add_rows_in_order();
std::unique_ptr<Backend> make_fast_backend(const std::string& name);
/// Why a backend cannot run on this machine; empty where it can.
std::string why_not_here(const std::string& name);

}  // namespace isogrid::kernels::test

// Products on AMX tiles, bit for bit as the manual has them: in software everywhere, with the processor's own
// instructions where it has them, and where it has not, with the same instructions carried out by amx_manual.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <optional>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "kernels/amx_manual.hpp"
#include "kernels/bfloat16.hpp"
#include "kernels/cpu/cpu_backend.hpp"
#include "kernels/tile_products.hpp"

namespace isogrid::kernels::test {
namespace {

using cpu::InstructionSet;
using cpu::ProductOperands;

constexpr double half_epsilon = 0x1p-24;  ///< the rounding error of 1 in float32

// ---- Memory

/// Numbers at the end of mapped memory: what follows them cannot be read.
template <class Number>
class AtTheEdge {
  public:
    explicit AtTheEdge(std::size_t count) : count_(count) {
        const std::size_t page = 4096;
        mapped_ = (count * sizeof(Number) + page - 1) / page * page + page;
        void* memory = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc();
        memory_ = static_cast<std::byte*>(memory);
        mprotect(memory_ + mapped_ - page, page, PROT_NONE);
        numbers_ = reinterpret_cast<Number*>(memory_ + mapped_ - page - count * sizeof(Number));
    }
    explicit AtTheEdge(const std::vector<Number>& numbers) : AtTheEdge(numbers.size()) {
        std::copy(numbers.begin(), numbers.end(), numbers_);
    }
    ~AtTheEdge() { munmap(memory_, mapped_); }
    AtTheEdge(const AtTheEdge&) = delete;
    AtTheEdge& operator=(const AtTheEdge&) = delete;

    Number* data() { return numbers_; }
    std::vector<Number> read() const { return {numbers_, numbers_ + count_}; }

  private:
    std::size_t count_, mapped_;
    std::byte* memory_;
    Number* numbers_;
};

float random_number(std::mt19937& generator) {
    return static_cast<float>(generator() >> 8) * 0x1p-23f - 1;
}

float word_of(Bfloat16 lower, Bfloat16 upper) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(upper.bits) << 16 | lower.bits);
}

/// Two bfloat16, even in [-1, 1).
float random_word(std::mt19937& generator) {
    const float lower = random_number(generator);
    return word_of(rounded(lower), rounded(random_number(generator)));
}

constexpr float poison = std::numeric_limits<float>::quiet_NaN();

bool same_bits(float a, float b) {
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}
bool same_bits(Bfloat16 a, Bfloat16 b) {
    return a.bits == b.bits;
}

// ---- What a product is

/// left (rows, steps) and right (steps, columns) in words of two bfloat16, row-major, and what the sums begin
/// with or get added to them (rows, columns).
struct Product {
    std::int64_t rows, columns, steps;
    std::vector<float> left, right, other;

    Product(std::int64_t row_count, std::int64_t column_count, std::int64_t step_count)
        : rows(row_count), columns(column_count), steps(step_count) {
        std::mt19937 generator(static_cast<std::uint32_t>(rows * 10007 + columns * 101 + steps));
        for (std::int64_t i = 0; i < rows * steps; ++i)
            left.push_back(random_word(generator));
        for (std::int64_t i = 0; i < steps * columns; ++i)
            right.push_back(random_word(generator));
        for (std::int64_t i = 0; i < rows * columns; ++i)
            other.push_back(random_number(generator));
    }

    /// One sum as the manual's formula gives it, sixteen steps after sixteen steps.
    float by_the_manual(std::int64_t row, std::int64_t column, float sum) const {
        for (std::int64_t first = 0; first < steps; first += 16) {
            float lower = 0, upper = 0;
            for (std::int64_t step = first; step < first + 16; ++step) {
                const float a = step < steps ? left[row * steps + step] : 0;
                const float b = step < steps ? right[step * columns + column] : 0;
                lower = fused_flushed(lower_number(a), lower_number(b), lower);
                upper = fused_flushed(upper_number(a), upper_number(b), upper);
            }
            sum = sum_flushed(sum, sum_flushed(lower, upper));
        }
        return sum;
    }

    /// The same in float64, and how far float32 sums may be from it: the rounding errors are those of sixteen
    /// fused steps, of adding the two chains, and of every time that sixteen steps are added (Higham 2002,
    /// "Accuracy and Stability of Numerical Algorithms", section 3.1), each at most half an epsilon of the
    /// sum of absolute values.
    double exact(std::int64_t row, std::int64_t column, double sum, double& tolerance) const {
        double size = std::abs(sum);
        for (std::int64_t step = 0; step < steps; ++step) {
            const float a = left[row * steps + step], b = right[step * columns + column];
            const double lower = double(lower_number(a)) * lower_number(b);
            const double upper = double(upper_number(a)) * upper_number(b);
            sum += lower + upper;
            size += std::abs(lower) + std::abs(upper);
        }
        const double errors = 16 + 1 + double(steps + 15) / 16;
        tolerance = 1.01 * errors * half_epsilon * size;
        return sum;
    }
};

enum class Form { replaced, added_to, with_addend, in_bfloat16 };
enum class Layout { left_by_rows, left_by_steps };

std::int64_t up_to_tiles(std::int64_t count) {
    return (count + 15) / 16 * 16;
}

/// Words of the right operand in panels of sixteen columns, the last one filled up with zeros, and the last
/// sixteen steps: as weights are packed.
std::vector<float> in_panels(const Product& product) {
    const std::int64_t steps = up_to_tiles(product.steps);
    std::vector<float> packed(static_cast<std::size_t>(up_to_tiles(product.columns) * steps), 0.0f);
    for (std::int64_t step = 0; step < product.steps; ++step)
        for (std::int64_t column = 0; column < product.columns; ++column)
            packed[(column / 16 * steps + step) * 16 + column % 16] =
                product.right[step * product.columns + column];
    return packed;
}

std::vector<float> transposed(std::int64_t rows, std::int64_t columns, const std::vector<float>& matrix) {
    std::vector<float> other(matrix.size());
    for (std::int64_t row = 0; row < rows; ++row)
        for (std::int64_t column = 0; column < columns; ++column)
            other[column * rows + row] = matrix[row * columns + column];
    return other;
}

// ---- Where products run

using OnTiles = void (*)(const ProductOperands&);

/// Tiles "software", "hardware" (the processor's) or "emulated" (instructions by amx_manual).
class TileTest : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override {
        const bool amx = cpu::supported(InstructionSet::amx);
        if (GetParam() == "software") {
            if (!cpu::supported(InstructionSet::avx2)) GTEST_SKIP() << "this processor does not run avx2";
            on_tiles = cpu::amx_software::product_on_tiles;
            multiply_one_tile = cpu::amx_software::multiply_one_tile;
            provide_linear = cpu::amx_software::provide_linear;
            provide_attention = cpu::amx_software::provide_attention;
            return;
        }
        on_tiles = cpu::amx_hardware::product_on_tiles;
        multiply_one_tile = cpu::amx_hardware::multiply_one_tile;
        provide_linear = cpu::amx_hardware::provide_linear;
        provide_attention = cpu::amx_hardware::provide_attention;
        if (GetParam() == "hardware") {
            if (!amx) GTEST_SKIP() << "this processor has no AMX tiles, or the system does not grant them";
            return;
        }
        if (amx) GTEST_SKIP() << "this processor has AMX tiles: there is nothing to emulate";
        if (!cpu::supported(InstructionSet::avx512_bf16))
            GTEST_SKIP() << "this processor does not run avx512_bf16, which the amx build is made of too";
        emulated.emplace();
    }

    void TearDown() override {
        if (emulated) {
            EXPECT_FALSE(EmulatedTiles::in_use()) << "tiles were not released";
        }
    }

    /// Emulation takes microseconds an instruction.
    std::vector<std::int64_t> sizes() const {
        if (emulated) return {1, 16, 17, 33, 70};
        return {1, 2, 15, 16, 17, 31, 32, 33, 49, 64, 70};
    }

    OnTiles on_tiles = nullptr;
    void (*multiply_one_tile)(const float*, const float*, float*) = nullptr;
    void (*provide_linear)(cpu::Simd&) = nullptr;
    void (*provide_attention)(cpu::Simd&) = nullptr;
    std::optional<EmulatedTiles> emulated;
};

INSTANTIATE_TEST_SUITE_P(Amx, TileTest, testing::Values("software", "hardware", "emulated"),
                         [](const auto& info) { return info.param; });

/// Runs the product and compares each number of the target with `expected`, bit for bit, and all that lies
/// around the target with what lay there before. Operands end where memory does.
template <class Number>
testing::AssertionResult gives(OnTiles on_tiles, const Product& product, Layout layout, bool packed,
                               Form form, const std::vector<Number>& expected) {
    const std::int64_t gap = 5, margin = 40, stride = product.columns + gap;
    const std::int64_t used = (product.rows - 1) * stride + product.columns;
    const auto at = [&](std::int64_t row, std::int64_t column) { return margin + row * stride + column; };

    const bool by_rows = layout == Layout::left_by_rows;
    AtTheEdge<float> left(by_rows ? product.left : transposed(product.rows, product.steps, product.left));
    AtTheEdge<float> right(packed ? in_panels(product) : product.right);
    std::vector<Number> before(static_cast<std::size_t>(used + 2 * margin));
    std::vector<float> addend(static_cast<std::size_t>(used), poison);
    for (Number& number : before) {
        if constexpr (std::is_same_v<Number, float>)
            number = poison;
        else
            number = {0x7fa5};
    }
    for (std::int64_t row = 0; row < product.rows; ++row)
        for (std::int64_t column = 0; column < product.columns; ++column) {
            const float other = product.other[row * product.columns + column];
            addend[at(row, column) - margin] = other;
            if constexpr (std::is_same_v<Number, float>)
                if (form == Form::added_to) before[at(row, column)] = other;
        }
    AtTheEdge<float> addend_memory(addend);
    AtTheEdge<Number> target(before);

    ProductOperands operands{product.rows,
                             product.columns,
                             product.steps,
                             left.data(),
                             by_rows ? product.steps : 1,
                             by_rows ? 1 : product.rows,
                             right.data(),
                             packed ? 16 : product.columns,
                             packed ? up_to_tiles(product.steps) * 16 : 16,
                             packed,
                             nullptr,
                             nullptr,
                             stride,
                             form == Form::added_to ? Write::add : Write::replace,
                             form == Form::with_addend ? addend_memory.data() : nullptr};
    if constexpr (std::is_same_v<Number, float>)
        operands.sums = target.data() + margin;
    else
        operands.rounded = target.data() + margin;
    on_tiles(operands);

    std::vector<Number> wanted = before;
    for (std::int64_t row = 0; row < product.rows; ++row)
        for (std::int64_t column = 0; column < product.columns; ++column)
            wanted[at(row, column)] = expected[row * product.columns + column];
    const std::vector<Number> found = target.read();
    for (std::size_t i = 0; i < found.size(); ++i)
        if (!same_bits(found[i], wanted[i]))
            return testing::AssertionFailure()
                   << product.rows << " x " << product.columns << " x " << product.steps << ", left by "
                   << (by_rows ? "rows" : "steps") << (packed ? ", packed" : "") << ", form "
                   << static_cast<int>(form) << ": number " << static_cast<std::int64_t>(i) - margin
                   << " of the target (stride " << stride << ") has other bits";
    return testing::AssertionSuccess();
}

/// Every form and layout of a product, against the manual's formula.
void expect_all_forms(OnTiles on_tiles, const Product& product) {
    const std::int64_t size = product.rows * product.columns;
    std::vector<float> replaced, added_to, with_addend;
    std::vector<Bfloat16> in_bfloat16;
    for (std::int64_t i = 0; i < size; ++i) {
        const std::int64_t row = i / product.columns, column = i % product.columns;
        replaced.push_back(product.by_the_manual(row, column, 0));
        added_to.push_back(product.by_the_manual(row, column, product.other[i]));
        with_addend.push_back(replaced.back() + product.other[i]);
        in_bfloat16.push_back(rounded(replaced.back()));
    }
    for (const Layout layout : {Layout::left_by_rows, Layout::left_by_steps})
        for (const bool packed : {false, true}) {
            ASSERT_TRUE(gives(on_tiles, product, layout, packed, Form::replaced, replaced));
            ASSERT_TRUE(gives(on_tiles, product, layout, packed, Form::added_to, added_to));
            ASSERT_TRUE(gives(on_tiles, product, layout, packed, Form::with_addend, with_addend));
            ASSERT_TRUE(gives(on_tiles, product, layout, packed, Form::in_bfloat16, in_bfloat16));
        }
}

}  // namespace

// ---- One instruction

TEST_P(TileTest, multipliesOneTileAsTheManualSays) {
    std::mt19937 generator(1);
    for (int round = 0; round < 40; ++round) {
        Tile left, right, sums;
        // From round to round smaller, until products and sums fall below 2^-126, and with some numbers that
        // are there to begin with.
        const float scale = std::ldexp(1.0f, -2 * round);
        const auto fill = [&](Tile& tile, bool words) {
            for (auto& row : tile.words)
                for (float& word : row) {
                    const float size = generator() % 16 == 0 ? 0x1p-127f : scale;
                    const float lower = size * random_number(generator);
                    word = words ? word_of(rounded(lower), {static_cast<std::uint16_t>(generator() % 3)})
                                 : scale * lower;
                    if (words && generator() % 4 != 0)
                        word = word_of(rounded(lower), rounded(size * random_number(generator)));
                }
        };
        fill(left, true);
        fill(right, true);
        fill(sums, false);
        Tile expected = sums;
        tdpbf16ps(expected, left, right);
        multiply_one_tile(left.words[0], right.words[0], sums.words[0]);
        ASSERT_EQ(0, std::memcmp(&sums, &expected, sizeof sums)) << "round " << round;
    }
}

TEST_P(TileTest, doesNotChangeHowOthersRound) {
    // The manual: MXCSR is neither consulted nor updated.
    const unsigned before = __builtin_ia32_stmxcsr();
    Tile left{}, right{}, sums{};
    multiply_one_tile(left.words[0], right.words[0], sums.words[0]);
    EXPECT_EQ(__builtin_ia32_stmxcsr(), before);
}

TEST_P(TileTest, notANumberStaysInItsRowOrColumn) {
    Tile left{}, right{}, sums{};
    left.words[3][5] = word_of({0x7fc0}, {0});
    right.words[7][9] = word_of({0}, {0x7f80});  // infinity times zero
    multiply_one_tile(left.words[0], right.words[0], sums.words[0]);
    for (int row = 0; row < 16; ++row)
        for (int column = 0; column < 16; ++column)
            EXPECT_EQ(std::isnan(sums.words[row][column]), row == 3 || column == 9);
}

// ---- Products

TEST_P(TileTest, giveTheBitsOfTheManualAtAllSizes) {
    for (const std::int64_t rows : sizes())
        for (const std::int64_t columns : sizes())
            for (const std::int64_t steps : sizes())
                ASSERT_NO_FATAL_FAILURE(expect_all_forms(on_tiles, Product(rows, columns, steps)));
    if (emulated) {
        EXPECT_GT(EmulatedTiles::products(), 1000);
    }
}

TEST_P(TileTest, giveThemWhereTheLeftOperandIsCopiedInSeveralChunks) {
    for (const std::int64_t rows : {5, 32, 37})
        for (const std::int64_t steps : {255, 256, 257, 272, 530})
            ASSERT_NO_FATAL_FAILURE(expect_all_forms(on_tiles, Product(rows, 57, steps)));
}

TEST_P(TileTest, clearOrKeepTheTargetWhereThereIsNothingToSum) {
    ASSERT_NO_FATAL_FAILURE(expect_all_forms(on_tiles, Product(33, 17, 0)));
}

TEST(TileFormula, isAProductWithinItsRoundingErrors) {
    for (const std::int64_t steps : {1, 2, 15, 16, 17, 33, 64, 70, 257, 1000}) {
        const Product product(9, 11, steps);
        for (std::int64_t i = 0; i < product.rows * product.columns; ++i) {
            const std::int64_t row = i / product.columns, column = i % product.columns;
            double tolerance = 0;
            const double exact = product.exact(row, column, product.other[i], tolerance);
            EXPECT_LE(std::abs(product.by_the_manual(row, column, product.other[i]) - exact), tolerance)
                << steps << " steps";
        }
    }
}

// ---- Linear layers

namespace {

/// (rows, columns) bfloat16, rows at whole words.
std::vector<Bfloat16> activations(std::int64_t rows, std::int64_t columns, std::uint32_t seed) {
    std::mt19937 generator(seed);
    std::vector<Bfloat16> numbers(rows * row_stride(columns, Element::bfloat16), Bfloat16{0});
    for (std::int64_t row = 0; row < rows; ++row)
        for (std::int64_t column = 0; column < columns; ++column)
            numbers[row * row_stride(columns, Element::bfloat16) + column] =
                rounded(random_number(generator));
    return numbers;
}

std::vector<float> weights_of(std::int64_t outputs, std::int64_t inputs) {
    std::mt19937 generator(7);
    std::vector<float> weights(outputs * inputs);
    for (float& weight : weights)
        weight = random_number(generator);
    return weights;
}

/// At most `terms` products of numbers below 1, summed within the errors of Product::exact.
double tolerance_of(std::int64_t terms) {
    return (17 + double(terms) / 32 + 1) * half_epsilon * double(terms);
}

void expect_near(const std::vector<float>& found, const std::vector<float>& wanted, double tolerance) {
    ASSERT_EQ(found.size(), wanted.size());
    for (std::size_t i = 0; i < found.size(); ++i)
        ASSERT_NEAR(found[i], wanted[i], tolerance) << "number " << i;
}

}  // namespace

TEST_P(TileTest, linearLayersAgreeWithTheReference) {
    cpu::Simd simd{};
    provide_linear(simd);
    const auto reference = make_reference_backend();
    constexpr Element element = Element::bfloat16;
    for (const auto& [rows, outputs, inputs] : std::vector<std::array<std::int64_t, 3>>{
             {1, 1, 1}, {33, 50, 34}, {64, 96, 64}, {47, 31, 65}, {3, 80, 530}}) {
        const auto x = activations(rows, inputs, 1), out_gradient = activations(rows, outputs, 2);
        const std::vector<float> weights = weights_of(outputs, inputs);
        const ConstActivations x_view(x.data(), rows, inputs, element);
        const ConstActivations gradient_view(out_gradient.data(), rows, outputs, element);
        const ConstMatrix weights_view{weights.data(), outputs, inputs};
        std::vector<float> packed(simd.packed_floats(outputs, inputs, element));
        simd.pack_weights(outputs, inputs, weights.data(), element, packed.data());
        std::vector<float> reference_packed(reference->packed_floats(outputs, inputs, element));
        const PackedWeights known = reference->pack_weights(weights_view, element, reference_packed.data());

        std::vector<float> found(rows * outputs, poison), wanted(rows * outputs, poison);
        simd.linear(rows, outputs, inputs, element, x.data(), packed.data(), nullptr, Element::float32,
                    found.data());
        reference->linear(x_view, known, nullptr, MutableMatrix{wanted.data(), rows, outputs});
        expect_near(found, wanted, tolerance_of(inputs));

        found.assign(rows * inputs, 0.25f);
        wanted = found;
        simd.linear_backward_input(rows, outputs, inputs, element, out_gradient.data(), packed.data(),
                                   Element::float32, found.data(), Write::add);
        reference->linear_backward_input(gradient_view, known, MutableMatrix{wanted.data(), rows, inputs},
                                         Write::add);
        expect_near(found, wanted, tolerance_of(outputs + 1));

        found.assign(outputs * inputs, 0.25f);
        wanted = found;
        std::vector<float> workspace(simd.linear_workspace(rows, outputs, inputs, element), poison);
        std::vector<float> reference_workspace(reference->linear_workspace(rows, outputs, inputs, element));
        simd.linear_backward_weights(rows, outputs, inputs, element, out_gradient.data(), x.data(),
                                     found.data(), Write::add, workspace.data());
        reference->linear_backward_weights(gradient_view, x_view,
                                           MutableMatrix{wanted.data(), outputs, inputs}, Write::add,
                                           reference_workspace.data());
        expect_near(found, wanted, tolerance_of(rows + 1));
    }
}

TEST_P(TileTest, addingBlocksOfRowsGivesTheBitsOfAllRowsAtOnce) {
    cpu::Simd simd{};
    provide_linear(simd);
    constexpr std::int64_t outputs = 35, inputs = 50;  // 640 rows are 320 steps: two chunks
    for (const auto& blocks : std::vector<std::vector<std::int64_t>>{
             {32, 32, 32}, {64, 32}, {32, 96, 7}, {128, 512}, {32, 576, 32}}) {
        std::int64_t all = 0;
        for (const std::int64_t rows : blocks)
            all += rows;
        const auto x = activations(all, inputs, 3), gradient = activations(all, outputs, 4);
        const auto add = [&](std::int64_t first, std::int64_t rows, Write mode, std::vector<float>& sums) {
            std::vector<float> workspace(simd.linear_workspace(rows, outputs, inputs, Element::bfloat16));
            simd.linear_backward_weights(rows, outputs, inputs, Element::bfloat16,
                                         gradient.data() + first * row_stride(outputs, Element::bfloat16),
                                         x.data() + first * inputs, sums.data(), mode, workspace.data());
        };
        std::vector<float> at_once(outputs * inputs, poison), by_blocks = at_once;
        add(0, all, Write::replace, at_once);
        std::int64_t first = 0;
        for (const std::int64_t rows : blocks) {
            add(first, rows, first == 0 ? Write::replace : Write::add, by_blocks);
            first += rows;
        }
        EXPECT_EQ(0, std::memcmp(at_once.data(), by_blocks.data(), at_once.size() * sizeof(float))) << all;
    }
}

TEST_P(TileTest, givesTheBitsOfTheSoftwareTiles) {
    // What trials see: whole linear layers. The sizes above go through the manual's formula; these are large.
    if (GetParam() == "software") GTEST_SKIP() << "these are the software tiles";
    if (!cpu::supported(InstructionSet::avx2)) GTEST_SKIP() << "this processor does not run avx2";
    cpu::Simd here{}, software{};
    provide_linear(here);
    cpu::amx_software::provide_linear(software);
    constexpr std::int64_t rows = 160, outputs = 130, inputs = 98;
    constexpr Element element = Element::bfloat16;
    const auto x = activations(rows, inputs, 5), gradient = activations(rows, outputs, 6);
    const std::vector<float> weights = weights_of(outputs, inputs);
    const auto results = [&](const cpu::Simd& simd) {
        std::vector<float> packed(simd.packed_floats(outputs, inputs, element));
        simd.pack_weights(outputs, inputs, weights.data(), element, packed.data());
        std::vector<float> workspace(simd.linear_workspace(rows, outputs, inputs, element));
        std::vector<float> all(rows * outputs / 2 + rows * inputs + outputs * inputs, poison);
        float* x_gradient = all.data() + rows * outputs / 2;
        simd.linear(rows, outputs, inputs, element, x.data(), packed.data(), nullptr, element, all.data());
        simd.linear_backward_input(rows, outputs, inputs, element, gradient.data(), packed.data(),
                                   Element::float32, x_gradient, Write::replace);
        simd.linear_backward_weights(rows, outputs, inputs, element, gradient.data(), x.data(),
                                     x_gradient + rows * inputs, Write::replace, workspace.data());
        return all;
    };
    const std::vector<float> found = results(here), wanted = results(software);
    EXPECT_EQ(0, std::memcmp(found.data(), wanted.data(), found.size() * sizeof(float)));
}

// ---- Attention

namespace {

/// Mixed values, log sums and the gradients of q, k and v, as float32.
struct AttentionResults {
    std::vector<float> out, log_sums, qkv_gradient;
};

std::vector<float> widened(const std::vector<Bfloat16>& numbers) {
    std::vector<float> wide;
    for (const Bfloat16 number : numbers)
        wide.push_back(kernels::widened(number));
    return wide;
}

/// Angles of any size: position times column.
struct Rotations {
    explicit Rotations(const AttentionShape& shape) {
        for (std::int64_t i = 0; i < shape.context * shape.head_width / 2; ++i) {
            cosines.push_back(std::cos(0.37f * float(i)));
            sines.push_back(std::sin(0.37f * float(i)));
        }
    }
    RotaryTables tables() const { return {cosines.data(), sines.data()}; }
    std::vector<float> cosines, sines;
};

AttentionResults attention_on(const cpu::Simd& simd, const AttentionShape& shape) {
    constexpr Element element = Element::bfloat16;
    const Rotations rotations(shape);
    const std::int64_t rows = shape.rows(), width = shape.width();
    const auto qkv = activations(rows, 3 * width, 1), out_gradient = activations(rows, width, 2);
    std::vector<Bfloat16> out(rows * width), qkv_gradient(rows * 3 * width);
    AttentionResults results;
    results.log_sums.assign(rows * shape.heads, poison);
    std::vector<float> workspace(simd.attention_workspace(shape, element), poison);
    simd.attention(shape, rotations.tables(), element, qkv.data(), out.data(), results.log_sums.data(),
                   workspace.data());
    workspace.assign(workspace.size(), poison);
    simd.attention_backward(shape, rotations.tables(), element, out_gradient.data(), qkv.data(), out.data(),
                            results.log_sums.data(), qkv_gradient.data(), workspace.data());
    results.out = widened(out);
    results.qkv_gradient = widened(qkv_gradient);
    return results;
}

double root_mean_square(const std::vector<float>& numbers) {
    double sum = 0;
    for (const float number : numbers)
        sum += double(number) * number;
    return std::sqrt(sum / double(numbers.size()));
}

/// The root mean square of the differences is at most `share` of that of the numbers.
void expect_close(const std::vector<float>& found, const std::vector<float>& wanted, double share) {
    ASSERT_EQ(found.size(), wanted.size());
    std::vector<float> differences;
    for (std::size_t i = 0; i < found.size(); ++i)
        differences.push_back(found[i] - wanted[i]);
    EXPECT_LE(root_mean_square(differences), share * root_mean_square(wanted));
}

}  // namespace

TEST_P(TileTest, attentionAgreesWithTheReference) {
    cpu::Simd simd{};
    provide_attention(simd);
    const auto reference = make_reference_backend();
    constexpr Element element = Element::bfloat16;
    std::vector<AttentionShape> shapes{{1, 33, 1, 16, 0.25f}};
    if (!emulated)
        shapes = {
            {2, 1, 1, 8, 0.35f}, {1, 33, 3, 16, 0.25f}, {2, 130, 1, 48, 0.14f}, {1, 200, 2, 64, 0.125f}};
    for (const AttentionShape& shape : shapes) {
        const AttentionResults found = attention_on(simd, shape);
        const Rotations rotations(shape);
        const std::int64_t rows = shape.rows(), width = shape.width();
        const auto qkv = activations(rows, 3 * width, 1), out_gradient = activations(rows, width, 2);
        std::vector<Bfloat16> out(rows * width), qkv_gradient(rows * 3 * width);
        std::vector<float> log_sums(rows * shape.heads);
        const ConstActivations qkv_view(qkv.data(), rows, 3 * width, element);
        reference->attention(qkv_view, rotations.tables(), shape,
                             Activations(out.data(), rows, width, element), log_sums.data(), nullptr);
        reference->attention_backward(ConstActivations(out_gradient.data(), rows, width, element), qkv_view,
                                      rotations.tables(), ConstActivations(out.data(), rows, width, element),
                                      log_sums.data(), shape,
                                      Activations(qkv_gradient.data(), rows, 3 * width, element), nullptr);
        // Roundings of 2^-8 / sqrt(3) in the mean: four on the way to out and six on the way back
        // (test_attention.cpp), and on this way back those of `out`, which is its own here.
        expect_close(found.out, widened(out), std::sqrt(4.0 / 3) * 0x1p-8);
        expect_close(found.qkv_gradient, widened(qkv_gradient), std::sqrt(8.0 / 3) * 0x1p-8);
        for (std::size_t i = 0; i < log_sums.size(); ++i)
            EXPECT_NEAR(found.log_sums[i], log_sums[i], 0x1p-5);
    }
}

TEST_P(TileTest, attentionGivesTheBitsOfTheSoftwareTiles) {
    if (GetParam() == "software") GTEST_SKIP() << "these are the software tiles";
    if (!cpu::supported(InstructionSet::avx2)) GTEST_SKIP() << "this processor does not run avx2";
    cpu::Simd here{}, software{};
    provide_attention(here);
    cpu::amx_software::provide_attention(software);
    const AttentionShape shape{1, emulated ? 40 : 170, 2, 40, 0.16f};
    const AttentionResults found = attention_on(here, shape), wanted = attention_on(software, shape);
    EXPECT_EQ(found.out, wanted.out);
    EXPECT_EQ(found.log_sums, wanted.log_sums);
    EXPECT_EQ(found.qkv_gradient, wanted.qkv_gradient);
}

}  // namespace isogrid::kernels::test

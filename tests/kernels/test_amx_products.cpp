// Products on AMX tiles, bit for bit as the manual has them: in software everywhere, with the processor's own
// instructions where it has them, and where it has not, with the same instructions carried out by amx_manual.
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <type_traits>
#include <vector>

#include "kernels/amx_tiles.hpp"
#include "kernels/memory_at_the_edge.hpp"

namespace isogrid::kernels::test {
namespace {

using cpu::ProductOperands;
using OnTiles = void (*)(const ProductOperands&);

/// Two bfloat16, even in [-1, 1).
float random_word(std::mt19937& generator) {
    const float lower = random_number(generator);
    return word_of(rounded(lower), rounded(random_number(generator)));
}

bool same_bits(float a, float b) {
    return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}
bool same_bits(Bfloat16 a, Bfloat16 b) {
    return a.bits == b.bits;
}

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

}  // namespace isogrid::kernels::test

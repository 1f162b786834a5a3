// Gradients that go on from block to block: however the rows are cut, the bits are those of all rows at once.
#include <functional>

#include "kernels/kernel_test.hpp"

namespace isogrid::kernels::test {

namespace {

/// How 96 rows may be cut. What AMX's tiles add up in bfloat16 they add in steps of 32 rows, the others in
/// pairs.
std::vector<std::vector<std::int64_t>> cuts_of_96_rows(Element element, bool tiles) {
    if (element == Element::float32) return {{1, 36, 59}, {32, 32, 32}, {95, 1}, {50, 13, 33}};
    if (tiles) return {{32, 32, 32}, {64, 32}, {32, 64}};
    return {{2, 30, 64}, {32, 32, 32}, {94, 2}, {38, 6, 52}};
}

/// Calls add(first row, rows, mode) for block after block, and for all rows at once: `sums` gets the same
/// bits, whether cleared first or added to.
void expect_blocks_add_up(const std::vector<std::int64_t>& blocks, const std::function<Values()>& read,
                          const std::function<void(Write)>& begin,
                          const std::function<void(std::int64_t, std::int64_t, Write)>& add) {
    for (const Write mode : {Write::replace, Write::add}) {
        begin(mode);
        add(0, 96, mode);
        const Values at_once = read();
        begin(mode);
        std::int64_t first = 0;
        for (const std::int64_t rows : blocks) {
            add(first, rows, first == 0 ? mode : Write::add);
            first += rows;
        }
        ASSERT_EQ(first, 96);
        EXPECT_EQ(bits(read()), bits(at_once)) << testing::PrintToString(blocks);
    }
}

class SumsOverRows : public KernelTest {
  protected:
    /// `add` adds rows of a gradient and of x, from the first to before the last, to `size` sums.
    void expect_any_cut_to_give_the_same_bits(
        Element element, std::int64_t size,
        const std::function<void(Device&, std::int64_t first, std::int64_t rows, float* sums, Write)>& add) {
        for (const auto& blocks : cuts_of_96_rows(element, GetParam() == "amx")) {
            Device device(*fast);
            float* sums = nullptr;
            expect_blocks_add_up(
                blocks, [&] { return device.read(sums, size); },
                [&](Write mode) { sums = device.output(mode, size); },
                [&](std::int64_t first, std::int64_t rows, Write mode) {
                    add(device, first, rows, sums, mode);
                });
        }
    }

    static constexpr std::int64_t all_rows = 96, inputs = 20, outputs = 35;
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SumsOverRows);  // in a program without a processor's backend
INSTANTIATE_TEST_SUITE_P(Fast, SumsOverRows, testing::ValuesIn(names_that_add_rows_in_order()),
                         [](const auto& info) { return info.param; });

Values part_of(const Values& values, std::int64_t first, std::int64_t count) {
    return {values.begin() + first, values.begin() + first + count};
}

TEST_P(SumsOverRows, gradientsOfWeightsGoOnFromBlockToBlock) {
    for (const Element element : elements) {
        const Values x = exact(random_values(all_rows * inputs, 1), element),
                     gradient = exact(random_values(all_rows * outputs, 2), element);
        expect_any_cut_to_give_the_same_bits(
            element, outputs * inputs,
            [&](Device& device, std::int64_t first, std::int64_t rows, float* sums, Write mode) {
                fast->linear_backward_weights(
                    device.hold(part_of(gradient, first * outputs, rows * outputs), rows, outputs, element),
                    device.hold(part_of(x, first * inputs, rows * inputs), rows, inputs, element),
                    {sums, outputs, inputs}, mode,
                    device.poisoned(fast->linear_workspace(rows, outputs, inputs, element)));
            });
    }
}

TEST_P(SumsOverRows, gradientsOfGainsGoOnFromBlockToBlock) {
    const Values x = random_values(all_rows * inputs, 1), gradient = random_values(all_rows * inputs, 2);
    const Values gain = random_values(inputs, 3), inverse = absolute(random_values(all_rows, 4));
    expect_any_cut_to_give_the_same_bits(
        Element::float32, inputs,
        [&](Device& device, std::int64_t first, std::int64_t rows, float* sums, Write mode) {
            const auto held = [&](const Values& values) {
                return ConstMatrix{device.hold(part_of(values, first * inputs, rows * inputs)), rows, inputs};
            };
            fast->rms_norm_backward(
                held(gradient), held(x), device.hold(gain), device.hold(part_of(inverse, first, rows)),
                {device.poisoned(rows * inputs), rows, inputs}, Write::replace, sums, mode, {});
        });
}

TEST_P(SumsOverRows, gradientsOfTablesGoOnFromBlockToBlock) {
    const Values gradient = random_values(all_rows * inputs, 2);
    const std::vector<TokenId> ids = random_ids(all_rows, 7, 1);
    expect_any_cut_to_give_the_same_bits(
        Element::float32, 7 * inputs,
        [&](Device& device, std::int64_t first, std::int64_t rows, float* sums, Write mode) {
            const std::vector<TokenId> some(ids.begin() + first, ids.begin() + first + rows);
            fast->embedding_backward(
                device.hold(some),
                {device.hold(part_of(gradient, first * inputs, rows * inputs)), rows, inputs}, 0.7f,
                {sums, 7, inputs}, mode);
        });
}

}  // namespace

}  // namespace isogrid::kernels::test

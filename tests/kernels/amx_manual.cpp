#include "kernels/amx_manual.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <signal.h>
#include <ucontext.h>

namespace isogrid::kernels::test {

namespace {

float flushed(float value) {
    return std::abs(value) < std::numeric_limits<float>::min() ? std::copysign(0.0f, value) : value;
}

struct sigaction before;
bool configured = false;
std::int64_t products_done = 0;
Tile tiles[8];

/// The state of the program where the processor refused an instruction.
class Refused {
  public:
    explicit Refused(ucontext_t& context) : registers_(context.uc_mcontext.gregs) {}

    /// Carries it out and moves on; false if it is not one of ours.
    bool carry_out() {
        // The three-byte VEX prefix: inverted bits that extend register numbers, the opcode map (2 is 0F38),
        // W and L zero, the second source inverted, the mandatory prefix (0 none, 2 F3, 3 F2).
        at_ = reinterpret_cast<const std::uint8_t*>(registers_[REG_RIP]);
        if (at_[0] != 0xc4 || (at_[1] & 0x1f) != 2 || (at_[2] & 0x84) != 0) return false;
        index_high_ = (at_[1] & 0x40) ? 0 : 8;
        base_high_ = (at_[1] & 0x20) ? 0 : 8;
        const int second = ~at_[2] >> 3 & 15, prefix = at_[2] & 3, opcode = at_[3];
        const int mode = at_[4] >> 6, reg = at_[4] >> 3 & 7, rm = at_[4] & 7;
        length_ = 5;
        if (opcode == 0x49 && prefix == 0 && mode != 3 && reg == 0) {
            if (!configure(static_cast<const std::uint8_t*>(address()))) return false;
        } else if (!configured) {
            return false;
        } else if (opcode == 0x49 && prefix == 0 && mode == 3 && reg == 0 && rm == 0) {
            configured = false;
            std::memset(tiles, 0xff, sizeof tiles);
        } else if (opcode == 0x49 && prefix == 3 && mode == 3 && rm == 0) {
            tiles[reg] = {};
        } else if (opcode == 0x4b && prefix == 3 && mode != 3 && rm == 4) {
            const auto* from = static_cast<const std::byte*>(address());
            for (int row = 0; row < 16; ++row)
                std::memcpy(tiles[reg].words[row], from + row * stride_, 64);
        } else if (opcode == 0x4b && prefix == 2 && mode != 3 && rm == 4) {
            auto* to = static_cast<std::byte*>(address());
            for (int row = 0; row < 16; ++row)
                std::memcpy(to + row * stride_, tiles[reg].words[row], 64);
        } else if (opcode == 0x5c && prefix == 2 && mode == 3 && second < 8 && reg != rm && reg != second &&
                   rm != second) {
            tdpbf16ps(tiles[reg], tiles[rm], tiles[second]);
            ++products_done;
        } else {
            return false;
        }
        registers_[REG_RIP] += length_;
        return true;
    }

  private:
    /// LDTILECFG: palette 1, from row 0 on, and tiles of sixteen rows of 64 bytes.
    static bool configure(const std::uint8_t* bytes) {
        if (bytes[0] != 1) return false;
        for (int i = 1; i < 64; ++i) {
            const bool row_bytes = i >= 16 && i < 32 && i % 2 == 0, rows = i >= 48 && i < 56;
            if (bytes[i] != (row_bytes ? 64 : rows ? 16 : 0)) return false;
        }
        configured = true;
        std::memset(tiles, 0, sizeof tiles);
        return true;
    }

    greg_t number(int name) const {
        constexpr int names[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                 REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
        return registers_[names[name]];
    }

    /// What ModRM and what follows it point at. The index register is a stride between rows (SDM volume 2,
    /// "sibmem"), and is kept.
    void* address() {
        const int mode = at_[4] >> 6, rm = at_[4] & 7;
        greg_t base = 0;
        if (rm == 4) {
            const int scale = at_[5] >> 6, index = (at_[5] >> 3 & 7) + index_high_, base_name = at_[5] & 7;
            ++length_;
            stride_ = index == 4 ? 0 : number(index) << scale;
            if (mode == 0 && base_name == 5)
                base = displacement<std::int32_t>();
            else
                base = number(base_name + base_high_);
        } else if (mode == 0 && rm == 5) {
            base = displacement<std::int32_t>();
            base += registers_[REG_RIP] + length_;
        } else {
            base = number(rm + base_high_);
        }
        if (mode == 1) base += displacement<std::int8_t>();
        if (mode == 2) base += displacement<std::int32_t>();
        return reinterpret_cast<void*>(base);
    }

    template <class Number>
    Number displacement() {
        Number value;
        std::memcpy(&value, at_ + length_, sizeof value);
        length_ += sizeof value;
        return value;
    }

    greg_t* registers_;
    const std::uint8_t* at_ = nullptr;
    int index_high_ = 0, base_high_ = 0;
    std::int64_t length_ = 0, stride_ = 0;
};

void on_refusal(int, siginfo_t*, void* context) {
    if (!Refused(*static_cast<ucontext_t*>(context)).carry_out())
        signal(SIGILL, SIG_DFL);  // the instruction is tried again, and ends the program
}

}  // namespace

float lower_number(float word) {
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(word) << 16);
}

float upper_number(float word) {
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(word) & 0xffff0000);
}

float fused_flushed(float a, float b, float c) {
    return flushed(std::fma(flushed(a), flushed(b), flushed(c)));
}

float sum_flushed(float a, float b) {
    return flushed(flushed(a) + flushed(b));
}

void tdpbf16ps(Tile& sums, const Tile& left, const Tile& right) {
    for (int m = 0; m < 16; ++m) {
        float temp1[32] = {};
        for (int k = 0; k < 16; ++k)
            for (int n = 0; n < 16; ++n) {
                temp1[2 * n] = fused_flushed(lower_number(left.words[m][k]), lower_number(right.words[k][n]),
                                             temp1[2 * n]);
                temp1[2 * n + 1] = fused_flushed(upper_number(left.words[m][k]),
                                                 upper_number(right.words[k][n]), temp1[2 * n + 1]);
            }
        for (int n = 0; n < 16; ++n)
            sums.words[m][n] = sum_flushed(sums.words[m][n], sum_flushed(temp1[2 * n], temp1[2 * n + 1]));
    }
}

EmulatedTiles::EmulatedTiles() {
    configured = false;
    products_done = 0;
    struct sigaction action {};
    action.sa_sigaction = on_refusal;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGILL, &action, &before);
}

EmulatedTiles::~EmulatedTiles() {
    sigaction(SIGILL, &before, nullptr);
}

std::int64_t EmulatedTiles::products() {
    return products_done;
}

bool EmulatedTiles::in_use() {
    return configured;
}

}  // namespace isogrid::kernels::test

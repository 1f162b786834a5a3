// Random numbers for simulations: the same with every compiler and library.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>

namespace isogrid::cluster::test {

class Draws {
  public:
    explicit Draws(std::uint64_t seed) : words_(seed) {}
    double uniform(double from, double to) {
        return from + (to - from) * static_cast<double>(words_() >> 11) * 0x1p-53;
    }
    double log_uniform(double from, double to) { return std::exp(uniform(std::log(from), std::log(to))); }
    bool chance(double probability) { return uniform(0, 1) < probability; }
    /// The sum of 12 has variance 1.
    double normal() {
        double sum = -6;
        for (int i = 0; i < 12; ++i)
            sum += uniform(0, 1);
        return sum;
    }
    std::uint64_t word() { return words_(); }

  private:
    std::mt19937_64 words_;
};

}  // namespace isogrid::cluster::test

// How fast the machine trains one shape in one precision when every core does, and what bounds it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "train/bench/shapes.hpp"
#include "train/bench/step.hpp"

namespace isogrid::bench {

struct Conditions {
    std::size_t cores = 1;        ///< that there are
    int processes = 1;            ///< each trains a model of its own
    double seconds = 2;           ///< of measured steps; and at least least_steps
    std::string instruction_set;  ///< empty: the best
};
inline constexpr int least_steps = 5;

struct ProductRate {
    std::string name;
    std::int64_t count = 0;
    double gflops = 0;  ///< of all processes
};

/// Where a step's time goes and what it could be at best, taken while every process does the same.
struct Profile {
    Seconds shares;                         ///< fraction of a step by op; what is between ops is `other`
    std::vector<ProductRate> products;      ///< each alone, at the sizes of the shape
    double products_tokens_per_second = 0;  ///< if a step were its products and nothing else
    std::map<std::string, double> multiply_adds;  ///< GFLOP/s of registers only, of all processes, by name
};

struct Measurement {
    std::string instruction_set;
    double tokens_per_second = 0;  ///< sum over processes
    double ms_per_step = 0;        ///< mean over processes of a step
    int steps = 0;                 ///< measured, of the process with the fewest
    std::optional<Profile> profile;
};

/// Forks the processes and measures. Throws what run_team throws.
Measurement measure(const BenchShape& shape, const std::string& precision, const Conditions& conditions,
                    bool with_profile);

/// Of no values: 0.
double median(std::vector<double> values);

}  // namespace isogrid::bench

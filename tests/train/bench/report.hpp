// What a person reads of a benchmark, at most 100 columns wide, and the same as JSON.
#pragma once

#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "train/bench/measure.hpp"
#include "train/bench/rivals.hpp"

namespace isogrid::bench {

/// What was measured of one shape in one precision.
struct Result {
    Measurement first;                      ///< with the profile
    std::vector<double> tokens_per_second;  ///< of every round
    double typical() const { return median(tokens_per_second); }
};

/// What was measured of one shape.
struct ShapeResults {
    BenchShape shape;
    double exact_flops_per_token = 0;                        ///< sum over the graph's ops
    std::map<std::string, Result> ours;                      ///< by precision
    std::vector<std::vector<std::optional<double>>> rivals;  ///< tokens/s by rival and round
};

struct Report {
    std::string processor;
    Conditions conditions;
    std::vector<std::string> precisions;  ///< those that were measured
    int rounds = 1;
    std::vector<Rival> rivals;
    std::vector<ShapeResults> shapes;
};

std::string processor_name();

void print_head(std::ostream& out, const Report& report);
/// The lines of the main table for one shape; `titles` before the first.
void print_titles(std::ostream& out);
void print_rates(std::ostream& out, const ShapeResults& results);
void print_multiply_adds(std::ostream& out, const Report& report);
void print_shares(std::ostream& out, const Report& report);
void print_rivals(std::ostream& out, const Report& report);

std::string to_json(const Report& report);

}  // namespace isogrid::bench

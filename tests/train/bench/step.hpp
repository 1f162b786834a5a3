// Where the benchmark touches the training engine: which precisions there are, one step, and the products of
// a step. Whoever changes the engine's interface changes step.cpp and nothing else of the benchmark.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/backend.hpp"
#include "train/bench/shapes.hpp"

namespace isogrid::bench {

/// Whether this build trains in it: `float32` or `bfloat16`.
bool trains_in(std::string_view precision);

/// The CPU backend of one instruction set by its name, or the best of this processor if the name is empty.
/// Throws std::runtime_error where there is none.
std::unique_ptr<kernels::Backend> make_backend(std::string_view instruction_set);

/// What an op is called in tables, and its seconds.
using Seconds = std::map<std::string, double>;

/// A model in training on made-up tokens: forward, backward, gradient norm, clipping and AdamW.
class Training {
  public:
    /// `backend` must outlive it.
    Training(const BenchShape& shape, std::string_view precision, kernels::Backend& backend);
    ~Training();
    Training(Training&&) = delete;

    void step();  ///< of which a card may still have to do all
    void wait();  ///< until it is done
    /// One step that adds to `seconds` what each kind of op took, and under `all` what the step did.
    void timed_step(Seconds& seconds);
    static constexpr const char* all = "all";

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// One matrix product of a step, alone: forward, gradient of the input or gradient of the weights.
struct Product {
    std::string name;           ///< `forward 2048 x 64 x 176`: rows, inputs, outputs
    std::int64_t count = 0;     ///< of its kind in one step
    double flops = 0;           ///< of one
    std::function<void()> run;  ///< keeps its operands
};

/// Every kind of product of a step, at the sizes of the shape; `backend` must outlive them.
std::vector<Product> products_of(const BenchShape& shape, std::string_view precision,
                                 kernels::Backend& backend);

}  // namespace isogrid::bench

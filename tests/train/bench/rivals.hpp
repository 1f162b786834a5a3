// Other programs that train the same shapes, run in turns with ours: each prints lines with `median X
// tokens/s`.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "train/bench/shapes.hpp"

namespace isogrid::bench {

struct Rival {
    std::string command;  ///< for the shell
    int copies = 1;       ///< run at once, on cores of their own; their tokens/s add up
    bool takes_configs =
        true;             ///< `--configs SHAPE` is appended; until it turns out that the command has none
    std::string heading;  ///< its first line that begins with `#`, in which it says what it is
};

/// bfloat16 if the command or its heading names it, else float32.
std::string precision_of(const Rival& rival);

/// X of the last line with `median X tokens/s` that is of this shape: its `d=`, `L=`, `context=`, `batch=`
/// and `vocab=`, as far as it has them, agree.
std::optional<double> tokens_per_second_in(std::string_view output, const BenchShape& shape);

/// The last `count` lines of a text, each indented.
std::string last_lines(std::string_view text, int count);

struct RivalTurn {
    std::optional<double> tokens_per_second;  ///< of all copies; none if one failed
    std::string failure;                      ///< how, and its last lines
};
RivalTurn take_turn(Rival& rival, const BenchShape& shape);

}  // namespace isogrid::bench

// Whether a ladder over one variable is of that variable alone: what the other one has to do with its losses.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "analysis/fit/joint_law.hpp"
#include "analysis/laws/law.hpp"

namespace isogrid::analysis {

/// Size or data, where a ladder is over the other of the two.
struct OtherVariable {
    std::string_view ladder;                  ///< what it stands beside: `sizes`
    std::string_view name;                    ///< `tokens`
    std::string_view law;                     ///< what no such law is: `size alone`
    std::string_view remedy;                  ///< `train the sizes on one amount of data`
    Quantity quantity;                        ///< of the variable
    double Run::*of;                          ///< tokens or parameters; 0 where not known
    double (*term)(const JointLaw&, double);  ///< of it in the joint law, in nats
};
extern const OtherVariable data_beside_size, size_beside_data;

/// A refusal (not_separable) where the losses of `ladder` fall for two reasons. The joint law of `all` runs
/// tells them apart: its term in the other variable may differ between the ladder's runs by a tenth of what
/// their losses span (a constant share of it is part of E). Where these runs have no joint law, nothing tells
/// them apart, and the other variable may differ by a factor of 1.5: of a usual data term, B / D^beta of
/// about .15 of the loss with beta about .35, that is 2% of the loss.
std::optional<Reason> moved_by_the_other(const std::vector<const Run*>& ladder, const OtherVariable& other,
                                         const std::vector<Run>& all, const FitOptions& options);

}  // namespace isogrid::analysis

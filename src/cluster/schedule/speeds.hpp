// How fast models train on one rank, by their size, as far as a sweep has seen.
#pragma once

#include <map>

namespace isogrid::cluster {

class Speeds {
  public:
    /// Models of `size` parameters did `flops` in so many seconds of one rank at full effect.
    void saw(double size, double flops, double seconds);

    bool empty() const { return by_size_.empty(); }

    /// FLOP/s of one rank for a model of this size: as seen of it, or else of the nearest size, in ratios; 1
    /// while nothing was seen.
    double of(double size) const;

  private:
    struct Seen {
        double flops = 0, seconds = 0;
    };
    std::map<double, Seen> by_size_;
};

}  // namespace isogrid::cluster

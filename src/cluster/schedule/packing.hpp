// How many trials a card should train at once, by what was measured of those that shared one. Pure logic.
#pragma once

#include <map>
#include <vector>

namespace isogrid::cluster {

/// Learns how many trials of about one size a card should have at once: k of them together do k times what
/// each does, and one more pays as long as that sum rises.
class Packing {
  public:
    /// `most` trials on a card, never more. `measure` false: as many whatever is measured.
    Packing(int most, bool measure) : most_(most), measure_(measure) {}

    /// A trial of a model with `size` parameters has done so many FLOPs in so many seconds, in all of which
    /// `together` trials, it among them, were on its card.
    void measured(double size, int together, double flops, double seconds);

    /// Trials that a card should have, each of a model of about this size. Unmeasured numbers are tried one
    /// at a time, from one trial on; a size that nothing is known of is like the nearest that was measured.
    int worth(double size) const;

    int most() const { return most_; }

    /// What a card does with `together` such trials (FLOP/s); 0 where too little was measured to say.
    double speed(double size, int together) const;

    /// A card's seconds with a number of trials before that number is judged: several notes of progress from
    /// each, which come about twice a second.
    static constexpr double least_seconds = 3;
    /// The sum must rise by so much for each trial more: what one more adds within the measurement's noise is
    /// not worth that all the others end later.
    static constexpr double least_gain = 1.03;

  private:
    struct Speed {
        double flops = 0, seconds = 0;
    };
    using BySize = std::map<int, std::map<int, Speed>>;  ///< by octave of parameters, and by trials together

    const std::map<int, Speed>* nearest(double size) const;
    static double sum_of(const std::map<int, Speed>& speeds, int together);

    int most_;
    bool measure_;
    BySize speeds_;
};

}  // namespace isogrid::cluster

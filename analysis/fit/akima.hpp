// Akima's interpolation, with its minimum.
#pragma once

#include <span>
#include <vector>

namespace isogrid::analysis {

/// The smooth curve through all points of Akima 1970 (Journal of the ACM 17): a cubic between neighbours
/// whose slope at each point leans to the side where the points lie straight, so that one bad point bends
/// only its own surroundings. Own code since the kept libraries hold another curve (Boost's is the "modified"
/// one) or do not give the cubics, whose minimum is what is wanted.
class Akima {
  public:
    /// Takes three or more points with rising x.
    Akima(std::span<const double> x, std::span<const double> y);

    double at(double x) const;

    struct Point {
        double x = 0, y = 0;
    };
    /// The lowest point between the first and the last.
    Point minimum() const;

  private:
    struct Cubic {
        double x = 0, width = 0;                ///< where it begins, and how far it goes
        double c0 = 0, c1 = 0, c2 = 0, c3 = 0;  ///< in powers of the distance from x
        double at(double distance) const { return c0 + distance * (c1 + distance * (c2 + distance * c3)); }
    };
    std::vector<Cubic> cubics_;
};

}  // namespace isogrid::analysis

// The ranks that train one trial together, as the trainer sees them: no MPI here.
#pragma once

#include <span>

namespace isogrid::train {

class Communicator {
  public:
    virtual ~Communicator() = default;
    virtual int rank() const = 0;
    virtual int size() const = 0;  ///< a power of two
    /// Sends `outgoing` to `partner` and receives as many values from it into `incoming`.
    virtual void exchange(int partner, std::span<const float> outgoing, std::span<float> incoming) = 0;
    virtual void exchange(int partner, std::span<const double> outgoing, std::span<double> incoming) = 0;
    /// Whether a member has ended its part, or none is to be waited for any more: what waits for members by
    /// other ways than exchange() looks at it.
    virtual bool somebody_left() { return false; }
};

/// Joins the tables of a group's ranks, each of which has filled in its own part and left the others zero, so
/// that adding them changes no bits. Every rank must call it, with a table of the same size.
void join(Communicator& group, std::span<double> table);

/// A group of one: exchanging is a contract violation.
class Alone final : public Communicator {
  public:
    int rank() const override { return 0; }
    int size() const override { return 1; }
    void exchange(int, std::span<const float>, std::span<float>) override;
    void exchange(int, std::span<const double>, std::span<double>) override;
};

}  // namespace isogrid::train

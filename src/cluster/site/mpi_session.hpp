// MPI from start to end, for a program that may also have been started without it.
#pragma once

#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace isogrid::cluster {

/// A failed MPI call: what was being done, and MPI's own words.
class MpiError : public std::runtime_error {
  public:
    MpiError(std::string_view doing, int code);
};

/// Throws MpiError unless `code` is MPI_SUCCESS.
void check_mpi(int code, std::string_view doing);

/// Name and version of the MPI library, whether or not MPI was started.
std::string mpi_library_version();

/// Held around calls of MPI where several threads of a rank may make some: MPI is started for one at a time.
/// Never while somebody waits for another rank.
class MpiTurn {
  public:
    MpiTurn();

  private:
    std::unique_lock<std::mutex> lock_;
};

/// Starts MPI where mpirun or srun started this program, and ends it when it goes out of scope. Started by
/// hand, MPI is left alone: the world has one rank, and nothing depends on a working MPI installation.
class MpiSession {
  public:
    MpiSession();
    ~MpiSession();
    MpiSession(const MpiSession&) = delete;
    MpiSession& operator=(const MpiSession&) = delete;

    int rank() const { return rank_; }                      ///< 0 without MPI
    int size() const { return size_; }                      ///< 1 without MPI
    bool works() const { return size_ == 1 || rank_ > 0; }  ///< the first of several only coordinates
    int workers() const { return size_ == 1 ? 1 : size_ - 1; }
    bool allows_threads() const { return allows_threads_; }  ///< to call it, one at a time

    /// The lowest rank that says false, or -1 when every rank says true; all ranks must ask. So that a fault
    /// of one rank's input ends them all, and is told once.
    int first_without(bool good) const;

    /// Whether some rank says true, and whether every one does; all ranks must ask.
    bool any(bool mine) const { return highest(mine ? 1 : 0) == 1; }
    bool all(bool mine) const { return lowest(mine ? 1 : 0) == 1; }

    /// The lowest, the highest or the sum of the numbers that the ranks say; all ranks must ask.
    int lowest(int number) const;
    int highest(int number) const;
    int sum(int number) const;

    /// The highest of each; all ranks must ask, with as many numbers.
    std::vector<int> highest_of_each(std::vector<int> numbers) const;

    /// Whether all ranks say the same; all ranks must ask.
    bool all_say(std::string_view text) const;

    /// What the first rank says; all ranks must ask.
    std::string as_first_says(std::string text) const;

    /// What the ranks of this node say, in their order, and which of them this one is; all ranks must ask,
    /// with as many numbers each.
    struct Node {
        std::vector<std::vector<int>> said;
        std::size_t me = 0;
    };
    Node on_node(const std::vector<int>& numbers) const;

    /// Ends the whole job at once, other ranks included; for an exception that no rank can go on after.
    [[noreturn]] void abort(int exit_code) const;

  private:
    bool started_ = false, allows_threads_ = true;
    int rank_ = 0, size_ = 1;
};

}  // namespace isogrid::cluster

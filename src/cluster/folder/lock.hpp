// One sweep an archive: a lock file that says who runs it and whether the holder is still alive.
//
// The file is made whole under a name of its own and put in place by link(), which fails where a lock stands;
// unlike flock this also holds between the nodes of a shared file system. Its modification time is the
// holder's heartbeat: the file server's clock stamps it, so that nodes whose clocks differ still agree.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/fault.hpp"

namespace isogrid::cluster {

inline constexpr double heartbeat_seconds = 10;  ///< between two heartbeats
inline constexpr double stale_seconds = 60;      ///< without one before a holder counts as gone

/// Whom a lock file names.
struct Holder {
    std::string host = "unknown";
    long process = 0;
    std::string processes = {};  ///< what that number counts among: the kernel's name of a container's own
    std::string job = {};        ///< Slurm's job id; empty outside Slurm
    std::string restarts = {};   ///< how often Slurm restarted that job; 0 outside Slurm
    std::string lease = {};      ///< unlike any other holder's
    double heartbeat = 0;        ///< seconds since 1970, by the file server's clock
};

/// `host node1, process 42, Slurm job 17`.
std::string describe(const Holder& holder);

/// Whom the lock file names; nothing when there is no lock, or it cannot be read. Changes nothing.
std::optional<Holder> read_lock(const std::filesystem::path& file);

/// No heartbeat for stale_seconds before `now`, or a process of this host, and of no other container, that no
/// longer exists.
bool is_stale(const Holder& holder, double now);

/// Whether `holder` is this Slurm job before it was requeued, or a job that this one was queued to follow.
/// Slurm starts a job again when it has given its nodes up; should tasks of the earlier start live on behind
/// a cut network, they find that they have lost the lease.
bool is_earlier_start(const Holder& holder, const Holder& me);

/// Whether the lock still names this lease: asked right before a file is put in place. Where it cannot be
/// read it is looked at again, second after second: a file server may have failed once, or another run have
/// moved it away by mistake and be about to put it back. After five it counts as lost.
bool holds_lease(const std::filesystem::path& file, const std::string& lease);

/// A lock held, its heartbeat kept up by a thread until it goes out of scope; then the file is removed,
/// unless another run has taken the lock over.
class Lock {
  public:
    /// Takes the lock, from a stale holder or an earlier start of this Slurm job too. Fails with the name of
    /// the holder where there is a live one. A heartbeat from the future (the file server's clock was set
    /// back) says nothing of its age: such a lock is `watched` this long for a fresh heartbeat. Throws
    /// std::runtime_error when the folder cannot be written.
    static base::Result<Lock> take(const std::filesystem::path& file,
                                   std::chrono::duration<double> watched = std::chrono::seconds(25));

    Lock(Lock&&) noexcept;
    Lock& operator=(Lock&&) = delete;
    ~Lock();

    const std::filesystem::path& file() const;
    const std::string& lease() const;
    /// The stale holder whose lock this was before, if any.
    const std::optional<Holder>& predecessor() const;
    /// False once another run has taken over, as holds_lease says.
    bool held() const;
    /// Like held(), but never waits, for frequent callers: a lock that cannot be read, or is not there,
    /// counts as held until stale_seconds after it was last seen.
    bool seems_held() const;

  private:
    struct State;
    explicit Lock(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// Removes what runs that were killed while they asked for this lock have left beside it. What may still be
/// in use stays: of a live run, or this holder's.
void remove_left_behind(const Lock& lock);

}  // namespace isogrid::cluster

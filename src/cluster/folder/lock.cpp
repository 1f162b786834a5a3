#include "cluster/folder/lock.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <mutex>
#include <signal.h>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "archive/process_identity.hpp"
#include "archive/provenance.hpp"
#include "files/durable.hpp"
#include "files/text.hpp"

namespace isogrid::cluster {

namespace {

using std::filesystem::path;

constexpr int most_looks = 50;  // five seconds, at what may change by itself
constexpr std::chrono::milliseconds between_looks{100};

/// Containers may have their host's name and number their processes anew: this differs between them.
std::string process_namespace() {
    std::error_code unknown;  // a system without /proc
    return std::filesystem::read_symlink("/proc/self/ns/pid", unknown).string();
}

/// This process, with a lease made of everything that tells two processes apart, the start time included.
Holder myself() {
    const archive::TrialProvenance here = archive::provenance_here();
    Holder me{.host = here.host,
              .process = static_cast<long>(getpid()),
              .processes = process_namespace(),
              .job = here.slurm_job,
              .restarts = std::to_string(here.slurm_restarts)};
    const auto start = std::chrono::system_clock::now().time_since_epoch();
    me.lease = archive::writer_tag() + "-" + std::to_string(std::chrono::nanoseconds(start).count());
    return me;
}

[[noreturn]] void cannot_write(const path& file) {
    throw std::runtime_error(file.string() + ": cannot be written (" + files::last_error().message() +
                             ") choose an archive in a folder where you may write");
}

[[noreturn]] void cannot_link(const path& file) {
    throw std::runtime_error(file.string() + ": cannot be put in place (" + files::last_error().message() +
                             ": there are no hard links) choose an archive on a file system with hard links");
}

[[noreturn]] void cannot_read(const path& file) {
    const bool readable = access(file.c_str(), R_OK) == 0;
    const std::string why = readable ? "it comes and goes" : files::last_error().message();
    std::error_code unknown;
    throw std::runtime_error(file.string() + ": is there and cannot be read (" +
                             (std::filesystem::is_directory(file, unknown) ? "it is a folder" : why) +
                             ") set its rights, or remove it when no run works on this archive");
}

[[noreturn]] void cannot_remove(const path& file) {
    throw std::runtime_error(file.string() + ": is of a run that is gone, and cannot be moved away (" +
                             files::last_error().message() +
                             ") remove it, or have that done by whoever may write in its folder");
}

/// Of this host. A zombie is dead: its parent only has not asked yet (mpirun may be gone before its ranks).
bool process_lives(long process) {
    if (kill(static_cast<pid_t>(process), 0) != 0 && errno == ESRCH) return false;
    std::ifstream file("/proc/" + std::to_string(process) + "/stat");
    std::string facts;
    std::getline(file, facts);
    const std::size_t name_end = facts.rfind(") ");  // the state follows the name, which may hold anything
    return name_end == std::string::npos || facts.substr(name_end + 2, 1) != "Z";
}

double modified(const struct stat& facts) {
    return static_cast<double>(facts.st_mtim.tv_sec) + 1e-9 * static_cast<double>(facts.st_mtim.tv_nsec);
}

int number(const std::string& text) {
    return std::atoi(text.c_str());
}

/// A whole lock file under a name of its own, gone when it goes out of scope.
class Candidate {
  public:
    Candidate(const path& lock, const Holder& holder) : file_(lock.string() + "." + holder.lease) {
        const nlohmann::ordered_json content = {{"host", holder.host},           {"process", holder.process},
                                                {"processes", holder.processes}, {"job", holder.job},
                                                {"restarts", holder.restarts},   {"lease", holder.lease}};
        std::ofstream stream(file_);
        for (int looks = 0; !stream && (errno == ENOENT || errno == ESTALE) && looks < most_looks; ++looks) {
            // A run that ended has removed its empty folder just now, or this client of a file server has not
            // heard.
            std::error_code there;
            std::filesystem::create_directory(lock.parent_path(), there);
            std::this_thread::sleep_for(between_looks);
            stream.open(file_);
        }
        stream << content.dump(4) << "\n" << std::flush;
        struct stat facts {};
        if (!stream || stat(file_.c_str(), &facts) != 0 || facts.st_size == 0) cannot_write(file_);
        written_ = modified(facts);
    }
    ~Candidate() { unlink(file_.c_str()); }
    Candidate(const Candidate&) = delete;
    Candidate& operator=(const Candidate&) = delete;

    double written() const { return written_; }  ///< the file server's time

    /// False where a lock stands.
    bool put_in_place(const path& lock) const {
        if (link(file_.c_str(), lock.c_str()) == 0) return true;
        if (errno == EPERM || errno == ENOTSUP || errno == ENOSYS) cannot_link(lock);
        if (errno != EEXIST) cannot_write(lock);
        return false;
    }

  private:
    path file_;
    double written_ = 0;
};

/// Moves a stale lock out of the way. Between the look and the move another run may have taken it over: then
/// what was moved is its lock, and goes back. False where it could not be moved: another run was faster, or
/// this one has no right to.
bool move_away(const path& lock, const Holder& stale, const Holder& me) {
    const path aside = lock.string() + ".stale." + me.lease;
    if (rename(lock.c_str(), aside.c_str()) != 0) return false;
    const auto moved = read_lock(aside);
    if (moved && moved->lease != stale.lease) static_cast<void>(link(aside.c_str(), lock.c_str()));
    unlink(aside.c_str());
    return true;
}

/// Whether nobody touches the lock, lets it go or takes it over for so long.
bool is_silent(const path& lock, const Holder& holder, std::chrono::duration<double> watched) {
    const auto end = std::chrono::steady_clock::now() + watched;
    while (std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(between_looks);
        const auto now = read_lock(lock);
        if (!now || now->heartbeat != holder.heartbeat || now->lease != holder.lease) return false;
    }
    return true;
}

}  // namespace

std::string describe(const Holder& holder) {
    std::string text = "host " + holder.host + ", process " + std::to_string(holder.process);
    if (!holder.job.empty()) text += ", Slurm job " + holder.job;
    return text;
}

std::optional<Holder> read_lock(const path& file) {
    const auto text = files::text_of(file);
    struct stat facts {};
    if (!text || stat(file.c_str(), &facts) != 0) return std::nullopt;
    Holder holder{.lease = "unreadable", .heartbeat = modified(facts)};
    try {
        const auto content = nlohmann::json::parse(*text);
        return Holder{.host = content.value("host", holder.host),
                      .process = content.value("process", 0L),
                      .processes = content.value("processes", ""),
                      .job = content.value("job", ""),
                      .restarts = content.value("restarts", ""),
                      .lease = content.value("lease", holder.lease),
                      .heartbeat = holder.heartbeat};
    } catch (const nlohmann::json::exception&) {
        return holder;  // not ours to judge: stale when old, like any other
    }
}

bool is_stale(const Holder& holder, double now) {
    if (now - holder.heartbeat > stale_seconds) return true;
    return holder.host == archive::host_name() && holder.processes == process_namespace() &&
           !process_lives(holder.process);
}

bool is_earlier_start(const Holder& holder, const Holder& me) {
    if (holder.job.empty()) return false;
    if (holder.job == me.job) return number(holder.restarts) < number(me.restarts);
    // From slurm/sweep/successor.sh, separated by spaces.
    const char* jobs = std::getenv("ISOGRID_GOES_ON_FOR");
    return jobs != nullptr &&
           (" " + std::string(jobs) + " ").find(" " + holder.job + " ") != std::string::npos;
}

bool holds_lease(const path& file, const std::string& lease) {
    constexpr int most_seconds = 5;
    for (int looks = 0; looks <= most_seconds; ++looks) {
        if (looks > 0) std::this_thread::sleep_for(std::chrono::seconds(1));
        if (const auto holder = read_lock(file)) return holder->lease == lease;
    }
    return false;
}

struct Lock::State {
    path file;
    std::string lease;
    std::optional<Holder> predecessor;
    std::atomic<std::chrono::steady_clock::time_point> seen = std::chrono::steady_clock::now();
    std::mutex mutex;
    std::condition_variable_any wake;
    std::jthread heart;  // last: it uses the others

    /// Whether the lock names this lease; nothing where it cannot be read.
    std::optional<bool> look() {
        const auto holder = read_lock(file);
        if (!holder) return std::nullopt;
        if (holder->lease == lease) seen = std::chrono::steady_clock::now();
        return holder->lease == lease;
    }
    void beat(const std::stop_token& stop) {
        std::unique_lock guard(mutex);
        while (!wake.wait_for(guard, stop, std::chrono::duration<double>(heartbeat_seconds),
                              [&] { return stop.stop_requested(); }))
            if (look().value_or(false)) utimensat(AT_FDCWD, file.c_str(), nullptr, 0);
    }
};

base::Result<Lock> Lock::take(const path& file, std::chrono::duration<double> watched) {
    const Holder me = myself();
    std::optional<Holder> predecessor;
    for (int looks = 0;;) {
        const Candidate candidate(file, me);
        if (candidate.put_in_place(file)) break;
        const auto holder = read_lock(file);
        if (!holder) {  // its holder has just let go, or this one may not read it
            if (++looks == most_looks) cannot_read(file);
            std::this_thread::sleep_for(between_looks);
            continue;
        }
        if (holder->lease == me.lease) break;  // NFS: the answer to link() was lost, and it was asked again
        const bool from_the_future = holder->heartbeat > candidate.written() + heartbeat_seconds;
        const bool gone = is_earlier_start(*holder, me) || is_stale(*holder, candidate.written()) ||
                          (from_the_future && is_silent(file, *holder, watched));
        if (!gone && from_the_future && !read_lock(file)) continue;  // let go meanwhile
        if (!gone)
            return base::fail(file.string(), "another run works on this archive", describe(*holder),
                              "wait for it or stop it; a run that was killed is taken over after " +
                                  std::to_string(static_cast<int>(stale_seconds)) + " s");
        predecessor = holder;
        if (!move_away(file, *holder, me)) {
            if (++looks == most_looks) cannot_remove(file);
            std::this_thread::sleep_for(between_looks);
        }
    }
    auto state = std::make_unique<State>();
    state->file = file;
    state->lease = me.lease;
    state->predecessor = predecessor;
    state->heart = std::jthread([held = state.get()](const std::stop_token& stop) { held->beat(stop); });
    return Lock(std::move(state));
}

Lock::Lock(std::unique_ptr<State> state) : state_(std::move(state)) {}
Lock::Lock(Lock&&) noexcept = default;

Lock::~Lock() {
    if (!state_) return;
    state_->heart.request_stop();
    state_->heart.join();
    if (held()) unlink(state_->file.c_str());
}

const path& Lock::file() const {
    return state_->file;
}

const std::string& Lock::lease() const {
    return state_->lease;
}

const std::optional<Holder>& Lock::predecessor() const {
    return state_->predecessor;
}

bool Lock::held() const {
    return holds_lease(state_->file, state_->lease);
}

bool Lock::seems_held() const {
    if (const auto mine = state_->look()) return *mine;
    return std::chrono::steady_clock::now() - state_->seen.load() <
           std::chrono::duration<double>(stale_seconds);
}

void remove_left_behind(const Lock& lock) {
    const auto mine = read_lock(lock.file());
    if (!mine || mine->lease != lock.lease()) return;
    const std::string prefix = lock.file().filename().string() + ".";
    std::error_code ignored;
    std::vector<path> left;
    for (const auto& entry : std::filesystem::directory_iterator(lock.file().parent_path(), ignored)) {
        if (!entry.path().filename().string().starts_with(prefix)) continue;
        // Another run may have moved this lock away by mistake just now, and be about to put it back.
        const auto holder = read_lock(entry.path());
        if (holder && holder->lease != lock.lease() && is_stale(*holder, mine->heartbeat))
            left.push_back(entry.path());
    }
    for (const path& file : left)
        std::filesystem::remove(file, ignored);
}

}  // namespace isogrid::cluster

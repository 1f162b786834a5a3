// What went wrong with trials so far, over all starts of a sweep: OUT.h5.d/attempts/NAME-IDENTITY, a line for
// each attempt that ended badly. Whether a trial is tried again is decided by nothing else.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "archive/record.hpp"
#include "cluster/folder/crash_note.hpp"
#include "study/trial.hpp"

namespace isogrid::cluster {

/// The attempts at one trial that ended badly, counted by cause. Being interrupted is not among them: time
/// that ran out and preemption are nobody's fault.
struct Attempts {
    int crashed = 0;      ///< its program crashed (SIGSEGV and the like: cluster/folder/crash_note)
    int failed = 0;       ///< an exception
    int disappeared = 0;  ///< starts in a row that killed its process without a word (SIGKILL) and saved no
                          ///< new checkpoint of it
    int ranks_out_of_memory = 0;  ///< the most ranks whose memory was not enough; 0: it always was
    int cards_lost = 0;           ///< times that a card it had alone refused all further work
    std::set<std::string> hosts_of_cards_lost = {};
    bool threaded = false;  ///< with several threads a rank memory was not enough: it needs ranks of one
    bool crowded = false;   ///< beside other trials its card's memory was not enough, or the card was lost:
                            ///< it needs one alone
    bool retried = false;   ///< it was set aside once, and is tried again on request (--retry)
    std::string last = {};  ///< the newest line: what, where and why
};

inline constexpr int most_crashes = 2;   ///< after so many a trial is set aside: it would end every start
inline constexpr int most_failures = 2;  ///< a disk may be full once, a file server away

/// Cards lost by a trial alone after which it is set aside: on so many hosts, or so many in all. On one host
/// it may be that host's card, which slurm/sweep leaves out once two trials have lost it.
inline constexpr std::size_t most_hosts_of_cards_lost = 2;
inline constexpr int most_cards_lost = 4;

/// After so many a trial is set aside. More than crashes: whoever kills a sweep by hand may hit the same
/// trial a few times.
inline constexpr int most_disappearances = 4;

/// Counts what the notes of a trial say. No file: nothing went wrong.
Attempts read_attempts(const std::filesystem::path& folder, const study::PlannedTrial& trial);

/// The attempts at all trials that have notes, by archive::trial_file_stem.
std::map<std::string, Attempts> read_all_attempts(const std::filesystem::path& folder);

/// Counts an attempt that ended badly, as its note will be read (note_attempt).
void count_attempt(Attempts& attempts, archive::Outcome outcome, int ranks, bool alone, int threads);

/// Threads that a rank may have for the trial: one where memory was not enough before, as each sums leaves of
/// its own.
int threads_for(const Attempts& attempts, std::int64_t asked);

/// Whether `cause`, as a record has it, is why the last of these attempts ended badly.
bool is_last_cause(const Attempts& attempts, const std::string& cause);

/// Adds `failed HOST RANKS CAUSE` or `out_of_memory HOST RANKS CAUSE`; `threads HOST RANKS CAUSE` where
/// memory was not enough for ranks of several threads, and `crowded HOST RANKS CAUSE` where
/// memory was not enough and the trial was not `alone` on its card. A disk that refuses is passed over.
void note_attempt(const std::filesystem::path& folder, const study::PlannedTrial& trial,
                  archive::Outcome outcome, int ranks, const std::string& cause, bool alone, int threads);

/// Adds what became of a trial whose card refuses all work from then on (kernels::CardLost):
/// `card HOST RANKS CAUSE` where it was `alone` there, as either may be at fault, the trial or the card; else
/// `crowded`, as any of those on the card may have caused it.
void note_card_lost(const std::filesystem::path& folder, const study::PlannedTrial& trial, int ranks,
                    const std::string& cause, bool alone);

/// Forgets that a trial failed on this host.
void pardon_host(const std::filesystem::path& folder, const study::PlannedTrial& trial,
                 const std::string& host);

/// Forgets that the trial failed, wherever that was.
void pardon_failures(const std::filesystem::path& folder, const study::PlannedTrial& trial);

/// Forgets what went wrong with a trial: it is to be tried as if for the first time, by this start or, where
/// that is interrupted, by the next ones, whatever a record says of it.
void note_retried(const std::filesystem::path& folder, const study::PlannedTrial& trial);

/// Ranks that a trial whose memory was not enough needs next: twice as many, so that each holds fewer leaves'
/// gradients. 1 where it was always enough.
int least_ranks(const Attempts& attempts);

/// Ranks that a trial can have at most: a power of two, of its leaves and of the workers.
int most_ranks(const study::Trial& trial, int workers);

/// The result to record for a trial that is not tried again; nothing while it may be. `most_ranks`: the most
/// that it can have.
std::optional<archive::TrialResult> set_aside(const Attempts& attempts, int most_ranks);

/// A file beside the notes of a trial, `NAME-IDENTITY.underway-MEMBER`, while this member of its group trains
/// it. One that is still there at the next start is of a process that was killed (SIGKILL). A process that
/// crashed, or lost its card, leaves `....underway-MEMBER.ended`: the launcher may have killed others then.
class Underway {
  public:
    Underway(const std::filesystem::path& folder, const study::PlannedTrial& trial, int member);
    ~Underway();
    Underway(const Underway&) = delete;
    Underway& operator=(const Underway&) = delete;

    /// This process ends because of it, and whoever starts the ranks may then kill the others.
    void ends_process() { ends_process_ = true; }

  private:
    std::filesystem::path file_;
    bool ends_process_ = false;
    RenamedOnCrash on_crash_;
};

/// A file beside the notes of a trial, `NAME-IDENTITY.measuring`, while somebody times a step of it. What is
/// found later belongs to a process that it has ended: timing it once more could end every start.
class BeingMeasured {
  public:
    BeingMeasured(const std::filesystem::path& folder, const study::PlannedTrial& trial);
    ~BeingMeasured();
    BeingMeasured(const BeingMeasured&) = delete;
    BeingMeasured& operator=(const BeingMeasured&) = delete;

  private:
    std::filesystem::path file_;
};

/// False where timing a step of this trial, or training it, has gone badly before.
bool may_be_measured(const std::filesystem::path& folder, const study::PlannedTrial& trial);

/// Looks for the Underway files of earlier starts, and removes them. Those processes were killed: for time,
/// for their node, by a person, or by the kernel because the trial took too much memory. The last is assumed,
/// and added to the trial's notes as `disappeared HOST MEMBERS with STEPS, ... steps saved`, where it was the
/// only trial to disappear (the others of that start ended in order, and none crashed or lost its card, for
/// which a launcher kills the rest) and this start is in the same allocation as that one
/// (outside Slurm: that machine has not been started anew since). `checkpoints`: the
/// steps of all, by archive::trial_file_stem, as the newest may be damaged and the trial still get on.
void note_disappeared(const std::filesystem::path& folder,
                      const std::map<std::string, std::set<std::int64_t>>& checkpoints);

}  // namespace isogrid::cluster

#include "cluster/folder/lock.hpp"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "scratch_folder.hpp"

using namespace isogrid;
using namespace isogrid::cluster;
using testing::HasSubstr;

namespace {

bool answer_is_lost = false;
bool there_are_links = true;

}  // namespace

/// In the place of the C library's.
extern "C" int link(const char* from, const char* to) noexcept {
    if (!there_are_links) {
        errno = EPERM;
        return -1;
    }
    const auto done = static_cast<int>(syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
    if (done != 0 || !answer_is_lost) return done;
    errno = EEXIST;
    return -1;
}

namespace {

/// A lock that a process of another node has left, its last heartbeat `age` ago.
void leave_lock(const std::filesystem::path& file, std::chrono::seconds age) {
    std::ofstream(file)
        << R"({"host": "node7", "process": 42, "job": "17", "restarts": "1", "lease": "theirs"})";
    std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now() - age);
}

}  // namespace

TEST(Lock, refusesASecondRunAndNamesTheHolder) {
    const ScratchFolder folder;
    const auto first = Lock::take(folder / "lock");
    ASSERT_TRUE(first);
    EXPECT_FALSE(first->predecessor());
    const auto second = Lock::take(folder / "lock");
    ASSERT_FALSE(second);
    EXPECT_THAT(base::to_string(second.error()), HasSubstr("process " + std::to_string(getpid())));
    EXPECT_TRUE(first->held());
}

TEST(Lock, isTakenWhereAnEarlierRunHasJustRemovedItsFolder) {
    const ScratchFolder folder;
    const auto lock = Lock::take(folder / "out.h5.d" / "lock");
    ASSERT_TRUE(lock);
    EXPECT_TRUE(lock->held());
}

TEST(Lock, saysWhyItCannotBeWritten) {
    const std::filesystem::path folder = "/sys";  // not even root makes files there
    if (!std::filesystem::exists(folder)) GTEST_SKIP() << "there is no /sys";
    try {
        static_cast<void>(Lock::take(folder / "lock"));
        FAIL() << "a lock in /sys";
    } catch (const std::runtime_error& error) {
        EXPECT_THAT(error.what(), HasSubstr("cannot be written ("));
        EXPECT_THAT(error.what(), testing::Not(HasSubstr("No such file")));
    }
}

TEST(Lock, saysWhereTheFileSystemHasNoHardLinks) {
    const ScratchFolder folder;
    there_are_links = false;
    try {
        static_cast<void>(Lock::take(folder / "lock"));
        ADD_FAILURE() << "a lock without a link";
    } catch (const std::runtime_error& error) {
        EXPECT_THAT(error.what(), HasSubstr("choose an archive on a file system with hard links"));
    }
    there_are_links = true;
    EXPECT_EQ(folder.entries(), 0);
}

TEST(Lock, saysWhereItIsThereAndCannotBeRead) {
    const ScratchFolder folder;
    std::filesystem::create_symlink("nowhere", folder / "lock");
    try {
        static_cast<void>(Lock::take(folder / "lock"));
        ADD_FAILURE() << "a lock in the place of a link";
    } catch (const std::runtime_error& error) {
        EXPECT_THAT(error.what(), HasSubstr("lock: is there and cannot be read (No such file or directory)"));
    }
    EXPECT_EQ(folder.entries(), 1);
}

TEST(Lock, leavesNothingBehind) {
    const ScratchFolder folder;
    { const auto lock = Lock::take(folder / "lock"); }
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
    EXPECT_TRUE(Lock::take(folder / "lock"));
}

// NFS: the server has made the link, its answer is lost, and to the same question it then says that one is
// there.
TEST(Lock, isOursThoughTheServerSaysThatALockStands) {
    const ScratchFolder folder;
    answer_is_lost = true;
    const auto lock = Lock::take(folder / "lock");
    answer_is_lost = false;
    ASSERT_TRUE(lock) << base::to_string(lock.error());
    EXPECT_TRUE(lock->held());
    EXPECT_FALSE(lock->predecessor());
}

TEST(Lock, isNotTakenFromAHolderThatStillBeats) {
    const ScratchFolder folder;
    leave_lock(folder / "lock", std::chrono::seconds(30));
    const auto lock = Lock::take(folder / "lock");
    ASSERT_FALSE(lock);
    EXPECT_THAT(base::to_string(lock.error()), HasSubstr("host node7, process 42, Slurm job 17"));
    EXPECT_TRUE(holds_lease(folder / "lock", "theirs"));
}

TEST(Lock, isTakenOverWithoutAHeartbeatForAMinute) {
    const ScratchFolder folder;
    leave_lock(folder / "lock", std::chrono::seconds(61));
    const auto lock = Lock::take(folder / "lock");
    ASSERT_TRUE(lock);
    ASSERT_TRUE(lock->predecessor());
    EXPECT_EQ(lock->predecessor()->host, "node7");
    EXPECT_FALSE(holds_lease(folder / "lock", "theirs"));
}

TEST(Lock, isTakenOverAtOnceFromAProcessOfThisHostThatIsGone) {
    const ScratchFolder folder;
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        // Killed without a word: no destructor runs.
        const auto lock = Lock::take(folder / "lock");
        _exit(lock ? 0 : 1);
    }
    // Dead, and a zombie until waitpid.
    siginfo_t facts{};
    ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &facts, WEXITED | WNOWAIT), 0);
    ASSERT_EQ(facts.si_status, 0);
    Holder holder = *read_lock(folder / "lock");
    EXPECT_EQ(holder.process, child);
    EXPECT_TRUE(is_stale(holder, holder.heartbeat));
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    EXPECT_TRUE(is_stale(holder, holder.heartbeat));
    holder.host = "node7";
    EXPECT_FALSE(is_stale(holder, holder.heartbeat)) << "nothing is known of another host's processes";
    holder = *read_lock(folder / "lock");
    holder.processes = "pid:[1]";
    EXPECT_FALSE(is_stale(holder, holder.heartbeat)) << "nor of another container's on this host";

    const auto lock = Lock::take(folder / "lock");
    ASSERT_TRUE(lock);
    EXPECT_EQ(lock->predecessor()->process, child);
}

TEST(Lock, isTakenFromAHolderNobodyCanReadOnceItIsOld) {
    const ScratchFolder folder;
    for (const char* content : {"torn", "", "[1]", R"({"host": 7})", R"({"process": "many"})"}) {
        SCOPED_TRACE(content);
        std::ofstream(folder / "lock") << content;
        EXPECT_FALSE(Lock::take(folder / "lock")) << "it may be a newer version's";
        std::filesystem::last_write_time(
            folder / "lock", std::filesystem::file_time_type::clock::now() - std::chrono::minutes(2));
        EXPECT_TRUE(Lock::take(folder / "lock"));
    }
}

TEST(Lock, knowsWhenItWasTakenOverAndThenLeavesTheOtherAlone) {
    const ScratchFolder folder;
    {
        const auto lock = Lock::take(folder / "lock");
        ASSERT_TRUE(lock->held());
        leave_lock(folder / "lock", std::chrono::seconds(0));
        EXPECT_FALSE(lock->held());
        EXPECT_FALSE(holds_lease(folder / "lock", lock->lease()));
    }
    EXPECT_TRUE(holds_lease(folder / "lock", "theirs"));
}

TEST(Lock, isHeldWhereOneLookFindsNothing) {
    const ScratchFolder folder;
    const auto lock = Lock::take(folder / "lock");
    std::filesystem::rename(folder / "lock", folder / "away");
    std::thread file_server([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        std::filesystem::rename(folder / "away", folder / "lock");
    });
    EXPECT_TRUE(lock->held());
    file_server.join();
    std::filesystem::remove(folder / "lock");
    EXPECT_FALSE(lock->held());
}

// To who asks again and again: a file server that is away for a while ends no sweep.
TEST(Lock, seemsHeldWhileItCannotBeSeen) {
    const ScratchFolder folder;
    const auto lock = Lock::take(folder / "lock");
    std::filesystem::rename(folder / "lock", folder / "away");
    EXPECT_TRUE(lock->seems_held());
    std::filesystem::create_directory(folder / "lock");  // opened, and not read
    EXPECT_TRUE(lock->seems_held());
    std::filesystem::remove(folder / "lock");
    leave_lock(folder / "lock", std::chrono::seconds(0));
    EXPECT_FALSE(lock->seems_held());
}

TEST(Lock, namesNobodyWhereItIsAFolder) {
    const ScratchFolder folder;
    std::filesystem::create_directory(folder / "lock");
    EXPECT_FALSE(read_lock(folder / "lock"));
    try {
        static_cast<void>(Lock::take(folder / "lock"));
        ADD_FAILURE() << "a lock in the place of a folder";
    } catch (const std::runtime_error& error) {
        EXPECT_THAT(error.what(), HasSubstr("lock: is there and cannot be read (it is a folder)"));
    }
}

// The file server's clock was set back: no age can be told, but whether somebody beats.
TEST(Lock, isWatchedWhereItsHeartbeatLiesInTheFuture) {
    const ScratchFolder folder;
    leave_lock(folder / "lock", std::chrono::hours(-1));
    std::jthread holder([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            std::this_thread::sleep_for(std::chrono::milliseconds(200));
            leave_lock(folder / "lock", std::chrono::hours(-1));
        }
    });
    EXPECT_FALSE(Lock::take(folder / "lock", std::chrono::seconds(3)));
    holder.request_stop();
    holder.join();
    EXPECT_TRUE(Lock::take(folder / "lock", std::chrono::seconds(1)));
}

TEST(Lock, clearsUpWhatKilledRunsHaveLeftAndNothingThatMayBeInUse) {
    const ScratchFolder folder;
    const auto lock = Lock::take(folder / "lock");
    ASSERT_TRUE(lock);
    leave_lock(folder / "lock.theirs", std::chrono::seconds(100));
    leave_lock(folder / "lock.stale.theirs", std::chrono::seconds(100));
    leave_lock(folder / "lock.another", std::chrono::seconds(1));
    std::filesystem::copy_file(folder / "lock", folder / "lock.stale.moved");  // by one who will put it back
    std::ofstream(folder / "locksmith") << "not ours";
    remove_left_behind(*lock);
    EXPECT_FALSE(std::filesystem::exists(folder / "lock.theirs"));
    EXPECT_FALSE(std::filesystem::exists(folder / "lock.stale.theirs"));
    for (const char* name : {"lock", "lock.another", "lock.stale.moved", "locksmith"})
        EXPECT_TRUE(std::filesystem::exists(folder / name)) << name;
}

TEST(Lock, isTakenOverAtOnceByTheNextStartOfTheSameSlurmJobAndByItsSuccessor) {
    const ScratchFolder folder;
    leave_lock(folder / "lock", std::chrono::seconds(1));  // of job 17's second start
    setenv("SLURM_JOB_ID", "17", 1);
    setenv("SLURM_RESTART_COUNT", "1", 1);
    EXPECT_FALSE(Lock::take(folder / "lock")) << "two programs of one start";
    setenv("SLURM_RESTART_COUNT", "2", 1);
    EXPECT_TRUE(Lock::take(folder / "lock"));
    leave_lock(folder / "lock", std::chrono::seconds(1));
    setenv("SLURM_JOB_ID", "18", 1);
    EXPECT_FALSE(Lock::take(folder / "lock")) << "another job";
    setenv("ISOGRID_GOES_ON_FOR", "1 7 171", 1);
    EXPECT_FALSE(Lock::take(folder / "lock")) << "that goes on for others";
    setenv("ISOGRID_GOES_ON_FOR", "171 17 ", 1);
    EXPECT_TRUE(Lock::take(folder / "lock")) << "its successor";
    unsetenv("ISOGRID_GOES_ON_FOR");
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_RESTART_COUNT");
}

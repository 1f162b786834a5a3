#include "files/unfinished_files.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <unistd.h>
#include <utility>

namespace isogrid::files {

namespace {

// A signal handler may neither lock nor allocate. Whoever takes a name out of its place owns it.
std::array<std::atomic<char*>, 16> names{};
static_assert(std::atomic<char*>::is_always_lock_free);

extern "C" void remove_them_and_end(int signal) {
    for (std::atomic<char*>& name : names)
        if (const char* const path = name.exchange(nullptr)) ::unlink(path);
    std::raise(signal);  // the handler stands no more: SA_RESETHAND
}

}  // namespace

void remove_unfinished_files_when_ended() {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction action {
        }, before{};
        action.sa_handler = remove_them_and_end;
        action.sa_flags = static_cast<int>(SA_RESETHAND);
        sigaction(signal, &action, &before);
        if (before.sa_handler == SIG_IGN) sigaction(signal, &before, nullptr);
    }
}

UnfinishedFile::UnfinishedFile(const std::string& path) {
    char* const name = ::strdup(path.c_str());
    for (std::size_t place = 0; place < names.size(); ++place) {
        char* nobody = nullptr;
        if (!names[place].compare_exchange_strong(nobody, name)) continue;
        place_ = static_cast<int>(place);
        return;
    }
    std::free(name);
}

UnfinishedFile::UnfinishedFile(UnfinishedFile&& other) noexcept : place_(std::exchange(other.place_, -1)) {}

UnfinishedFile::~UnfinishedFile() {
    if (place_ >= 0) std::free(names[static_cast<std::size_t>(place_)].exchange(nullptr));
}

}  // namespace isogrid::files

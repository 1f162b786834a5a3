#include "cluster/site/mpi_session.hpp"

#include <array>
#include <cstdlib>
#include <mpi.h>
#include <span>

#include "base/digest.hpp"
#include "cluster/site/patience.hpp"

namespace isogrid::cluster {

namespace {

std::string error_text(int code) {
    std::array<char, MPI_MAX_ERROR_STRING> text{};
    int length = 0;
    if (MPI_Error_string(code, text.data(), &length) != MPI_SUCCESS)
        return "MPI error " + std::to_string(code);
    return {text.data(), static_cast<std::size_t>(length)};
}

/// Open MPI's mpirun, PMIx under srun, and the PMI of other MPIs leave one of these.
bool started_by_a_launcher() {
    for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE"})
        if (std::getenv(name) != nullptr) return true;
    return false;
}

std::mutex& one_at_a_time() {
    static std::mutex mutex;
    return mutex;
}

constexpr std::chrono::milliseconds longest_nap{10};  // ranks that start or leave wait for the slowest

void wait_for_request(MPI_Request request, std::string_view doing) {
    wait_for(
        [&] {
            int done = 0;
            check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), doing);
            return done != 0;
        },
        longest_nap);
}

/// Each number becomes that of all ranks together.
void combine(std::span<int> numbers, MPI_Op how) {
    MPI_Request combined = MPI_REQUEST_NULL;
    check_mpi(MPI_Iallreduce(MPI_IN_PLACE, numbers.data(), static_cast<int>(numbers.size()), MPI_INT, how,
                             MPI_COMM_WORLD, &combined),
              "comparing notes");
    wait_for_request(combined, "comparing notes");
}

}  // namespace

std::string mpi_library_version() {
    std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
    int length = 0;
    check_mpi(MPI_Get_library_version(text.data(), &length), "asking for its version");
    const std::string_view all(text.data(), static_cast<std::size_t>(length));
    return std::string(all.substr(0, all.find(',')));  // `Open MPI v4.1.4`, without who built it
}

MpiError::MpiError(std::string_view doing, int code)
    : std::runtime_error("MPI failed while " + std::string(doing) + " (" + error_text(code) +
                         ") look for a lost node or network, then run the same command again") {}

void check_mpi(int code, std::string_view doing) {
    if (code != MPI_SUCCESS) throw MpiError(doing, code);
}

MpiTurn::MpiTurn() : lock_(one_at_a_time()) {}

MpiSession::MpiSession() {
    if (!started_by_a_launcher()) return;
    int threads = MPI_THREAD_SINGLE;
    check_mpi(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &threads), "starting");
    started_ = true;
    allows_threads_ = threads >= MPI_THREAD_SERIALIZED;
    check_mpi(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "choosing how errors are told");
    check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "asking for the rank");
    check_mpi(MPI_Comm_size(MPI_COMM_WORLD, &size_), "asking for the number of ranks");
}

MpiSession::~MpiSession() {
    if (!started_) return;
    // MPI_Finalize waits for all ranks too, but awake.
    MPI_Request all_here = MPI_REQUEST_NULL;
    try {
        check_mpi(MPI_Ibarrier(MPI_COMM_WORLD, &all_here), "leaving");
        wait_for_request(all_here, "leaving");
    } catch (const MpiError&) {
        // MPI_Finalize will say so.
    }
    MPI_Finalize();
}

int MpiSession::first_without(bool good) const {
    const int first = lowest(good ? size_ : rank_);
    return first == size_ ? -1 : first;
}

int MpiSession::lowest(int number) const {
    if (started_) combine({&number, 1}, MPI_MIN);
    return number;
}

int MpiSession::highest(int number) const {
    if (started_) combine({&number, 1}, MPI_MAX);
    return number;
}

int MpiSession::sum(int number) const {
    if (started_) combine({&number, 1}, MPI_SUM);
    return number;
}

std::vector<int> MpiSession::highest_of_each(std::vector<int> numbers) const {
    if (started_) combine(numbers, MPI_MAX);
    return numbers;
}

bool MpiSession::all_say(std::string_view text) const {
    const int number = std::stoi(base::sha256(text).substr(0, 7), nullptr, 16);
    return lowest(number) == highest(number);
}

std::string MpiSession::as_first_says(std::string text) const {
    if (!started_) return text;
    text.resize(static_cast<std::size_t>(highest(rank_ == 0 ? static_cast<int>(text.size()) : 0)));
    MPI_Request told = MPI_REQUEST_NULL;
    check_mpi(MPI_Ibcast(text.data(), static_cast<int>(text.size()), MPI_CHAR, 0, MPI_COMM_WORLD, &told),
              "comparing notes");
    wait_for_request(told, "comparing notes");
    return text;
}

MpiSession::Node MpiSession::on_node(const std::vector<int>& numbers) const {
    if (!started_) return {.said = {numbers}};
    MPI_Comm node = MPI_COMM_NULL;
    check_mpi(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &node),
              "finding the ranks of a node");
    int size = 1, me = 0;
    const int count = static_cast<int>(numbers.size());
    std::vector<int> all;
    int code = MPI_Comm_size(node, &size);
    if (code == MPI_SUCCESS) code = MPI_Comm_rank(node, &me);
    if (code == MPI_SUCCESS) {
        all.resize(static_cast<std::size_t>(size) * numbers.size());
        code = MPI_Allgather(numbers.data(), count, MPI_INT, all.data(), count, MPI_INT, node);
    }
    MPI_Comm_free(&node);
    check_mpi(code, "asking the ranks of a node");
    Node result;
    result.me = static_cast<std::size_t>(me);
    for (auto first = all.begin(); first != all.end(); first += count)
        result.said.emplace_back(first, first + count);
    return result;
}

void MpiSession::abort(int exit_code) const {
    if (started_) MPI_Abort(MPI_COMM_WORLD, exit_code);
    std::exit(exit_code);
}

}  // namespace isogrid::cluster

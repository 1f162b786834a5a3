#include "cluster/mpi_session.hpp"

#include <array>
#include <cstdlib>
#include <mpi.h>

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

MpiSession::MpiSession() {
    if (!started_by_a_launcher()) return;
    check_mpi(MPI_Init(nullptr, nullptr), "starting");
    started_ = true;
    check_mpi(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "choosing how errors are told");
    check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank_), "asking for the rank");
    check_mpi(MPI_Comm_size(MPI_COMM_WORLD, &size_), "asking for the number of ranks");
}

MpiSession::~MpiSession() {
    if (started_) MPI_Finalize();
}

int MpiSession::first_without(bool good) const {
    const int first = lowest(good ? size_ : rank_);
    return first == size_ ? -1 : first;
}

int MpiSession::lowest(int number) const {
    if (started_)
        check_mpi(MPI_Allreduce(MPI_IN_PLACE, &number, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD),
                  "comparing notes");
    return number;
}

void MpiSession::abort(int exit_code) const {
    if (started_) MPI_Abort(MPI_COMM_WORLD, exit_code);
    std::exit(exit_code);
}

}  // namespace isogrid::cluster

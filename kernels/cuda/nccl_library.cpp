// The functions of NCCL that nccl_links.cpp calls, under their own names: each finds its namesake in the
// library when it is first called (as kernels/cuda/cublas_lt.cpp does it), so that isogrid starts without it.
#include <cstdlib>
#include <nccl.h>
#include <string>

#include "kernels/shared_library.hpp"

namespace {

using isogrid::kernels::SharedLibrary;

/// NCCL reads its settings when it is first called. Buffers of a recorded step are not to be registered with
/// the network: where small messages follow large ones on a connection, as in every step of ours, all cards
/// then wait for ever at times (NCCL's issue 2389). Who sets it himself knows better.
SharedLibrary load() {
    ::setenv("NCCL_GRAPH_REGISTER", "0", 0);
    return {"libnccl.so." + std::to_string(NCCL_MAJOR),
            "put the folder of NCCL's library into LD_LIBRARY_PATH"};
}

template <class Function>
Function* real(const char* name) {
    static const SharedLibrary library = load();
    return library.function<Function>(name);
}

}  // namespace

ncclResult_t ncclGetUniqueId(ncclUniqueId* uniqueId) {
    static auto* const call = real<decltype(ncclGetUniqueId)>(__func__);
    return call(uniqueId);
}

ncclResult_t ncclGetVersion(int* version) {
    static auto* const call = real<decltype(ncclGetVersion)>(__func__);
    return call(version);
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int nranks, ncclUniqueId commId, int rank,
                                    ncclConfig_t* config) {
    static auto* const call = real<decltype(ncclCommInitRankConfig)>(__func__);
    return call(comm, nranks, commId, rank, config);
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* asyncError) {
    static auto* const call = real<decltype(ncclCommGetAsyncError)>(__func__);
    return call(comm, asyncError);
}

ncclResult_t ncclCommFinalize(ncclComm_t comm) {
    static auto* const call = real<decltype(ncclCommFinalize)>(__func__);
    return call(comm);
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
    static auto* const call = real<decltype(ncclCommDestroy)>(__func__);
    return call(comm);
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
    static auto* const call = real<decltype(ncclCommAbort)>(__func__);
    return call(comm);
}

const char* ncclGetErrorString(ncclResult_t result) {
    static auto* const call = real<decltype(ncclGetErrorString)>(__func__);
    return call(result);
}

const char* ncclGetLastError(ncclComm_t comm) {
    static auto* const call = real<decltype(ncclGetLastError)>(__func__);
    return call(comm);
}

ncclResult_t ncclGroupStart() {
    static auto* const call = real<decltype(ncclGroupStart)>(__func__);
    return call();
}

ncclResult_t ncclGroupEnd() {
    static auto* const call = real<decltype(ncclGroupEnd)>(__func__);
    return call();
}

ncclResult_t ncclSend(const void* sendbuff, size_t count, ncclDataType_t datatype, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
    static auto* const call = real<decltype(ncclSend)>(__func__);
    return call(sendbuff, count, datatype, peer, comm, stream);
}

ncclResult_t ncclRecv(void* recvbuff, size_t count, ncclDataType_t datatype, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
    static auto* const call = real<decltype(ncclRecv)>(__func__);
    return call(recvbuff, count, datatype, peer, comm, stream);
}

ncclResult_t ncclAllReduce(const void* sendbuff, void* recvbuff, size_t count, ncclDataType_t datatype,
                           ncclRedOp_t op, ncclComm_t comm, cudaStream_t stream) {
    static auto* const call = real<decltype(ncclAllReduce)>(__func__);
    return call(sendbuff, recvbuff, count, datatype, op, comm, stream);
}

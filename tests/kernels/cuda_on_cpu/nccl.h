// In the place of NCCL's header: so much of it as kernels/cuda/nccl_links.cpp uses, between emulated cards of
// one process, each rank a thread. The names are NCCL's.
#pragma once

#include <cstddef>

#include "cuda_runtime.h"

constexpr std::size_t NCCL_UNIQUE_ID_BYTES = 128;
struct ncclUniqueId {
    char internal[NCCL_UNIQUE_ID_BYTES];
};
enum ncclResult_t {
    ncclSuccess = 0,
    ncclUnhandledCudaError = 1,
    ncclInvalidUsage = 5,
    ncclRemoteError = 6,
    ncclInProgress = 7
};
enum ncclDataType_t { ncclFloat32 = 7, ncclFloat64 = 8 };
enum ncclRedOp_t { ncclSum = 0 };
struct ncclConfig_t {
    int blocking = 1;
};
#define NCCL_CONFIG_INITIALIZER \
    {}
using ncclComm_t = struct EmulatedComm*;

ncclResult_t ncclGetVersion(int* version);
ncclResult_t ncclGetUniqueId(ncclUniqueId* key);
ncclResult_t ncclCommInitRankConfig(ncclComm_t* group, int size, ncclUniqueId key, int rank,
                                    ncclConfig_t* config);
ncclResult_t ncclCommGetAsyncError(ncclComm_t group, ncclResult_t* state);
ncclResult_t ncclCommFinalize(ncclComm_t group);
ncclResult_t ncclCommDestroy(ncclComm_t group);
ncclResult_t ncclCommAbort(ncclComm_t group);
const char* ncclGetErrorString(ncclResult_t result);
const char* ncclGetLastError(ncclComm_t group);
ncclResult_t ncclGroupStart();
ncclResult_t ncclGroupEnd();
ncclResult_t ncclSend(const void* values, std::size_t count, ncclDataType_t type, int peer, ncclComm_t group,
                      cudaStream_t stream);
ncclResult_t ncclRecv(void* values, std::size_t count, ncclDataType_t type, int peer, ncclComm_t group,
                      cudaStream_t stream);
ncclResult_t ncclAllReduce(const void* values, void* sums, std::size_t count, ncclDataType_t type,
                           ncclRedOp_t operation, ncclComm_t group, cudaStream_t stream);

// The functions of cuBLASLt that products.cpp calls, under their own names: each finds its namesake in the
// library when it is first called. So isogrid starts where there is no cuBLASLt, and nobody who trains on
// processors needs its 500 MB.
#include <cublasLt.h>
#include <string>

#include "kernels/shared_library.hpp"

namespace {

using isogrid::kernels::SharedLibrary;

const SharedLibrary& library() {
    static const SharedLibrary library(
        "libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR),
        "put the folder of CUDA's libraries into LD_LIBRARY_PATH, or choose device = \"cpu\"");
    return library;
}

template <class Function>
Function* real(const char* name) {
    return library().function<Function>(name);
}

}  // namespace

size_t cublasLtGetVersion() {
    static auto* const call = real<decltype(cublasLtGetVersion)>(__func__);
    return call();
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* lightHandle) {
    static auto* const call = real<decltype(cublasLtCreate)>(__func__);
    return call(lightHandle);
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t lightHandle) {
    static auto* const call = real<decltype(cublasLtDestroy)>(__func__);
    return call(lightHandle);
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* matLayout, cudaDataType type, uint64_t rows,
                                          uint64_t cols, int64_t ld) {
    static auto* const call = real<decltype(cublasLtMatrixLayoutCreate)>(__func__);
    return call(matLayout, type, rows, cols, ld);
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t matLayout) {
    static auto* const call = real<decltype(cublasLtMatrixLayoutDestroy)>(__func__);
    return call(matLayout);
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* matmulDesc, cublasComputeType_t computeType,
                                        cudaDataType_t scaleType) {
    static auto* const call = real<decltype(cublasLtMatmulDescCreate)>(__func__);
    return call(matmulDesc, computeType, scaleType);
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t matmulDesc) {
    static auto* const call = real<decltype(cublasLtMatmulDescDestroy)>(__func__);
    return call(matmulDesc);
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t matmulDesc,
                                              cublasLtMatmulDescAttributes_t attr, const void* buf,
                                              size_t sizeInBytes) {
    static auto* const call = real<decltype(cublasLtMatmulDescSetAttribute)>(__func__);
    return call(matmulDesc, attr, buf, sizeInBytes);
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* pref) {
    static auto* const call = real<decltype(cublasLtMatmulPreferenceCreate)>(__func__);
    return call(pref);
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t pref) {
    static auto* const call = real<decltype(cublasLtMatmulPreferenceDestroy)>(__func__);
    return call(pref);
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t pref,
                                                    cublasLtMatmulPreferenceAttributes_t attr,
                                                    const void* buf, size_t sizeInBytes) {
    static auto* const call = real<decltype(cublasLtMatmulPreferenceSetAttribute)>(__func__);
    return call(pref, attr, buf, sizeInBytes);
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t lightHandle,
                                              cublasLtMatmulDesc_t operationDesc,
                                              cublasLtMatrixLayout_t Adesc, cublasLtMatrixLayout_t Bdesc,
                                              cublasLtMatrixLayout_t Cdesc, cublasLtMatrixLayout_t Ddesc,
                                              cublasLtMatmulPreference_t preference, int requestedAlgoCount,
                                              cublasLtMatmulHeuristicResult_t heuristicResultsArray[],
                                              int* returnAlgoCount) {
    static auto* const call = real<decltype(cublasLtMatmulAlgoGetHeuristic)>(__func__);
    return call(lightHandle, operationDesc, Adesc, Bdesc, Cdesc, Ddesc, preference, requestedAlgoCount,
                heuristicResultsArray, returnAlgoCount);
}

cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t* algo,
                                                    cublasLtMatmulAlgoConfigAttributes_t attr, void* buf,
                                                    size_t sizeInBytes, size_t* sizeWritten) {
    static auto* const call = real<decltype(cublasLtMatmulAlgoConfigGetAttribute)>(__func__);
    return call(algo, attr, buf, sizeInBytes, sizeWritten);
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t lightHandle, cublasLtMatmulDesc_t computeDesc,
                              const void* alpha, const void* A, cublasLtMatrixLayout_t Adesc, const void* B,
                              cublasLtMatrixLayout_t Bdesc, const void* beta, const void* C,
                              cublasLtMatrixLayout_t Cdesc, void* D, cublasLtMatrixLayout_t Ddesc,
                              const cublasLtMatmulAlgo_t* algo, void* workspace, size_t workspaceSizeInBytes,
                              cudaStream_t stream) {
    static auto* const call = real<decltype(cublasLtMatmul)>(__func__);
    return call(lightHandle, computeDesc, alpha, A, Adesc, B, Bdesc, beta, C, Cdesc, D, Ddesc, algo,
                workspace, workspaceSizeInBytes, stream);
}

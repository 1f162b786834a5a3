# The libraries isogrid stands on (Debian package names in ./dev). Each is found here once.
include(GoogleTest)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(tomlplusplus REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Boost 1.74 REQUIRED COMPONENTS program_options)
find_package(GTest REQUIRED)
find_package(Ceres REQUIRED)
find_package(MPI REQUIRED COMPONENTS C)
# The C interface only: MPI's C++ bindings, which its header offers to C++ compilers, left the standard in 2012.
target_compile_definitions(MPI::MPI_C INTERFACE OMPI_SKIP_MPICXX MPICH_SKIP_MPICXX)
pkg_check_modules(sentencepiece REQUIRED IMPORTED_TARGET sentencepiece)

# The serial HDF5: it is enough (one writer), and its development package stands beside Debian's MPI builds.
# Elsewhere (a module on a cluster), CMake's own search finds whichever is loaded.
pkg_check_modules(hdf5_serial QUIET IMPORTED_TARGET hdf5-serial)
if(hdf5_serial_FOUND)
    add_library(isogrid::hdf5 ALIAS PkgConfig::hdf5_serial)
else()
    find_package(HDF5 1.10 REQUIRED COMPONENTS C)
    add_library(isogrid_hdf5 INTERFACE)
    target_link_libraries(isogrid_hdf5 INTERFACE hdf5::hdf5)
    add_library(isogrid::hdf5 ALIAS isogrid_hdf5)
endif()

# CUDA is used where nvcc and cuBLASLt are found, and never required: without them kernels/cuda/no_cuda.cpp stands in
# for the backend, and says so to whoever asks for one. No card is needed to build.
option(ISOGRID_CUDA "Build the CUDA backend where nvcc is found" ON)
set(ISOGRID_CUDA_ARCHITECTURES 80-real 90-real 100 CACHE STRING "Cards to compile kernels for")
set(ISOGRID_HAS_CUDA OFF)
find_package(CUDAToolkit QUIET)
if(ISOGRID_CUDA AND CUDAToolkit_NVCC_EXECUTABLE AND TARGET CUDA::cublasLt)
    set(CMAKE_CUDA_COMPILER ${CUDAToolkit_NVCC_EXECUTABLE})
    set(CMAKE_CUDA_ARCHITECTURES ${ISOGRID_CUDA_ARCHITECTURES})
    enable_language(CUDA)
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)  # CMake 3.25 does not know that nvcc 13 has it
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
    set(ISOGRID_HAS_CUDA ON)
    message(STATUS "CUDA ${CUDAToolkit_VERSION}: building kernels for ${ISOGRID_CUDA_ARCHITECTURES}")
    # NCCL links the cards of a trial; only its header is needed to build, and its library where cards are.
    find_path(ISOGRID_NCCL_INCLUDE nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
    find_library(ISOGRID_NCCL_LIBRARY NAMES nccl libnccl.so.2 HINTS ${CUDAToolkit_LIBRARY_DIR} ${CUDAToolkit_TARGET_DIR}/lib)
    if(ISOGRID_NCCL_INCLUDE)
        message(STATUS "NCCL found (${ISOGRID_NCCL_INCLUDE}): cards of a trial exchange gradients by themselves")
    else()
        message(STATUS "NCCL not found (no nccl.h): cards of a trial exchange gradients through the program's memory")
    endif()
elseif(NOT ISOGRID_CUDA)
    message(STATUS "CUDA not wanted (ISOGRID_CUDA is off): built without")
else()
    message(STATUS "CUDA not found (no nvcc, or no cuBLASLt beside it): built without; device = \"cuda\" will say so")
endif()

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
pkg_check_modules(hdf5_serial REQUIRED IMPORTED_TARGET hdf5-serial)
add_library(isogrid::hdf5 ALIAS PkgConfig::hdf5_serial)

# oneDNN as Debian ships it has no CMake package.
find_path(DNNL_INCLUDE_DIR dnnl.h REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)
add_library(isogrid_dnnl INTERFACE)
target_include_directories(isogrid_dnnl SYSTEM INTERFACE ${DNNL_INCLUDE_DIR})
target_link_libraries(isogrid_dnnl INTERFACE ${DNNL_LIBRARY})
add_library(isogrid::dnnl ALIAS isogrid_dnnl)

# CUDA is used where it is found and never required. There is no CUDA backend yet: kernels/cuda/no_cuda.cpp stands in
# for it, and says so to whoever asks for one.
find_package(CUDAToolkit QUIET)
if(CUDAToolkit_FOUND)
    message(STATUS "CUDA ${CUDAToolkit_VERSION} found; this version of isogrid has no CUDA backend yet")
else()
    message(STATUS "CUDA not found; not needed")
endif()

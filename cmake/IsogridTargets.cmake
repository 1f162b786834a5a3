# isogrid_library(NAME SOURCES ... HEADERS ... DEPENDS ... PRIVATE_DEPENDS ...)
# One folder, one library. Headers are included from the layer's root ("study/trial.hpp"), and each must
# compile alone: the target all_verify_interface_header_sets checks it.
function(isogrid_library name)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "" "INCLUDE_ROOT" "SOURCES;HEADERS;DEPENDS;PRIVATE_DEPENDS")
    if(NOT ARG_INCLUDE_ROOT)
        set(ARG_INCLUDE_ROOT ${CMAKE_SOURCE_DIR}/src)
    endif()
    add_library(isogrid_${name} STATIC ${ARG_SOURCES})
    add_library(isogrid::${name} ALIAS isogrid_${name})
    target_sources(isogrid_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${ARG_INCLUDE_ROOT} FILES ${ARG_HEADERS})
    set_target_properties(isogrid_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON POSITION_INDEPENDENT_CODE ON)
    # -Wno-restrict: GCC 12 warns of std::string's own operator+ (its bug 105651).
    target_compile_options(isogrid_${name} PRIVATE
        $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic>
        $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict>
        $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr -diag-suppress=554 -Xcompiler=-Wall,-Wextra>)
    target_link_libraries(isogrid_${name} PUBLIC ${ARG_DEPENDS} PRIVATE ${ARG_PRIVATE_DEPENDS})
endfunction()

# For tests that start MPI, read by the preset "sanitize" alone. What Open MPI leaves behind is known by the libraries
# that called it (tests/sanitize/leaks.supp), which only the slow way to look at a stack finds. It makes of seconds
# minutes where memory is asked for by the million, hence not for all.
set(isogrid_starts_mpi ENVIRONMENT_MODIFICATION "ASAN_OPTIONS=string_append::fast_unwind_on_malloc=0")

# isogrid_test(NAME SOURCES ... DEPENDS ... [PROPERTIES ...]): a GoogleTest program, its cases registered with CTest.
function(isogrid_test name)
    cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;DEPENDS;PROPERTIES")
    add_executable(test_${name} ${ARG_SOURCES})
    target_compile_options(test_${name} PRIVATE -Wall -Wextra)
    target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
    target_compile_definitions(test_${name} PRIVATE ISOGRID_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    target_link_libraries(test_${name} PRIVATE ${ARG_DEPENDS} GTest::gtest GTest::gmock GTest::gtest_main)
    gtest_discover_tests(test_${name} TEST_PREFIX ${name}. DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 600 ${ARG_PROPERTIES})
endfunction()

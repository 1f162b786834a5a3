// The inputs under libFuzzer, which looks at the code that each file reaches: `./dev fuzz` builds and starts
// it.
// `--kind=KIND` says which input, `--examples=FOLDER` has its good files put there; all other options are
// libFuzzer's.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "archive/sample_records.hpp"
#include "base/digest.hpp"
#include "fuzz/hdf5_checksums.hpp"
#include "fuzz/inputs.hpp"

namespace isogrid::fuzz {
namespace {

/// The input that this process feeds, for the calls that libFuzzer makes.
struct Fed {
    archive::sample::Folder scratch;
    Input input;
};

Fed& fed(const std::string& kind = {}) {
    static Fed* const here = [&] {
        auto made = std::make_unique<Fed>();
        for (const Input& input : inputs(made->scratch.path()))
            if (input.kind == kind) made->input = input;
        return made.release();  // libFuzzer ends the process where it likes
    }();
    return *here;
}

std::string value_of(const std::string& option, int count, char** values) {
    for (int i = 1; i < count; ++i)
        if (const std::string word = values[i]; word.starts_with("--" + option + "="))
            return word.substr(option.size() + 3);
    return {};
}

}  // namespace
}  // namespace isogrid::fuzz

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

extern "C" int LLVMFuzzerInitialize(int* count, char*** values) {
    using namespace isogrid;
    const std::string kind = fuzz::value_of("kind", *count, *values);
    const fuzz::Input& input = fuzz::fed(kind).input;
    if (!input.read) {
        std::cerr << "fuzz_covered: no such kind: \"" << kind << "\" (see tests/fuzz/inputs.cpp)\n";
        std::exit(2);
    }
    if (const std::string folder = fuzz::value_of("examples", *count, *values); !folder.empty())
        for (const std::string& example : input.examples())
            archive::sample::put_bytes(std::filesystem::path(folder) / base::sha256(example), example);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    isogrid::fuzz::fed().input.read({reinterpret_cast<const char*>(data), size});
    return 0;
}

/// libFuzzer's own damage, and for three of four HDF5 files the checksums that go with it.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most,
                                               unsigned seed) {
    size = LLVMFuzzerMutate(data, size, most);
    if (!isogrid::fuzz::fed().input.hdf5 || seed % 4 == 0) return size;
    std::string bytes(reinterpret_cast<const char*>(data), size);
    isogrid::fuzz::repair_checksums(bytes);
    std::copy(bytes.begin(), bytes.end(), data);
    return size;
}

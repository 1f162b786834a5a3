// fuzz KIND [--executions N] [--seconds S] [--seed S] [FILE|FOLDER]...: feeds damaged files of a kind to what
// reads them. First each FILE and each good example as it is, then N mutations of them. Any end but status 0
// is a fault; the bytes that were being read then stand in ./fuzz-KIND.bytes.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <unistd.h>

#include <sys/resource.h>

#include "archive/sample_records.hpp"
#include "fuzz/held_file.hpp"
#include "fuzz/inputs.hpp"

namespace isogrid::fuzz {
namespace {

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t limit) {
    return limit == 0 ? 0 : random() % limit;
}

/// One small damage: what bad disks, other programs and editors do.
void damage(std::string& bytes, const std::string& other, Random& random) {
    constexpr std::string_view letters = "0123456789-+.eE,;\"'[]{}=#\n\r\t \\\xff\x00nai";
    const std::size_t at = below(random, bytes.size() + 1);
    const std::size_t length = std::min(bytes.size() - at, std::size_t{1} << below(random, 8));
    switch (below(random, 8)) {
        case 0:
            if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(random, 8)));
            break;
        case 1:
            if (at < bytes.size()) bytes[at] = static_cast<char>(random());
            break;
        case 2:
            bytes.erase(at, length);
            break;
        case 3:
            bytes.insert(at, 1, letters[below(random, letters.size())]);
            break;
        case 4:
            bytes.insert(at, bytes.substr(below(random, bytes.size() + 1), length));
            break;
        case 5:
            if (!other.empty()) bytes.insert(at, other.substr(below(random, other.size()), length));
            break;
        case 6: {  // a number of some width: none, all, or one bit
            std::uint64_t number = below(random, 3) == 0 ? 0
                                   : below(random, 2)    ? ~0ULL
                                                         : 1ULL << below(random, 64);
            const std::size_t width = std::min(bytes.size() - at, std::size_t{1} << below(random, 4));
            std::memcpy(bytes.data() + at, &number, width);
            break;
        }
        default:
            bytes.resize(at);
    }
}

struct Request {
    std::string kind;
    long executions = 0;
    double seconds = 1e9;
    std::uint64_t seed = 1;
    std::vector<std::filesystem::path> files;
};

Request parse(int count, char** values) {
    Request request;
    if (count > 1) request.kind = values[1];
    for (int i = 2; i < count; ++i) {
        const std::string word = values[i];
        const bool more = i + 1 < count;
        if (word == "--executions" && more)
            request.executions = std::atol(values[++i]);
        else if (word == "--seconds" && more)
            request.seconds = std::atof(values[++i]);
        else if (word == "--seed" && more)
            request.seed = std::strtoull(values[++i], nullptr, 10);
        else if (std::filesystem::is_directory(word))
            for (const auto& entry : std::filesystem::directory_iterator(word))
                request.files.push_back(entry.path());
        else
            request.files.push_back(word);
    }
    std::sort(request.files.begin(), request.files.end());
    return request;
}

int run(const Request& request) {
    const archive::sample::Folder scratch;
    const std::vector<Input> all = inputs(scratch.path());
    const auto input =
        std::find_if(all.begin(), all.end(), [&](const Input& of) { return of.kind == request.kind; });
    if (input == all.end()) {
        std::cerr << "fuzz: no such kind: " << request.kind << " (see tests/fuzz/inputs.cpp)\n";
        return 2;
    }
    std::vector<std::string> corpus = input->examples();
    for (const auto& file : request.files)
        corpus.push_back(archive::sample::bytes_of(file));

    // No file may take more memory than this, however large it says to be; nor more than a minute.
    const rlimit memory{std::size_t{4} << 30, std::size_t{4} << 30};
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    setrlimit(RLIMIT_AS, &memory);
#else
    static_cast<void>(memory);  // sanitizers reserve far more
#endif
    const HeldFile at_work("fuzz-" + request.kind + ".bytes");
    const auto execute = [&](const std::string& bytes) {
        at_work.put(bytes);
        alarm(60);
        input->read(bytes);
    };
    for (const std::string& bytes : corpus)
        execute(bytes);

    Random random(request.seed);
    const auto start = std::chrono::steady_clock::now();
    long done = 0;
    for (; done < request.executions; ++done) {
        if (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() > request.seconds)
            break;
        std::string bytes = corpus[below(random, corpus.size())];
        for (std::size_t damages = 1 + below(random, 4); damages > 0; --damages)
            damage(bytes, corpus[below(random, corpus.size())], random);
        execute(bytes);
    }
    alarm(0);
    std::filesystem::remove("fuzz-" + request.kind + ".bytes");
    std::cout << request.kind << ": " << corpus.size() << " files and " << done << " mutations read\n";
    return 0;
}

}  // namespace
}  // namespace isogrid::fuzz

int main(int count, char** values) {
    try {
        return isogrid::fuzz::run(isogrid::fuzz::parse(count, values));
    } catch (const std::exception& error) {
        std::cerr << "fuzz: " << error.what() << "\n";
        return 1;
    }
}

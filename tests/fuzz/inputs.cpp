#include "fuzz/inputs.hpp"

#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <memory>

#include "analysis/runs/runs.hpp"
#include "archive/archive.hpp"
#include "archive/checkpoint_file.hpp"
#include "archive/sample_records.hpp"
#include "archive/segment.hpp"
#include "archive/trial_file.hpp"
#include "archive/verify.hpp"
#include "data/json_lines.hpp"
#include "data/npy.hpp"
#include "data/token_arrays.hpp"
#include "data/token_file.hpp"
#include "data/tokenize.hpp"
#include "data/tokenizer.hpp"
#include "fuzz/held_file.hpp"
#include "study/job_text.hpp"

namespace isogrid::fuzz {

namespace {

using Path = std::filesystem::path;

std::string bytes_of(const Path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

Path put(const Path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    return path;
}

const archive::Writer writer{"fuzz", {}};

study::Trial checkpointed_trial() {
    study::Trial trial;
    trial.shape = {.width = 8, .depth = 1, .heads = 1, .mlp_width = 8, .vocabulary = 12, .context = 8};
    trial.steps = 100;
    trial.token_digest = std::string(64, 'a');
    return trial;
}

std::string checkpoint_file(const Path& path) {
    const study::Trial trial = checkpointed_trial();
    const auto parameters = static_cast<std::size_t>(study::count_parameters(trial.shape).total());
    archive::Checkpoint checkpoint;
    checkpoint.step = 41;
    checkpoint.curve.resize(2);
    checkpoint.sums = {.loss = 0.1, .steps = 0.2};
    checkpoint.weights = checkpoint.first_moment = checkpoint.second_moment =
        std::vector<float>(parameters, 0.5F);
    archive::write_checkpoint(path, trial, "avx2", std::move(checkpoint), writer);
    return bytes_of(path);
}

std::string archive_file(const Path& path) {
    archive::Archive archive;
    archive.study_name = "study";
    archive.job_text = "a job";
    archive.build = {{"revision", "0"}};
    for (std::int64_t index = 0; index < 3; ++index)
        archive.trials.push_back(archive::sample::record(index));
    archive::write_archive(path, archive, writer);
    return bytes_of(path);
}

std::string token_file(const Path& folder) {
    put(folder / "text", "The quick brown fox jumps over the lazy dog.\nAnother line.\n");
    const Path out = folder / "text.tok";
    const auto written = data::tokenize(
        {.texts = {(folder / "text").string()}, .out = out, .tokenizer = "bytes", .validation = 0.2});
    return written ? bytes_of(out) : std::string();
}

void read_token_array(const Path& path) {
    const files::Descriptor opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    static_cast<void>(data::for_each_token_block(
        opened, "tokens", 300, [](std::span<const data::Token>) -> base::Result<void> { return {}; }));
}

/// What NumPy, llm.c and nanoGPT write.
std::vector<std::string> token_arrays(const Path& folder) {
    const std::vector<data::Token> tokens = {7, 8, 9, 299};
    static_cast<void>(data::write_npy(folder / "tokens.npy", tokens, std::vector<std::int64_t>{4}));
    const std::string numbers("\7\0\x10\1", 4);
    std::string header("\x88\xd8\x34\1\1\0\0\0\2\0\0\0", 12);  // 20240520, version 1, 2 tokens
    header.resize(1024, '\0');
    return {bytes_of(folder / "tokens.npy"), header + numbers, numbers};
}

std::string sentencepiece_model() {
    std::vector<std::string> lines;
    for (int i = 0; i < 50; ++i)
        lines.push_back("line " + std::to_string(i * i) + " of a text about quick brown foxes");
    return data::train_sentencepiece(lines, data::smallest_sentencepiece_vocabulary).value_or("");
}

void read_model(const std::string& bytes) {
    const auto tokenizer = data::make_sentencepiece_tokenizer(bytes, "model");
    if (!tokenizer) return;
    std::vector<data::Token> tokens;
    (*tokenizer)->encode("quick brown \xff foxes", tokens);
    (*tokenizer)->decode(tokens);
}

void read_runs(const Path& path) {
    for (const char* columns :
         {"parameters=n,tokens=d,loss=l", "parameters=n,flops=c,loss=l", "run=r,step=s,batch=b,loss=l"}) {
        analysis::CsvRequest request;
        request.file = path;
        if (const auto roles = analysis::parse_columns(columns)) request.columns = *roles;
        static_cast<void>(analysis::read_csv(request));
        request.skip_bad_rows = true;
        static_cast<void>(analysis::read_csv(request));
    }
}

}  // namespace

std::vector<Input> inputs(const Path& scratch) {
    // Spaces and newlines are letters like others.
    const auto file = std::make_shared<const HeldFile>(scratch / "in put\n.h5");
    return {
        {"job", [](const std::string& bytes) { static_cast<void>(study::testing::parsed(bytes)); },
         [] { return std::vector{study::testing::smallest_job()}; }},
        {"csv", [=](const std::string& bytes) { read_runs(file->put(bytes)); },
         [] {
             return std::vector<std::string>{"n,d,l,c\n1e6,2e7,3.5,1e15\n2e6,2e7,3.25,2e15\n",
                                             "r,s,b,l\na,1,8,3\na,2,8,2.5\nb,1,8,\"3.1\"\n"};
         }},
        {"token_file",
         [=](const std::string& bytes) {
             if (const auto tokens = data::TokenFile::open(file->put(bytes)))
                 static_cast<void>(tokens->verify());
         },
         [=] { return std::vector{token_file(scratch)}; }},
        {"token_array", [=](const std::string& bytes) { read_token_array(file->put(bytes)); },
         [=] { return token_arrays(scratch); }},
        {"json_lines",
         [=](const std::string& bytes) {
             const files::Descriptor opened(::open(file->put(bytes).c_str(), O_RDONLY | O_CLOEXEC));
             static_cast<void>(data::for_each_document(
                 opened, "lines", "text", [](std::string_view) -> base::Result<void> { return {}; }));
         },
         [] {
             return std::vector<std::string>{
                 "{\"text\":\"A document.\",\"id\":[1,null]}\n\n{\"text\":\"\\u00e9\"}"};
         }},
        {"sentencepiece", read_model, [] { return std::vector{sentencepiece_model()}; }},
        {"trial_file",
         [=](const std::string& bytes) {
             static_cast<void>(archive::read_trial_file(file->put(bytes), archive::WeightsUse::keep));
         },
         [=] {
             return std::vector{
                 bytes_of(*archive::write_trial_file(scratch, archive::sample::record(3), writer))};
         },
         true},
        {"segment", [=](const std::string& bytes) { archive::read_segment(file->put(bytes)); },
         [=] {
             return std::vector{bytes_of(*archive::write_segment(
                 scratch, {archive::sample::record(3), archive::sample::record(4)}, {}, writer))};
         },
         true},
        {"archive",
         [=](const std::string& bytes) {
             const Path& path = file->put(bytes);
             static_cast<void>(archive::list_archive(path));
             static_cast<void>(archive::read_archive(path, archive::WeightsUse::keep));
             static_cast<void>(archive::verify_archive(path));
         },
         [=] { return std::vector{archive_file(scratch / "a.h5")}; }, true},
        {"checkpoint",
         [=](const std::string& bytes) {
             static_cast<void>(archive::read_checkpoint(file->put(bytes), checkpointed_trial(), "avx2"));
         },
         [=] { return std::vector{checkpoint_file(scratch / "c.h5")}; }, true},
    };
}

}  // namespace isogrid::fuzz

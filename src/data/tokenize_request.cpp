#include "data/tokenize_request.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string_view>

#include "data/token_format.hpp"
#include "data/tokenizer.hpp"

namespace isogrid::data {

bool trains_vocabulary(const TokenizeRequest& request) {
    return request.tokenizer.starts_with("sentencepiece:");
}

bool takes_tokens(const TokenizeRequest& request) {
    return request.tokenizer.starts_with("tokens:");
}

std::optional<std::int64_t> vocabulary_asked(const std::string& tokenizer) {
    const char* first = tokenizer.data() + tokenizer.find(':') + 1;
    const char* last = tokenizer.data() + tokenizer.size();
    std::int64_t vocabulary = 0;
    const auto [end, error] = std::from_chars(first, last, vocabulary);
    return error == std::errc() && end == last ? std::optional(vocabulary) : std::nullopt;
}

std::vector<std::string> all_texts(const TokenizeRequest& request) {
    std::vector<std::string> names = request.texts;
    names.insert(names.end(), request.held_out.begin(), request.held_out.end());
    return names;
}

std::optional<std::filesystem::path> trained_model(const TokenizeRequest& request) {
    if (!trains_vocabulary(request)) return std::nullopt;
    return std::filesystem::path(request.out).replace_extension(".model");
}

namespace {

using base::Faults;

void check_texts(const TokenizeRequest& request, Faults& faults) {
    if (request.texts.empty())
        faults.push_back({"", "no text given", "there is nothing to tokenize",
                          request.held_out.empty() ? "name text files, or - for standard input"
                                                   : "name those to train on before --held-out"});
    if (std::ranges::count(all_texts(request), "-") > 1)
        faults.push_back({"-", "is given twice", "standard input can be read once", "name it once"});
}

void check_place_and_share(const TokenizeRequest& request, Faults& faults) {
    if (request.out.empty())
        faults.push_back(
            {"--out", "no file given", "the tokens need a place", "name one, such as corpus.tok"});
    if (!(request.validation > 0 && request.validation <= 0.5)) {
        std::ostringstream value;
        value << request.validation;
        faults.push_back({"--validation", value.str() + " cannot be used",
                          "it is the part held out: above 0, at most 0.5", "the usual value is 0.01"});
    }
}

void check_vocabulary(const TokenizeRequest& request, std::int64_t smallest, std::string_view what,
                      std::string_view for_example, Faults& faults) {
    const auto vocabulary = vocabulary_asked(request.tokenizer);
    if (!vocabulary || *vocabulary < smallest || *vocabulary > largest_vocabulary)
        faults.push_back({"--tokenizer", request.tokenizer + " cannot be used",
                          "a vocabulary has " + std::to_string(smallest) + " to " +
                              std::to_string(largest_vocabulary) + " " + std::string(what),
                          "write for example " + std::string(for_example)});
}

void check_tokenizer(const TokenizeRequest& request, Faults& faults) {
    if (trains_vocabulary(request))
        check_vocabulary(request, smallest_sentencepiece_vocabulary, "pieces", "sentencepiece:4096", faults);
    else if (takes_tokens(request))
        check_vocabulary(request, 2, "tokens", "tokens:50257", faults);
    else if (request.tokenizer != "bytes" && !request.tokenizer.ends_with(".model"))
        faults.push_back({"--tokenizer", "there is no tokenizer '" + request.tokenizer + "'",
                          "known are bytes, sentencepiece:VOCABULARY, the path of a .model file, and "
                          "tokens:VOCABULARY for texts that are tokens already",
                          "name one of them"});
}

void check_overwrites(const TokenizeRequest& request, Faults& faults) {
    std::vector<std::string> inputs = all_texts(request);
    if (request.tokenizer.ends_with(".model")) inputs.push_back(request.tokenizer);
    std::vector<std::filesystem::path> outputs = {request.out};
    if (trains_vocabulary(request)) {
        outputs.push_back(*trained_model(request));
        if (outputs[0] == outputs[1])
            faults.push_back({"--out", request.out.string() + " cannot be used",
                              "the vocabulary's model has this name", "name it FILE.tok"});
    }
    for (const std::string& input : inputs)
        for (const std::filesystem::path& output : outputs) {
            std::error_code ignored;
            if (std::filesystem::equivalent(input, output, ignored))
                faults.push_back({input, "would be overwritten", "it is read and written at once",
                                  "give the output another name"});
        }
}

}  // namespace

base::Faults check(const TokenizeRequest& request) {
    base::Faults faults;
    check_texts(request, faults);
    check_place_and_share(request, faults);
    check_tokenizer(request, faults);
    if (takes_tokens(request) && !request.json_field.empty())
        faults.push_back({"--json-field", "cannot be given with --tokenizer " + request.tokenizer,
                          "tokens are no JSON", "leave one of them out"});
    check_overwrites(request, faults);
    return faults;
}

}  // namespace isogrid::data

#include "data/tokenize.hpp"

#include <iostream>
#include <string>
#include <vector>

#include "data/token_file.hpp"
#include "files/unfinished_files.hpp"
#include "verbs/verbs.hpp"

namespace isogrid::verbs {
namespace {

int tokenize(const options::variables_map& given) {
    files::remove_unfinished_files_when_ended();
    data::TokenizeRequest request{.texts = {},
                                  .out = text(given, "out"),
                                  .tokenizer = text(given, "tokenizer"),
                                  .validation = given["validation"].as<double>(),
                                  .held_out = {},
                                  .json_field = {}};
    if (given.contains("TEXT")) request.texts = given["TEXT"].as<std::vector<std::string>>();
    if (given.contains("json-field")) request.json_field = text(given, "json-field");
    if (given.contains("held-out")) {
        request.held_out = given["held-out"].as<std::vector<std::string>>();
        if (!given["validation"].defaulted())
            return refuse({{"--validation", "cannot be given with --held-out",
                            "what --held-out names is all that is held out", "leave one of them out"}});
    }
    if (request.json_field.empty())
        for (const std::string& name : request.texts)
            if (name.ends_with(".jsonl") || name.ends_with(".json"))
                std::cerr << "note: " << name
                          << " is taken as plain text (no --json-field is given) name the field "
                          << "of its documents, if it is JSON Lines\n";
    const auto before = data::TokenFile::open(request.out);
    const auto written = data::tokenize(request);
    if (!written) return refuse(written.error());
    std::cout << text(given, "out") << ": " << written->training_tokens << " training and "
              << written->validation_tokens << " validation tokens, vocabulary " << written->vocabulary
              << ", " << written->tokenizer << "\ndigest " << written->digest << "\n";
    if (const auto model = data::trained_model(request)) std::cout << "tokenizer " << model->string() << "\n";
    if (before && before->header().digest != written->digest)
        std::cout << "it replaces tokens of digest " << before->header().digest
                  << ": archives made with those can no longer be gone on with or retrained\n";
    if ((request.held_out.empty() ? request.texts : request.held_out).size() > 1)
        std::cout << "held-out blocks stand in the order of the texts: where these differ in kind, and a job "
                     "has evaluation.tokens below "
                  << written->validation_tokens << ", let it say evaluation.sample = \"spread\"\n";
    return exit_done;
}

}  // namespace

Verb tokenize_verb() {
    using options::value;
    Verb verb{
        .name = "tokenize",
        .arguments =
            "TEXT... --out FILE.tok [--tokenizer T] [--json-field F] "
            "[--validation F | --held-out TEXT...]",
        .summary =
            "Turns text files (- is standard input), or tokens that are made already, into one token file "
            "with a held-out validation part.",
        .positions = {"TEXT"},
        .many = true,
        .run = tokenize};
    auto option = verb.described.add_options();
    option("out", value<std::string>()->required(), "the token file to write");
    option(
        "tokenizer", value<std::string>()->default_value("bytes"),
        "bytes, sentencepiece:VOCABULARY to train one, a .model file, or tokens:VOCABULARY where TEXTs are "
        "tokens already (NumPy's .npy, llm.c's .bin, or numbers of 16 bits)");
    option("validation", value<double>()->default_value(0.01),
           "fraction of the text to hold out, spread over it");
    option("json-field", value<std::string>(),
           "TEXTs are JSON Lines, and a document is under this name: whole documents are held out");
    option("held-out", value<std::vector<std::string>>()->multitoken(),
           "texts to hold out whole, instead of a fraction");
    return verb;
}

}  // namespace isogrid::verbs

#include "verbs/exported_tokenizer.hpp"

#include <iostream>
#include <utility>
#include <vector>

#include "base/digest.hpp"
#include "data/token_file.hpp"
#include "data/tokenizer_export.hpp"
#include "files/text.hpp"

namespace isogrid::verbs {

base::Result<ExportedTokenizer> tokenizer_of(const archive::Archive& archive,
                                             const std::filesystem::path& place,
                                             const options::variables_map& given) {
    ExportedTokenizer found{
        .name = archive::value_of(archive.build, "tokenizer"), .model = {}, .model_path = {}};
    std::vector<std::filesystem::path> token_files;
    if (given.contains("tokens")) token_files.push_back(text(given, "tokens"));
    if (const std::string named = archive::value_of(archive.build, "token_file"); !named.empty()) {
        token_files.push_back(place.parent_path() / named);
        token_files.emplace_back(named);
    }
    if (found.name.empty())  // an archive of an earlier version
        for (const std::filesystem::path& path : token_files)
            if (const auto tokens = data::TokenFile::open(path);
                tokens && tokens->header().digest == archive.corpus.digest)
                found.name = tokens->header().tokenizer;

    std::vector<std::filesystem::path> models;
    if (given.contains("tokenizer"))
        models = {text(given, "tokenizer")};
    else
        for (std::filesystem::path& path : token_files)
            models.push_back(path.replace_extension(".model"));
    for (const std::filesystem::path& path : models) {
        auto model = files::read_text(path, "a .model file");
        if (!model && given.contains("tokenizer")) return tl::unexpected(model.error());
        if (!model || "sentencepiece:" + base::sha256(*model) != found.name) continue;
        found.model = std::move(*model);
        found.model_path = path.string();
        return found;
    }
    if (given.contains("tokenizer"))
        return base::fail(text(given, "tokenizer"), "is not the tokenizer of this archive",
                          found.name.empty() ? "nobody knows what its tokens were made with"
                                             : "its tokens were made with " + found.name,
                          "leave --tokenizer out, or name the right model");
    return found;
}

base::Result<void> export_tokenizer(const ExportedTokenizer& tokenizer, const std::filesystem::path& folder,
                                    std::int64_t context) {
    std::error_code ignored;  // of an earlier export, which would be taken for this model's
    for (const char* earlier : {"tokenizer.json", "tokenizer.model", "tokenizer_config.json"})
        std::filesystem::remove(folder / earlier, ignored);
    if (tokenizer.name == "bytes") return data::export_byte_tokenizer(folder, context);
    if (!tokenizer.model.empty()) {
        const auto exported =
            data::export_sentencepiece_tokenizer(tokenizer.model, tokenizer.model_path, folder, context);
        if (!exported) return tl::unexpected(exported.error());
        if (!*exported)
            std::cerr
                << "note: tokenizer.model normalizes text, so its tokenizer_config.json was not written "
                   "(only its maker has the settings) copy that beside it\n";
        return {};
    }
    const bool is_sentencepiece = tokenizer.name.starts_with("sentencepiece:");
    std::cerr << "note: no tokenizer was exported ("
              << (is_sentencepiece             ? "its model is not beside the token file"
                  : tokenizer.name == "tokens" ? "the tokens were made by another program"
                                               : "nobody knows what the tokens were made with")
              << ") "
              << (is_sentencepiece ? "name it with --tokenizer FILE.model" : "put its files beside the model")
              << "\n";
    return {};
}

}  // namespace isogrid::verbs

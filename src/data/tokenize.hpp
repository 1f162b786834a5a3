// What `isogrid tokenize` does: texts in, one token file out.
#pragma once

#include "base/fault.hpp"
#include "data/token_file.hpp"
#include "data/tokenize_request.hpp"

namespace isogrid::data {

/// Cuts the texts, in their order, into blocks: of whole paragraphs of about 4 KB (text_blocks.hpp), of 4,096
/// tokens, or the documents of JSON Lines; a block never spans two texts. Block n is held out for validation
/// where the n-th of a fixed row of random numbers in (0, 1) lies below `validation`: held-out text is spread
/// over the corpus, and no byte is in both parts. `sentencepiece:VOCABULARY` first trains a vocabulary on a
/// sample of the training blocks and keeps it beside the output, as FILE.model of FILE.tok. Returns the
/// header of the file written; on failure, nothing is left of the output, and an older file of its name is
/// untouched.
base::Result<TokenFileHeader> tokenize(const TokenizeRequest& request);

}  // namespace isogrid::data

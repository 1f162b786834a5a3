// What a crate must say of itself (RO-Crate 1.1), and that it says the truth of its files.
#include "archive/crate.hpp"

#include <map>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "archive/sample_records.hpp"
#include "base/digest.hpp"

using namespace isogrid;
using namespace isogrid::archive;
using nlohmann::json;

namespace {

class Crate : public testing::Test {
  protected:
    Crate() {
        archive_.study_name = "study";
        archive_.job_text = "[study]\nname = \"study\"\n";
        archive_.corpus = {
            .vocabulary = 256, .training_tokens = 1000, .validation_tokens = 10, .digest = "abc"};
        for (std::int64_t index = 0; index < 3; ++index)
            archive_.trials.push_back(sample::record(index));
        write_archive(path_, archive_, writer_);
    }

    /// The entities by their @id; each may be there once.
    static std::map<std::string, json> entities(const json& metadata) {
        std::map<std::string, json> found;
        for (const json& entity : metadata.at("@graph"))
            EXPECT_TRUE(found.emplace(entity.at("@id"), entity).second) << entity.at("@id");
        return found;
    }

    sample::Folder folder_;
    Archive archive_;
    std::filesystem::path path_ = folder_.path() / "out put.h5", crate_ = folder_.path() / "crate";
    Writer writer_{"test", {}};
};

/// Every {"@id": ...} inside `value`.
void references(const json& value, std::vector<std::string>& found) {
    if (value.is_object() && value.size() == 1 && value.contains("@id")) found.push_back(value["@id"]);
    if (value.is_structured())
        for (const json& part : value)
            references(part, found);
}

}  // namespace

TEST_F(Crate, hasWhatTheSpecificationAsksFor) {
    ASSERT_TRUE(write_crate(path_, crate_, "https://spdx.org/licenses/CC-BY-4.0", writer_));
    const json metadata = json::parse(sample::bytes_of(crate_ / "ro-crate-metadata.json"));
    EXPECT_EQ(metadata["@context"][0], "https://w3id.org/ro/crate/1.1/context");
    auto all = entities(metadata);
    const json& descriptor = all.at("ro-crate-metadata.json");
    EXPECT_EQ(descriptor["@type"], "CreativeWork");
    EXPECT_EQ(descriptor["conformsTo"]["@id"], "https://w3id.org/ro/crate/1.1");
    EXPECT_EQ(descriptor["about"]["@id"], "./");
    const json& root = all.at("./");
    EXPECT_EQ(root["@type"], "Dataset");
    EXPECT_EQ(root["name"], "study");
    EXPECT_FALSE(root["description"].get<std::string>().empty());
    EXPECT_EQ(root["datePublished"].get<std::string>().size(), std::string("2026-11-26T00:00:00Z").size());
    EXPECT_EQ(root["license"]["@id"], "https://spdx.org/licenses/CC-BY-4.0");
    EXPECT_EQ(root["hasPart"].size(), 2u);
    EXPECT_EQ(all.at("#sweep")["instrument"]["@id"], "#isogrid");
    EXPECT_EQ(all.at("#tokens")["sha256"], "abc");

    // What is named is described, but for the specification itself.
    for (const auto& [id, entity] : all) {
        std::vector<std::string> named;
        for (const auto& [key, value] : entity.items())
            references(value, named);
        for (const std::string& name : named)
            EXPECT_TRUE(all.contains(name) || name == "https://w3id.org/ro/crate/1.1")
                << id << " names " << name;
    }
}

TEST_F(Crate, saysTheTruthOfItsFiles) {
    ASSERT_TRUE(write_crate(path_, crate_, "", writer_));
    auto all = entities(json::parse(sample::bytes_of(crate_ / "ro-crate-metadata.json")));
    EXPECT_FALSE(all.at("./").contains("license"));
    int files = 0;
    for (const auto& [id, entity] : all) {
        if (entity["@type"] != "File") continue;
        ++files;
        const std::string bytes = sample::bytes_of(crate_ / entity["name"].get<std::string>());
        EXPECT_EQ(entity["sha256"], base::sha256(bytes)) << id;
        EXPECT_EQ(entity["contentSize"], std::to_string(bytes.size())) << id;
    }
    EXPECT_EQ(files, 2);
    EXPECT_TRUE(all.contains("out%20put.h5"));
    EXPECT_EQ(sample::bytes_of(crate_ / "job.toml"), archive_.job_text);
    EXPECT_EQ(all.at("out%20put.h5")["identifier"], "sha256:" + archive_digest(archive_.trials));
}

TEST_F(Crate, isTheSameEachTime) {
    ASSERT_TRUE(write_crate(path_, crate_, "", writer_));
    ASSERT_TRUE(write_crate(path_, folder_.path() / "again", "", writer_));
    EXPECT_EQ(sample::bytes_of(crate_ / "ro-crate-metadata.json"),
              sample::bytes_of(folder_.path() / "again" / "ro-crate-metadata.json"));
}

TEST_F(Crate, holdsTheArchiveBehindALink) {
    std::filesystem::create_directory(folder_.path() / "elsewhere");
    const auto behind = folder_.path() / "elsewhere" / path_.filename();
    std::filesystem::rename(path_, behind);
    for (const auto& target : {std::filesystem::path("elsewhere") / path_.filename(), behind}) {
        std::filesystem::create_symlink(target, path_);
        ASSERT_TRUE(write_crate(path_, crate_, "", writer_)) << target;
        EXPECT_FALSE(std::filesystem::is_symlink(crate_ / path_.filename())) << target;
        EXPECT_EQ(sample::bytes_of(crate_ / path_.filename()), sample::bytes_of(behind)) << target;
        std::filesystem::remove(path_);
        std::filesystem::remove_all(crate_);
    }
}

TEST_F(Crate, takesNoTimeFromTrialsThatWereSetAside) {
    const auto sweep = [&] {
        return entities(json::parse(crate_metadata(archive_, "out.h5", 1, "digest", ""))).at("#sweep");
    };
    const json whole = sweep();
    TrialRecord set_aside = sample::ended(sample::record(3), Outcome::failed, "crashed");
    set_aside.provenance = {};
    archive_.trials.insert(archive_.trials.begin() + 1, set_aside);
    EXPECT_EQ(sweep().at("startTime"), whole.at("startTime"));
    EXPECT_EQ(sweep().at("endTime"), whole.at("endTime"));
    EXPECT_EQ(sweep().at("description").get<std::string>().substr(0, 15), "On a processor ");
    archive_.trials = {set_aside};
    EXPECT_FALSE(sweep().contains("startTime"));
}

TEST_F(Crate, isNotMadeOfADamagedArchiveNorOverAFolder) {
    std::filesystem::create_directory(crate_);
    EXPECT_FALSE(write_crate(path_, crate_, "", writer_));
    EXPECT_TRUE(std::filesystem::is_empty(crate_));
    std::filesystem::resize_file(path_, 100);
    EXPECT_FALSE(write_crate(path_, folder_.path() / "other", "", writer_));
    EXPECT_FALSE(std::filesystem::exists(folder_.path() / "other"));
}

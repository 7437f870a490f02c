#include "cuda/search.h"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>

namespace deep_rnn::cuda {

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

class Folders {
 public:
  void add(const std::string& folder) {
    struct stat status;
    if (stat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return;
    if (std::find(list_.begin(), list_.end(), folder) == list_.end()) list_.push_back(folder);
  }
  void add_loader_paths() { list_.push_back(""); }
  void add_matches(const std::string& pattern) {
    glob_t matches{};
    if (::glob(pattern.c_str(), 0, nullptr, &matches) == 0)
      for (size_t i = 0; i < matches.gl_pathc; i++) add(matches.gl_pathv[i]);
    globfree(&matches);
  }
  // A toolkit, or an environment of conda's.
  void add_prefix(const std::string& prefix) {
    if (prefix.empty()) return;
    add(prefix + "/lib64");
    add(prefix + "/lib");
    add_matches(prefix + "/targets/*-linux/lib");
  }
  void add_python(const std::string& prefix) {
    if (prefix.empty()) return;
    for (const char* packages : {"site-packages", "dist-packages"})
      add_matches(prefix + "/lib/python3*/" + packages + "/nvidia/*/lib");
  }
  std::vector<std::string> take() { return std::move(list_); }

 private:
  std::vector<std::string> list_;
};

}  // namespace

std::vector<std::string> library_folders() {
  Folders folders;
  const std::string own = environment("DEEP_RNN_CUDA_PATH");
  for (size_t begin = 0; begin <= own.size();) {
    const size_t end = std::min(own.find(':', begin), own.size());
    if (end > begin) folders.add(own.substr(begin, end - begin));
    begin = end + 1;
  }
  folders.add_loader_paths();
  for (const char* name : {"CUDA_HOME", "CUDA_PATH"}) folders.add_prefix(environment(name));
  folders.add_prefix("/usr/local/cuda");
  const std::string conda = environment("CONDA_PREFIX"), home = environment("HOME");
  folders.add_python(environment("VIRTUAL_ENV"));
  folders.add_prefix(conda);
  folders.add_python(conda);
  if (!home.empty()) folders.add_python(home + "/.local");
  folders.add_python("/usr/local");
  folders.add_python("/usr");
  folders.add_matches("/usr/lib/python3/dist-packages/nvidia/*/lib");
  return folders.take();
}

}  // namespace deep_rnn::cuda

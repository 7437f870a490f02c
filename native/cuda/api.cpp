#include "cuda/api.h"

#include <dlfcn.h>

#include <new>
#include <vector>

#include "core/error.h"
#include "cuda/search.h"

namespace deep_rnn::cuda {

namespace {

// The versions whose functions have the signatures of the headers, the newest first.
const std::vector<std::string> kDriverNames = {"libcuda.so.1"};
const std::vector<std::string> kCublasNames = {"libcublas.so.13", "libcublas.so.12"};
const std::vector<std::string> kCudnnMajors = {"9"};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// An open library, never closed: NVIDIA's libraries do not survive that.
struct Opened {
  void* handle = nullptr;
  std::string folder;   // "" : the loader's paths
  std::string failure;  // the loader's last words that say more than "no such file"
};

void* open_file(const std::string& folder, const std::string& name, std::string& failure) {
  const std::string path = folder.empty() ? name : folder + "/" + name;
  if (void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return handle;
  const char* words = dlerror();
  const bool absent = words && std::string(words).find("No such file") != std::string::npos;
  if (words && (failure.empty() || !absent)) failure = words;
  return nullptr;
}

Opened open_any(const std::vector<std::string>& folders, const std::vector<std::string>& names) {
  Opened opened;
  for (const std::string& folder : folders) {
    for (const std::string& name : names) {
      opened.handle = open_file(folder, name, opened.failure);
      if (!opened.handle) continue;
      opened.folder = folder;
      return opened;
    }
  }
  return opened;
}

std::string not_found(const std::vector<std::string>& names, const std::vector<std::string>& folders,
                      const std::string& words) {
  std::vector<std::string> places;
  for (const std::string& folder : folders) places.push_back(folder.empty() ? "the loader's paths" : folder);
  return "none of " + joined(names) + " could be opened in " + joined(places) + " (" + words + ")";
}

// The file that holds `function`; what the loader found need not be what was asked for.
std::string file_of(const void* function) {
  Dl_info info{};
  return dladdr(function, &info) != 0 && info.dli_fname ? info.dli_fname : "";
}

template <class Function>
void find(void* handle, const char* name, Function& function, std::string& missing) {
  void* address = dlsym(handle, name);
  if (!address) missing += (missing.empty() ? "" : ", ") + std::string(name);
  function = reinterpret_cast<Function>(address);
}

void finish(Library& library, const void* function, const std::string& missing) {
  library.path = function ? file_of(function) : "";
  if (!missing.empty()) library.failure = (library.path.empty() ? "the library" : library.path) + " has no " + missing;
}

#define DEEP_RNN_STRING(name) #name
#define DEEP_RNN_EXPANDED(name) DEEP_RNN_STRING(name)
#define DEEP_RNN_FIND(name) find(opened.handle, DEEP_RNN_EXPANDED(name), table.name, missing);

void load_driver(const std::vector<std::string>& folders, Api& table, Library& library) {
  const Opened opened = open_any(folders, kDriverNames);
  if (!opened.handle) {
    library.failure = not_found(kDriverNames, folders, opened.failure);
    return;
  }
  std::string missing;
  DEEP_RNN_DRIVER_API(DEEP_RNN_FIND)
  finish(library, reinterpret_cast<void*>(table.cuInit), missing);
}

void load_cublas(const std::vector<std::string>& folders, Api& table, Library& library) {
  const Opened opened = open_any(folders, kCublasNames);
  if (!opened.handle) {
    library.failure = not_found(kCublasNames, folders, opened.failure);
    return;
  }
  std::string missing;
  DEEP_RNN_CUBLAS_API(DEEP_RNN_FIND)
  finish(library, reinterpret_cast<void*>(table.cublasCreate), missing);
}

// libcudnn is a facade that opens its parts when they are needed and ends the process when one is missing. So the parts are
// opened first, from one folder, and the facade is asked whether it finds them by the one function that answers instead.
void load_cudnn(const std::vector<std::string>& folders, Api& table, Library& library) {
  std::vector<std::string> names;
  Opened opened;
  for (const std::string& major : kCudnnMajors) {
    for (const std::string& folder : folders) {
      bool whole = true;
      for (const char* part : {"libcudnn_graph.so.", "libcudnn_ops.so.", "libcudnn_adv.so."})
        whole = whole && open_file(folder, part + major, opened.failure);
      if (whole) opened.handle = open_file(folder, "libcudnn.so." + major, opened.failure);
      if (opened.handle) break;
    }
    if (opened.handle) break;
    for (const char* part : {"libcudnn.so.", "libcudnn_graph.so.", "libcudnn_ops.so.", "libcudnn_adv.so."})
      names.push_back(part + major);
  }
  if (!opened.handle) {
    library.failure = not_found(names, folders, opened.failure) + "; all of them must lie in one folder";
    return;
  }
  std::string missing;
  DEEP_RNN_CUDNN_API(DEEP_RNN_FIND)
  finish(library, reinterpret_cast<void*>(table.cudnnCreate), missing);
  if (!library.failure.empty()) return;
  const cudnnStatus_t status = table.cudnnAdvVersionCheck();
  if (status != CUDNN_STATUS_SUCCESS)
    library.failure =
        library.path + ": its parts do not fit together (cudnnAdvVersionCheck gave " + std::to_string(status) + ")";
}

// The driver comes first and alone: the others are large, and nothing works without it.
Libraries& with_driver() {
  static Libraries all = [] {
    Libraries libraries;
    libraries.driver.name = "CUDA driver";
    libraries.cublas.name = "cuBLAS";
    libraries.cudnn.name = "cuDNN";
    load_driver(library_folders(), libraries.api, libraries.driver);
    return libraries;
  }();
  return all;
}

}  // namespace

std::string Libraries::failure() const {
  std::string text;
  for (const Library* library : {&driver, &cublas, &cudnn})
    if (!library->failure.empty()) text += (text.empty() ? "" : "; ") + library->name + ": " + library->failure;
  return text;
}

bool has_driver() { return with_driver().driver.failure.empty(); }

const Libraries& libraries() {
  static const Libraries& all = []() -> const Libraries& {
    Libraries& libraries = with_driver();
    const std::vector<std::string> folders = library_folders();
    load_cublas(folders, libraries.api, libraries.cublas);
    load_cudnn(folders, libraries.api, libraries.cudnn);
    return libraries;
  }();
  return all;
}

const Api& api() {
  const Library& driver = with_driver().driver;
  if (!driver.failure.empty()) throw Error(driver.name + ": " + driver.failure);
  const std::string failure = libraries().failure();
  if (!failure.empty()) throw Error(failure);
  return libraries().api;
}

void Api::check(CUresult status, const char* call) const {
  if (status == CUDA_SUCCESS) return;
  if (status == CUDA_ERROR_OUT_OF_MEMORY) throw std::bad_alloc();
  const char* name = nullptr;
  const char* words = nullptr;
  cuGetErrorName(status, &name);
  cuGetErrorString(status, &words);
  throw Error(std::string(call) + " failed: " + (name ? name : std::to_string(status)) +
              (words ? std::string(", ") + words : ""));
}

void Api::check(cublasStatus_t status, const char* call) const {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  if (status == CUBLAS_STATUS_ALLOC_FAILED) throw std::bad_alloc();
  throw Error(std::string(call) + " failed with cuBLAS status " + std::to_string(status));
}

void Api::check(cudnnStatus_t status, const char* call) const {
  if (status == CUDNN_STATUS_SUCCESS) return;
  // The last error may be an earlier call's: a hint, no more.
  char hint[512] = "";
  cudnnGetLastErrorString(hint, sizeof hint);
  throw CudnnError(std::string(call) + " failed: " + cudnnGetErrorString(status) +
                   (*hint ? std::string(" (") + hint + ")" : ""));
}

}  // namespace deep_rnn::cuda

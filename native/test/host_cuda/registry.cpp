#include <cstddef>
#include <map>
#include <type_traits>
#include <utility>

#include "cuda/kernels/kernels.h"
#include "launch.h"

namespace deep_rnn::host_cuda {

namespace {

template <class P>
std::vector<size_t> addresses_in() {
  if constexpr (std::is_pointer_v<P>) return {0};
  if constexpr (std::is_same_v<P, cuda::Fault>) return {offsetof(cuda::Fault, key), offsetof(cuda::Fault, raised)};
  return {};
}

template <auto kernel>
struct Entry;

template <class... P, void (*kernel)(P...)>
struct Entry<kernel> {
  static Kernel describe(const char* name) {
    return {name, {Parameter{sizeof(P), addresses_in<P>()}...}, [](void** arguments) {
              call(arguments, std::index_sequence_for<P...>());
            }};
  }

  template <size_t... i>
  static void call(void** arguments, std::index_sequence<i...>) {
    kernel(*static_cast<std::remove_cv_t<P>*>(arguments[i])...);
  }
};

}  // namespace

const std::vector<Kernel>& kernels() {
#define DEEP_RNN_KERNEL(name, parameters) Entry<&cuda::name>::describe(#name),
  static const std::vector<Kernel> all = {
#include "cuda/kernels/kernel_list.h"
  };
  return all;
}

const Kernel* find(const std::string& name) {
  static const std::map<std::string, const Kernel*> by_name = [] {
    std::map<std::string, const Kernel*> names;
    for (const Kernel& kernel : kernels()) names[kernel.name] = &kernel;
    return names;
  }();
  const auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : found->second;
}

}  // namespace deep_rnn::host_cuda

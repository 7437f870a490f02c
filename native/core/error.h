// The one exception type of the native code.
#pragma once
#include <stdexcept>
#include <string>

namespace deep_rnn {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace deep_rnn

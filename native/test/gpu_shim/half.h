// Numbers of 16 bits as memory holds them, rounded to nearest even from double.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace deep_rnn::gpu_shim {

// kFraction bits below the leading one, exponents of normal numbers from kLeast to kMost.
template <int kFraction, int kLeast, int kMost>
class Half {
 public:
  Half() = default;
  explicit Half(double x) : bits_(uint16_t(std::signbit(x) ? 0x8000 : 0)) {
    if (x != x) {
      bits_ = uint16_t(bits_ | kInfinity | 1 << (kFraction - 1));
      return;
    }
    int exponent = 0;
    std::frexp(x, &exponent);  // |x| = 1/2..1 times 2^exponent
    exponent = x == 0 ? kLeast : std::max(exponent - 1, kLeast);
    // In units of the last place; a carry out of the fraction runs into the exponent, as it should.
    const double units = std::nearbyint(std::ldexp(std::fabs(x), kFraction - exponent));
    const double place = units + double(exponent - kLeast) * (1 << kFraction);
    bits_ = uint16_t(bits_ | (std::isinf(x) || place >= kInfinity ? kInfinity : int(place)));
  }
  explicit operator double() const {
    const int magnitude = bits_ & 0x7fff, exponent = magnitude >> kFraction, fraction = magnitude & ((1 << kFraction) - 1);
    double value = magnitude == kInfinity  ? std::numeric_limits<double>::infinity()
                   : magnitude > kInfinity ? std::numeric_limits<double>::quiet_NaN()
                   : exponent == 0         ? fraction * kLastPlace
                                           : std::ldexp(fraction + (1 << kFraction), kLeast - kFraction + exponent - 1);
    return bits_ & 0x8000 ? -value : value;
  }
  Half& operator+=(Half other) { return *this = Half(double(*this) + double(other)); }

 private:
  static constexpr int kInfinity = (kMost - kLeast + 2) << kFraction;
  static constexpr double kLastPlace = [] {
    double place = 1;
    for (int i = 0; i < kFraction - kLeast; i++) place /= 2;
    return place;
  }();
  uint16_t bits_ = 0;
};

using Float16 = Half<10, -14, 15>;
using BFloat16 = Half<7, -126, 127>;

}  // namespace deep_rnn::gpu_shim

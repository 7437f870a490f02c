// Known answers of Philox 4x32-10, from kat_vectors of Random123 (https://github.com/DEShawResearch/random123).
#include "check.h"
#include "core/random.h"

using deep_rnn::philox;
using deep_rnn::Philox4;

namespace {

void expect(const Philox4& actual, uint32_t v0, uint32_t v1, uint32_t v2, uint32_t v3) {
  CHECK_EQUAL(actual.v[0], v0);
  CHECK_EQUAL(actual.v[1], v1);
  CHECK_EQUAL(actual.v[2], v2);
  CHECK_EQUAL(actual.v[3], v3);
}

}  // namespace

int main() {
  expect(philox(0, 0, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
  const uint64_t ones = ~uint64_t(0);
  expect(philox(ones, ones, ones), 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd);
  expect(philox(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e), 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1);

  CHECK_EQUAL(deep_rnn::uniform_float(0), 0.0f);
  CHECK(deep_rnn::uniform_float(0xffffffff) < 1.0f);
  CHECK_EQUAL(deep_rnn::uniform_float(0x80000000), 0.5f);
  CHECK_EQUAL(deep_rnn::uniform_double(0, 0), 0.0);
  CHECK(deep_rnn::uniform_double(0xffffffff, 0xffffffff) < 1.0);
  CHECK_EQUAL(deep_rnn::uniform_double(0x80000000, 0), 0.5);
}

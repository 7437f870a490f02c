// What a native test needs: a failed check ends the program with the place and the values.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>

namespace deep_rnn::test {

[[noreturn]] inline void fail(const char* file, int line, const std::string& message) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, message.c_str());
  std::exit(1);
}

template <class A, class B>
void check_equal(const A& actual, const B& expected, const char* text, const char* file, int line) {
  if (actual == expected) return;
  std::ostringstream message;
  message << "Expected " << expected << " for " << text << " but received " << actual;
  fail(file, line, message.str());
}

// The message of what `body` throws; empty when it throws nothing.
template <class Body>
std::string message_of(Body body) {
  try {
    body();
  } catch (const std::exception& failure) {
    return failure.what();
  }
  return "";
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace deep_rnn::test

#define CHECK(condition)                                                                \
  do {                                                                                  \
    if (!(condition)) deep_rnn::test::fail(__FILE__, __LINE__, "Expected " #condition); \
  } while (false)
#define CHECK_EQUAL(actual, expected) deep_rnn::test::check_equal(actual, expected, #actual, __FILE__, __LINE__)
#define CHECK_CONTAINS(text, part)                                                                                     \
  do {                                                                                                                 \
    if (!deep_rnn::test::contains(text, part))                                                                         \
      deep_rnn::test::fail(__FILE__, __LINE__,                                                                         \
                           std::string("Expected a message with \"") + (part) + "\" but received \"" + (text) + "\""); \
  } while (false)

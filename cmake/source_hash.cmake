# Writes the header OUTPUT, which says from which sources the binary is made: the SHA-256 of the lines "<SHA-256 of the file>
# <path>" of all files under ROOT that the native build reads, in order. src/verify/source-hash.ts computes the same.
file(GLOB_RECURSE paths RELATIVE ${ROOT} LIST_DIRECTORIES false ${ROOT}/native/* ${ROOT}/cmake/*)
list(FILTER paths EXCLUDE REGEX "^native/test/")
list(APPEND paths CMakeLists.txt)
list(SORT paths)
set(lines "")
foreach(path ${paths})
  file(SHA256 ${ROOT}/${path} hash)
  string(APPEND lines "${hash}  ${path}\n")
endforeach()
string(SHA256 hash "${lines}")
file(WRITE ${OUTPUT} "#define DEEP_RNN_SOURCE_HASH \"${hash}\"\n")

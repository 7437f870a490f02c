# The CUDA kernels once more, for the host: the library host_cuda runs them as fibers, without nvcc or a GPU. Only for tests.
file(GLOB kernel_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/native/cuda/kernels/*.cu)
set(host_kernels "")
foreach(source ${kernel_sources})
  get_filename_component(name ${source} NAME_WE)
  set(wrapper ${CMAKE_CURRENT_BINARY_DIR}/host_kernels/${name}.cpp)
  file(CONFIGURE OUTPUT ${wrapper} CONTENT "#include \"test/host_cuda/device.h\"\n//\n#include \"${source}\"\n")
  list(APPEND host_kernels ${wrapper})
endforeach()
file(GLOB host_cuda_sources CONFIGURE_DEPENDS native/test/host_cuda/*.cpp)
list(FILTER host_cuda_sources EXCLUDE REGEX "_test\\.cpp$")
add_library(host_cuda STATIC ${host_kernels} ${host_cuda_sources})
target_link_libraries(host_cuda PUBLIC options)
# Unknown pragmas are nvcc's, a kernel counts as a header because it is included, and fibers take the time, not loops.
target_compile_options(host_cuda PRIVATE -Wno-unknown-pragmas $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>
                                             $<$<NOT:$<BOOL:${DEEP_RNN_SANITIZE}>>:-O1>)

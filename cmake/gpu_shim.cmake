# The stand-in for a GPU that the tests run on: one library under the names of all of NVIDIA's, in a folder of its own.
set(shim_folder ${CMAKE_CURRENT_BINARY_DIR}/gpu_shim)
file(GLOB shim_sources CONFIGURE_DEPENDS native/test/gpu_shim/*.cpp)
file(GLOB shim_tests CONFIGURE_DEPENDS native/test/gpu_shim/*_test.cpp)
list(REMOVE_ITEM shim_sources ${shim_tests})
if(NOT TARGET host_cuda)
  include(cmake/host_cuda.cmake)
endif()
add_library(gpu_shim SHARED ${shim_sources})
target_link_libraries(gpu_shim PRIVATE options host_cuda)
target_link_options(gpu_shim PRIVATE -Wl,--no-undefined)
target_include_directories(gpu_shim PRIVATE native/test)
target_include_directories(gpu_shim SYSTEM PRIVATE ${nvidia_includes})
# Sums of the recurrent stacks in any order, so that they are fast; NaN still goes through.
set_property(SOURCE native/test/gpu_shim/rnn_pass.cpp native/test/gpu_shim/cublas.cpp APPEND PROPERTY COMPILE_OPTIONS
             -O3 -fassociative-math -fno-signed-zeros -fno-trapping-math -fno-math-errno)
set_target_properties(gpu_shim PROPERTIES CXX_VISIBILITY_PRESET default LIBRARY_OUTPUT_DIRECTORY ${shim_folder})
foreach(name libcuda.so.1 libcublas.so.13 libcudnn.so.9 libcudnn_graph.so.9 libcudnn_ops.so.9 libcudnn_adv.so.9)
  add_custom_command(TARGET gpu_shim POST_BUILD
    COMMAND ${CMAKE_COMMAND} -E create_symlink libgpu_shim.so ${shim_folder}/${name} VERBATIM)
endforeach()

# They open the libraries through the table of the backend, so they link none of them.
add_custom_target(gpu_shim_tests)
foreach(source ${shim_tests})
  get_filename_component(name ${source} NAME_WE)
  add_executable(${name} EXCLUDE_FROM_ALL ${source})
  target_link_libraries(${name} PRIVATE engine)
  target_include_directories(${name} PRIVATE native/test)
  target_include_directories(${name} SYSTEM PRIVATE ${nvidia_includes})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${shim_folder})
  add_dependencies(gpu_shim_tests ${name})
endforeach()

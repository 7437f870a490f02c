# Compiles the kernels of native/cuda/kernels for all architectures into one file: the target cuda_kernels makes DEEP_RNN_FATBIN.
# Where nvcc is missing DEEP_RNN_CUDA_ABSENT says so instead.
set(all_architectures "80;90;100;120")
if(DEFINED ENV{DEEP_RNN_CUDA_ARCHITECTURES})
  set(all_architectures "$ENV{DEEP_RNN_CUDA_ARCHITECTURES}")
endif()
set(DEEP_RNN_CUDA_ARCHITECTURES "${all_architectures}" CACHE STRING "Compute capabilities that the kernels are compiled for; the first one also as PTX for all later ones")
set(DEEP_RNN_KERNELS "" CACHE FILEPATH "The file that a build of the same sources made of the kernels; they are the same for every processor")

# The kernels use nothing that the first architecture lacks, so one PTX serves all of them.
list(GET DEEP_RNN_CUDA_ARCHITECTURES 0 first)
set(architectures -gencode arch=compute_${first},code=compute_${first})
set(DEEP_RNN_KERNEL_TARGETS "")
foreach(architecture ${DEEP_RNN_CUDA_ARCHITECTURES})
  list(APPEND architectures -gencode arch=compute_${first},code=sm_${architecture})
  string(APPEND DEEP_RNN_KERNEL_TARGETS "sm_${architecture} ")
endforeach()
string(APPEND DEEP_RNN_KERNEL_TARGETS "compute_${first}")

if(DEEP_RNN_KERNELS)
  set(DEEP_RNN_FATBIN ${DEEP_RNN_KERNELS})
  return()
endif()

find_program(DEEP_RNN_NVCC nvcc HINTS "$ENV{CUDA_HOME}/bin" "$ENV{CUDA_PATH}/bin" /usr/local/cuda/bin NO_CMAKE_FIND_ROOT_PATH)
if(NOT DEEP_RNN_NVCC)
  set(DEEP_RNN_CUDA_ABSENT "nvcc was not found when it was built")
  return()
endif()

file(GLOB kernel_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/native/cuda/kernels/*.cu)
file(GLOB kernel_headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/native/cuda/kernels/*.h)
# One file, because a module is loaded from one.
set(all_kernels ${CMAKE_CURRENT_BINARY_DIR}/all_kernels.cu)
set(includes "")
foreach(source ${kernel_sources})
  string(APPEND includes "#include \"${source}\"\n")
endforeach()
file(CONFIGURE OUTPUT ${all_kernels} CONTENT "${includes}")

# Products and sums are not fused, as nowhere else in this project: what is bound by memory anyway rounds as on the CPU.
set(DEEP_RNN_FATBIN ${CMAKE_CURRENT_BINARY_DIR}/kernels.fatbin)
add_custom_command(
  OUTPUT ${DEEP_RNN_FATBIN}
  COMMAND ${DEEP_RNN_NVCC} -std=c++17 -O3 --fmad=false --compress-mode=size --threads 0 ${architectures}
          -I${CMAKE_CURRENT_SOURCE_DIR}/native -fatbin -o ${DEEP_RNN_FATBIN} ${all_kernels}
  DEPENDS ${kernel_sources} ${kernel_headers} ${all_kernels} ${CMAKE_CURRENT_SOURCE_DIR}/native/core/desc.h
          ${CMAKE_CURRENT_SOURCE_DIR}/native/core/random.h
  COMMENT "Compiling the CUDA kernels" VERBATIM)
add_custom_target(cuda_kernels DEPENDS ${DEEP_RNN_FATBIN})

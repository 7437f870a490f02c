# A program linked against NVIDIA's own libraries, to show that they have all that the backend calls; nothing else is.
# DEEP_RNN_LINK_CHECK names the folders of cuBLAS and cuDNN, separated by colons. The driver comes with a GPU only.
string(REPLACE ":" ";" nvidia_libraries "${DEEP_RNN_LINK_CHECK}")
find_library(DEEP_RNN_CUBLAS_LIBRARY NAMES libcublas.so.13 PATHS ${nvidia_libraries} NO_DEFAULT_PATH REQUIRED)
find_library(DEEP_RNN_CUDNN_LIBRARY NAMES libcudnn.so.9 PATHS ${nvidia_libraries} NO_DEFAULT_PATH REQUIRED)
add_executable(nvidia_link_check native/test/link_check/link_check.cpp)
target_link_libraries(nvidia_link_check PRIVATE options ${DEEP_RNN_CUBLAS_LIBRARY} ${DEEP_RNN_CUDNN_LIBRARY})
target_include_directories(nvidia_link_check SYSTEM PRIVATE ${nvidia_includes})
target_compile_definitions(nvidia_link_check PRIVATE CUDNN_WARN_DEPRECATED)
target_compile_options(nvidia_link_check PRIVATE -Werror=deprecated-declarations)
target_link_options(nvidia_link_check PRIVATE -Wl,--no-undefined)

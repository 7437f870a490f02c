// Marks a function that nvcc must compile for the device as well as for the host.
#pragma once

#if defined(__CUDACC__)
#define DEEP_RNN_EVERYWHERE __host__ __device__
#else
#define DEEP_RNN_EVERYWHERE
#endif

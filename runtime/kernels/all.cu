// Every kernel in one compilation unit: one module to load.
#include "climb.cu"
#include "frames.cu"
#include "halve.cu"
#include "network_io.cu"

// Every kernel in one compilation unit: one module to load.
#include "climb.cu"
#include "convolve.cu"
#include "convolve_hopper.cu"
#include "frames.cu"
#include "halve.cu"
#include "motion.cu"
#include "network_io.cu"
#include "octets.cu"

// What finding motion and moving frames along it share (core.motion_loops).
#pragma once
#include "common.cuh"
#ifdef __CUDACC__
#include <math.h>
#endif

namespace motion {

constexpr int kThreads = 256;
struct Plane {
    const float* values;
    int height, width;

    HD float at(int y, int x) const { return values[(Stride)y * width + x]; }
    HD float held_at(int y, int x) const { return at(held(y, height), held(x, width)); }
};

struct Vector {
    float down, right;
};

HD float within(float value, float low, float high) { return fminf(fmaxf(value, low), high); }

}  // namespace motion

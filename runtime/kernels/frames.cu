// Frames as files hold them, (T, H, W, 3) bytes, ↔ volumes (3, T, H, W) in [0, 1]. The volume may be
// larger: its last rows and columns then repeat the frame's (core.volume.pad_to_multiple).
#include "common.cuh"

namespace frames {

constexpr int kThreads = 256;
typedef unsigned char Byte;

/// Four pixels, red, green and blue in turn: twelve bytes.
struct alignas(4) Pixels {
    Byte value[12];
};

HD float from_byte(Byte value) { return value * (1.0f / 255.0f); }
HD Byte to_byte(float value) { return (Byte)rintf(255.0f * clipped(value)); }

HD Pixels read_pixels(const Byte* __restrict__ row, int x, int width) {
    if (whole_quad(x, width)) return *reinterpret_cast<const Pixels*>(row + 3 * x);
    Pixels pixels;
    for (int k = 0; k < 12; ++k) pixels.value[k] = row[3 * held(x + k / 3, width) + k % 3];
    return pixels;
}

HD void write_pixels(Byte* __restrict__ row, int x, int width, const Pixels& pixels) {
    if (whole_quad(x, width)) {
        *reinterpret_cast<Pixels*>(row + 3 * x) = pixels;
        return;
    }
    for (int k = 0; k < 12; ++k)
        if (x + k / 3 < width) row[3 * x + k] = pixels.value[k];
}

HD void load(const Block& block, const Team& team, const Byte* rgb, int height, int width,
             float* volume, Stride stride, int rows, int columns) {
    const int quads = (columns + 3) / 4;
    for (int n = team.rank; n < kThreads; n += team.size) {
        const int item = block.x * kThreads + n, y = item / quads, x = item % quads * 4;
        if (y >= rows) continue;
        const Byte* row = rgb + ((Stride)block.y * height + held(y, height)) * width * 3;
        const Pixels pixels = read_pixels(row, x, width);
        float* made = volume + ((Stride)block.y * rows + y) * columns;
        for (int c = 0; c < 3; ++c) {
            write_row(made + c * stride, x, columns,
                      {from_byte(pixels.value[c]), from_byte(pixels.value[3 + c]),
                       from_byte(pixels.value[6 + c]), from_byte(pixels.value[9 + c])});
        }
    }
}

HD void store(const Block& block, const Team& team, const float* volume, Stride stride, int rows,
              int columns, Byte* rgb, int height, int width) {
    const int quads = (width + 3) / 4;
    for (int n = team.rank; n < kThreads; n += team.size) {
        const int item = block.x * kThreads + n, y = item / quads, x = item % quads * 4;
        if (y >= height) continue;
        const float* from = volume + ((Stride)block.y * rows + y) * columns;
        Pixels pixels;
        for (int c = 0; c < 3; ++c) {
            const Quad value = read_row(from + c * stride, x, columns);
            pixels.value[c] = to_byte(value.a);
            pixels.value[3 + c] = to_byte(value.b);
            pixels.value[6 + c] = to_byte(value.c);
            pixels.value[9 + c] = to_byte(value.d);
        }
        write_pixels(rgb + ((Stride)block.y * height + y) * width * 3, x, width, pixels);
    }
}

}  // namespace frames

/// `height` × `width` frames into a volume of `rows` × `columns`, not smaller.
KERNEL(load_rgb, frames::kThreads,
       (const unsigned char* rgb, int height, int width, float* volume, Stride stride, int rows,
        int columns),
       frames::load(block, team, rgb, height, width, volume, stride, rows, columns))

/// The first `height` × `width` samples of each frame of the volume, rounded.
KERNEL(store_rgb, frames::kThreads,
       (const float* volume, Stride stride, int rows, int columns, unsigned char* rgb, int height,
        int width),
       frames::store(block, team, volume, stride, rows, columns, rgb, height, width))

// What surrounds a network pass: its window out of the video, cubic-interpolated in time, and its
// result back into the video, corrected in time (core.resize, core.tiling, core.backproject).
#include "common.cuh"

namespace network_io {

constexpr int kThreads = 256;
constexpr int kTaps = 4;
constexpr int kResident = 4;  // blocks per multiprocessor
constexpr int kStrip = 11;    // frames that one thread makes, its sources held in registers
constexpr int kAhead = 2;     // frames until the next source frame is wanted at twice the rate

/// Frames of the window at one place: `index` and `weight` say which source frames make each. The
/// source frame that comes next is on its way while those at hand are used.
HD void interpolate(const float* __restrict__ source, Stride step, int x, int width,
                    const int* __restrict__ index, const float* __restrict__ weight, int frames,
                    float* __restrict__ made, Stride made_step, int made_x, int made_width) {
    Quad window[kTaps + 1];
    int holds[kTaps + 1] = {-1, -1, -1, -1, -1};
    for (int n = 0; n < frames; ++n) {
        int wanted[kTaps];  // the same for all threads: no divergence
UNROLL
        for (int k = 0; k < kTaps; ++k) wanted[k] = index[n * kTaps + k];
        const int next = index[smaller(n + kAhead, frames - 1) * kTaps + kTaps - 1];
UNROLL
        for (int k = 0; k < kTaps; ++k) {
            if (wanted[k] == holds[k]) continue;
            if (wanted[k] == holds[k + 1])
                window[k] = window[k + 1];
            else
                window[k] = read_row(source + wanted[k] * step, x, width);
            holds[k] = wanted[k];
        }
        if (next != holds[kTaps] && next != holds[kTaps - 1]) {
            window[kTaps] = read_row(source + next * step, x, width);
            holds[kTaps] = next;
        }
        const Quad w = quad_at(weight + n * kTaps);
        write_row(made + n * made_step, made_x, made_width,
                  w.a * window[0] + w.b * window[1] + w.c * window[2] + w.d * window[3]);
    }
}

HD void gather(const Block& block, const Team& team, const float* source, Stride source_stride,
               int height, int width, const int* index, const float* weight, int frames, int top,
               int left, float* window, int rows, int columns) {
    const int quads = (columns + 3) / 4, first = block.y * kStrip;
    const Stride step = (Stride)height * width, made_step = (Stride)rows * columns;
    const float* channel = source + block.z * source_stride;
    float* made = window + ((Stride)block.z * frames + first) * made_step;
    for (int n = team.rank; n < kThreads; n += team.size) {
        const int item = block.x * kThreads + n, y = item / quads, x = item % quads * 4;
        if (y >= rows) continue;
        interpolate(channel + (Stride)held(top + y, height) * width, step, left + x, width,
                    index + first * kTaps, weight + first * kTaps, smaller(kStrip, frames - first),
                    made + (Stride)y * columns, made_step, x, columns);
    }
}

/// Two frames moved so that their mean over the exposure is the known one.
HD void correct(Quad& even, Quad& odd, Quad known, const float* __restrict__ opened) {
    const Quad error = (1.0f / total(opened, 2)) * (even + opened[1] * odd) - known;
    even = clipped(even - error);
    odd = clipped(odd - error);
}

/// Tiles are multiples of four columns wide, so only the video's own border cuts a quad.
HD void place(const Block& block, const Team& team, const float* tile, int tile_frames,
              int tile_rows, int tile_columns, const float* known, Stride known_stride, float* made,
              Stride made_stride, const float* opened, int height, int width, int top, int left,
              int rows, int columns) {
    const int quads = (columns + 3) / 4, frame = 2 * block.y;
    const Stride step = (Stride)height * width, tile_step = (Stride)tile_rows * tile_columns;
    tile += ((Stride)block.z * tile_frames + frame) * tile_step;
    known += block.z * known_stride + block.y * step;
    made += block.z * made_stride + frame * step;
    for (int n = team.rank; n < kThreads; n += team.size) {
        const int item = block.x * kThreads + n, y = item / quads, x = item % quads * 4;
        if (y >= rows) continue;
        const Stride row = (Stride)(top + y) * width;
        const float* from = tile + (Stride)y * tile_columns;
        Quad even = read_row(from, x, tile_columns);
        Quad odd = read_row(from + tile_step, x, tile_columns);
        correct(even, odd, read_row(known + row, left + x, width), opened);
        write_row(made + row, left + x, width, even);
        write_row(made + row + step, left + x, width, odd);
    }
}

/// The samples of one group of frames moved so that their mean over the exposure is the known one.
HD void shift(const Block& block, const Team& team, float* guess, Stride guess_stride,
              const float* known, Stride known_stride, const float* opened, int frames,
              int samples) {
    guess += block.z * guess_stride + (Stride)block.y * frames * samples;
    known += block.z * known_stride + (Stride)block.y * samples;
    for (int n = team.rank; n < kThreads; n += team.size) {
        const int x = block.x * kThreads + n;
        if (x >= samples) break;
        float sum = guess[x];
        for (int k = 1; k < frames && opened[k] > 0.0f; ++k)
            sum += opened[k] * guess[(Stride)k * samples + x];
        const float error = sum / total(opened, frames) - known[x];
        for (int k = 0; k < frames; ++k) {
            float& made = guess[(Stride)k * samples + x];
            made = clipped(made - error);
        }
    }
}

}  // namespace network_io

/// Cut (C, frames, rows, columns) from row `top` and column `left` on, which may lie outside the
/// video and then repeat its border; frames are mixed by the tables (frames, 4).
STREAM_KERNEL(gather, network_io::kThreads, network_io::kResident,
       (const float* source, Stride source_stride, int height, int width, const int* index,
        const float* weight, int frames, int top, int left, float* window, int rows, int columns),
       network_io::gather(block, team, source, source_stride, height, width, index, weight, frames,
                          top, left, window, rows, columns))

/// Set rows × columns from (top, left) on of pairs of frames to a network's result, (C, tile_frames,
/// tile_rows, tile_columns), each pair shifted to its known frame, for which the shutter was `opened`
/// (2), and clipped.
KERNEL(place, network_io::kThreads,
       (const float* tile, int tile_frames, int tile_rows, int tile_columns, const float* known,
        Stride known_stride, float* made, Stride made_stride, const float* opened, int height,
        int width, int top, int left, int rows, int columns),
       network_io::place(block, team, tile, tile_frames, tile_rows, tile_columns, known,
                         known_stride, made, made_stride, opened, height, width, top, left, rows,
                         columns))

/// Shift groups of `frames` frames of `samples` each to the known frames and clip, in place.
KERNEL(shift, network_io::kThreads,
       (float* guess, Stride guess_stride, const float* known, Stride known_stride,
        const float* opened, int frames, int samples),
       network_io::shift(block, team, guess, guess_stride, known, known_stride, opened, frames,
                         samples))

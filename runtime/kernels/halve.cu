// (C, T, 2h, 2w) → (C, T, h, w), bicubic with antialiasing: eight taps per axis (core.resize).
// A block makes one tile of one frame: samples to shared memory, columns, then rows.
#include "common.cuh"

namespace halving {

constexpr int kThreads = 256;
constexpr int kResident = 4;  // blocks per multiprocessor
constexpr int kTaps = 8;
constexpr int kRows = 16, kColumns = 64;        // of a tile, made
constexpr int kReadRows = 2 * kRows + 6;        // 2y - 3 to 2y + 4
constexpr int kReadColumns = 2 * kColumns + 8;  // 2x - 4 to 2x + 5: whole quads
constexpr int kStrip = 4;                       // rows that one thread makes
constexpr int kShared = kReadRows * (kReadColumns + kColumns);

/// One sample from eight neighbours.
HD float weighted(const float* samples, const float* weights) {
    float sum = weights[0] * samples[0];
    for (int k = 1; k < kTaps; ++k) sum += weights[k] * samples[k];
    return sum;
}

HD void load(const Team& team, const float* __restrict__ frame, int height, int width, int top,
             int left, float* __restrict__ samples) {
    constexpr int quads = kReadColumns / 4;
    for (int item = team.rank; item < kReadRows * quads; item += team.size) {
        const int y = item / quads, x = item % quads * 4;
        const float* row = frame + (Stride)held(2 * top - 3 + y, height) * width;
        *reinterpret_cast<Quad*>(samples + y * kReadColumns + x) =
            read_row(row, 2 * left - 4 + x, width);
    }
}

HD void narrow(const Team& team, const float* __restrict__ samples,
               const float* __restrict__ column_weight, int left, int width,
               float* __restrict__ narrowed) {
    for (int item = team.rank; item < kReadRows * kColumns; item += team.size) {
        const int y = item / kColumns, x = item % kColumns;
        const float* from = samples + y * kReadColumns + 2 * x;
        float taken[kTaps + 2];
        for (int k = 0; k < kTaps + 2; k += 2) {
            const Pair pair = pair_at(from + k);
            taken[k] = pair.a;
            taken[k + 1] = pair.b;
        }
        float weights[kTaps];
        const float* table = column_weight + held(left + x, width) * kTaps;
        for (int k = 0; k < kTaps; ++k) weights[k] = table[k];
        narrowed[y * kColumns + x] = weighted(taken + 1, weights);
    }
}

HD void shorten(const Team& team, const float* __restrict__ narrowed,
                const float* __restrict__ row_weight, int top, int left, int height, int width,
                float* __restrict__ frame) {
    for (int item = team.rank; item < kColumns * (kRows / kStrip); item += team.size) {
        const int x = item % kColumns, first = item / kColumns * kStrip;
        if (left + x >= width) continue;
        float taken[2 * kStrip + 6];
        for (int k = 0; k < 2 * kStrip + 6; ++k) taken[k] = narrowed[(2 * first + k) * kColumns + x];
        for (int r = 0; r < kStrip; ++r) {
            const int y = top + first + r;
            if (y < height) {
                frame[(Stride)y * width + left + x] = weighted(taken + 2 * r, row_weight + y * kTaps);
            }
        }
    }
}

HD void make_tile(const Block& block, const Team& team, float* shared, const float* source,
                  Stride source_stride, float* made, Stride made_stride, int frames, int height,
                  int width, const float* row_weight, const float* column_weight) {
    const int channel = block.z / frames, frame = block.z % frames;
    const int top = block.y * kRows, left = block.x * kColumns;
    float* narrowed = shared + kReadRows * kReadColumns;
    load(team, source + channel * source_stride + (Stride)frame * 4 * height * width, 2 * height,
         2 * width, top, left, shared);
    team.wait();
    narrow(team, shared, column_weight, left, width, narrowed);
    team.wait();
    shorten(team, narrowed, row_weight, top, left, height, width,
            made + channel * made_stride + (Stride)frame * height * width);
}

}  // namespace halving

/// `frames`, `height`, `width` are those of the result; tables are (height, 8) and (width, 8).
TILE_KERNEL(halve, halving::kThreads, halving::kResident, halving::kShared,
       (const float* source, Stride source_stride, float* made, Stride made_stride, int frames,
        int height, int width, const float* row_weight, const float* column_weight),
       halving::make_tile(block, team, shared, source, source_stride, made, made_stride, frames,
                          height, width, row_weight, column_weight))

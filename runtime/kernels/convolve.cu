// The network's convolutions as products of matrices on tensor cores (implicit GEMM), Ampere and newer.
//
// Values are kept as octets: (frames, C / 8, height, width) pieces of eight channels. Whatever the
// offset of a tap, sixteen pixels side by side then are sixteen pieces in a row: rows of a matrix that
// a warp loads without bank conflicts; and a warp's sums are stored as whole lines.
// A block makes 32 columns of some rows of one frame and 64 or 128 channels, for 16 input channels of
// one tap in time after the other: their values with the margin of the taps in space, and their weights,
// come into one of two stages of shared memory while the other is worked on. Blocks stay for as many
// tiles as there are, so that the next tile's first stage comes in while the last is finished.
#include "warp.cuh"

namespace convolving {

using warp::Piece;

constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr int kTaps = 9;  // in space; those in time are stages
constexpr int kColumns = 32, kHaloColumns = kColumns + 2;
constexpr int kFragments = 4;  // of 16 pixels: two rows of a tile, a warp's

#ifdef __CUDA_ARCH__
constexpr int kOwnWarps = 1;  // whose sums a thread holds
#else
constexpr int kOwnWarps = kWarps;
#endif

/// How a block's warps share a tile of `channels` output channels.
template <int channels>
struct Shape {
    static constexpr int kWarpChannels = channels < 64 ? channels : 64;
    static constexpr int kAcross = channels / kWarpChannels;  // warps beside each other in channels
    static constexpr int kRows = 2 * kWarps / kAcross;
    static constexpr int kOctets = kWarpChannels / 8;
    static constexpr int kPlane = (kRows + 2) * kHaloColumns;
    static constexpr int kValues = 2 * kPlane;  // pieces of a stage: 16 channels
    static constexpr int kWeights = kTaps * channels / 16 * 32;
    static constexpr int kShared = 2 * (kValues + kWeights);
};

#ifdef __CUDA_ARCH__
template <int channels>
constexpr int kOwnValues = (Shape<channels>::kValues + kThreads - 1) / kThreads;
#else
template <int channels>
constexpr int kOwnValues = Shape<channels>::kValues;
#endif

struct Layer {
    const Piece* given;    // (frames + taps - 1, 2 · steps, height + 2, width + 2)
    const Piece* weights;  // (blocks, taps, steps, 9, channels / 16, 32), see `packed`
    const float* bias;     // (octets · 8)
    int taps, steps;       // in time; 16 channels each
    int frames, octets, height, width;  // made
};

/// Its first row and column, block of channels and frame; where its threads find their values.
template <int channels>
struct Tile {
    int top, left, block, frame;
    int place[kOwnValues<channels>];
};

template <int channels>
HD int tiles_across(const Layer& layer) {
    return (layer.width + kColumns - 1) / kColumns;
}

template <int channels>
HD int tiles_down(const Layer& layer) {
    return (layer.height + Shape<channels>::kRows - 1) / Shape<channels>::kRows;
}

template <int channels>
HD int tiles_of(const Layer& layer) {
    const int blocks = layer.octets * 8 / channels;
    return tiles_across<channels>(layer) * tiles_down<channels>(layer) * blocks * layer.frames;
}

template <int channels>
HD Tile<channels> tile_at(const Team& team, const Layer& layer, int index) {
    using S = Shape<channels>;
    const int across = tiles_across<channels>(layer), down = tiles_down<channels>(layer);
    const int blocks = layer.octets * 8 / channels;
    Tile<channels> tile;
    tile.left = index % across * kColumns, index /= across;
    tile.top = index % down * S::kRows, index /= down;
    tile.block = index % blocks, tile.frame = index / blocks;
UNROLL
    for (int own = 0; own < kOwnValues<channels>; ++own) {
        const int item = team.rank + own * team.size;
        const int octet = item / S::kPlane, at = item % S::kPlane;
        const int y = smaller(tile.top + at / kHaloColumns, layer.height + 1);
        const int x = smaller(tile.left + at % kHaloColumns, layer.width + 1);
        tile.place[own] = (octet * (layer.height + 2) + y) * (layer.width + 2) + x;
    }
    return tile;
}

/// Begin to bring the values and weights of one stage; beyond the border, the last ones again.
template <int channels>
HD void begin_stage(const Team& team, const Layer& layer, const Tile<channels>& tile, int stage,
                    Piece* shared) {
    using S = Shape<channels>;
    const int tap = stage / layer.steps, step = stage % layer.steps;
    const Stride plane = (Stride)(tile.frame + tap) * 2 * layer.steps + 2 * step;
    const Piece* given = layer.given + plane * (layer.height + 2) * (layer.width + 2);
UNROLL
    for (int own = 0; own < kOwnValues<channels>; ++own) {
        const int item = team.rank + own * team.size;
        if (item < S::kValues) warp::copy_begun(shared + item, given + tile.place[own]);
    }
    const Piece* weights =
        layer.weights + (Stride)(tile.block * layer.taps * layer.steps + stage) * S::kWeights;
    for (int item = team.rank; item < S::kWeights; item += team.size)
        warp::copy_begun(shared + S::kValues + item, weights + item);
}

template <int channels>
using WarpSums = warp::Sums[kFragments][Shape<channels>::kOctets];

/// One warp's part of a stage: its two rows of the tile, its channels.
template <int channels>
HD void add_stage(const Team& team, int number, const Piece* shared, WarpSums<channels>& sums) {
    using S = Shape<channels>;
    const int down = number / S::kAcross, across = number % S::kAcross;
UNROLL
    for (int tap = 0; tap < kTaps; ++tap) {
        warp::Left left[kFragments];
UNROLL
        for (int n = 0; n < kFragments; ++n) {
            const int row = 2 * down + n / 2 + tap / 3, column = n % 2 * 16 + tap % 3;
            warp::load(left[n], team, shared + row * kHaloColumns + column, S::kPlane);
        }
        const Piece* weights =
            shared + S::kValues + (tap * (channels / 16) + across * (S::kOctets / 2)) * 32;
UNROLL
        for (int pair = 0; pair < S::kOctets / 2; ++pair) {
            warp::Right right;
            warp::load(right, team, weights + pair * 32);
UNROLL
            for (int n = 0; n < kFragments; ++n) {
                warp::multiply(sums[n][2 * pair], left[n], right, 0);
                warp::multiply(sums[n][2 * pair + 1], left[n], right, 1);
            }
        }
    }
}

/// Where a lane's sums belong: call use(fragment, octet, sums' first index, piece, channel of octet).
template <int channels, typename Use>
HD void each_pair(const Layer& layer, const Tile<channels>& tile, int number, int lane, const Use& use) {
    using S = Shape<channels>;
    const int down = number / S::kAcross, across = number % S::kAcross;
    const int first = (tile.block * S::kAcross + across) * S::kOctets;
    const Stride area = (Stride)layer.height * layer.width;
UNROLL
    for (int n = 0; n < kFragments; ++n) {
        const int y = tile.top + 2 * down + n / 2;
UNROLL
        for (int below = 0; below < 2; ++below) {
            const int x = tile.left + n % 2 * 16 + 8 * below + lane / 4;
            if (y >= layer.height || x >= layer.width) continue;
            const Stride place =
                ((Stride)tile.frame * layer.octets + first) * area + (Stride)y * layer.width + x;
UNROLL
            for (int octet = 0; octet < S::kOctets; ++octet)
                use(n, octet, 2 * below, place + octet * area, first + octet);
        }
    }
}

/// Values = ReLU(sums + bias), as 16-bit numbers.
template <int channels>
HD void store(const Team& team, const Layer& layer, const Tile<channels>& tile, int number,
              const WarpSums<channels>& sums, Piece* made) {
    for (int held = 0; held < warp::kLanes; ++held) {
        const int lane = warp::lane_of(team, held), pair = lane % 4;
        each_pair<channels>(layer, tile, number, lane, [&](int n, int octet, int from, Stride place, int channel) {
            const Pair bias = pair_at(layer.bias + channel * 8 + 2 * pair);
            const float* value = sums[n][octet].value[held] + from;
            const float low = value[0] + bias.a, high = value[1] + bias.b;
            made[place].word[pair] =
                warp::halves(low > 0.0f ? low : 0.0f, high > 0.0f ? high : 0.0f);
        });
    }
}

/// Sums as they are, in FP32: (frames, octets, height, width) of eight.
template <int channels>
HD void store(const Team& team, const Layer& layer, const Tile<channels>& tile, int number,
              const WarpSums<channels>& sums, float* made) {
    for (int held = 0; held < warp::kLanes; ++held) {
        const int lane = warp::lane_of(team, held), pair = lane % 4;
        each_pair<channels>(layer, tile, number, lane, [&](int n, int octet, int from, Stride place, int) {
            const float* value = sums[n][octet].value[held] + from;
            *reinterpret_cast<Pair*>(made + place * 8 + 2 * pair) = {value[0], value[1]};
        });
    }
}

template <int channels, typename Made>
HD void convolve(const Block& block, const Team& team, Piece* shared, const Layer& layer, int grid,
                 Made* made) {
    using S = Shape<channels>;
    const int tiles = tiles_of<channels>(layer), stages = layer.taps * layer.steps;
    int index = block.x, buffer = 0;
    if (index >= tiles) return;
    Tile<channels> tile = tile_at<channels>(team, layer, index);
    WarpSums<channels> sums[kOwnWarps] = {};
    begin_stage<channels>(team, layer, tile, 0, shared);
    for (; index < tiles; index += grid) {
        const Tile<channels> at = tile;
        for (int stage = 0; stage < stages; ++stage) {
            const Piece* ready = shared + buffer * (S::kShared / 2);
            buffer = 1 - buffer;
            const bool last = stage + 1 == stages;
            if (last) tile = tile_at<channels>(team, layer, index + grid);
            warp::landed();
            team.wait();  // the stage is there for all, and all are done with the one before
            if (!last || index + grid < tiles)
                begin_stage<channels>(team, layer, tile, last ? 0 : stage + 1,
                                      shared + buffer * (S::kShared / 2));
            for (int own = 0; own < kOwnWarps; ++own)
                add_stage<channels>(team, team.rank / 32 + own, ready, sums[own]);
        }
        for (int own = 0; own < kOwnWarps; ++own) {
            store<channels>(team, layer, at, team.rank / 32 + own, sums[own], made);
UNROLL
            for (int n = 0; n < kFragments; ++n)
UNROLL
                for (int octet = 0; octet < S::kOctets; ++octet) sums[own][n][octet] = {};
        }
    }
}

}  // namespace convolving

// `taps` taps in time and 9 in space, no padding, over 16 · `steps` channels; `grid` blocks.

/// 64 · n channels, bias and ReLU.
TENSOR_KERNEL(convolve_64, convolving::kThreads, convolving::Shape<64>::kShared,
              (const void* given, const void* weights, const float* bias, void* made, int taps,
               int steps, int frames, int octets, int height, int width, int blocks),
              convolving::convolve<64>(block, team, shared,
                                       {(const warp::Piece*)given, (const warp::Piece*)weights,
                                        bias, taps, steps, frames, octets, height, width},
                                       blocks, (warp::Piece*)made))

/// 128 · n channels, bias and ReLU.
TENSOR_KERNEL(convolve_128, convolving::kThreads, convolving::Shape<128>::kShared,
              (const void* given, const void* weights, const float* bias, void* made, int taps,
               int steps, int frames, int octets, int height, int width, int blocks),
              convolving::convolve<128>(block, team, shared,
                                        {(const warp::Piece*)given, (const warp::Piece*)weights,
                                         bias, taps, steps, frames, octets, height, width},
                                        blocks, (warp::Piece*)made))

/// 16 · n channels in FP32, neither bias nor ReLU.
TENSOR_KERNEL(convolve_16, convolving::kThreads, convolving::Shape<16>::kShared,
              (const void* given, const void* weights, const float* bias, void* made, int taps,
               int steps, int frames, int octets, int height, int width, int blocks),
              convolving::convolve<16>(block, team, shared,
                                       {(const warp::Piece*)given, (const warp::Piece*)weights,
                                        bias, taps, steps, frames, octets, height, width},
                                       blocks, (float*)made))

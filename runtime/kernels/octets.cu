// Into the form that convolutions keep values in, and out of it (convolve.cu).
#include "warp.cuh"

namespace octets {

constexpr int kThreads = 256;
constexpr int kColours = 3;
constexpr int kTaps = 3;   // in time, of the first layer and of the last
constexpr int kApart = 4;  // channels from one tap's colours to the next's, in the last layer's

/// A window (3, frames + 2, samples) less `centre` as (frames, 2, samples) pieces: channel
/// 3·tap + colour, so that the first layer needs no taps in time.
HD void pack(const Block& block, const Team& team, const float* window, Stride stride, int samples,
             const float* centre, warp::Piece* made) {
    for (int n = team.rank; n < kThreads; n += team.size) {
        const int sample = block.x * kThreads + n, frame = block.y;
        if (sample >= samples) continue;
        float value[16] = {};
UNROLL
        for (int tap = 0; tap < kTaps; ++tap)
UNROLL
            for (int colour = 0; colour < kColours; ++colour)
                value[tap * kColours + colour] =
                    window[colour * stride + (Stride)(frame + tap) * samples + sample] - *centre;
UNROLL
        for (int octet = 0; octet < 2; ++octet) {
            warp::Piece piece;
UNROLL
            for (int word = 0; word < 4; ++word)
                piece.word[word] =
                    warp::halves(value[octet * 8 + 2 * word], value[octet * 8 + 2 * word + 1]);
            made[((Stride)frame * 2 + octet) * samples + sample] = piece;
        }
    }
}

/// made (3, frames, height, width) = the middle of the window + bias + the last layer's sums over
/// its taps in time, which it has as channels: (frames + 2, 2, height, width) of eight.
HD void unpack(const Block& block, const Team& team, const float* sums, const float* window,
               Stride stride, const float* bias, int height, int width, int margin_frames,
               int margin, float* made, Stride made_stride) {
    const int samples = height * width, wide = width + 2 * margin, frame = block.y;
    window += (Stride)(frame + margin_frames) * (height + 2 * margin) * wide;
    made += (Stride)frame * samples;
    for (int n = team.rank; n < kThreads; n += team.size) {
        const int sample = block.x * kThreads + n;
        if (sample >= samples) continue;
        float value[kColours] = {bias[0], bias[1], bias[2]};
UNROLL
        for (int tap = 0; tap < kTaps; ++tap) {
            const Stride octet = (Stride)(frame + tap) * 2 + tap * kApart / 8;
            const Quad part = quad_at(sums + (octet * samples + sample) * 8 + tap * kApart % 8);
            value[0] += part.a, value[1] += part.b, value[2] += part.c;
        }
        const int place = (sample / width + margin) * wide + sample % width + margin;
UNROLL
        for (int colour = 0; colour < kColours; ++colour)
            made[colour * made_stride + sample] = window[colour * stride + place] + value[colour];
    }
}

}  // namespace octets

/// A network's window (3, frames + 2, samples) as what its first layer reads.
KERNEL(pack_window, octets::kThreads,
       (const float* window, Stride stride, int samples, const float* centre, void* made),
       octets::pack(block, team, window, stride, samples, centre, (warp::Piece*)made))

/// What its last layer made, (frames + 2, 2, height, width) of eight, as the network's result.
KERNEL(unpack_sums, octets::kThreads,
       (const float* sums, const float* window, Stride stride, const float* bias, int height,
        int width, int margin_frames, int margin, float* made, Stride made_stride),
       octets::unpack(block, team, sums, window, stride, bias, height, width, margin_frames, margin,
                      made, made_stride))

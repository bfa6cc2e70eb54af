// Frames as files hold them, planes of samples, ↔ volumes (3, T, H, W) of RGB in [0, 1]: the formulas
// of core.clip_io.pixels. The volume may be larger than the frame: its last rows and columns then
// repeat the frame's (core.volume.pad_to_multiple).
#include "common.cuh"

namespace frames {

constexpr int kThreads = 256;
constexpr int kLoadResident = 2, kStoreResident = 3;  // blocks per multiprocessor
constexpr int kLoadRows = 4;  // that one thread makes of a loaded frame, four columns wide
typedef unsigned short Wide;  // samples are bytes, or these

enum Kind { kYuv, kRgb, kGrey };  // kRgb has its planes in the order G, B, R

/// As core.clip_io.pixels.gains puts them.
struct Gains {
    float luma_zero, luma_step, chroma_zero, red_step, blue_step, green_of_red, green_of_blue;
    float k_red, k_green, k_blue, luma_levels, red_levels, blue_levels, peak;
};

/// How the samples of a frame lie, plane behind plane without gaps.
struct Planes {
    int height, width, kind, halve_columns, halve_rows;

    HD int rows() const { return halve_rows ? (height + 1) / 2 : height; }  // of chroma
    HD int columns() const { return halve_columns ? (width + 1) / 2 : width; }
    HD Stride start(int plane) const {
        return plane == 0 ? 0 : (Stride)height * width + (plane - 1) * (Stride)rows() * columns();
    }
    HD Stride size() const { return kind == kGrey ? start(1) : start(3); }  // samples
};

/// Four pixels of a row.
struct Rgb {
    Quad red, green, blue;
};

HD Quad operator*(Quad p, float s) { return s * p; }
HD Quad operator-(Quad q, float s) { return {q.a - s, q.b - s, q.c - s, q.d - s}; }

template <typename Sample>
struct alignas(2 * sizeof(Sample)) Two {
    Sample a, b;
};

template <typename Sample>
struct alignas(4 * sizeof(Sample)) Four {
    Sample a, b, c, d;
};

/// Columns x to x + 3, those outside held inside. `kWhole`: none of the frame's is outside, and rows
/// are aligned, so that samples are read together.
template <bool kWhole>
struct Columns {
    int a, b, c, d;

    HD Columns(int x, int width)
        : a(held(x, width)), b(held(x + 1, width)), c(held(x + 2, width)), d(held(x + 3, width)) {}

    template <typename Sample>
    HD Quad of(const Sample* __restrict__ row) const {
        if (!kWhole) return {(float)row[a], (float)row[b], (float)row[c], (float)row[d]};
        const Four<Sample> four = *reinterpret_cast<const Four<Sample>*>(row + a);
        return {(float)four.a, (float)four.b, (float)four.c, (float)four.d};
    }

    /// All that four pixels need of a row of half as many columns: the first three.
    template <typename Sample>
    HD Quad first_three(const Sample* __restrict__ row) const {
        if (!kWhole) return {(float)row[a], (float)row[b], (float)row[c], 0.0f};
        const Two<Sample> two = *reinterpret_cast<const Two<Sample>*>(row + a);
        return {(float)two.a, (float)two.b, (float)row[c], 0.0f};
    }
};

/// Rows of chroma at one place: the pixels' own, and the one beside that they lie a quarter towards
/// where rows are halved; elsewhere the same.
template <bool kHalved>
struct Chroma {
    Quad near, beside;

    template <bool kWhole, typename Sample>
    HD Chroma(const Columns<kWhole>& places, const Sample* __restrict__ own, const Sample* __restrict__ next)
        : near(kHalved ? places.first_three(own) : places.of(own)),
          beside(kHalved ? places.first_three(next) : places.of(next)) {}

    /// B - Y or R - Y of four pixels.
    HD Quad widened(float zero, float step) const {
        const Quad here = step * (0.25f * (3.0f * near + beside) - zero);
        if (!kHalved) return here;
        return {here.a, 0.5f * (here.a + here.b), here.b, 0.5f * (here.b + here.c)};
    }
};

/// Held in [0, 1]; not for what may not be a number.
HD float saturated(float value) {
#ifdef __CUDA_ARCH__
    return __saturatef(value);
#else
    return clipped(value);
#endif
}

HD Quad saturated(Quad q) { return {saturated(q.a), saturated(q.b), saturated(q.c), saturated(q.d)}; }

/// Pixels x to x + 3 of row y. `kHalved`: chroma has half the columns.
template <bool kWhole, int kKind, bool kHalved, typename Sample>
HD Rgb colours_at(const Planes& planes, const Gains& __restrict__ gains,
                  const Sample* __restrict__ frame, int y, int x) {
    const Columns<kWhole> columns(x, planes.width);
    const Stride row = (Stride)y * planes.width, size = (Stride)planes.rows() * planes.columns();
    const Sample* second = frame + planes.start(1);
    const Quad first = columns.of(frame + row);
    if (kKind == kRgb) {
        const Quad green = first * gains.luma_step, blue = columns.of(second + row) * gains.luma_step;
        return {columns.of(second + size + row) * gains.luma_step, green, blue};
    }
    const Quad luma = (first - gains.luma_zero) * gains.luma_step;
    if (kKind == kGrey) return {saturated(luma), saturated(luma), saturated(luma)};
    const Columns<kWhole> places(kHalved ? x / 2 : x, planes.columns());
    const int near = planes.halve_rows ? y / 2 : y;
    const int beside = planes.halve_rows ? held(near - 1 + y % 2 * 2, planes.rows()) : y;
    const Sample* own = second + (Stride)near * planes.columns();
    const Sample* next = second + (Stride)beside * planes.columns();
    const Chroma<kHalved> blues(places, own, next), reds(places, own + size, next + size);
    const Quad blue = blues.widened(gains.chroma_zero, gains.blue_step);
    const Quad red = reds.widened(gains.chroma_zero, gains.red_step);
    return {saturated(luma + red), saturated(luma - gains.green_of_blue * blue - gains.green_of_red * red),
            saturated(luma + blue)};
}

/// Four columns of `kCount` rows. What a frame holds is known when this is compiled,
/// so that nothing keeps all samples from being asked for before the first is waited for.
template <bool kWhole, int kCount, int kKind, bool kHalved, typename Sample>
HD void load_rows(const Planes& planes, const Gains& gains, const Sample* stored, int top, int x,
                  float* volume, Stride stride, int rows, int columns) {
    Rgb made[kCount];
UNROLL
    for (int j = 0; j < kCount; ++j)
        made[j] = colours_at<kWhole, kKind, kHalved>(planes, gains, stored, held(top + j, planes.height), x);
UNROLL
    for (int j = 0; j < kCount; ++j) {
        if (top + j >= rows) break;
        float* row = volume + (Stride)(top + j) * columns;
        if (kWhole) {
            write_quad(row + x, made[j].red);
            write_quad(row + stride + x, made[j].green);
            write_quad(row + 2 * stride + x, made[j].blue);
        } else {
            write_row(row, x, columns, made[j].red);
            write_row(row + stride, x, columns, made[j].green);
            write_row(row + 2 * stride, x, columns, made[j].blue);
        }
    }
}

template <bool kWhole, int kCount, typename Sample>
HD void load_quads(const Planes& planes, const Gains& gains, const Sample* stored, int top, int x,
                   float* volume, Stride stride, int rows, int columns) {
    if (planes.kind == kRgb)
        load_rows<kWhole, kCount, kRgb, false>(planes, gains, stored, top, x, volume, stride, rows, columns);
    else if (planes.kind == kGrey)
        load_rows<kWhole, kCount, kGrey, false>(planes, gains, stored, top, x, volume, stride, rows, columns);
    else if (planes.halve_columns)
        load_rows<kWhole, kCount, kYuv, true>(planes, gains, stored, top, x, volume, stride, rows, columns);
    else
        load_rows<kWhole, kCount, kYuv, false>(planes, gains, stored, top, x, volume, stride, rows, columns);
}

template <typename Sample>
HD void load(const Block& block, const Team& team, const Sample* stored, const Planes& planes,
             const Gains& gains, float* volume, Stride stride, int rows, int columns) {
    const int quads = (columns + 3) / 4;
    for (int n = team.rank; n < kThreads; n += team.size) {
        const int item = block.x * kThreads + n, top = item / quads * kLoadRows, x = item % quads * 4;
        if (top >= rows) continue;
        if (planes.width % 4 == 0 && columns == planes.width)
            load_quads<true, kLoadRows>(planes, gains, stored, top, x, volume, stride, rows, columns);
        else
ROLLED
            for (int y = top; y < top + kLoadRows; ++y)
                load_quads<false, 1>(planes, gains, stored, y, x, volume, stride, rows, columns);
    }
}

/// How values become samples.
struct Scale {
    float levels, zero, peak;

    template <typename Sample>
    HD Sample level(float value) const {
        return (Sample)fminf(fmaxf(rintf(value * levels + zero), 0.0f), peak);
    }
};

/// Set samples x to x + 3 of a row; those outside are dropped. `whole`: none is, and rows are aligned.
template <typename Sample>
HD void put(Sample* __restrict__ row, int x, int width, bool whole, Quad value, const Scale& scale) {
    const Four<Sample> made{scale.template level<Sample>(value.a), scale.template level<Sample>(value.b),
                    scale.template level<Sample>(value.c), scale.template level<Sample>(value.d)};
    if (whole) {
        *reinterpret_cast<Four<Sample>*>(row + x) = made;
        return;
    }
    if (x < width) row[x] = made.a;
    if (x + 1 < width) row[x + 1] = made.b;
    if (x + 2 < width) row[x + 2] = made.c;
    if (x + 3 < width) row[x + 3] = made.d;
}

template <typename Sample>
HD void put(Sample* __restrict__ row, int x, int width, bool whole, Pair value, const Scale& scale) {
    const Two<Sample> made{scale.template level<Sample>(value.a), scale.template level<Sample>(value.b)};
    if (whole) {
        *reinterpret_cast<Two<Sample>*>(row + x) = made;
        return;
    }
    if (x < width) row[x] = made.a;
    if (x + 1 < width) row[x + 1] = made.b;
}

/// Pixels x to x + 3 of a row and the one before, those outside the frame held inside.
struct Row {
    Rgb given;
    float red, green, blue;

    HD Row() {}
    HD Row(const float* __restrict__ row, Stride stride, int x, int width, bool whole) {
        if (whole) {
            given = {quad_at(row + x), quad_at(row + stride + x), quad_at(row + 2 * stride + x)};
        } else {
            const Columns<false> columns(x, width);
            given = {columns.of(row), columns.of(row + stride), columns.of(row + 2 * stride)};
        }
        const float* before = row + held(x - 1, width);
        red = before[0];
        green = before[stride];
        blue = before[2 * stride];
    }
};

/// A difference to luma, B - Y or R - Y, as it is stored: half of the columns, each with a quarter of
/// both neighbours.
HD Pair narrowed(Quad here, float before) {
    return {0.5f * here.a + 0.25f * here.b + 0.25f * before, 0.5f * here.c + 0.25f * here.d + 0.25f * here.b};
}

/// Four columns of a row of pixels, or of two that share a row of chroma.
template <typename Sample>
HD void store_quad(const Planes& planes, const Gains& __restrict__ gains, const float* __restrict__ volume,
                   Stride stride, int columns, int row, int x, Sample* __restrict__ frame, int* trouble) {
    const int tall = planes.halve_rows ? 2 : 1, width = planes.width;
    const bool whole = width % 4 == 0;
    const Scale plain{gains.peak, 0.0f, gains.peak};
    Row taken[2];  // both are asked for before the first is waited for
UNROLL
    for (int j = 0; j < 2; ++j) {
        if (j < tall) {
            const int y = held(row * tall + j, planes.height);
            taken[j] = Row(volume + (Stride)y * columns, stride, x, width, whole && columns % 4 == 0);
        }
    }
    Quad blue{0.0f, 0.0f, 0.0f, 0.0f}, red = blue;  // B - Y and R - Y, the rows' mean
    float blue_before = 0.0f, red_before = 0.0f;
    const float share = 1.0f / tall;
UNROLL
    for (int j = 0; j < 2; ++j) {
        if (j >= tall) break;
        const Row& from = taken[j];
        const Rgb given{clipped(from.given.red), clipped(from.given.green), clipped(from.given.blue)};
        const Quad sums = given.red + given.green + given.blue;
        const float sum = sums.a + sums.b + sums.c + sums.d;
        if (sum != sum) *trouble = 1;  // not a number
        const Stride place = (Stride)held(row * tall + j, planes.height) * width;
        if (planes.kind == kRgb) {
            put(frame + place, x, width, whole, given.green, plain);
            put(frame + planes.start(1) + place, x, width, whole, given.blue, plain);
            put(frame + planes.start(2) + place, x, width, whole, given.red, plain);
            return;
        }
        const Quad luma = gains.k_red * given.red + gains.k_green * given.green + gains.k_blue * given.blue;
        put(frame + place, x, width, whole, luma, Scale{gains.luma_levels, gains.luma_zero, gains.peak});
        const float before = gains.k_red * clipped(from.red) + gains.k_green * clipped(from.green) +
                             gains.k_blue * clipped(from.blue);
        blue = blue + share * (given.blue - luma);
        red = red + share * (given.red - luma);
        blue_before += share * (clipped(from.blue) - before);
        red_before += share * (clipped(from.red) - before);
    }
    if (planes.kind == kGrey) return;
    const Scale blue_scale{gains.blue_levels, gains.chroma_zero, gains.peak};
    const Scale red_scale{gains.red_levels, gains.chroma_zero, gains.peak};
    Sample* blue_row = frame + planes.start(1) + (Stride)row * planes.columns();
    Sample* red_row = blue_row + (Stride)planes.rows() * planes.columns();
    if (planes.halve_columns) {
        put(blue_row, x / 2, planes.columns(), whole, narrowed(blue, blue_before), blue_scale);
        put(red_row, x / 2, planes.columns(), whole, narrowed(red, red_before), red_scale);
    } else {
        put(blue_row, x, width, whole, blue, blue_scale);
        put(red_row, x, width, whole, red, red_scale);
    }
}

template <typename Sample>
HD void store(const Block& block, const Team& team, const float* volume, Stride stride, int rows,
              int columns, Sample* stored, const Planes& planes, const Gains& gains, int* trouble) {
    const int quads = (planes.width + 3) / 4;
    for (int n = team.rank; n < kThreads; n += team.size) {
        const int item = block.x * kThreads + n, row = item / quads, x = item % quads * 4;
        if (row < planes.rows())
            store_quad(planes, gains, volume + (Stride)block.y * rows * columns, stride, columns, row, x,
                       stored + block.y * planes.size(), trouble);
    }
}

}  // namespace frames

/// The planes of one frame of `height` × `width` into a volume of `rows` × `columns`, not smaller.
/// `wide`: samples are two bytes.
STREAM_KERNEL(load_planes, frames::kThreads, frames::kLoadResident,
       (const unsigned char* stored, int height, int width, int kind, int wide, int halve_columns,
        int halve_rows, const float* gains, float* volume, Stride stride, int rows, int columns),
       const frames::Planes planes{height, width, kind, halve_columns, halve_rows};
       const frames::Gains& meaning = *reinterpret_cast<const frames::Gains*>(gains);
       if (wide)
           frames::load(block, team, reinterpret_cast<const frames::Wide*>(stored), planes, meaning,
                        volume, stride, rows, columns);
       else
           frames::load(block, team, stored, planes, meaning, volume, stride, rows, columns))

/// The first `height` × `width` samples of each frame of the volume as planes, frame behind frame,
/// rounded. `trouble` is set to 1 where a value is not a number.
STREAM_KERNEL(store_planes, frames::kThreads, frames::kStoreResident,
       (const float* volume, Stride stride, int rows, int columns, unsigned char* stored, int height,
        int width, int kind, int wide, int halve_columns, int halve_rows, const float* gains,
        int* trouble),
       const frames::Planes planes{height, width, kind, halve_columns, halve_rows};
       const frames::Gains& meaning = *reinterpret_cast<const frames::Gains*>(gains);
       if (wide)
           frames::store(block, team, volume, stride, rows, columns,
                         reinterpret_cast<frames::Wide*>(stored), planes, meaning, trouble);
       else
           frames::store(block, team, volume, stride, rows, columns, stored, planes, meaning, trouble))

// Frames as files hold them, planes of samples, ↔ volumes (3, T, H, W) of RGB in [0, 1]: the formulas
// of core.clip_io.pixels. The volume may be larger than the frame: its last rows and columns then
// repeat the frame's (core.volume.pad_to_multiple).
#include "common.cuh"

namespace frames {

constexpr int kThreads = 256;
typedef unsigned char Byte;
typedef unsigned short Wide;

enum Kind { kYuv, kRgb, kGrey };  // kRgb has its planes in the order G, B, R

/// As core.clip_io.pixels.gains puts them.
struct Gains {
    float luma_zero, luma_step, chroma_zero, red_step, blue_step, green_of_red, green_of_blue;
    float k_red, k_green, k_blue, luma_levels, red_levels, blue_levels, peak;
};

/// Where the samples of a frame lie, plane behind plane without gaps.
struct Planes {
    int height, width, kind, wide, halve_columns, halve_rows;

    HD int rows() const { return halve_rows ? (height + 1) / 2 : height; }  // of chroma
    HD int columns() const { return halve_columns ? (width + 1) / 2 : width; }
    HD Stride start(int plane) const {
        return plane == 0 ? 0 : (Stride)height * width + (plane - 1) * (Stride)rows() * columns();
    }
    HD Stride size() const { return kind == kGrey ? start(1) : start(3); }  // samples

    HD float read(const Byte* frame, Stride place) const {
        return wide ? (float)reinterpret_cast<const Wide*>(frame)[place] : (float)frame[place];
    }
    HD void write(Byte* frame, Stride place, float level) const {
        if (wide)
            reinterpret_cast<Wide*>(frame)[place] = (Wide)level;
        else
            frame[place] = (Byte)level;
    }
};

struct Rgb {
    float red, green, blue;
};

/// One column of chroma at a row of luma, as (level - zero) · step.
HD float chroma_row(const Planes& planes, const Byte* frame, int plane, int y, int column, float zero,
                    float step) {
    const Stride start = planes.start(plane) + column;
    const int row = planes.halve_rows ? y / 2 : y, columns = planes.columns();
    const float near = (planes.read(frame, start + (Stride)row * columns) - zero) * step;
    if (!planes.halve_rows) return near;
    const int beside = held(y % 2 ? row + 1 : row - 1, planes.rows());
    return 0.25f * (3.0f * near + (planes.read(frame, start + (Stride)beside * columns) - zero) * step);
}

HD float chroma_at(const Planes& planes, const Byte* frame, int plane, int y, int x, float zero,
                   float step) {
    const int column = planes.halve_columns ? x / 2 : x;
    const float left = chroma_row(planes, frame, plane, y, column, zero, step);
    if (!planes.halve_columns || x % 2 == 0) return left;
    const int beside = held(column + 1, planes.columns());
    return 0.5f * (left + chroma_row(planes, frame, plane, y, beside, zero, step));
}

HD Rgb colour_at(const Planes& planes, const Gains& gains, const Byte* frame, int y, int x) {
    const Stride place = (Stride)y * planes.width + x;
    if (planes.kind == kRgb) {
        return {gains.luma_step * planes.read(frame, planes.start(2) + place),
                gains.luma_step * planes.read(frame, place),
                gains.luma_step * planes.read(frame, planes.start(1) + place)};
    }
    const float luma = (planes.read(frame, place) - gains.luma_zero) * gains.luma_step;
    if (planes.kind == kGrey) return {clipped(luma), clipped(luma), clipped(luma)};
    const float blue = chroma_at(planes, frame, 1, y, x, gains.chroma_zero, gains.blue_step);
    const float red = chroma_at(planes, frame, 2, y, x, gains.chroma_zero, gains.red_step);
    const float green = luma - gains.green_of_blue * blue - gains.green_of_red * red;
    return {clipped(luma + red), clipped(green), clipped(luma + blue)};
}

HD void load(const Block& block, const Team& team, const Byte* stored, const Planes& planes,
             const Gains& gains, float* volume, Stride stride, int rows, int columns) {
    const int quads = (columns + 3) / 4;
    for (int n = team.rank; n < kThreads; n += team.size) {
        const int item = block.x * kThreads + n, y = item / quads, x = item % quads * 4;
        if (y >= rows) continue;
        Rgb made[4];
        for (int k = 0; k < 4; ++k)
            made[k] = colour_at(planes, gains, stored, held(y, planes.height), held(x + k, planes.width));
        float* row = volume + (Stride)y * columns;
        write_row(row, x, columns, {made[0].red, made[1].red, made[2].red, made[3].red});
        write_row(row + stride, x, columns, {made[0].green, made[1].green, made[2].green, made[3].green});
        write_row(row + 2 * stride, x, columns, {made[0].blue, made[1].blue, made[2].blue, made[3].blue});
    }
}

HD float level(float value, float levels, float zero, float peak) {
    return fminf(fmaxf(rintf(value * levels + zero), 0.0f), peak);
}

/// All samples of one cell: a sample of chroma, or a pixel where there is no smaller chroma.
HD void store_cell(const Planes& planes, const Gains& gains, const float* volume, Stride stride,
                   int columns, int cell_y, int cell_x, Byte* frame, int* trouble) {
    const int tall = planes.halve_rows ? 2 : 1, broad = planes.halve_columns ? 2 : 1;
    float blue_mean = 0.0f, red_mean = 0.0f;
    for (int j = 0; j < tall; ++j) {
        const int y = held(cell_y * tall + j, planes.height);
        float blue[3], red[3];  // B - Y and R - Y at the left neighbour, here, at the right one
        for (int i = broad == 2 ? -1 : 0; i < broad; ++i) {
            const int x = held(cell_x * broad + i, planes.width);
            const float* from = volume + (Stride)y * columns + x;
            const Rgb given = {clipped(from[0]), clipped(from[stride]), clipped(from[2 * stride])};
            const float sum = given.red + given.green + given.blue;
            if (sum != sum) *trouble = 1;  // not a number
            const Stride place = (Stride)y * planes.width + x;
            if (planes.kind == kRgb) {
                planes.write(frame, place, level(given.green, gains.peak, 0.0f, gains.peak));
                planes.write(frame, planes.start(1) + place, level(given.blue, gains.peak, 0.0f, gains.peak));
                planes.write(frame, planes.start(2) + place, level(given.red, gains.peak, 0.0f, gains.peak));
                return;
            }
            const float luma =
                given.red * gains.k_red + given.green * gains.k_green + given.blue * gains.k_blue;
            if (i >= 0) planes.write(frame, place, level(luma, gains.luma_levels, gains.luma_zero, gains.peak));
            blue[i + 1] = given.blue - luma;
            red[i + 1] = given.red - luma;
        }
        if (planes.kind == kGrey) return;
        if (broad == 2) {
            blue[1] = 0.5f * blue[1] + 0.25f * blue[2] + 0.25f * blue[0];
            red[1] = 0.5f * red[1] + 0.25f * red[2] + 0.25f * red[0];
        }
        blue_mean += blue[1];
        red_mean += red[1];
    }
    const float share = tall == 2 ? 0.5f : 1.0f;
    const Stride place = (Stride)cell_y * planes.columns() + cell_x;
    planes.write(frame, planes.start(1) + place,
                 level(share * blue_mean, gains.blue_levels, gains.chroma_zero, gains.peak));
    planes.write(frame, planes.start(2) + place,
                 level(share * red_mean, gains.red_levels, gains.chroma_zero, gains.peak));
}

HD void store(const Block& block, const Team& team, const float* volume, Stride stride, int rows,
              int columns, Byte* stored, const Planes& planes, const Gains& gains, int* trouble) {
    const float* from = volume + (Stride)block.y * rows * columns;
    Byte* frame = stored + block.y * planes.size() * (planes.wide ? 2 : 1);
    for (int n = team.rank; n < kThreads; n += team.size) {
        const int item = block.x * kThreads + n;
        const int cell_y = item / planes.columns(), cell_x = item % planes.columns();
        if (cell_y < planes.rows())
            store_cell(planes, gains, from, stride, columns, cell_y, cell_x, frame, trouble);
    }
}

}  // namespace frames

/// The planes of one frame of `height` × `width` into a volume of `rows` × `columns`, not smaller.
/// `wide`: samples are two bytes.
KERNEL(load_planes, frames::kThreads,
       (const unsigned char* stored, int height, int width, int kind, int wide, int halve_columns,
        int halve_rows, const float* gains, float* volume, Stride stride, int rows, int columns),
       frames::load(block, team, stored,
                    frames::Planes{height, width, kind, wide, halve_columns, halve_rows},
                    *reinterpret_cast<const frames::Gains*>(gains), volume, stride, rows, columns))

/// The first `height` × `width` samples of each frame of the volume as planes, frame behind frame,
/// rounded. `trouble` is set to 1 where a value is not a number.
KERNEL(store_planes, frames::kThreads,
       (const float* volume, Stride stride, int rows, int columns, unsigned char* stored, int height,
        int width, int kind, int wide, int halve_columns, int halve_rows, const float* gains,
        int* trouble),
       frames::store(block, team, volume, stride, rows, columns, stored,
                     frames::Planes{height, width, kind, wide, halve_columns, halve_rows},
                     *reinterpret_cast<const frames::Gains*>(gains), trouble))

/**
 * A small software rasteriser: triangles with a depth buffer and smooth colours, into one ImageData.
 *
 * It draws the same picture with and without a graphics card, needs no WebGL, and its cell buffer
 * answers "what lies under the pointer" exactly.
 */

const CONTOUR_DARKNESS = 0.24;

export class Raster {
  /** An empty raster; call resize before drawing. */
  constructor() {
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d");
    this.width = 0;
    this.height = 0;
  }

  /** Sets the size in raster pixels and forgets what was drawn. */
  resize(width, height) {
    if (width !== this.width || height !== this.height) {
      this.width = this.canvas.width = width;
      this.height = this.canvas.height = height;
      this.image = this.context.createImageData(width, height);
      this.pixels = new Uint32Array(this.image.data.buffer);
      this.depth = new Float32Array(width * height);
      this.cells = new Int32Array(width * height);
    }
    this.pixels.fill(0);
    this.depth.fill(0);
    this.cells.fill(-1);
  }

  /** Copies the drawn pixels to the raster's canvas. */
  flush() {
    this.context.putImageData(this.image, 0, 0);
  }

  /** Returns the cell drawn at a raster pixel, -1 where there is none. */
  cellAt(x, y) {
    const column = Math.floor(x);
    const line = Math.floor(y);
    if (column < 0 || line < 0 || column >= this.width || line >= this.height) return -1;
    return this.cells[line * this.width + column];
  }

  /** Returns whether a point of this nearness (1 / distance) is in front of what is drawn there. */
  isVisible(x, y, nearness) {
    const column = Math.round(x);
    const line = Math.round(y);
    if (column < 0 || line < 0 || column >= this.width || line >= this.height) return false;
    return this.depth[line * this.width + column] <= nearness * 1.006;
  }

  /**
   * Draws one triangle of the vertex arrays.
   * vertices: {x, y, nearness, red, green, blue, contour}, Float32Arrays; colours 0-255, and
   * contour in contour steps: a thin line is drawn wherever it passes a whole number above 0.
   */
  triangle(vertices, first, second, third, cell) {
    const { x, y } = vertices;
    let [a, b, c] = [first, second, third];
    if (y[b] < y[a]) [a, b] = [b, a];
    if (y[c] < y[b]) [b, c] = [c, b];
    if (y[b] < y[a]) [a, b] = [b, a];
    const area = (x[b] - x[a]) * (y[c] - y[a]) - (x[c] - x[a]) * (y[b] - y[a]);
    if (!(Math.abs(area) > 1e-6)) return;
    const planes = planesOf(vertices, a, b, c, area);
    const top = Math.max(0, Math.ceil(y[a] - 0.5));
    const bottom = Math.min(this.height, Math.ceil(y[c] - 0.5));
    for (let line = top; line < bottom; line += 1) {
      const level = line + 0.5;
      const long = crossing(x, y, a, c, level);
      const short = level < y[b] ? crossing(x, y, a, b, level) : crossing(x, y, b, c, level);
      const start = Math.max(0, Math.ceil(Math.min(long, short) - 0.5));
      const end = Math.min(this.width, Math.ceil(Math.max(long, short) - 0.5));
      if (start < end) this.span(planes, start, end, line, x[a], y[a], cell);
    }
  }

  /** Draws the pixels start..end-1 of one line of a triangle. */
  span(planes, start, end, line, originX, originY, cell) {
    const { pixels, depth, cells } = this;
    const [near, red, green, blue, contour] = planes;
    const stepX = start + 0.5 - originX;
    const stepY = line + 0.5 - originY;
    let nearness = valueAt(near, stepX, stepY);
    let r = valueAt(red, stepX, stepY);
    let g = valueAt(green, stepX, stepY);
    let b = valueAt(blue, stepX, stepY);
    let h = valueAt(contour, stepX, stepY);
    const base = line * this.width;
    for (let at = base + start; at < base + end; at += 1) {
      if (nearness > depth[at]) {
        depth[at] = nearness;
        cells[at] = cell;
        const shade = contourShade(h, planes.perPixel);
        pixels[at] = 0xff000000 | ((b * shade) << 16) | ((g * shade) << 8) | (r * shade);
      }
      nearness += near.dx;
      r += red.dx;
      g += green.dx;
      b += blue.dx;
      h += contour.dx;
    }
  }
}

function crossing(x, y, from, to, level) {
  return x[from] + ((level - y[from]) * (x[to] - x[from])) / (y[to] - y[from]);
}

function valueAt(plane, stepX, stepY) {
  return plane.at + plane.dx * stepX + plane.dy * stepY;
}

function planesOf(vertices, a, b, c, area) {
  const { x, y, nearness, red, green, blue, contour } = vertices;
  const abX = x[b] - x[a];
  const abY = y[b] - y[a];
  const acX = x[c] - x[a];
  const acY = y[c] - y[a];
  const planes = [nearness, red, green, blue, contour].map((values) => {
    const ab = values[b] - values[a];
    const ac = values[c] - values[a];
    return {
      at: values[a],
      dx: (ab * acY - ac * abY) / area,
      dy: (ac * abX - ab * acX) / area,
    };
  });
  planes.perPixel = Math.hypot(planes[4].dx, planes[4].dy);
  return planes;
}

/** Returns the factor that darkens a pixel lying within a pixel of a contour line, else 1. */
function contourShade(value, perPixel) {
  const nearest = Math.round(value);
  if (!(nearest > 0)) return 1;
  const distance = Math.abs(value - nearest) / (perPixel + 1e-9);
  return distance < 1.2 ? 1 - CONTOUR_DARKNESS * (1 - distance / 1.2) : 1;
}

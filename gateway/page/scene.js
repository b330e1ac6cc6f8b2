/** Draws a surface through a camera: the rastered ground and, over it, lines, dots and the scale. */

import { Raster } from "./raster.js";

const BASE = -0.035;
const FINEST_PIXELS = 2_600_000;
const QUICK_PIXELS = 500_000;
const GRID_LINES = 10;
const CONTOURS_PER_TICK = 5;

export class Scene {
  /** A scene on a visible canvas; theme gives its colours. */
  constructor(canvas, camera) {
    this.canvas = canvas;
    this.camera = camera;
    this.context = canvas.getContext("2d");
    this.raster = new Raster();
  }

  /** Takes a surface whose colours are still to be mixed; see paint. */
  setSurface(surface) {
    const count = surface.side * surface.side;
    if (this.vertices?.x.length !== count + 8 * surface.side) {
      this.vertices = vertexArrays(count + 8 * surface.side);
    }
    this.surface = surface;
  }

  /** Mixes the colour of every vertex; with a highlighted hill the others step back. */
  paint(theme, highlighted) {
    const { surface, vertices } = this;
    const { side, heights, light, tint, strength, owner, tick } = surface;
    this.theme = theme;
    for (let at = 0; at < side * side; at += 1) {
      const back = highlighted >= 0 && owner[at] !== highlighted ? 0.42 : 1;
      const share = theme.tintShare * strength[at] * back;
      const snow = theme.snow * Math.min(1, Math.max(0, heights[at] / 10));
      const shade = theme.light * light[at];
      const colour = [0, 1, 2].map((channel) => {
        const ground = theme.ground[channel];
        const tinted = ground + (tint[at * 3 + channel] - ground) * share;
        return Math.min(255, (tinted + (255 - tinted) * snow * share) * shade);
      });
      [vertices.red[at], vertices.green[at], vertices.blue[at]] = colour;
      vertices.contour[at] = (heights[at] * CONTOURS_PER_TICK) / tick;
    }
    this.paintSides();
  }

  /** Draws everything; quick draws fewer pixels while the view moves. */
  draw({ width, height, ratio, quick }) {
    const budget = quick ? QUICK_PIXELS : FINEST_PIXELS;
    const finest = quick ? Math.min(1, ratio) : Math.max(2, ratio);
    this.scale = Math.min(finest, Math.sqrt(budget / (width * height)));
    this.view = { width, height };
    this.raster.resize(Math.round(width * this.scale), Math.round(height * this.scale));
    this.projectAll();
    this.rasterAll();
    this.raster.flush();
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.context.imageSmoothingQuality = "high";
    this.context.drawImage(this.raster.canvas, 0, 0, this.canvas.width, this.canvas.height);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.strokeGrid();
    this.strokeScale();
  }

  /** Returns where a place of the ground (0-1, height) falls, and whether it can be seen. */
  locate(x, z, height) {
    const { width, height: tall } = this.view;
    const up = height * this.surface.lift;
    const point = this.camera.projector(width, tall)(x - 0.5, up, z - 0.5);
    point.visible = this.raster.isVisible(point.x * this.scale, point.y * this.scale, point.nearness);
    return point;
  }

  /** Returns the index of the hill under a point in CSS pixels, -1 for none. */
  hillAt(x, y) {
    if (!this.surface || !this.scale) return -1;
    const cell = this.raster.cellAt(x * this.scale, y * this.scale);
    return cell < 0 ? -1 : this.surface.owner[cell];
  }

  /** Draws a leader from a hill top to its label and a dot in the hill's colour. */
  strokeLeader(anchor, place, colour, strong) {
    const { context, theme } = this;
    context.strokeStyle = theme.ink;
    context.globalAlpha = strong ? 0.9 : 0.55;
    context.lineWidth = strong ? 1.5 : 1;
    context.beginPath();
    context.moveTo(anchor.x, anchor.y);
    const side = Math.min(place.width / 2 - 6, Math.max(6 - place.width / 2,
      anchor.x - place.left - place.width / 2));
    context.lineTo(place.left + place.width / 2 + side, place.top + place.height);
    context.stroke();
    context.globalAlpha = 1;
    this.dot(anchor, strong ? 4.5 : 3.4, colour);
  }

  /** Draws a dot in a hill's colour. */
  dot({ x, y }, radius, colour) {
    const { context, theme } = this;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fillStyle = colour;
    context.fill();
    context.strokeStyle = theme.paper;
    context.lineWidth = 1.2;
    context.stroke();
  }

  projectAll() {
    const { side, heights, lift } = this.surface;
    const { x, y, nearness } = this.vertices;
    const project = this.camera.projector(this.view.width, this.view.height);
    const put = (at, point) => {
      x[at] = point.x * this.scale;
      y[at] = point.y * this.scale;
      nearness[at] = point.nearness;
    };
    const across = (at) => (at % side) / (side - 1) - 0.5;
    const along = (at) => Math.floor(at / side) / (side - 1) - 0.5;
    for (let at = 0; at < side * side; at += 1) put(at, project(across(at), heights[at] * lift, along(at)));
    this.forEachSide((top, base) => {
      const edge = this.edgeVertex(top);
      put(top, { x: x[edge] / this.scale, y: y[edge] / this.scale, nearness: nearness[edge] });
      put(base, project(across(edge), BASE, along(edge)));
    });
  }

  rasterAll() {
    const { side, heights } = this.surface;
    const { raster, vertices } = this;
    for (let line = 0; line < side - 1; line += 1) {
      for (let col = 0; col < side - 1; col += 1) {
        const at = line * side + col;
        const [right, below, across] = [at + 1, at + side, at + side + 1];
        const steep = Math.abs(heights[at] - heights[across]) > Math.abs(heights[right] - heights[below]);
        raster.triangle(vertices, at, right, steep ? below : across, at);
        raster.triangle(vertices, steep ? right : at, below, across, at);
      }
    }
    this.forEachSide((top, base, last) => {
      if (last) return;
      raster.triangle(vertices, top, top + 1, base, -1);
      raster.triangle(vertices, top + 1, base, base + 1, -1);
    });
  }

  /** Calls visit(top, base, last) with the vertices of the four walls under the surface's edges. */
  forEachSide(visit) {
    const { side } = this.surface;
    const start = side * side;
    for (let wall = 0; wall < 4; wall += 1) {
      for (let step = 0; step < side; step += 1) {
        const top = start + wall * 2 * side + step;
        visit(top, top + side, step === side - 1);
      }
    }
  }

  edgeVertex(top) {
    const { side } = this.surface;
    const order = top - side * side;
    const step = order % (2 * side);
    const last = side - 1;
    return [step, last * side + step, step * side, step * side + last][Math.floor(order / (2 * side))];
  }

  paintSides() {
    const { red, green, blue, contour } = this.vertices;
    const { side } = this.surface;
    this.forEachSide((top, base) => {
      const shade = [0.66, 0.86, 0.94, 0.74][Math.floor((top - side * side) / (2 * side))];
      for (const [vertex, depth] of [[top, shade], [base, shade * 0.82]]) {
        [red[vertex], green[vertex], blue[vertex]] = this.theme.wall.map((part) => part * depth);
        contour[vertex] = -1;
      }
    });
  }

  strokeGrid() {
    const { side } = this.surface;
    const { context } = this;
    context.beginPath();
    for (let line = 1; line < GRID_LINES; line += 1) {
      const fixed = Math.round((line * (side - 1)) / GRID_LINES);
      for (let step = 0; step < side - 1; step += 1) {
        this.segment(fixed * side + step, fixed * side + step + 1);
        this.segment(step * side + fixed, (step + 1) * side + fixed);
      }
    }
    context.strokeStyle = this.theme.ink;
    context.globalAlpha = 0.13;
    context.lineWidth = 1;
    context.stroke();
    context.globalAlpha = 1;
  }

  segment(from, to) {
    const { x, y, nearness } = this.vertices;
    if (!this.raster.isVisible(x[from], y[from], nearness[from])) return;
    if (!this.raster.isVisible(x[to], y[to], nearness[to])) return;
    this.context.moveTo(x[from] / this.scale, y[from] / this.scale);
    this.context.lineTo(x[to] / this.scale, y[to] / this.scale);
  }

  /** Draws the height scale at the ground's corner that is leftmost on the screen. */
  strokeScale() {
    const { context, theme } = this;
    const project = this.camera.projector(this.view.width, this.view.height);
    const corners = [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]];
    const [x, z] = corners.reduce((left, corner) =>
      project(corner[0], 0, corner[1]).x < project(left[0], 0, left[1]).x ? corner : left);
    const { lift, tick } = this.surface;
    const at = (height) => project(x, height * lift, z);
    context.strokeStyle = context.fillStyle = theme.ink;
    context.globalAlpha = 0.62;
    context.font = theme.font;
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.beginPath();
    context.moveTo(at(0).x, at(0).y);
    context.lineTo(at(2 * tick).x, at(2 * tick).y);
    for (const height of [0, tick, 2 * tick]) {
      const mark = at(height);
      context.moveTo(mark.x, mark.y);
      context.lineTo(mark.x - 5, mark.y);
      context.fillText(height.toLocaleString("en-US"), mark.x - 8, mark.y);
    }
    context.lineWidth = 1;
    context.stroke();
    context.globalAlpha = 1;
  }
}

function vertexArrays(count) {
  const names = ["x", "y", "nearness", "red", "green", "blue", "contour"];
  return Object.fromEntries(names.map((name) => [name, new Float32Array(count)]));
}

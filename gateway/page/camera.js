/** Where the terrain is seen from, and where a point of it falls on the screen. */

const DISTANCE = 3.6;
const HOME = { yaw: -0.52, pitch: 0.58, zoom: 1 };
const LOWEST_PITCH = 0.12;
const HIGHEST_PITCH = 1.5;
const LARGEST_ZOOM = 8;

export class Camera {
  /** A camera at its home position over a unit square centred on the origin. */
  constructor() {
    this.fit = { scale: 1, x: 0, y: 0 };
    this.home();
  }

  /** Goes back to the first view. */
  home() {
    Object.assign(this, HOME, { panX: 0, panY: 0 });
  }

  /** Turns by radians; the tilt stays between nearly flat and straight down. */
  turn(yaw, pitch) {
    this.yaw += yaw;
    this.pitch = Math.min(HIGHEST_PITCH, Math.max(LOWEST_PITCH, this.pitch + pitch));
  }

  /** Zooms by a factor about a screen point given from the middle of the view. */
  zoomBy(factor, x = 0, y = 0) {
    const zoom = Math.min(LARGEST_ZOOM, Math.max(0.5, this.zoom * factor));
    const change = zoom / this.zoom;
    this.panX = x - (x - this.panX) * change;
    this.panY = y - (y - this.panY) * change;
    this.zoom = zoom;
    if (zoom <= 1) this.panX = this.panY = 0;
  }

  /** Moves the picture by screen pixels. */
  pan(x, y) {
    this.panX += x;
    this.panY += y;
  }

  /** Fits these points, seen from home, into a view with margins {top, right, bottom, left}. */
  frame(points, width, height, margin) {
    const now = { yaw: this.yaw, pitch: this.pitch };
    Object.assign(this, { yaw: HOME.yaw, pitch: HOME.pitch });
    const box = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
    for (const [x, y, z] of points) {
      const seen = this.look(x, y, z);
      box.left = Math.min(box.left, seen.x);
      box.right = Math.max(box.right, seen.x);
      box.top = Math.min(box.top, seen.y);
      box.bottom = Math.max(box.bottom, seen.y);
    }
    Object.assign(this, now);
    const roomX = Math.max(40, width - margin.left - margin.right);
    const roomY = Math.max(40, height - margin.top - margin.bottom);
    const scale = Math.min(roomX / (box.right - box.left), roomY / (box.bottom - box.top));
    this.fit = {
      scale,
      x: margin.left + roomX / 2 - width / 2 - (scale * (box.left + box.right)) / 2,
      y: margin.top + roomY / 2 - height / 2 - (scale * (box.top + box.bottom)) / 2,
    };
  }

  /** Returns a point as seen before scaling: x, y (down) and nearness (1 / distance). */
  look(x, y, z) {
    const right = Math.cos(this.yaw) * x + Math.sin(this.yaw) * z;
    const front = Math.cos(this.yaw) * z - Math.sin(this.yaw) * x;
    const up = y * Math.cos(this.pitch) - front * Math.sin(this.pitch);
    const nearness = 1 / (DISTANCE - front * Math.cos(this.pitch) - y * Math.sin(this.pitch));
    return { x: right * nearness, y: -up * nearness, nearness };
  }

  /** Returns a function from a point to its place in a view of this size, in CSS pixels. */
  projector(width, height) {
    const scale = this.fit.scale * this.zoom;
    const middleX = width / 2 + this.fit.x * this.zoom + this.panX;
    const middleY = height / 2 + this.fit.y * this.zoom + this.panY;
    return (x, y, z) => {
      const seen = this.look(x, y, z);
      return { x: middleX + seen.x * scale, y: middleY + seen.y * scale, nearness: seen.nearness };
    };
  }
}

/** The terrain as a person sees it: canvas, labels, highlight, growth, resizing. */

import { Camera } from "./camera.js";
import { listenToHands } from "./controls.js";
import { addTo, countOf, formatCount } from "./dom.js";
import { placeLabels } from "./labels.js";
import { Scene } from "./scene.js";
import { betweenSurfaces, buildSurface, cssColour, heightAt, parseColour } from "./surface.js";

const MOST_LABELS = 60;
const AREA_PER_LABEL = 26_000;
const MORPH_MS = 380;
const SETTLE_MS = 140;

export class TerrainView {
  /**
   * A view filling the element stage; labels keep clear of the element cover. handlers:
   * {onHover(cluster_id | null), onSelect(cluster_id | null)}, when a hill is pointed at or picked.
   */
  constructor(stage, cover, handlers) {
    this.stage = stage;
    this.cover = cover;
    this.handlers = handlers;
    this.canvas = addTo(stage, "canvas", "terrain-canvas");
    this.layer = addTo(stage, "div", "terrain-labels");
    this.layer.setAttribute("aria-hidden", "true");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.camera = new Camera();
    this.scene = new Scene(this.canvas, this.camera);
    this.labels = new Map();
    this.highlighted = null;
    this.listen();
  }

  /** Shows a terrain; a later one of the same hills grows out of the present one. */
  setTerrain(terrain) {
    const surface = buildSurface(terrain);
    const previous = this.surface;
    this.terrain = terrain;
    this.surface = surface;
    this.ranked = [...terrain.hills].sort((one, other) => other.size - one.size);
    this.canvas.setAttribute("aria-label", describe(terrain, this.ranked));
    this.makeLabels();
    if (previous?.side === surface.side && !prefersStillness()) this.morph(previous, surface);
    else this.show(surface);
    if (!previous) this.fit();
  }

  /** Marks one hill, or none with null. */
  highlight(clusterId) {
    this.highlighted = clusterId;
    this.repaint();
  }

  /** Goes back to the first view. */
  home() {
    this.camera.home();
    this.fit();
  }

  show(surface) {
    this.shown = surface;
    this.scene.setSurface(surface);
    this.repaint();
  }

  morph(from, to) {
    const start = performance.now();
    this.morphing = to;
    const step = (now) => {
      if (this.morphing !== to) return;
      const share = Math.min(1, (now - start) / MORPH_MS);
      if (share === 1) this.morphing = null;
      this.show(share === 1 ? to : betweenSurfaces(from, to, share * (2 - share)));
      if (share < 1) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  repaint() {
    if (!this.shown) return;
    const hills = this.terrain.hills;
    const index = hills.findIndex((hill) => hill.cluster_id === this.highlighted);
    this.scene.paint(readTheme(this.stage), index);
    this.invalidate();
  }

  /** Asks for one drawing at the next frame; moving ones are quick and sharpened after a rest. */
  invalidate(moving = false) {
    this.quick = moving;
    clearTimeout(this.settling);
    if (moving) this.settling = setTimeout(() => this.invalidate(), SETTLE_MS);
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (!this.shown || width < 2 || height < 2) return;
    const ratio = Math.min(3, window.devicePixelRatio || 1);
    const size = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== size[0]) this.canvas.width = size[0];
    if (this.canvas.height !== size[1]) this.canvas.height = size[1];
    this.scene.draw({ width, height, ratio, quick: this.quick || Boolean(this.morphing) });
    this.drawLabels(width, height);
  }

  drawLabels(width, height) {
    const tops = this.ranked.map((hill) => ({ hill, ...this.top(hill) }));
    const first = tops.filter(({ hill }) => hill.cluster_id === this.highlighted);
    const seen = tops.filter((top) => top.visible && this.labels.has(top.hill.cluster_id));
    const anchors = [...first, ...seen.filter((top) => !first.includes(top))]
      .filter(({ hill }) => this.labels.has(hill.cluster_id))
      .map(({ hill, x, y }) => ({ id: hill.cluster_id, x, y, ...this.labelSize(hill.cluster_id) }));
    const most = Math.max(6, Math.round((width * height) / AREA_PER_LABEL));
    const places = placeLabels(anchors.slice(0, most), { width, height, avoid: this.covered() });
    for (const top of tops) this.drawLabel(top, places.get(top.hill.cluster_id), width, height);
  }

  drawLabel(top, place, width, height) {
    const { hill } = top;
    const strong = hill.cluster_id === this.highlighted;
    const label = this.labels.get(hill.cluster_id)?.element;
    if (label) label.hidden = !place;
    if (place) {
      this.scene.strokeLeader(top, place, cssColour(hill), strong);
      label.classList.toggle("strong", strong);
      label.style.left = `${(100 * place.left) / width}%`;
      label.style.top = `${(100 * place.top) / height}%`;
    } else if (label && top.visible) {
      this.scene.dot(top, 2.4, cssColour(hill));
    }
  }

  /** Returns where the card lies over the stage, as a list of at most one rectangle. */
  covered() {
    const box = this.cover.getBoundingClientRect();
    const own = this.stage.getBoundingClientRect();
    if (!box.width || box.top >= own.bottom) return [];
    const { width, height } = box;
    return [{ left: box.left - own.left, top: box.top - own.top, width, height }];
  }

  top(hill) {
    const last = Math.max(1, this.terrain.gridSize - 1);
    const { side, heights } = this.shown;
    const column = Math.round((hill.x / last) * (side - 1));
    const line = Math.round((hill.z / last) * (side - 1));
    const drawn = heights[line * side + column] ?? heightAt(this.terrain.heightData, hill.x, hill.z);
    return this.scene.locate(hill.x / last, hill.z / last, drawn);
  }

  makeLabels() {
    const known = this.ranked.slice(0, MOST_LABELS);
    this.layer.replaceChildren();
    this.labels.clear();
    for (const hill of known) {
      const element = addTo(this.layer, "div", "terrain-label");
      addTo(element, "bdi", "terrain-label-name").textContent = hill.label;
      addTo(element, "span", "terrain-label-size").textContent = formatCount(hill.size);
      element.addEventListener("pointerenter", () => this.handlers.onHover(hill.cluster_id));
      element.addEventListener("pointerleave", () => this.handlers.onHover(null));
      element.addEventListener("click", () => this.handlers.onSelect(hill.cluster_id));
      this.labels.set(hill.cluster_id, { element });
    }
  }

  labelSize(clusterId) {
    const entry = this.labels.get(clusterId);
    if (!entry.size) {
      entry.element.hidden = false;
      entry.size = { width: entry.element.offsetWidth, height: entry.element.offsetHeight };
    }
    return entry.size;
  }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (!this.surface || width < 2 || height < 2) return;
    const { side, heights, lift } = this.surface;
    const points = [];
    heights.forEach((tall, at) => {
      points.push([(at % side) / (side - 1) - 0.5, tall * lift, Math.floor(at / side) / (side - 1) - 0.5]);
    });
    for (const x of [-0.5, 0.5]) for (const z of [-0.5, 0.5]) points.push([x, 10 * lift, z]);
    this.camera.frame(points, width, height, { top: 44, right: 16, bottom: 24, left: 30 });
    this.stage.style.setProperty("--stage-aspect", String(width / height));
    for (const entry of this.labels.values()) entry.size = null;
    this.invalidate();
  }

  listen() {
    new ResizeObserver(() => this.fit()).observe(this.stage);
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.repaint());
    listenToHands(this);
  }

  hillUnder({ x, y }) {
    const index = this.scene.hillAt(x, y);
    return index < 0 ? null : this.terrain.hills[index].cluster_id;
  }
}

function describe(terrain, ranked) {
  const tallest = ranked[0];
  const first = tallest ? ` The largest is ${tallest.label} with ${countOf(tallest.size, "row")}.` : "";
  return (
    `Terrain of ${countOf(terrain.hills.length, "hill")}.${first} Arrow keys turn it, plus and minus zoom, ` +
    "Home goes back. The table of hills says the same in words."
  );
}

function prefersStillness() {
  return window.matchMedia("(prefers-reduced-motion: reduce)").matches;
}

function readTheme(stage) {
  const style = getComputedStyle(stage);
  const text = (name) => style.getPropertyValue(name).trim();
  return {
    ground: parseColour(text("--terrain-ground")),
    wall: parseColour(text("--terrain-wall")),
    ink: text("--ink"),
    paper: text("--panel"),
    tintShare: Number(text("--terrain-tint")),
    snow: Number(text("--terrain-snow")),
    light: Number(text("--terrain-light")),
    font: `11px ${style.fontFamily}`,
  };
}

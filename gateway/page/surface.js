/** The height field as a mesh: heights, light, hill colours. Nothing here knows the camera. */

const SMALLEST_SIDE = 96;
const LARGEST_SIDE = 150;
/** Side lengths of the ground for a height of 10: moderate, the tall hill is seen at a glance. */
const RELIEF = 0.36;
/** Heights above this are drawn compressed, so that one huge weight does not leave the picture. */
const TALLEST_DRAWN = 18;
/** Towards the sun, a unit vector: over the left shoulder of someone at the first view. */
const SUN = { x: -0.4, y: 0.7, z: 0.59 };
const OWNED_FROM = 0.18;

/**
 * Returns the mesh of a terrain {hills, heightData, gridSize}.
 * side: vertices a side; heights, light: Float32Array[side * side], row z then column x;
 * tint: hill colour 0-255 [side * side * 3]; strength: how much of it, 0-1; owner: index of the
 * hill a vertex belongs to, -1 for open ground; lift: drawn height of one unit, ground sides;
 * tick: the round step of the height scale, 5 unless hills were raised far.
 */
export function buildSurface(terrain) {
  const side = Math.min(LARGEST_SIDE, Math.max(SMALLEST_SIDE, terrain.gridSize));
  const heights = resample(terrain.heightData, side);
  const tallest = heights.reduce((most, height) => Math.max(most, height), 0);
  const lift = (RELIEF / 10) * Math.min(1, TALLEST_DRAWN / Math.max(tallest, 1e-9));
  const colours = colourGround(terrain, side);
  const light = lightGround(heights, side, lift);
  return { side, heights, lift, light, tick: tickFor(tallest), ...colours };
}

/** Returns the height at a place in grid cells, between the four nearest grid points. */
export function heightAt(heightData, x, z) {
  const last = heightData.length - 1;
  const column = Math.min(last, Math.max(0, x));
  const line = Math.min(last, Math.max(0, z));
  const left = Math.min(Math.floor(column), Math.max(0, last - 1));
  const top = Math.min(Math.floor(line), Math.max(0, last - 1));
  const above = mixed(heightData[top], left, column - left, last);
  const below = mixed(heightData[Math.min(last, top + 1)], left, column - left, last);
  return above + (below - above) * (line - top);
}

/** Returns a surface between two of the same side; share 0 gives the first, 1 the second. */
export function betweenSurfaces(from, to, share) {
  const blend = (one, other) => other.map((value, at) => one[at] + (value - one[at]) * share);
  return {
    ...to,
    heights: blend(from.heights, to.heights),
    light: blend(from.light, to.light),
    lift: from.lift + (to.lift - from.lift) * share,
  };
}

/** Returns [red, green, blue], 0-255, of "#rrggbb"; a neutral grey for anything else. */
export function parseColour(text) {
  const match = /^#([0-9a-f]{6})$/i.exec(text);
  const value = match ? parseInt(match[1], 16) : 0x8a9399;
  return [value >> 16, (value >> 8) & 255, value & 255];
}

/** Returns a hill's colour as CSS that was checked to be a colour. */
export function cssColour(hill) {
  return `rgb(${parseColour(hill.color).join(" ")})`;
}

function tickFor(tallest) {
  if (tallest <= TALLEST_DRAWN) return 5;
  const power = 10 ** Math.floor(Math.log10(tallest / 2));
  return power * (tallest / 2 >= 5 * power ? 5 : tallest / 2 >= 2 * power ? 2 : 1);
}

function mixed(line, left, share, last) {
  return line[left] + (line[Math.min(last, left + 1)] - line[left]) * share;
}

function resample(heightData, side) {
  const ratio = (heightData.length - 1) / (side - 1);
  const heights = new Float32Array(side * side);
  for (let at = 0; at < heights.length; at += 1) {
    const line = Math.floor(at / side);
    heights[at] = heightAt(heightData, (at % side) * ratio, line * ratio);
  }
  return heights;
}

function colourGround({ hills, gridSize }, side) {
  const mix = new Float32Array(side * side * 4);
  const best = new Float32Array(side * side);
  const strength = new Float32Array(side * side);
  const owner = new Int32Array(side * side).fill(-1);
  hills.forEach((hill, index) => {
    const colour = parseColour(hill.color);
    const height = Math.max(0, hill.original_height);
    // A hill whose rows lie far apart is low and wide: in full colour it would drown its neighbours.
    const density = Math.min(1, 0.25 + (0.025 * height * gridSize) / hill.radius);
    const weight = density * (0.25 + Math.sqrt(height / 10));
    forEachNear(hill, gridSize, side, (at, nearness) => {
      const part = nearness * weight;
      for (let channel = 0; channel < 3; channel += 1) mix[at * 4 + channel] += colour[channel] * part;
      mix[at * 4 + 3] += part;
      strength[at] = Math.max(strength[at], density * smooth((nearness - 0.06) / 0.74));
      if (nearness > OWNED_FROM && part > best[at]) [best[at], owner[at]] = [part, index];
    });
  });
  return { tint: averageTint(mix), strength, owner };
}

function averageTint(mix) {
  const tint = new Float32Array((mix.length / 4) * 3);
  for (let at = 0; at < mix.length / 4; at += 1) {
    const total = mix[at * 4 + 3] || 1;
    for (let channel = 0; channel < 3; channel += 1) {
      tint[at * 3 + channel] = mix[at * 4 + channel] / total;
    }
  }
  return tint;
}

/** Calls visit(vertex, nearness) within 2.6 radii of a hill; nearness is 1 at its centre. */
function forEachNear(hill, gridSize, side, visit) {
  const ratio = (side - 1) / Math.max(1, gridSize - 1);
  const [x, z, radius] = [hill.x * ratio, hill.z * ratio, Math.max(1, hill.radius * ratio)];
  const reach = radius * 2.6;
  for (let line = Math.max(0, Math.ceil(z - reach)); line <= Math.min(side - 1, z + reach); line += 1) {
    for (let col = Math.max(0, Math.ceil(x - reach)); col <= Math.min(side - 1, x + reach); col += 1) {
      const distance = ((col - x) ** 2 + (line - z) ** 2) / (2 * radius * radius);
      visit(line * side + col, Math.exp(-distance));
    }
  }
}

function lightGround(heights, side, lift) {
  const light = new Float32Array(side * side);
  const scale = lift * (side - 1);
  const level = (col, line) => {
    const column = Math.min(side - 1, Math.max(0, Math.round(col)));
    return heights[Math.min(side - 1, Math.max(0, Math.round(line))) * side + column] * scale;
  };
  for (let at = 0; at < light.length; at += 1) {
    const [col, line] = [at % side, Math.floor(at / side)];
    const slopeX = (level(col - 1, line) - level(col + 1, line)) / 2;
    const slopeZ = (level(col, line - 1) - level(col, line + 1)) / 2;
    const length = Math.hypot(slopeX, 1, slopeZ);
    const facing = Math.max(0, (slopeX * SUN.x + SUN.y + slopeZ * SUN.z) / length);
    const sky = 0.5 + 0.5 / length;
    light[at] = 0.68 * sky * openness(level, col, line) + 0.5 * facing * sunlight(level, col, line);
  }
  return light;
}

/** Returns how much sun reaches a vertex, 0-1, with a soft edge: a march towards the sun. */
function sunlight(level, col, line) {
  const flat = Math.hypot(SUN.x, SUN.z);
  const from = level(col, line);
  let shade = 0;
  for (let step = 1.5; step <= 48; step += 1.5) {
    const above = level(col + (SUN.x / flat) * step, line + (SUN.z / flat) * step) - from;
    shade = Math.max(shade, (above - (step * SUN.y) / flat) / (3 + step * 0.2));
  }
  return 1 - 0.7 * smooth(shade);
}

/** Returns how open the sky is over a vertex, 0.7-1: lower beside a steep hill. */
function openness(level, col, line) {
  let higher = 0;
  for (let turn = 0; turn < 8; turn += 1) {
    const angle = (turn * Math.PI) / 4;
    higher += Math.max(0, level(col + 6 * Math.cos(angle), line + 6 * Math.sin(angle)) - level(col, line));
  }
  return 1 - 0.3 * smooth(higher / 8 / 4);
}

function smooth(value) {
  const share = Math.min(1, Math.max(0, value));
  return share * share * (3 - 2 * share);
}

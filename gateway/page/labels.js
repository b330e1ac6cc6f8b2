/** Places labels over hill tops so that none covers another; the first come first. */

const RISES = [16, 34, 54, 78, 106, 138, 174];
const SHIFTS = [0, -0.3, 0.3, -0.5, 0.5];
const GAP = 3;
const LONGEST_LEADER = 0.22;

/**
 * Returns a Map of id to {left, top, width, height}; a label that finds no free place is absent.
 * anchors: [{id, x, y, width, height}], most important first, x and y the hill top in pixels;
 * avoid: rectangles that stay free.
 */
export function placeLabels(anchors, { width, height, avoid }) {
  const dots = anchors.map(({ x, y }) => ({ left: x - 3, top: y - 3, width: 6, height: 6 }));
  const taken = [...avoid, ...dots];
  const places = new Map();
  for (const anchor of anchors) {
    const place = freePlace(anchor, taken, width, height);
    if (!place) continue;
    places.set(anchor.id, place);
    taken.push(place, leaderOf(anchor, place));
  }
  return places;
}

function freePlace(anchor, taken, width, height) {
  for (const rise of RISES.filter((one) => one < height * LONGEST_LEADER)) {
    for (const shift of SHIFTS) {
      const place = {
        left: anchor.x + (shift - 0.5) * anchor.width,
        top: anchor.y - rise - anchor.height,
        width: anchor.width,
        height: anchor.height,
      };
      place.left = Math.min(width - GAP - place.width, Math.max(GAP, place.left));
      const inside = place.top >= GAP && anchor.x > GAP && anchor.x < width - GAP;
      if (inside && anchor.y < height && !taken.some((other) => overlap(place, other))) return place;
    }
  }
  return null;
}

function leaderOf(anchor, place) {
  const top = place.top + place.height;
  return { left: anchor.x - 1, top, width: 2, height: Math.max(0, anchor.y - top) };
}

function overlap(one, other) {
  return (
    one.left < other.left + other.width + GAP &&
    other.left < one.left + one.width + GAP &&
    one.top < other.top + other.height + GAP &&
    other.top < one.top + one.height + GAP
  );
}

/** The curve of flatness and what it costs, drawn with labelled axes. */

import { decimals, formatShare } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 360;
const HEIGHT = 190;
const PLOT = { left: 46, right: 12, top: 12, bottom: 38 };
const TICKS = [0, 0.25, 0.5, 0.75, 1];

/**
 * Fills an element with a curve {flatness, effective_sample_share, default_step}; target: the
 * flatness that is asked for, null for the default.
 */
export function drawCurve(parent, curve, target = null) {
  const figure = document.createElementNS(SVG, "svg");
  figure.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  figure.setAttribute("role", "img");
  figure.classList.add("curve");
  addAxes(figure);
  const points = curve.flatness.map((flatness, step) => [
    across(flatness),
    up(curve.effective_sample_share[step]),
  ]);
  const line = draw(figure, "polyline", "curve-line");
  line.setAttribute("points", points.map((point) => point.join(",")).join(" "));
  const [x, y] = points[curve.default_step];
  mark(figure, "curve-default", x, y);
  const isLeft = x < WIDTH / 3;
  write(figure, isLeft ? x + 9 : x - 9, y + 15, "default", isLeft ? "start" : "end");
  if (target !== null) addTarget(figure, target);
  figure.setAttribute("aria-label", inWords(curve));
  const caption = document.createElement("p");
  caption.className = "curve-note";
  caption.textContent = inWords(curve);
  parent.replaceChildren(figure, caption);
}

function inWords(curve) {
  const at = curve.default_step;
  const last = curve.flatness.length - 1;
  const point = (step) =>
    `flatness ${decimals(2)(curve.flatness[step])} keeps ${formatShare(curve.effective_sample_share[step])}`;
  return `Effective sample size by flatness. Default: ${point(at)}. Flattest: ${point(last)}.`;
}

function addAxes(figure) {
  for (const tick of TICKS) {
    const [x, y] = [across(tick), up(tick)];
    rule(figure, x, up(0), x, up(1));
    rule(figure, across(0), y, across(1), y);
    write(figure, x, up(0) + 15, String(tick), "middle");
    write(figure, across(0) - 6, y + 4, formatShare(tick), "end");
  }
  write(figure, across(0.5), HEIGHT - 4, "Flatness", "middle");
  const title = write(figure, 0, 0, "Effective size", "middle");
  title.setAttribute("transform", `translate(9 ${up(0.5)}) rotate(-90)`);
}

function addTarget(figure, flatness) {
  const x = across(flatness);
  const line = rule(figure, x, up(0), x, up(1));
  line.setAttribute("class", "curve-target");
}

function mark(figure, name, x, y) {
  const circle = draw(figure, "circle", name);
  for (const [key, value] of Object.entries({ cx: x, cy: y, r: 5 })) circle.setAttribute(key, value);
}

function rule(figure, x1, y1, x2, y2) {
  const line = draw(figure, "line", "curve-grid");
  for (const [key, value] of Object.entries({ x1, y1, x2, y2 })) line.setAttribute(key, value);
  return line;
}

function write(figure, x, y, words, anchor) {
  const text = draw(figure, "text", "curve-text");
  for (const [key, value] of Object.entries({ x, y, "text-anchor": anchor })) text.setAttribute(key, value);
  text.textContent = words;
  return text;
}

function draw(figure, name, className) {
  const shape = document.createElementNS(SVG, name);
  shape.setAttribute("class", className);
  figure.append(shape);
  return shape;
}

function across(flatness) {
  return round(PLOT.left + flatness * (WIDTH - PLOT.left - PLOT.right));
}

function up(share) {
  return round(HEIGHT - PLOT.bottom - share * (HEIGHT - PLOT.top - PLOT.bottom));
}

function round(pixels) {
  return Math.round(10 * pixels) / 10;
}

/** What stands beside the terrain in words: the table of hills, one hill's card. */

import { addHead, addTo, countOf, decimals, formatCount, formatShare, written } from "./dom.js";
import { cssColour } from "./surface.js";

const SLIDER_END = 3;
const NOISE_ID = -1;
const STABILITY_MEANS =
  "How much of this hill comes back when the rows are grouped again from another start and from a " +
  "sample of them. 100%: all of it, every time.";

/** The table of hills, largest first: the terrain in words, and the place to change weights. */
export class HillTable {
  /** A table in parent. handlers: {onHover, onSelect, onWeight (absent: read only)}. */
  constructor(parent, handlers) {
    this.parent = parent;
    this.handlers = handlers;
    this.rows = new Map();
  }

  /** Shows a terrain's hills and noise. */
  show(terrain) {
    this.total = rowTotal(terrain.metrics);
    this.largest = terrain.hills.reduce((most, hill) => Math.max(most, hill.size), 1);
    const table = document.createElement("table");
    table.className = "hills";
    const head = addTo(addTo(table, "thead"), "tr");
    for (const title of ["Hill", "Rows", "Share", "Weight"]) addHead(head, title, "col");
    const body = addTo(table, "tbody");
    this.rows.clear();
    const ranked = [...terrain.hills].sort((one, other) => other.size - one.size);
    for (const hill of ranked) this.addHill(body, hill);
    this.addNoise(addTo(table, "tfoot"), noiseOf(terrain));
    this.parent.replaceChildren(table);
  }

  /** Brings weights and bars up to date without touching the control that is in use. */
  update(weights) {
    for (const [id, row] of this.rows) {
      const weight = weights[String(id)] ?? 1;
      row.setWeight(weight);
    }
  }

  /** Marks one hill's row, or none with null. */
  highlight(clusterId) {
    for (const [id, row] of this.rows) row.element.classList.toggle("strong", id === clusterId);
  }

  addHill(body, hill) {
    const row = addTo(body, "tr");
    row.addEventListener("pointerenter", () => this.handlers.onHover(hill.cluster_id));
    row.addEventListener("pointerleave", () => this.handlers.onHover(null));
    const name = addHead(row, "", "row");
    const button = addTo(name, "button", "hill-name");
    button.type = "button";
    addTo(button, "span", "swatch").style.backgroundColor = cssColour(hill);
    addTo(button, "bdi").textContent = hill.label;
    button.addEventListener("click", () => this.handlers.onSelect(hill.cluster_id));
    const bar = addTo(addTo(name, "span", "bar"), "span", "bar-now");
    bar.style.backgroundColor = cssColour(hill);
    bar.parentElement.style.setProperty("--was", share(hill.size, this.largest));
    this.finishRow(row, name, hill, (weight) => {
      bar.style.width = share(Math.min(this.largest, hill.size * weight), this.largest);
    });
  }

  addNoise(foot, noise) {
    if (!noise.size) return;
    const row = addTo(foot, "tr");
    const name = addHead(row, "", "row");
    addTo(name, "span", "hill-name").textContent = "Noise";
    addTo(name, "small").textContent = noise.reason || "Rows that are like no hill.";
    this.finishRow(row, name, noise, () => {});
  }

  finishRow(row, name, item, draw) {
    addTo(row, "td").textContent = formatCount(item.size);
    addTo(row, "td").textContent = share(item.size, this.total);
    const cell = addTo(row, "td", "weight");
    const show = this.handlers.onWeight
      ? this.addControls(name, cell, item, draw)
      : (weight) => (cell.textContent = writeWeight(weight));
    const setWeight = (weight) => {
      draw(weight);
      show(weight);
    };
    setWeight(item.weight);
    this.rows.set(item.cluster_id, { element: row, setWeight });
  }

  addControls(name, cell, item, draw) {
    const slider = addTo(name, "input", "weight-slider");
    const number = addTo(cell, "input", "weight-number");
    Object.assign(slider, { type: "range", min: "0", max: String(SLIDER_END), step: "0.05" });
    Object.assign(number, { type: "number", min: "0", max: "1000000", step: "any" });
    slider.setAttribute("aria-label", `Weight of ${item.label}`);
    number.setAttribute("aria-label", `Weight of ${item.label}, as a number`);
    for (const [input, twin] of [[slider, number], [number, slider]]) {
      input.addEventListener("input", () => {
        if (input.value === "" || !input.checkValidity()) return;
        twin.value = input.value;
        draw(Number(input.value));
        this.handlers.onWeight(item.cluster_id, Number(input.value));
      });
    }
    return (weight) => {
      if (document.activeElement !== slider) slider.value = String(weight);
      if (document.activeElement !== number) number.value = writeWeight(weight);
    };
  }
}

/** Fills a card with everything known about one hill; onClose is called by its button. */
export function showCard(card, hill, metrics, onClose) {
  card.replaceChildren();
  const close = addTo(card, "button", "card-close");
  close.type = "button";
  close.textContent = "×";
  close.setAttribute("aria-label", "Close");
  close.addEventListener("click", onClose);
  const title = addTo(card, "h3");
  addTo(title, "span", "swatch").style.backgroundColor = cssColour(hill);
  addTo(title, "bdi").textContent = hill.label;
  if (hill.description) addTo(addTo(card, "p", "card-text"), "bdi").textContent = hill.description;
  const facts = addTo(card, "p", "card-facts");
  facts.textContent = factsOf(hill, metrics);
  if (Number.isFinite(hill.stability)) addStability(facts, hill.stability);
  if (hill.keywords?.length) {
    const words = addTo(card, "p", "card-words");
    for (const word of hill.keywords) addTo(words, "bdi", "chip").textContent = word;
  }
  if (hill.exemplars?.length) addExemplars(card, hill.exemplars);
}

function addStability(facts, stability) {
  facts.append(" · ");
  const fact = addTo(facts, "abbr");
  fact.textContent = `stability ${formatShare(stability)}`;
  fact.title = STABILITY_MEANS;
}

function addExemplars(card, exemplars) {
  addTo(card, "h4").textContent = "Typical rows";
  const list = addTo(card, "ul", "card-rows");
  for (const exemplar of exemplars) {
    const item = addTo(list, "li");
    addTo(item, "bdi").textContent = exemplar.text;
    addTo(item, "span", "row-id").textContent = `row ${exemplar.row_id}`;
  }
}

function factsOf(hill, metrics) {
  const facts = [
    countOf(hill.size, "row"),
    `${share(hill.size, rowTotal(metrics))} of all`,
    `weight ${writeWeight(hill.weight)}`,
    `height ${written(hill.height, decimals(1))}`,
  ];
  if (hill.near_duplicate_share > 0) facts.push(`${formatShare(hill.near_duplicate_share)} copies`);
  if (hill.weight !== 1) facts.splice(3, 0, `counts as ${formatCount(hill.effective_size)}`);
  if (hill.label_source === "llm") facts.push("named by a language model");
  if (hill.label_source === "keywords") facts.push("named by keywords");
  return facts.join(" · ");
}

function noiseOf({ noise, metrics }) {
  return {
    cluster_id: NOISE_ID,
    label: "noise",
    size: (metrics.original ?? metrics).noise_count ?? 0,
    weight: noise?.weight ?? 1,
    reason: noise?.reason,
  };
}

function rowTotal(metrics) {
  return (metrics.original ?? metrics).row_count;
}

function share(part, whole) {
  return formatShare(whole > 0 ? part / whole : 0);
}

function writeWeight(weight) {
  return String(Number(weight.toPrecision(4)));
}

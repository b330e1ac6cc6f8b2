/** The terrain with everything around it, as both the page and the self-contained picture show it. */

import { addTo, formatCount, formatShare } from "./dom.js";
import { LayerChooser } from "./layers.js";
import { showMetrics } from "./measures.js";
import { HillTable, showCard } from "./panels.js";
import { TerrainView } from "./view.js";

/**
 * Fills root with a terrain {hills, heightData, gridSize, metrics, noise} as the REST API gives it.
 * options.onWeight(cluster_id, weight), when given, makes the weights editable;
 * options.onLayer(layer_index), when given, lets people ask for finer and coarser hills, and
 * options.layerReason says why these come first.
 * Returns {show(terrain), update(terrain), setMetrics(metrics), setWeights(weights), tools: an
 * empty element between balance and hills}.
 */
export function mountTerrain(root, terrain, options = {}) {
  return new Explorer(root, terrain, options);
}

class Explorer {
  constructor(root, terrain, { onWeight, onLayer, layerReason }) {
    this.build(root);
    const handlers = {
      onHover: (id) => this.hover(id),
      onSelect: (id) => this.select(id),
      onWeight,
    };
    this.view = new TerrainView(this.stage, this.card, handlers);
    this.table = new HillTable(this.hills, handlers);
    this.layers = onLayer && new LayerChooser(this.chooser, onLayer, layerReason);
    this.show(terrain);
  }

  /** Shows other hills. */
  show(terrain) {
    this.terrain = terrain;
    this.selected = null;
    this.hovered = null;
    this.table.show(terrain);
    this.layers?.show(terrain);
    this.note.textContent = noteFor(terrain);
    this.view.setTerrain(terrain);
    this.setMetrics(terrain.metrics);
    this.showCard();
  }

  /** Shows the same hills at other weights. */
  update(terrain) {
    this.terrain = terrain;
    this.view.setTerrain(terrain);
    this.setMetrics(terrain.metrics);
    this.showCard();
  }

  /** Shows the measures at the current weights. */
  setMetrics(metrics) {
    this.terrain.metrics = metrics;
    showMetrics(this.metrics, metrics);
  }

  /** Shows weights {cluster_id: weight} in the table; hills not named weigh 1. */
  setWeights(weights) {
    this.table.update(weights);
  }

  build(root) {
    root.replaceChildren();
    root.classList.add("explorer");
    const left = addTo(root, "section", "stage-box");
    left.setAttribute("aria-label", "Terrain");
    this.stage = addTo(left, "div", "stage");
    this.card = addTo(left, "div", "card");
    this.card.hidden = true;
    const foot = addTo(left, "div", "stage-foot");
    this.note = addTo(foot, "p");
    const home = addTo(foot, "button", "quiet");
    home.type = "button";
    home.textContent = "Reset view";
    home.addEventListener("click", () => this.view.home());
    const right = addTo(root, "aside", "side");
    addTo(right, "h2").textContent = "Balance";
    this.metrics = addTo(right, "div");
    this.tools = addTo(right, "div");
    addTo(right, "h2").textContent = "Hills";
    this.chooser = addTo(right, "div");
    this.chooser.className = "choosers";
    this.hills = addTo(right, "div");
  }

  hover(id) {
    if (this.hovered === id) return;
    this.hovered = id;
    this.showCard();
  }

  select(id) {
    this.selected = this.selected === id ? null : id;
    this.hovered = null;
    this.showCard();
  }

  showCard() {
    const id = this.hovered ?? this.selected;
    const hill = this.terrain.hills.find((one) => one.cluster_id === id);
    this.table.highlight(id);
    this.card.hidden = !hill;
    if (hill) showCard(this.card, hill, this.terrain.metrics, () => this.select(null));
    this.view.highlight(id);
  }
}

function noteFor({ hills, layer, layers = [], layout }) {
  const largest = hills.reduce((most, hill) => Math.max(most, hill.size), 0);
  if (!hills.length) return "No hills: no group of similar rows was found, so the ground is flat.";
  const isMeasured = layers.find((one) => one.layer_index === layer)?.is_terrain_layer;
  const own = isMeasured ? layout?.own_hill_fraction : null;
  const trust = Number.isFinite(own) ? ` For ${formatShare(own)} of their rows the nearest hill is their own.` : "";
  return (
    `Height: rows of a hill relative to the largest, × 10 (10 = ${formatCount(largest)} rows). ` +
    `Near hills are alike; the ground's axes have no unit.${trust} Drag to turn, scroll to zoom.`
  );
}

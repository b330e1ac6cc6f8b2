/** A dataset's terrain whose weights and layer a person changes. */

import { readTerrain } from "./api.js";
import { addTo } from "./dom.js";
import { addDownloads } from "./downloads.js";
import { LevelPanel } from "./level.js";
import { mountTerrain } from "./terrain.js";
import { WeightSaver } from "./weights.js";

const NOISE_ID = -1;

/**
 * Fills root with a dataset's terrain. handlers: {onShow(terrain), when other hills are shown;
 * onState(state, message), as of WeightSaver; onProblem(problem); layerReason, why these hills}.
 * Returns {reset(), which gives every row weight 1; close()}.
 */
export function explore(root, id, terrain, handlers) {
  let closed = false;
  let count = "rows";
  const saver = new WeightSaver(id, {
    onState: handlers.onState,
    onSaved: (metrics, weights) => {
      if (count === "rows") explorer.setMetrics(metrics);
      explorer.setWeights(weights);
      return redraw(saver.layer, (fresh) => explorer.update(fresh));
    },
  });
  const explorer = mountTerrain(root, terrain, {
    onWeight: (clusterId, weight) => saver.set(clusterId, weight),
    onLayer: showLayer,
    layerReason: handlers.layerReason,
  });
  handlers.onShow(terrain);
  const panel = new LevelPanel(explorer.tools, id, {
    onApplied: () => redraw(saver.layer, show),
    isClosed: () => closed,
  });
  addDownloads(explorer.tools, id);
  if (terrain.hills.some((hill) => hill.group_count !== null && hill.near_duplicate_share > 0)) {
    addCounter(explorer.chooser, (unit) => {
      count = unit;
      redraw(saver.layer, show);
    });
  }

  function show(fresh) {
    explorer.show(fresh);
    handlers.onShow(fresh);
  }

  async function showLayer(layer) {
    // Weights that wait may be of hills around or in those of the next layer.
    await saver.flush();
    saver.layer = layer;
    panel.setLayer(layer);
    await redraw(layer, show);
  }

  async function redraw(layer, draw) {
    try {
      const fresh = await readTerrain(id, layer, count);
      if (!closed && saver.layer === layer) draw(fresh);
    } catch (problem) {
      if (!closed) handlers.onProblem(problem);
    }
  }

  return {
    reset() {
      explorer.setWeights({});
      saver.reset(finestIds(terrain));
    },
    close() {
      closed = true;
      saver.close();
    },
  };
}

/** Adds a switch that counts near-duplicates once; onCount("rows" | "groups"). */
function addCounter(parent, onCount) {
  const label = addTo(parent, "label", "counter");
  const box = addTo(label, "input");
  box.type = "checkbox";
  label.append("Count near-duplicates once");
  box.addEventListener("change", () => onCount(box.checked ? "groups" : "rows"));
}

/** Returns the ids of the clusters that weights live on, and of noise where there is some. */
function finestIds({ layers, metrics }) {
  const { first_cluster_id: first, cluster_count: count } = layers[0];
  const ids = Array.from({ length: count }, (_, place) => first + place);
  return (metrics.original ?? metrics).noise_count ? [...ids, NOISE_ID] : ids;
}

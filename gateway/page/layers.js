/** Chooses how fine the hills are: the layers of one clustering, from coarse to fine. */

import { addTo, countOf } from "./dom.js";

export class LayerChooser {
  /**
   * A chooser in parent; onLayer(layer_index) is called when a person asks for another layer.
   * reason: why the terrain layer is the one it is.
   */
  constructor(parent, onLayer, reason = "") {
    this.reason = reason;
    this.box = addTo(parent, "div", "layers");
    this.box.setAttribute("role", "group");
    this.box.setAttribute("aria-label", "How fine the hills are");
    this.count = addTo(this.box, "span", "layers-count");
    this.count.setAttribute("role", "status");
    this.finer = this.addButton("Finer", onLayer);
    this.coarser = this.addButton("Coarser", onLayer);
  }

  /** Shows which layer of a terrain {layers, layer} is there; hidden when there is no other. */
  show({ layers = [], layer }) {
    this.box.hidden = layers.length < 2;
    if (this.box.hidden) return;
    const at = layers.findIndex((one) => one.layer_index === layer);
    const current = layers[at];
    this.count.textContent = countOf(current.cluster_count, "hill");
    this.count.title = current.is_terrain_layer ? this.reason : "";
    const hadFocus = this.box.contains(document.activeElement);
    this.aim(this.finer, layers[at - 1]);
    this.aim(this.coarser, layers[at + 1]);
    // A button at its end cannot be pressed; the keyboard goes on with the other one.
    const other = this.finer.button.disabled ? this.coarser : this.finer;
    if (hadFocus && document.activeElement.disabled !== false) other.button.focus();
  }

  addButton(name, onLayer) {
    const button = addTo(this.box, "button", "quiet");
    button.type = "button";
    button.textContent = name;
    const choice = { button, name, layer: null };
    button.addEventListener("click", () => choice.layer !== null && onLayer(choice.layer));
    return choice;
  }

  aim(choice, target) {
    choice.layer = target ? target.layer_index : null;
    choice.button.disabled = !target;
    const words = target ? `${choice.name}: ${countOf(target.cluster_count, "hill")}` : choice.name;
    choice.button.title = words;
    choice.button.setAttribute("aria-label", words);
  }
}

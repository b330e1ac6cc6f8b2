/** Levels a dataset by a target: tries it, shows what it costs, and applies it. */

import { level, readCurve, readLevel } from "./api.js";
import { drawCurve } from "./curve.js";
import { addTo, countOf, decimals, formatCount, formatShare } from "./dom.js";
import { addButton, addChoice, addInput, numberIn } from "./form.js";
import { showMeasures } from "./measures.js";

const POLL_MS = 700;
const TARGETS = [
  ["auto", "As flat as pays"],
  ["flatness", "A flatness"],
  ["uniform", "All hills equal"],
];
const SAMPLING = [
  ["diverse", "Diverse: cover the hill"],
  ["central", "Central: the most typical"],
  ["random", "Random"],
];
const NOISE = [
  ["keep", "Keep"],
  ["cap", "Keep at most 10% of the rows"],
  ["assign", "Join the nearest hill"],
  ["drop", "Drop"],
];
const DUPLICATES = [
  ["keep", "Keep"],
  ["discount", "Count a group as one row"],
  ["drop", "Keep one of each group"],
];
const NOISE_CAP = 0.1;

export class LevelPanel {
  /** A panel in parent for one dataset. handlers: {onApplied(), onProblem(problem), isClosed()}. */
  constructor(parent, datasetId, handlers) {
    this.datasetId = datasetId;
    this.handlers = handlers;
    this.layer = null;
    this.box = addTo(parent, "details", "tool");
    addTo(this.box, "summary").textContent = "Level by a target";
    this.curve = addTo(this.box, "div");
    this.addForm();
    this.state = addTo(this.box, "p", "tool-state");
    this.state.setAttribute("role", "status");
    this.outcome = addTo(this.box, "div");
    this.box.addEventListener("toggle", () => this.box.open && this.open());
  }

  /** Levels another layer from now on. */
  setLayer(layer) {
    this.layer = layer;
    this.outcome.replaceChildren();
    if (this.box.open) this.showCurve();
  }

  addForm() {
    const form = addTo(this.box, "form", "tool-form");
    this.target = addChoice(form, "Target", TARGETS);
    this.flatness = addInput(form, "Flatness", { type: "range", min: 0, max: 1, step: 0.01, value: 0.8 });
    this.flatnessNow = addTo(this.flatness.parentElement, "output");
    this.budget = addInput(form, "Rows to keep", { type: "number", min: 1, step: 1, placeholder: "all" });
    this.repeat = addInput(form, "Max repeat", { type: "number", min: 1, step: "any", placeholder: "default" });
    this.sampling = addChoice(form, "Rows that stay", SAMPLING);
    this.noise = addChoice(form, "Noise", NOISE);
    this.duplicates = addChoice(form, "Near-duplicates", DUPLICATES);
    const buttons = addTo(form, "div", "tool-buttons");
    const preview = addTo(buttons, "button", "quiet");
    preview.textContent = "Preview";
    this.apply = addButton(buttons, "Apply", "button main", () => this.ask(true));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.ask(false);
    });
    form.addEventListener("input", () => this.onInput());
    for (const input of [this.budget, this.repeat, this.noise, this.duplicates]) {
      input.addEventListener("change", () => this.showCurve());
    }
    this.form = form;
    this.onInput();
  }

  onInput() {
    const isFlatness = this.target.value === "flatness";
    this.flatness.parentElement.hidden = !isFlatness;
    this.flatnessNow.textContent = decimals(2)(Number(this.flatness.value));
    if (this.figures) drawCurve(this.curve, this.figures, this.wanted());
  }

  /** Returns the flatness that is asked for, null when the target is another. */
  wanted() {
    return this.target.value === "flatness" ? Number(this.flatness.value) : null;
  }

  async open() {
    this.showCurve();
    try {
      const plan = await readLevel(this.datasetId);
      if (plan.is_current) this.showPlan(plan);
    } catch {
      this.say(""); // nothing was applied yet
    }
  }

  async showCurve() {
    if (!this.form.reportValidity()) return;
    const limits = {
      layer: this.layer,
      budget: numberIn(this.budget),
      max_repeat: numberIn(this.repeat),
      noise: this.noise.value === "cap" ? null : this.noise.value,
      duplicates: this.duplicates.value,
    };
    try {
      this.figures = await readCurve(this.datasetId, limits);
      drawCurve(this.curve, this.figures, this.wanted());
    } catch (problem) {
      this.figures = null;
      this.curve.replaceChildren();
      this.say(problem.message);
    }
  }

  asked(apply) {
    const target = { kind: this.target.value };
    if (target.kind === "flatness") target.value = this.wanted();
    const noise = { kind: this.noise.value };
    if (noise.kind === "cap") noise.share = NOISE_CAP;
    return {
      target,
      budget: numberIn(this.budget),
      max_repeat: numberIn(this.repeat),
      sampling: this.sampling.value,
      noise,
      duplicates: { kind: this.duplicates.value },
      layer: this.layer,
      apply,
    };
  }

  async ask(apply) {
    if (!this.form.reportValidity()) return;
    this.say(apply ? "Applying…" : "Trying…");
    try {
      const answer = await level(this.datasetId, this.asked(apply));
      if (this.handlers.isClosed()) return;
      this.showOutcome(answer);
      this.say("");
      if (!apply) return;
      await this.handlers.onApplied();
      await this.follow();
    } catch (problem) {
      this.say(problem.message);
    }
  }

  /** Waits for the rows to be chosen. */
  async follow() {
    while (!this.handlers.isClosed()) {
      const plan = await readLevel(this.datasetId);
      this.showPlan(plan);
      if (plan.status !== "processing") break;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    if (!this.handlers.isClosed()) await this.handlers.onApplied();
  }

  showPlan(plan) {
    if (plan.status === "processing") return this.say(`Choosing rows… ${plan.progress}%`);
    if (plan.status === "failed") return this.say(`Not levelled. ${plan.error}`);
    this.showOutcome(plan);
    const { kept } = plan.reasons;
    this.say(`Levelled: ${countOf(kept, "row")} stay. Download them as “balanced”.`);
  }

  showOutcome({ metrics, solution, notes, noise_effects: effects = [] }) {
    this.outcome.replaceChildren();
    const sentences = [...(solution?.unmet ?? []), ...(solution?.binding ?? []), ...(notes ?? [])];
    if (!metrics) sentences.unshift("How level this is shows once the rows are chosen: apply it.");
    if (sentences.length) {
      const list = addTo(this.outcome, "ul", "tool-notes");
      for (const sentence of sentences) addTo(list, "li").textContent = sentence;
    }
    if (metrics) {
      showMeasures(addTo(this.outcome, "div"), [
        ["After", metrics.after],
        ["Before", metrics.before],
      ]);
    }
    if (metrics?.before.noise_count) this.showNoise(effects);
  }

  showNoise(effects) {
    if (!effects.length) return;
    const words = addTo(this.outcome, "p", "curve-note");
    words.textContent = "What becomes of noise";
    const list = addTo(this.outcome, "ul", "tool-notes");
    for (const { policy, dropped_count: dropped, joined_count: joined, metrics } of effects) {
      const name = NOISE.find(([kind]) => kind === policy.kind)?.[1] ?? policy.kind;
      addTo(list, "li").textContent =
        `${name}: ${formatCount(dropped)} dropped, ${formatCount(joined)} join a hill; ` +
        `Gini ${decimals(3)(metrics.gini)}, effective size ${formatShare(metrics.effective_sample_share)}`;
    }
  }

  say(message) {
    this.state.textContent = message;
  }
}

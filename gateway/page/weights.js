/** Sends changed weights to the server: gathered for a moment, one request at a time. */

import { adjust } from "./api.js";

const GATHER_MS = 250;

export class WeightSaver {
  /**
   * A saver for one dataset. handlers: {onSaved(metrics, weights), with what still waits counted
   * as saved; onState("saving" | "saved" | "failed", message)}.
   */
  constructor(datasetId, handlers) {
    this.datasetId = datasetId;
    this.handlers = handlers;
    this.waiting = {};
    this.sending = false;
  }

  /** Sets the weight of one cluster soon. */
  set(clusterId, weight) {
    this.waiting[String(clusterId)] = weight;
    this.handlers.onState("saving", "Saving…");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), GATHER_MS);
  }

  /** Sets every one of these clusters to weight 1. */
  reset(clusterIds) {
    for (const id of clusterIds) this.set(id, 1);
  }

  /** Forgets what was not sent. */
  close() {
    clearTimeout(this.timer);
    this.closed = true;
  }

  async send() {
    if (this.sending || this.closed || !Object.keys(this.waiting).length) return;
    const adjustments = this.waiting;
    this.waiting = {};
    this.sending = true;
    try {
      const answer = await adjust(this.datasetId, adjustments);
      const weights = { ...answer.weights, ...this.waiting };
      if (!this.closed) await this.handlers.onSaved(answer.metrics, weights);
      if (!this.closed) this.handlers.onState("saved", "Saved");
    } catch (problem) {
      if (!this.closed) this.handlers.onState("failed", `Not saved. ${problem.message}`);
    }
    this.sending = false;
    this.send();
  }
}

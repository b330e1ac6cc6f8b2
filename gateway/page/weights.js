/** Sends changed weights to the server: gathered for a moment, one request at a time. */

import { adjust } from "./api.js";

const GATHER_MS = 250;

export class WeightSaver {
  /**
   * A saver for one dataset. handlers: {onSaved(metrics, weights), with what still waits counted
   * as saved; onState("saving" | "saved" | "failed", message)}. Its layer is the one whose figures
   * are asked for, null for the terrain's.
   */
  constructor(datasetId, handlers) {
    this.datasetId = datasetId;
    this.handlers = handlers;
    this.layer = null;
    this.waiting = {};
    this.sending = null;
  }

  /** Sets the weight of one cluster soon. */
  set(clusterId, weight) {
    this.waiting[String(clusterId)] = weight;
    this.handlers.onState("saving", "Saving…");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), GATHER_MS);
  }

  /** Sets every one of these clusters to weight 1, and forgets what was to be set before. */
  reset(clusterIds) {
    this.waiting = {};
    for (const id of clusterIds) this.set(id, 1);
  }

  /** Forgets what was not sent. */
  close() {
    clearTimeout(this.timer);
    this.closed = true;
  }

  /** Sends what waits; resolves when nothing waits any more. */
  flush() {
    clearTimeout(this.timer);
    this.sending ??= this.sendAll().finally(() => {
      this.sending = null;
    });
    return this.sending;
  }

  async sendAll() {
    while (!this.closed && Object.keys(this.waiting).length) {
      const adjustments = this.waiting;
      this.waiting = {};
      try {
        const answer = await adjust(this.datasetId, adjustments, this.layer);
        const weights = { ...answer.weights, ...this.waiting };
        if (!this.closed) await this.handlers.onSaved(answer.metrics, weights);
        if (!this.closed) this.handlers.onState("saved", "Saved");
      } catch (problem) {
        if (!this.closed) this.handlers.onState("failed", `Not saved. ${problem.message}`);
      }
    }
  }
}

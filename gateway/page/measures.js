/** The measures of balance and what they cost, in columns side by side. */

import { addHead, addTo, decimals, formatCount, formatShare, written } from "./dom.js";

/** Each measure: its key in metrics, its name, how it is written, and what it says. */
const MEASURES = [
  ["gini", "Gini", decimals(3), "0: all equal. Near 1: one has it all."],
  ["flatness", "Flatness", decimals(3), "1: level ground. 0: one single hill."],
  ["effective_clusters", "Effective clusters", decimals(1), "As varied as this many equal hills."],
  ["effective_sample_size", "Effective sample size", formatCount, "The cost: rows are worth this many."],
  ["effective_sample_share", "Its share", formatShare, "Of all rows. 100%: no cost."],
  ["design_effect", "Design effect", decimals(2), "Rows ÷ effective size. 1: no cost."],
  ["max_repeat", "Max repeat", decimals(2), "Most often that one row is repeated."],
  ["dropped_row_count", "Rows dropped", formatCount, "Rows that do not count any more."],
  ["duplicate_count", "Duplicates dropped", formatCount, "Those of them that are near-duplicates."],
];

/** Fills an element with the measures, current and original side by side. */
export function showMetrics(parent, metrics) {
  showMeasures(parent, [
    ["Now", metrics],
    ["Original", metrics.original ?? metrics],
  ]);
}

/** Fills an element with the measures of two columns [title, metrics], the first one stressed. */
export function showMeasures(parent, columns) {
  const table = document.createElement("table");
  table.className = "metrics";
  const head = addTo(addTo(table, "thead"), "tr");
  addHead(head, "Measure", "col");
  for (const [title] of columns) addHead(head, title, "col");
  const body = addTo(table, "tbody");
  for (const [key, name, write, meaning] of MEASURES) {
    const row = addTo(body, "tr");
    const title = addHead(row, "", "row");
    addTo(title, "span", "metric-name").textContent = name;
    addTo(title, "small").textContent = meaning;
    columns.forEach(([, metrics], place) => {
      const cell = addTo(row, "td", place ? "metric-was" : "metric-now");
      cell.textContent = written(metrics[key], write);
    });
  }
  parent.replaceChildren(table);
}

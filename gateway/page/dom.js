/** Elements and numbers as text. */

/** Returns a whole number as people read it: 12,345. */
export function formatCount(count) {
  return Math.round(count).toLocaleString("en-US");
}

/** Returns a count with its noun: 1 hill, 2,400 rows. */
export function countOf(count, noun) {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** Returns a share of 0 to 1 as per cent: 4.2%, 77%. */
export function formatShare(share) {
  const percent = 100 * share;
  return `${percent.toFixed(percent < 10 && percent > 0 ? 1 : 0)}%`;
}

/** Returns seconds as people say them: 40 s, 12 min, 3.5 h. */
export function formatDuration(seconds) {
  if (seconds < 120) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** Returns a new element of a class at the end of a parent. */
export function addTo(parent, name, className = "") {
  const element = document.createElement(name);
  if (className) element.className = className;
  parent.append(element);
  return element;
}

/** Returns a new header cell at the end of a table's row. */
export function addHead(row, text, scope) {
  const head = addTo(row, "th");
  head.scope = scope;
  head.textContent = text;
  return head;
}

/** Returns a writer of numbers with so many digits after the point. */
export function decimals(count) {
  return (value) => value.toFixed(count);
}

/** Returns a number as a writer writes it, a dash where there is none. */
export function written(value, write) {
  return Number.isFinite(value) ? write(value) : "–";
}

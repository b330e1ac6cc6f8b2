/** Downloads of a dataset in every form that there is. */

import { exportAddress, readLevel } from "./api.js";
import { addTo } from "./dom.js";
import { addChoice } from "./form.js";

const FORMATS = [
  ["weighted", "Weighted: every row with its weight"],
  ["resampled", "Resampled: rows drawn by weight"],
  ["balanced", "Balanced: the rows that the levelling keeps"],
  ["clusters", "Clusters: the hill of each row"],
  ["layers", "Layers: a line for each hill"],
];
const FILE_TYPES = [
  ["csv", "CSV"],
  ["parquet", "Parquet"],
  ["jsonl", "JSONL"],
  ["xlsx", "Excel"],
  ["zip", "Folder (zip)"],
];
const LISTS = ["clusters", "layers"];

/** Adds to parent a choice of downloads of one dataset; what cannot be had is said there. */
export function addDownloads(parent, datasetId) {
  const box = addTo(parent, "details", "tool");
  addTo(box, "summary").textContent = "Download";
  const form = addTo(box, "form", "tool-form");
  const format = addChoice(form, "What", FORMATS);
  const type = addChoice(form, "File type", FILE_TYPES);
  const link = addTo(addTo(form, "div", "tool-buttons"), "a", "button main");
  link.textContent = "Download";
  link.setAttribute("download", "");
  const state = addTo(box, "p", "tool-state");
  state.setAttribute("role", "status");
  const aim = () => {
    // A folder is made of rows, not of lists of hills.
    const zip = [...type.options].find((option) => option.value === "zip");
    zip.disabled = LISTS.includes(format.value);
    if (zip.disabled && type.value === "zip") type.value = "csv";
    state.textContent = "";
    link.href = exportAddress(datasetId, { format: format.value, file_type: type.value });
  };
  form.addEventListener("input", aim);
  form.addEventListener("submit", (event) => event.preventDefault());
  link.addEventListener("click", async (event) => {
    if (format.value !== "balanced") return;
    // A refusal would be saved as if it were the file.
    event.preventDefault();
    state.textContent = await missingPlan(datasetId);
    if (!state.textContent) location.assign(link.href);
  });
  aim();
}

/** Returns why there are no balanced rows to download, nothing when there are. */
async function missingPlan(datasetId) {
  try {
    const plan = await readLevel(datasetId);
    if (plan.status === "processing") return "The rows are still being chosen; try again soon.";
    if (plan.status === "failed") return `The levelling failed. ${plan.error}`;
    return plan.is_current ? "" : "The weights were changed since. Apply the levelling again.";
  } catch (problem) {
    return problem.status === 409 ? "Level by a target first, and apply it." : problem.message;
  }
}

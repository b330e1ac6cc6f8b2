/** The page: upload, progress, terrain, weights, downloads. The address's #id names the dataset. */

import { Problem, exportAddress, listDatasets, readStatus, readTerrain, upload, watch } from "./api.js";
import { addTo, countOf, formatCount, formatDuration } from "./dom.js";
import { explore } from "./explore.js";

const STAGES = [
  ["queued", "Waiting for its turn"],
  ["embedding", "Reading the meaning of every row"],
  ["clustering", "Finding groups of similar rows"],
  ["analyzing", "Naming the groups"],
  ["building_terrain", "Raising the terrain"],
];

const part = (id) => document.getElementById(id);
let leave = () => {};

window.addEventListener("hashchange", open);
part("upload").addEventListener("submit", send);
part("file").addEventListener("change", nameFile);
listenForDrops(part("drop"));
open();

/** Opens what the address names: a dataset, or the start. */
async function open() {
  leave();
  leave = () => {};
  say(null);
  warn([]);
  part("file-name").textContent = part("facts").textContent = "";
  part("actions").hidden = true;
  const id = idInAddress();
  if (!id) return openStart();
  show(null);
  try {
    const status = await readStatus(id);
    if (isHere(id)) follow(id, status);
  } catch (problem) {
    if (isHere(id)) openStart(problem);
  }
}

async function openStart(problem = null) {
  show("start");
  document.title = "Level";
  if (problem) say(problem.message);
  try {
    listRecent(await listDatasets());
  } catch (failure) {
    part("recent").hidden = true;
    if (!problem) say(failure.message);
  }
}

function listRecent(datasets) {
  part("recent").hidden = !datasets.length;
  part("recent-list").replaceChildren();
  for (const dataset of datasets) {
    const link = addTo(addTo(part("recent-list"), "li"), "a");
    link.href = `#${encodeURIComponent(dataset.dataset_id)}`;
    addTo(link, "bdi").textContent = dataset.file_name ?? dataset.dataset_id;
    addTo(link, "span").textContent = recentFacts(dataset);
  }
}

function recentFacts({ row_count: rows, status, progress }) {
  const count = Number.isFinite(rows) ? countOf(rows, "row") : "";
  const state = status === "processing" ? `${progress ?? 0}%` : status === "failed" ? "failed" : "";
  return [count, state].filter(Boolean).join(" · ");
}

async function send(event) {
  event.preventDefault();
  const file = part("file").files[0];
  if (!file) return;
  const form = new FormData();
  const column = part("text-column").value.trim();
  if (column) form.append("text_column", column);
  if (part("long-texts").checked) form.append("long_texts", part("long-texts").value);
  form.append("file", file);
  say(null);
  part("send").disabled = true;
  show("working");
  listStages(null);
  setPace("");
  setProgress("Uploading", 0);
  try {
    const answer = await upload(form, (share) => {
      setProgress(share < 1 ? "Uploading" : "Checking the file", 100 * share);
    });
    location.hash = encodeURIComponent(answer.dataset_id);
  } catch (problem) {
    show("start");
    say(problem.message);
  }
  part("send").disabled = false;
}

function follow(id, status) {
  document.title = `${status.file_name ?? id} – Level`;
  part("file-name").textContent = status.file_name ?? id;
  warn(status.warnings ?? []);
  if (status.status === "processing") {
    showStatus(status);
    show("working");
    leave = watch(id, (next) => onStatus(id, next), (problem) => openStart(problem));
  } else {
    onStatus(id, status);
  }
}

function onStatus(id, status) {
  if (status.status === "completed") openTerrain(id, status);
  else if (status.status === "failed") openStart(new Problem(`Failed: ${status.error}`));
  else showStatus(status);
}

function showStatus({ stage, progress, embedding }) {
  const name = STAGES.find(([key]) => key === stage)?.[1] ?? "Working";
  setProgress(name, progress);
  listStages(stage);
  setPace(stage === "embedding" && embedding ? paceOf(embedding) : "");
}

function setPace(words) {
  part("pace").hidden = !words;
  part("pace").textContent = words;
}

function listStages(stage) {
  const current = STAGES.findIndex(([key]) => key === stage);
  part("stages").replaceChildren();
  STAGES.forEach(([, name], order) => {
    const item = addTo(part("stages"), "li", order < current ? "done" : "");
    item.textContent = name;
    if (order === current) item.setAttribute("aria-current", "step");
  });
}

function setProgress(name, percent) {
  const whole = Math.round(percent);
  part("working-title").textContent = `${name} · ${whole}%`;
  part("track").setAttribute("aria-valuenow", String(whole));
  part("track-fill").style.width = `${whole}%`;
}

async function openTerrain(id, status) {
  let terrain;
  try {
    terrain = await readTerrain(id);
  } catch (problem) {
    if (isHere(id)) openStart(problem);
    return;
  }
  if (!isHere(id)) return;
  warn(status.warnings ?? []);
  part("get-weighted").href = exportAddress(id, { format: "weighted" });
  part("get-resampled").href = exportAddress(id, { format: "resampled" });
  part("actions").hidden = false;
  showSaved("saved", "");
  show("terrain");
  const explorer = explore(part("terrain"), id, terrain, {
    layerReason: status.clustering?.layer_reason,
    onShow: (shown) => (part("facts").textContent = factsOf(shown, status)),
    onState: showSaved,
    onProblem: (problem) => say(problem.message),
  });
  part("reset-weights").onclick = () => explorer.reset();
  leave = () => explorer.close();
}

function factsOf({ hills, metrics }, status) {
  const { row_count: rows, noise_count: noise } = metrics.original ?? metrics;
  const facts = [countOf(rows, "row"), countOf(hills.length, "hill"), countOf(noise, "noise row")];
  if (status.text_column) facts.push(`text column “${status.text_column.name}”`);
  return facts.join(" · ");
}

/** Returns how far an embedding is, how fast it goes and what the cache saved, in a few words. */
function paceOf({ rows_done, row_count, rows_per_second, seconds_left, cached_count }) {
  const words = [`${formatCount(rows_done)} of ${countOf(row_count, "text")}`];
  if (rows_per_second) words.push(`${formatCount(rows_per_second)} a second`);
  if (seconds_left) words.push(`${formatDuration(seconds_left)} left`);
  if (cached_count) words.push(`${formatCount(cached_count)} from the cache`);
  return words.join(" · ");
}

function showSaved(state, message) {
  part("saved").textContent = message;
  part("saved").classList.toggle("failed", state === "failed");
}

function show(name) {
  for (const id of ["start", "working", "terrain"]) part(id).hidden = id !== name;
}

function say(message) {
  part("problem").hidden = !message;
  part("problem").textContent = message ?? "";
}

function warn(warnings) {
  part("warnings").hidden = !warnings.length;
  part("warnings").replaceChildren();
  for (const warning of warnings) addTo(part("warnings"), "li").textContent = warning;
}

function isHere(id) {
  return idInAddress() === id;
}

function idInAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return location.hash.slice(1);
  }
}

function nameFile() {
  const file = part("file").files[0];
  part("drop-name").textContent = file ? file.name : "Drop a CSV or TSV file here";
}

function listenForDrops(area) {
  for (const name of ["dragenter", "dragover"]) {
    area.addEventListener(name, (event) => {
      event.preventDefault();
      area.classList.add("over");
    });
  }
  area.addEventListener("dragleave", () => area.classList.remove("over"));
  area.addEventListener("drop", (event) => {
    event.preventDefault();
    area.classList.remove("over");
    part("file").files = event.dataTransfer.files;
    nameFile();
  });
}

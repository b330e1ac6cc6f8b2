/** The REST API as the page uses it; every failure is a Problem whose message can be shown. */

const POLL_MS = 1000;
const LONGEST_POLL_MS = 10_000;

/** A refusal or failure; message says what is wrong and what to do, status is 0 without an answer. */
export class Problem extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

/** Returns the datasets, newest first. */
export async function listDatasets() {
  return (await ask("/api/datasets")).datasets;
}

/** Returns the status of a dataset. */
export function readStatus(id) {
  return ask(`/api/status/${encodeURIComponent(id)}`);
}

/**
 * Returns the terrain of a dataset at its current weights, of its terrain layer or another one;
 * count: "rows", or "groups" to count near-duplicates once.
 */
export function readTerrain(id, layer = null, count = "rows") {
  return ask(`/api/terrain/${encodeURIComponent(id)}${query({ layer, count })}`);
}

/** Sets absolute weights {cluster_id: weight}; returns a layer's {metrics, weights, revision}. */
export function adjust(id, adjustments, layer = null) {
  return send(`/api/adjust/${encodeURIComponent(id)}${query({ layer })}`, { adjustments });
}

/** Returns what levelling as asked comes to; with `apply` it is done too. */
export function level(id, asked) {
  return send(`/api/level/${encodeURIComponent(id)}`, asked);
}

/** Returns the levelling that was last applied. */
export function readLevel(id) {
  return ask(`/api/level/${encodeURIComponent(id)}`);
}

/** Returns what each step of flatness costs, within limits {layer, budget, max_repeat, ...}. */
export function readCurve(id, limits) {
  return ask(`/api/level/${encodeURIComponent(id)}/curve${query(limits)}`);
}

/** Returns the address of a download; options: {format, file_type}, defaults left out. */
export function exportAddress(id, options) {
  return `/api/export/${encodeURIComponent(id)}${query(options)}`;
}

/** Uploads a form; calls onProgress(share sent, 0-1); returns the answer with its dataset_id. */
export function upload(form, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/upload");
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.addEventListener("error", () => reject(unreachable()));
    request.addEventListener("load", () => {
      const answer = parsed(request.responseText);
      if (request.status < 300 && answer) resolve(answer);
      else reject(problemOf(answer, request.status));
    });
    request.send(form);
  });
}

/**
 * Calls onStatus with each status of a dataset until it is completed or failed; by server-sent
 * events, by polling where those break off. Returns a function that stops watching.
 */
export function watch(id, onStatus, onProblem) {
  let stopped = false;
  const source = new EventSource(`/api/status/${encodeURIComponent(id)}/events`);
  const stop = () => {
    stopped = true;
    source.close();
  };
  const take = (status) => {
    if (stopped) return;
    if (status.status !== "processing") stop();
    onStatus(status);
  };
  const onEvent = (event) => {
    const status = parsed(event.data);
    if (status) take(status);
  };
  for (const name of ["message", "status"]) source.addEventListener(name, onEvent);
  source.addEventListener("error", () => {
    source.close();
    if (!stopped) poll(id, take, () => stopped, (problem) => (stop(), onProblem(problem)));
  });
  return stop;
}

async function poll(id, take, isStopped, onProblem) {
  let pause = POLL_MS;
  while (!isStopped()) {
    try {
      take(await readStatus(id));
      pause = POLL_MS;
    } catch (problem) {
      if (problem.status >= 400 && problem.status < 500) return onProblem(problem);
      pause = Math.min(LONGEST_POLL_MS, pause * 2);
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** Returns values as the query of an address; those that are null are left out. */
function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== null);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

function send(address, body) {
  return ask(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

async function ask(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw unreachable();
  }
  const answer = parsed(await response.text());
  if (!response.ok || answer === null) throw problemOf(answer, response.status);
  return answer;
}

function problemOf(answer, status) {
  const parts = [answer?.title, answer?.detail].filter((part) => typeof part === "string" && part);
  return new Problem(parts.join(": ") || `The server answered with status ${status}.`, status);
}

function unreachable() {
  return new Problem("The server cannot be reached. See whether it still runs, then try again.");
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

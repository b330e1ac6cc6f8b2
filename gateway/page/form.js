/** Labelled controls of a form, made from what they are to offer. */

import { addTo } from "./dom.js";

/** Adds a choice of [value, words] pairs and returns it. */
export function addChoice(form, label, choices) {
  const choice = document.createElement("select");
  for (const [value, words] of choices) {
    const option = addTo(choice, "option");
    option.value = value;
    option.textContent = words;
  }
  return addControl(form, label, choice);
}

/** Adds an input with these attributes and returns it. */
export function addInput(form, label, attributes) {
  const input = document.createElement("input");
  for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, String(value));
  return addControl(form, label, input);
}

/** Adds a button that does not send a form and returns it. */
export function addButton(parent, words, className, onClick) {
  const button = addTo(parent, "button", className);
  button.type = "button";
  button.textContent = words;
  button.addEventListener("click", onClick);
  return button;
}

/** Returns the number in an input, null when it is empty. */
export function numberIn(input) {
  return input.value === "" ? null : Number(input.value);
}

function addControl(form, label, control) {
  const row = addTo(form, "label", "field");
  addTo(row, "span").textContent = label;
  // The label's own words alone: what a choice offers is not its name.
  control.setAttribute("aria-label", label);
  row.append(control);
  return control;
}

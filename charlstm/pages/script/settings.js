// The fields of the settings: their values, and what is wrong with them.
"use strict";

const SETTINGS = ["temperature", "min-p", "top-k", "length", "random-seed"]; // their names in a link
const MOST_SEED = 2n ** 63n - 1n;

// The value of a field, null if it is wrong. A random seed stays a text, for it may have 19 digits.
function valueOf(field) {
  const text = field.value.trim();
  if (field.id === "random-seed") {
    if (text === "") return String(crypto.getRandomValues(new Uint32Array(1))[0]);
    return /^[0-9]{1,19}$/.test(text) && BigInt(text) <= MOST_SEED ? text : null;
  }
  const value = Number(text), whole = field.step !== "1" || Number.isInteger(value);
  return text && whole && value >= Number(field.min) && value <= Number(field.max) ? value : null;
}

// The values of all fields; or null, and a message, if one is wrong.
function readSettings() {
  const values = {};
  for (const name of SETTINGS) {
    const field = byId(name);
    values[name] = valueOf(field);
    field.setAttribute("aria-invalid", values[name] === null);
    if (values[name] === null) {
      field.closest("details").open = true;
      field.focus();
      say(`${field.labels[0].textContent} is \u201c${field.value}\u201d: ${wanted(field)}.`);
      return null;
    }
  }
  return values;
}

function wanted(field) {
  if (field.id === "random-seed") return `it must be a whole number from 0 to ${MOST_SEED}`;
  const kind = field.step === "1" ? "a whole number" : "a number";
  return `it must be ${kind} from ${field.min} to ${field.max}`;
}

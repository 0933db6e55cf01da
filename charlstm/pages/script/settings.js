// The fields of the settings: their values, and what is wrong with them.
"use strict";

const MOST_CHARACTERS = 20000; // of a text on the page

// Each setting: its name in a link, its name among the defaults, and how its text is checked.
const inRange = (least, most, whole) => (text) => {
  const value = Number(text);
  const right = text.trim() !== "" && value >= least && value <= most;
  return right && (!whole || Number.isInteger(value)) ? value : null;
};
const settings = {
  temperature: inRange(0, 10, false),
  "min-p": inRange(0, 1, false),
  "top-k": inRange(0, 100000, true),
  length: inRange(1, MOST_CHARACTERS, true),
  "random-seed": (text) => (/^[0-9]{1,19}$/.test(text) && BigInt(text) < 1n << 63n ? text : null),
};

// The values of all fields, or null and a message if one is wrong.
function readSettings() {
  const values = {};
  for (const [name, check] of Object.entries(settings)) {
    const field = byId(name);
    let text = field.value;
    if (name === "random-seed" && text === "") {
      text = String(crypto.getRandomValues(new Uint32Array(1))[0]);
    }
    values[name] = check(text);
    field.setAttribute("aria-invalid", values[name] === null);
    if (values[name] === null) {
      field.closest("details").open = true;
      field.focus();
      say(`${field.labels[0].textContent} is \u201c${text}\u201d: ${wanted(field)}.`);
      return null;
    }
  }
  return values;
}

function wanted(field) {
  if (field.type !== "number") return "it must be a whole number from 0 to 9223372036854775807";
  const kind = field.step === "1" ? "a whole number" : "a number";
  return `it must be ${kind} from ${field.min} to ${field.max}`;
}

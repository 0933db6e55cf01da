// The page: its controls, and what goes to the worker and comes from it.
"use strict";

const MOST_CHARACTERS = 20000; // of a text on the page
const IN_ONE_FRAME = 100; // characters: more would keep the page from answering
const READ_FOR_PROPOSAL = 300; // characters before the end of the phrase
const PAUSE_BEFORE_PROPOSAL = 150; // milliseconds without a key
const HELD = { reduced: 500, usual: 0 }; // milliseconds between two changes of the text

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const characters = Array.from(data.vocabulary);
const idOf = new Map(characters.map((character, id) => [character, id]));
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const view = new TextView(byId("text"), showExpected);

let number = 0; // of the text; answers that belong to an earlier one are not shown
let state = "loading"; // ready, writing, paused, over, failed
let phraseItems = []; // of the phrase, with the unknown characters among them
let waiting = []; // characters that came from the worker and are not shown yet
let nextGuesses = []; // after the last character
let spokenLine = "";
let asked = null; // the settings of the text
let ended = null; // the answer after the last character, which may still wait

// ---- The worker ----------------------------------------------------------------------------------

const worker = startWorker();

function startWorker() {
  // With a policy of its own, a browser that knows Trusted Types lets no other code make a script.
  const own = { createScriptURL: (url) => url };
  const policy = window.trustedTypes ? trustedTypes.createPolicy("worker", own) : own;
  const url = URL.createObjectURL(new Blob([byId("worker").textContent], { type: "text/javascript" }));
  const started = new Worker(policy.createScriptURL(url));
  started.onmessage = ({ data: message }) => {
    if (message.kind === "load" || message.number === number || message.kind === "suggest") {
      answers[message.kind](message);
    }
  };
  started.onerror = (error) => fail(error.message.replace(/^Uncaught Error: /, ""));
  return started;
}

const answers = {
  load() {
    setState("ready");
    say("The model is ready.");
    byId("weights").remove(); // the worker has them
    if (location.hash.length > 1) followLink();
    else if (data.text) write({ onlyRead: true });
  },
  write(part) {
    waiting.push(...part.characters);
    if (part.over) ended = part;
    planFrame();
  },
  pause({ next }) {
    nextGuesses = next;
    showExpected();
  },
  view({ start, values }) {
    values.forEach((value, i) => {
      const later = start + i - view.known.length; // of the characters that still wait
      if (later < 0) view.setValue(start + i, value);
      else waiting[later].value = value;
    });
    showExpected();
  },
  suggest({ number: asked, ids }) {
    if (asked === proposalNumber) propose(ids.map((id) => characters[id]).join(""));
  },
};

function fail(reason) {
  setState("failed");
  say(`The page cannot go on: ${reason}.`);
}

// ---- Settings ------------------------------------------------------------------------------------

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

// ---- Writing -------------------------------------------------------------------------------------

// The characters of a phrase as the network reads it, each with its id; null for an unknown one.
function itemsOf(phrase) {
  return Array.from(data.lowercase ? phrase.toLowerCase() : phrase, (character) => {
    return { character, given: true, id: idOf.get(character) ?? null };
  });
}

function write({ onlyRead }) {
  const values = readSettings();
  if (!values) return;
  const all = itemsOf(byId("phrase").value.replaceAll("\r\n", "\n"));
  phraseItems = all.slice(0, MOST_CHARACTERS);
  const ids = phraseItems.map((item) => item.id).filter((id) => id !== null);
  if (onlyRead && !ids.length) {
    say("There is nothing to read: your text has no character that the model knows.");
    return;
  }
  number++;
  asked = { ...values, phrase: byId("phrase").value, onlyRead, warnings: warnings(all) };
  waiting = [];
  ended = null;
  spokenLine = "";
  nextGuesses = [];
  view.clear();
  view.follows = !onlyRead;
  const sampling = { temperature: values.temperature, topK: values["top-k"], minP: values["min-p"] };
  const length = onlyRead ? 0 : values.length;
  const common = { kind: "write", number, ids, view: readView(), randomSeed: values["random-seed"] };
  worker.postMessage({ ...common, sampling, length });
  setState("writing");
  say([onlyRead ? "Reading." : "Writing.", ...asked.warnings].join(" "));
  keepLink();
}

// What the reader should know of the phrase.
function warnings(all) {
  const unknown = [...new Set(phraseItems.filter((i) => i.id === null).map((i) => i.character))];
  const said = [];
  if (unknown.length) {
    const shown = unknown.slice(0, 8).map((c) => `${named(c)} (U+${codePoint(c)})`);
    const more = unknown.length > 8 ? ` and ${unknown.length - 8} more` : "";
    said.push(`The model does not know ${shown.join(", ")}${more}; it does not read them.`);
  }
  if (all.length > MOST_CHARACTERS) said.push(`Only the first ${MOST_CHARACTERS} characters are read.`);
  return said;
}

let frame = null;

function planFrame() {
  frame ??= setTimeout(
    () => requestAnimationFrame(() => {
      frame = null;
      if (state === "paused") return; // the characters wait until the text goes on
      showWaiting(IN_ONE_FRAME);
      if (waiting.length || ended) planFrame();
    }),
    calm.matches ? HELD.reduced : HELD.usual,
  );
}

// Show characters that wait, at most so many, and the end of the text after the last of them.
function showWaiting(most) {
  const items = [];
  for (const read of waiting.splice(0, calm.matches ? Infinity : most)) {
    items.push(...phraseBefore(read), read.given ? { ...phraseItems.shift(), ...read } : written(read));
  }
  const over = !waiting.length && ended;
  if (over) items.push(...phraseItems.splice(0));
  view.append(items);
  if (over) end(ended);
  if (items.length && view.cursor === null) showExpected();
}

// The unknown characters of the phrase that stand before this character.
function phraseBefore(read) {
  const known = phraseItems.findIndex((item) => item.id !== null);
  return phraseItems.splice(0, read.given ? known : phraseItems.length);
}

function written(read) {
  const character = characters[read.id];
  spokenLine += character;
  if (character === "\n") speak();
  return { character, ...read };
}

// Let a screen reader say the lines that were written, one by one.
function speak() {
  const line = document.createElement("span");
  line.textContent = spokenLine;
  byId("spoken").append(line);
  while (byId("spoken").childElementCount > 3) byId("spoken").firstElementChild.remove();
  spokenLine = "";
}

function end({ next }) {
  ended = null;
  nextGuesses = next;
  speak();
  setState("over");
  const read = view.items.filter((item) => item.id !== null);
  const counted = asked.onlyRead ? read : read.filter((item) => !item.given);
  const bits = counted.reduce((sum, item) => sum + item.bits, 0) / counted.length;
  const what = `${asked.onlyRead ? "Read" : "Written"}: ${plural(counted.length, "character")}`;
  const seed = asked.onlyRead ? "" : ` Random seed ${asked["random-seed"]}.`;
  say([`${what}, ${bits.toFixed(2)} bits each on average.${seed}`, ...asked.warnings].join(" "));
  showExpected();
}

const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

function pauseOrGoOn() {
  const pausing = state === "writing";
  if (pausing) worker.postMessage({ kind: "pause" });
  else worker.postMessage({ kind: "resume" });
  setState(pausing ? "paused" : "writing");
  planFrame();
  say(pausing ? "Paused." : "Writing.");
}

function setState(now) {
  state = now;
  const ready = !["loading", "failed"].includes(now);
  const hasText = ready && now !== "ready";
  for (const id of ["write", "read"]) byId(id).disabled = !ready;
  for (const id of ["copy", "save", "link"]) byId(id).disabled = !hasText;
  byId("pause").disabled = !["writing", "paused"].includes(now);
  byId("pause").textContent = now === "paused" ? "Go on" : "Pause";
}

const say = (text) => (byId("status").textContent = text);

// ---- What the model expects ----------------------------------------------------------------------

function showExpected() {
  const item = view.cursor === null ? null : view.items[view.cursor];
  const last = view.items.length - 1;
  const guesses = item ? item.guesses || [] : waiting.length ? waiting[0].guesses : nextGuesses;
  byId("here").textContent = item ? described(item) : last < 0 ? "Nothing is written yet." : "What comes next:";
  byId("guesses").replaceChildren(...guesses.map(([id, share]) => guessRow(id, share, item)));
}

function described(item) {
  const place = `Character ${view.cursor + 1}, ${named(item.character)}`;
  if (item.id === null) return `${place} (U+${codePoint(item.character)}): the model does not know it.`;
  const value = typeof item.value === "number" ? ` Shown value: ${item.value.toFixed(2)}.` : "";
  return `${place}: surprisal ${item.bits.toFixed(2)} bits.${value} Expected were:`;
}

function guessRow(id, share, item) {
  const row = document.createElement("li");
  const [name, bar, percent] = ["span", "span", "span"].map((tag) => document.createElement(tag));
  row.className = item && item.id === id ? "guess came" : "guess";
  name.textContent = named(characters[id]);
  bar.className = "bar";
  bar.style.width = `${100 * share}%`;
  percent.textContent = `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
  row.append(name, bar, percent);
  return row;
}

// ---- What the colours show -----------------------------------------------------------------------

const LEGENDS = {
  surprisal: ["0 bits", "surprisal", `${MOST_BITS} bits or more`],
  cell: ["\u22121", "cell", "1"],
  input: ["closed", "open", "open"],
  forget: ["closed", "open", "open"],
  output: ["closed", "open", "open"],
  none: ["", "", ""],
};

// A view that the list names is "surprisal", or "cell 1:119" for a cell that was found.
function readView() {
  const [kind, cell] = byId("view").value.split(" ");
  if (cell) {
    const [layer, unit] = cell.split(":").map(Number);
    return { kind, layer, unit };
  }
  return { kind, layer: Number(byId("layer").value), unit: Number(byId("unit").value) || 0 };
}

function changeView() {
  const { kind, unit } = readView();
  const ofUnit = byId("view").value === kind && kind in { cell: 1, input: 1, forget: 1, output: 1 };
  for (const field of document.querySelectorAll(".of-unit")) field.hidden = !ofUnit;
  if (!byId("unit").checkValidity() || unit > data.sizes.hidden_size) {
    say(`Unit is \u201c${byId("unit").value}\u201d: it must be empty or a whole number from 1 to ${data.sizes.hidden_size}.`);
    return;
  }
  const [least, scale, most] = LEGENDS[kind];
  byId("least").textContent = least;
  byId("most").textContent = most;
  byId("scale").className = `scale ${scale}`;
  byId("scale").hidden = kind === "none";
  view.show(kind);
  worker.postMessage({ kind: "view", view: readView() });
}

function fillViews() {
  for (let layer = 1; layer <= data.sizes.num_layers; layer++) byId("layer").append(new Option(layer));
  byId("unit").max = data.sizes.hidden_size;
  const group = document.createElement("optgroup");
  group.label = "Cells that were found";
  for (const { property, layer, unit, score } of data.cells) {
    const cell = `${layer}:${unit}`;
    group.append(new Option(`${property} (cell ${cell}, score ${score.toFixed(2)})`, `cell ${cell}`));
  }
  if (data.cells.length) byId("view").append(group);
  byId("view").value = data.view.kind;
  byId("layer").value = data.view.layer;
  byId("unit").value = data.view.unit || "";
}

// ---- Proposals -----------------------------------------------------------------------------------

let proposalNumber = 0;
let proposalTimer = null;

function planProposal() {
  propose("");
  clearTimeout(proposalTimer);
  proposalTimer = setTimeout(() => {
    const field = byId("phrase");
    const atEnd = field.selectionStart === field.value.length;
    if (state === "loading" || state === "failed" || !field.value || !atEnd) return;
    const ids = itemsOf(field.value).map((item) => item.id).filter((id) => id !== null);
    worker.postMessage({ kind: "suggest", number: ++proposalNumber, ids: ids.slice(-READ_FOR_PROPOSAL) });
  }, PAUSE_BEFORE_PROPOSAL);
}

function propose(text) {
  if (!text) proposalNumber++; // an answer that is on its way comes too late
  const shown = Array.from(text, visible).join("");
  byId("typed").textContent = byId("phrase").value;
  byId("proposed").textContent = shown;
  byId("proposed").text = text;
  byId("ghost").scrollTop = byId("phrase").scrollTop;
}

function onPhraseKey(event) {
  const proposed = byId("proposed").text;
  if (event.key === "Escape") {
    clearTimeout(proposalTimer);
    propose("");
  }
  if (event.key !== "Tab" || event.shiftKey || !proposed) return;
  event.preventDefault();
  const field = byId("phrase");
  field.setRangeText(proposed, field.value.length, field.value.length, "end");
  planProposal();
}

// ---- Links, copies, files ------------------------------------------------------------------------

function linkToText() {
  const { phrase, onlyRead } = asked;
  const values = Object.keys(settings).map((name) => [name, asked[name]]);
  const found = new URLSearchParams([["seed", phrase], ...(onlyRead ? [["read", "1"]] : values)]);
  return `${location.href.split("#")[0]}#${found}`;
}

function keepLink() {
  try {
    history.replaceState(null, "", linkToText());
  } catch {
    // Some browsers allow no change of the address of a file. The button still copies the link.
  }
}

function followLink() {
  const values = new URLSearchParams(location.hash.slice(1));
  if (!values.has("seed")) return;
  byId("phrase").value = values.get("seed");
  for (const name of Object.keys(settings)) if (values.has(name)) byId(name).value = values.get(name);
  propose("");
  write({ onlyRead: values.has("read") });
}

async function copyText(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`Copied: ${what}.`);
  } catch {
    say("The browser does not let the page copy. Select the text and copy it with the keyboard.");
  }
}

function saveText() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([view.text], { type: "text/plain" }));
  link.download = "text.txt";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// ---- The beginning -------------------------------------------------------------------------------

byId("phrase").value = data.text;
byId("phrase").setSelectionRange(0, 0);
for (const name of Object.keys(settings)) byId(name).value = data.settings[name] ?? "";
fillViews();
changeView();
byId("write").addEventListener("click", () => write({ onlyRead: false }));
byId("read").addEventListener("click", () => write({ onlyRead: true }));
byId("pause").addEventListener("click", pauseOrGoOn);
byId("copy").addEventListener("click", () => copyText(view.text, "the text"));
byId("link").addEventListener("click", () => copyText(linkToText(), "a link that writes this text again"));
byId("save").addEventListener("click", saveText);
for (const id of ["view", "layer", "unit"]) byId(id).addEventListener("change", changeView);
byId("phrase").addEventListener("input", planProposal);
byId("phrase").addEventListener("keydown", onPhraseKey);
byId("phrase").addEventListener("blur", () => propose(""));
byId("phrase").addEventListener("scroll", () => (byId("ghost").scrollTop = byId("phrase").scrollTop));
addEventListener("hashchange", followLink);
const lineEnd = idOf.get("\n") ?? null;
worker.postMessage({ kind: "load", sizes: data.sizes, weights: byId("weights").textContent, lineEnd });

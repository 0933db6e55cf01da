// A text while it is written: what goes to the worker, what comes from it, and when it is shown.
"use strict";

const IN_ONE_FRAME = 100; // characters: more would keep the page from answering
const READING_PACE = 30; // characters a second, for those who want to read along
const HELD = { reduced: 500, usual: 0 }; // milliseconds between two changes of the text

let spokenLine = ""; // of what is written
let frame = null; // that shows characters
let shownAt = 0; // when the last frame did, in milliseconds
let due = 0; // characters that the reading pace allows by now

let worker = null;

function startWorker() {
  // With a policy of its own, a browser that knows Trusted Types lets no other code make a script.
  const own = { createScriptURL: (url) => url };
  const policy = window.trustedTypes ? trustedTypes.createPolicy("worker", own) : own;
  const url = URL.createObjectURL(new Blob([byId("worker").textContent], { type: "text/javascript" }));
  const started = new Worker(policy.createScriptURL(url));
  URL.revokeObjectURL(url);
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
    nextGuesses = part.next;
    ended = part.over;
    planFrame();
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
  ended = false;
  spokenLine = "";
  nextGuesses = [];
  due = 1;
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

function planFrame() {
  frame ??= setTimeout(
    () => requestAnimationFrame(() => {
      frame = null;
      if (state === "paused") return; // the characters wait until the text goes on
      showWaiting(allowed(performance.now()));
      if (waiting.length || ended) planFrame();
    }),
    calm.matches ? HELD.reduced : HELD.usual,
  );
}

// How many characters a frame may show.
function allowed(now) {
  const passed = Math.min(now - shownAt, 100);
  shownAt = now;
  if (asked.onlyRead || byId("pace").value !== "read") return IN_ONE_FRAME;
  due += (READING_PACE * passed) / 1000;
  const whole = Math.floor(due);
  due -= whole;
  return whole;
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
  if (over) end();
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

function end() {
  ended = false;
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

function pauseOrGoOn() {
  const pausing = state === "writing";
  if (pausing) worker.postMessage({ kind: "pause" });
  else worker.postMessage({ kind: "resume" });
  setState(pausing ? "paused" : "writing");
  planFrame();
  say(pausing ? "Paused." : "Writing.");
}

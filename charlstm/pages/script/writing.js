// A text while it is written: what goes to the worker, what comes from it, and when it is shown.
"use strict";

const IN_ONE_FRAME = 100; // characters: more would keep the page from answering
const READING_PACE = 30; // characters a second, for those who want to read along
const LONGEST_SPOKEN = 80; // characters that a screen reader says at once

let frame = null; // the timer of the next change of the text
let shownAt = 0; // when the text was changed, in milliseconds
let due = 0; // characters that the reading pace allows by now

function startWorker() {
  // With a policy of its own, a browser that knows Trusted Types lets no other code make a script.
  const own = { createScriptURL: (url) => url };
  const policy = window.trustedTypes ? trustedTypes.createPolicy("worker", own) : own;
  const url = URL.createObjectURL(new Blob([byId("worker").textContent], { type: "text/javascript" }));
  const started = new Worker(policy.createScriptURL(url));
  started.onmessage = ({ data: message }) => {
    if (message.kind === "load") URL.revokeObjectURL(url);
    if (message.number === undefined || message.number === current.number) {
      answers[message.kind](message);
    }
  };
  started.onerror = (error) => {
    fail((error.message || "its worker does not start").replace(/^(Uncaught )?Error: /, ""));
  };
  return started;
}

const answers = {
  load() {
    setPhase("ready");
    say("The model is ready.");
    byId("weights").remove(); // the worker has them
    if (followLink()) return;
    if (data.text) write({ onlyRead: true });
    else write({ onlyRead: false, opening: { ...data.settings, ...data.opening } });
  },
  write({ characters: read, next, over }) {
    current.waiting.push(...read);
    current.next = next;
    current.complete = over;
    planFrame();
  },
  view({ start, values }) {
    values.forEach((value, i) => {
      const later = start + i - view.known.length; // of the characters that still wait
      if (later < 0) view.setValue(start + i, value);
      else current.waiting[later].value = value;
    });
    showExpected();
  },
  suggest({ proposal, ids }) {
    if (proposal === proposalNumber) propose(ids.map((id) => characters[id]).join(""));
  },
};

// Write a text, or only read it. The text with which the page opens has values of its own.
function write({ onlyRead, opening }) {
  const values = onlyRead ? {} : (opening ?? readSettings());
  if (!values) return;
  const points = Array.from(byId("phrase").value.slice(0, 2 * data.most + 2));
  const phrase = points.slice(0, data.most).join("");
  const items = itemsOf(phrase), ids = idsOf(items);
  if (onlyRead && !ids.length) {
    say("There is nothing to read: your text has no character that the model knows.");
    return;
  }
  const warnings = warningsOf(items, points.length > data.most);
  current = newText(current.number + 1, { values, phrase, onlyRead, opening, warnings }, items);
  due = 1;
  view.clear();
  view.follows = !onlyRead;
  const length = onlyRead ? 0 : values.length, randomSeed = values["random-seed"] ?? "0";
  const sampling = { temperature: values.temperature, topK: values["top-k"], minP: values["min-p"] };
  const { number } = current;
  worker.postMessage({ kind: "write", number, ids, length, sampling, randomSeed, view: shownView });
  setPhase("writing");
  sayWhatIsDone();
}

function sayWhatIsDone() {
  const { onlyRead, warnings } = current.request;
  say([onlyRead ? "Reading." : "Writing.", ...warnings].join(" "));
}

// What the reader should know of the phrase.
function warningsOf(items, cut) {
  const unknown = [...new Set(items.filter((i) => i.id === null).map((i) => i.character))];
  const said = [];
  if (unknown.length) {
    const shown = unknown.slice(0, 8).map((c) => `${named(c)} (U+${codePoint(c)})`);
    const more = unknown.length > 8 ? ` and ${unknown.length - 8} more` : "";
    said.push(`The model does not know ${shown.join(", ")}${more}; it does not read them.`);
  }
  if (cut) said.push(`Only the first ${data.most} characters are read.`);
  return said;
}

function planFrame() {
  const change = () => {
    frame = null;
    if (phase === "paused") return; // the characters wait until the text goes on
    showWaiting(allowed(performance.now()));
    if (current.waiting.length || current.complete) planFrame();
  };
  // Less motion: the text is changed twice a second, and not with each frame of the screen.
  frame ??= setTimeout(() => requestAnimationFrame(change), reducedMotion.matches ? 500 : 0);
}

// How many characters may be shown now.
function allowed(now) {
  const passed = Math.min(now - shownAt, 1000);
  shownAt = now;
  const most = reducedMotion.matches ? 5 * IN_ONE_FRAME : IN_ONE_FRAME;
  if (current.request.onlyRead || byId("pace").value !== "read") return most;
  due += (READING_PACE * passed) / 1000;
  const whole = Math.floor(due);
  due -= whole;
  return whole;
}

// Show characters that wait, at most so many, and after the last of all the end of the text.
function showWaiting(most) {
  const items = [];
  for (const read of current.waiting.splice(0, most)) {
    items.push(...unknownBefore(read));
    items.push(read.given ? { ...current.phrase.shift(), ...read } : written(read));
  }
  const over = current.complete && !current.waiting.length;
  if (over) items.push(...current.phrase.splice(0));
  view.append(items);
  if (over) end();
  if (items.length && view.cursor === null) showExpected();
}

// The unknown characters of the phrase that stand before this character.
function unknownBefore(read) {
  const known = current.phrase.findIndex((item) => item.id !== null);
  return current.phrase.splice(0, read.given ? known : current.phrase.length);
}

function written(read) {
  const character = characters[read.id];
  current.line += character;
  const long = current.line.length >= LONGEST_SPOKEN && character === " ";
  if (character === "\n" || long) speak();
  return { character, ...read };
}

// Let a screen reader say what was written, line by line, but not what nobody has asked for.
function speak() {
  const line = document.createElement("span");
  line.textContent = current.line;
  current.line = "";
  if (current.request.opening) return;
  byId("spoken").append(line);
  while (byId("spoken").childElementCount > 3) byId("spoken").firstElementChild.remove();
}

function end() {
  const { onlyRead, values, warnings } = current.request;
  current.complete = false;
  speak();
  setPhase("over");
  const read = view.items.filter((item) => item.id !== null);
  const counted = onlyRead ? read : read.filter((item) => !item.given);
  const bits = counted.reduce((sum, item) => sum + item.bits, 0) / counted.length;
  const what = `${onlyRead ? "Read" : "Written"}: ${plural(counted.length, "character")}`;
  const seed = onlyRead ? "" : ` Random seed ${values["random-seed"]}.`;
  say([`${what}, ${bits.toFixed(2)} bits each on average.${seed}`, ...warnings].join(" "));
  showExpected();
}

function pauseOrGoOn() {
  const pausing = phase === "writing";
  worker.postMessage({ kind: pausing ? "pause" : "resume" });
  setPhase(pausing ? "paused" : "writing");
  if (pausing) say("Paused.");
  else sayWhatIsDone();
  planFrame();
}

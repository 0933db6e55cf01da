// The worker of the page: it computes, so that the page never has to wait. It takes messages
//
//   load      sizes, weights (base64), lineEnd (its id, or null)
//   write     number, ids to read, then `length` characters to write, sampling, randomSeed (decimal
//             digits), view
//   pause, resume
//   view      what is shown of each character from now on; those before are read again for it
//   suggest   number, ids of a phrase, whose line is continued with the most probable characters
//
// and answers with load, write (a part of the text), view (values of a part) and suggest.
"use strict";

const SLICE = 20; // milliseconds of work between two looks at the messages
const GUESSES = 8;
const LONGEST_SUGGESTION = 40;

let lstm = null;
let lineEnd = null;
let text = null; // what is written
let again = null; // the same characters, read again for another view
let scheduled = false;

// The state before the first character of a text: the network has read a line end.
function opening(ids) {
  const state = lstm.empty();
  if (lineEnd !== null && ids[0] !== lineEnd) lstm.read(state, lineEnd);
  return state;
}

// What a colour shows of a state: tanh(c) of a cell, or how far a gate is open, from 0 to 1; the
// mean of all without a unit. Null for surprisal, which needs no state.
function shownValue(state, { kind, layer, unit }) {
  if (!(kind in state)) return null;
  const shown = kind === "cell" ? Math.tanh : Number;
  if (unit) return shown(state[kind][layer - 1][unit - 1]);
  const all = state[kind].flatMap((values) => Array.from(values, shown));
  return all.reduce((sum, value) => sum + value, 0) / all.length;
}

// What comes after the last character.
function next() {
  return expectation(lstm.logits(text.state), GUESSES).guesses;
}

function schedule() {
  if (scheduled) return;
  scheduled = true;
  setTimeout(() => {
    scheduled = false;
    work(performance.now() + SLICE);
  });
}

// Work until the slice is over, and plan the next slice if there is more to do.
function work(end) {
  if (again) readAgain(end);
  else if (text && !text.paused && !text.over) write(end);
  if (again || (text && !text.paused && !text.over)) schedule();
}

function write(end) {
  const characters = [];
  const isOver = () => text.read.length >= text.ids.length + text.length;
  while (performance.now() < end && !(text.over = isOver())) characters.push(writeOne());
  postMessage({ kind: "write", number: text.number, characters, over: text.over, next: next() });
}

function writeOne() {
  const logits = lstm.logits(text.state);
  const given = text.read.length < text.ids.length;
  const id = given
    ? text.ids[text.read.length]
    : draw(logits, text.sampling, text.numbers.next());
  const { bits, guesses } = expectation(logits, GUESSES);
  const surprisal = bits(id);
  if (!Number.isFinite(surprisal)) throw new Error("the weights of the model are too large");
  lstm.read(text.state, id);
  text.read.push(id);
  return { id, given, bits: surprisal, guesses, value: shownValue(text.state, text.view) };
}

function readAgain(end) {
  const values = [], start = again.position;
  while (performance.now() < end && again.position < again.ids.length) {
    lstm.read(again.state, again.ids[again.position++]);
    values.push(shownValue(again.state, text.view));
  }
  postMessage({ kind: "view", number: text.number, start, values });
  if (again.position === again.ids.length) again = null;
}

function suggestion(ids) {
  const state = opening(ids), found = [];
  for (const id of ids) lstm.read(state, id);
  while (found.length < LONGEST_SUGGESTION) {
    const id = mostProbable(lstm.logits(state));
    if (id === lineEnd) break;
    found.push(id);
    lstm.read(state, id);
  }
  return found;
}

const handlers = {
  load(message) {
    lstm = new LSTM(decodeWeights(message.weights), message.sizes);
    lineEnd = message.lineEnd;
    for (let i = 0; i < 20; i++) lstm.logits(opening([])); // the first calls are slow
    postMessage({ kind: "load" });
  },
  write(message) {
    const numbers = new RandomNumbers(BigInt(message.randomSeed));
    const state = opening(message.ids);
    text = { ...message, numbers, state, read: [], paused: false, over: false };
    again = null;
    schedule();
  },
  pause() {
    text.paused = true;
  },
  resume() {
    text.paused = false;
    schedule();
  },
  view({ view }) {
    if (!text) return;
    text.view = view;
    again = { ids: text.read.slice(), position: 0, state: opening(text.ids) };
    schedule();
  },
  suggest({ number, ids }) {
    postMessage({ kind: "suggest", number, ids: suggestion(ids) });
  },
};

onmessage = ({ data }) => handlers[data.kind](data);

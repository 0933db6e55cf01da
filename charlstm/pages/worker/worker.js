// The worker of the page: it computes, so that the page never has to wait. It takes messages
//
//   load      sizes, weights (base64), lineEnd (its id, or null)
//   write     number, ids to read, then `length` characters to write, sampling, randomSeed (decimal
//             digits), view
//   pause, resume
//   view      what is shown of each character from now on; those before are read again for it
//   suggest   proposal (its number), ids of a phrase: how its line most probably goes on
//
// and answers with load, write (a part of the text, and what comes next), view (values of a part of
// the text) and suggest.
"use strict";

const SLICE = 20; // milliseconds of work between two looks at the messages
const GUESSES = 8;
const LONGEST_SUGGESTION = 40;

let lstm = null;
let lineEnd = null;
let text = null; // what is written
let rereading = null; // the same characters, read again for another view
let suggesting = null; // the last phrase whose continuation was asked for
let scheduled = false;

// The state before the first character of a text: the network has read a line end.
function opening(ids) {
  const state = lstm.empty();
  if (lineEnd !== null && ids[0] !== lineEnd) lstm.read(state, lineEnd);
  return state;
}

// What a colour shows of a state: tanh(c) of a cell, or how far a gate is open, from 0 to 1. Unit 0
// stands for the mean of the layer, and layer 0 for the mean of all layers. Null for surprisal, which
// needs no state.
function shownValue(state, { kind, layer, unit }) {
  if (!(kind in state)) return null;
  const shown = kind === "cell" ? Math.tanh : Number;
  if (unit) return shown(state[kind][layer - 1][unit - 1]);
  const layers = layer ? [state[kind][layer - 1]] : state[kind];
  const all = layers.flatMap((values) => Array.from(values, shown));
  return all.reduce((sum, value) => sum + value, 0) / all.length;
}

// What comes after the last character.
function next() {
  return expectation(lstm.logits(text.state), GUESSES).guesses;
}

// A message to itself lets those of the page through. A timer would wait 4 milliseconds each time.
const slices = new MessageChannel();
slices.port1.onmessage = () => {
  scheduled = false;
  work();
};

function schedule() {
  if (!scheduled) slices.port2.postMessage(null);
  scheduled = true;
}

// Do a slice of each work, and plan the next if there is more to do.
function work() {
  if (suggesting) suggest(performance.now() + SLICE);
  if (rereading) readAgain(performance.now() + SLICE);
  if (isWriting()) write(performance.now() + SLICE);
  if (suggesting || rereading || isWriting()) schedule();
}

function isWriting() {
  return text && !text.paused && !text.over;
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
  const values = [], start = rereading.position;
  while (performance.now() < end && rereading.position < rereading.ids.length) {
    lstm.read(rereading.state, rereading.ids[rereading.position++]);
    values.push(shownValue(rereading.state, text.view));
  }
  postMessage({ kind: "view", number: text.number, start, values });
  if (rereading.position === rereading.ids.length) rereading = null;
}

// Read a phrase, and go on with the most probable characters up to the end of the line.
function suggest(end) {
  const { proposal, ids, state, found } = suggesting;
  while (performance.now() < end) {
    if (suggesting.position < ids.length) {
      lstm.read(state, ids[suggesting.position++]);
      continue;
    }
    const id = mostProbable(lstm.logits(state));
    if (id === lineEnd || found.length === LONGEST_SUGGESTION) {
      postMessage({ kind: "suggest", proposal, ids: found });
      suggesting = null;
      return;
    }
    found.push(id);
    lstm.read(state, id);
  }
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
    rereading = null;
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
    rereading = null;
    if (!(view.kind in text.state)) return; // surprisal is known already
    rereading = { ids: text.read.slice(), position: 0, state: opening(text.ids) };
    schedule();
  },
  suggest({ proposal, ids }) {
    suggesting = { proposal, ids, position: 0, state: opening(ids), found: [] };
    schedule();
  },
};

onmessage = ({ data }) => handlers[data.kind](data);

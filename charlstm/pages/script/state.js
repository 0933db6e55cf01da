// What all of the script shares: the data of the page, what it is doing, and the text on it.
"use strict";

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const characters = Array.from(data.vocabulary);
const idOf = new Map(characters.map((character, id) => [character, id]));
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
const view = new TextView(byId("text"), showExpected);

let phase = "loading"; // ready, writing, paused, over, failed
let current = newText(0); // the text on the page
let worker = null;

// A text, and what is known of it: its number, by which answers to an earlier text are told; the
// characters of the phrase that are not shown yet, with the unknown ones among them; the characters
// that came from the worker and wait to be shown; the guesses after the last of these; whether it
// was the last of all; and the line that is to be spoken.
function newText(number, request = {}, phrase = []) {
  return { number, request, phrase, waiting: [], next: [], complete: false, line: "" };
}

const say = (text) => (byId("status").textContent = text);
const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

function setPhase(now) {
  phase = now;
  const ready = !["loading", "failed"].includes(now);
  for (const id of ["write", "read"]) byId(id).disabled = !ready;
  for (const id of ["copy", "save", "link"]) byId(id).disabled = !current.number;
  byId("pause").disabled = !["writing", "paused"].includes(now);
  byId("pause").textContent = now === "paused" ? "Go on" : "Pause";
}

function fail(reason) {
  setPhase("failed");
  say(`The page cannot go on: ${reason}.`);
}

// The characters of a phrase as the network reads it, each with its id; null for an unknown one.
function itemsOf(phrase) {
  // The letter sigma has another form at the end of a word, which charlstm does not use.
  const text = data.lowercase ? phrase.replaceAll("\u03a3", "\u03c3").toLowerCase() : phrase;
  return Array.from(text, (character) => {
    return { character, given: true, id: idOf.get(character) ?? null };
  });
}

const idsOf = (items) => items.map((item) => item.id).filter((id) => id !== null);

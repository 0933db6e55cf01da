// What all of the script of the page shares: the data of the page, the state of the text.
"use strict";

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
let asked = null; // the settings of the text
let ended = false; // whether the last character came, which may still wait

const say = (text) => (byId("status").textContent = text);
const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

function setState(now) {
  state = now;
  const ready = !["loading", "failed"].includes(now);
  const hasText = ready && now !== "ready";
  for (const id of ["write", "read"]) byId(id).disabled = !ready;
  for (const id of ["copy", "save", "link"]) byId(id).disabled = !hasText;
  byId("pause").disabled = !["writing", "paused"].includes(now);
  byId("pause").textContent = now === "paused" ? "Go on" : "Pause";
}

function fail(reason) {
  setState("failed");
  say(`The page cannot go on: ${reason}.`);
}

// The characters of a phrase as the network reads it, each with its id; null for an unknown one.
function itemsOf(phrase) {
  return Array.from(data.lowercase ? phrase.toLowerCase() : phrase, (character) => {
    return { character, given: true, id: idOf.get(character) ?? null };
  });
}

// How the line could go on: the proposal in grey behind the phrase.
"use strict";

const READ_FOR_PROPOSAL = 300; // characters before the end of the phrase
const PAUSE_BEFORE_PROPOSAL = 150; // milliseconds without a key

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
  byId("offered").textContent = text && `Tab adds: ${shown}`;
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

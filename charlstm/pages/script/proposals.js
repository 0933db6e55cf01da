// How the line could go on: the proposal in grey behind the phrase.
"use strict";

const READ_FOR_PROPOSAL = 300; // characters before the end of the phrase
const PAUSE_BEFORE_PROPOSAL = 150; // milliseconds without a key

let proposal = ""; // what stands in grey
let proposalNumber = 0; // of the last question; answers to earlier ones come too late
let proposalTimer = null;

function caretIsAtEnd() {
  const field = byId("phrase");
  return document.activeElement === field && field.selectionStart === field.value.length;
}

function planProposal(event) {
  propose("");
  if (event?.isComposing) return; // a character of several keys is not complete
  proposalTimer = setTimeout(() => {
    if (["loading", "failed"].includes(phase) || !byId("phrase").value || !caretIsAtEnd()) return;
    const ids = idsOf(itemsOf(byId("phrase").value.slice(-READ_FOR_PROPOSAL)));
    worker.postMessage({ kind: "suggest", proposal: ++proposalNumber, ids });
  }, PAUSE_BEFORE_PROPOSAL);
}

// Show a proposal, or with an empty text none.
function propose(text) {
  clearTimeout(proposalTimer);
  if (!text) proposalNumber++;
  proposal = caretIsAtEnd() ? text : "";
  const shown = Array.from(proposal, visible).join("");
  byId("typed").textContent = byId("phrase").value;
  byId("proposed").textContent = shown;
  byId("offered").textContent = shown && `Tab adds: ${shown}`;
  byId("take").disabled = !proposal;
  byId("ghost").scrollTop = byId("phrase").scrollTop;
}

function takeProposal() {
  const taken = proposal, field = byId("phrase");
  // In this way the browser can undo it.
  if (document.execCommand("insertText", false, taken)) return;
  field.setRangeText(taken, field.value.length, field.value.length, "end");
  planProposal();
}

function onPhraseKey(event) {
  if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Escape") propose("");
  if (event.key !== "Tab" || event.shiftKey || !proposal) return;
  event.preventDefault();
  takeProposal();
}

// The beginning: fill the page, listen, and give the model to the worker.
"use strict";

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
try {
  worker = startWorker();
  const [weights, lineEnd] = [byId("weights").textContent, idOf.get("\n") ?? null];
  worker.postMessage({ kind: "load", sizes: data.sizes, weights, lineEnd });
} catch (error) {
  fail(`the browser starts no worker (${error.message})`);
}

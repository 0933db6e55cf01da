// The beginning: fill the page, listen, and give the model to the worker.
"use strict";

const on = (id, event, action) => byId(id).addEventListener(event, action);

byId("phrase").value = data.text;
byId("phrase").setSelectionRange(0, 0);
for (const name of SETTINGS) byId(name).value = data.settings[name] ?? "";
fillViews();
changeView();
on("write", "click", () => write({ onlyRead: false }));
on("read", "click", () => write({ onlyRead: true }));
on("pause", "click", pauseOrGoOn);
on("copy", "click", () => copyText(view.text, "the text"));
on("link", "click", showLink);
on("save", "click", saveText);
on("previous", "click", () => view.move(-1));
on("following", "click", () => view.move(1));
for (const id of ["view", "layer", "unit"]) on(id, "change", changeView);
on("phrase", "input", planProposal);
on("phrase", "compositionend", planProposal);
on("phrase", "keydown", onPhraseKey);
on("phrase", "blur", () => propose(""));
on("phrase", "scroll", () => (byId("ghost").scrollTop = byId("phrase").scrollTop));
document.addEventListener("selectionchange", () => {
  if (proposal && !caretIsAtEnd()) propose("");
});
on("take", "pointerdown", (event) => event.preventDefault()); // the phrase keeps the focus
on("take", "click", takeProposal);
addEventListener("hashchange", followLink);
try {
  worker = startWorker();
  const [weights, lineEnd] = [byId("weights").textContent, idOf.get("\n") ?? null];
  worker.postMessage({ kind: "load", sizes: data.sizes, weights, lineEnd });
} catch (error) {
  fail(`the browser starts no worker (${error.message})`);
}

// A text outside of the page: links that write it again, the clipboard, files.
"use strict";

function linkToText() {
  const { phrase, onlyRead, values } = current.request;
  const named = SETTINGS.map((name) => [name, values[name]]);
  const held = new URLSearchParams([["seed", phrase], ...(onlyRead ? [["read", "1"]] : named)]);
  return `${location.href.split("#")[0]}#${held}`;
}

// Show the link, so that it can be had where the browser does not let the page copy.
function showLink() {
  byId("linked").hidden = false;
  byId("address").value = linkToText();
  byId("address").select();
  copyText(byId("address").value, "a link that gives this text again");
}

// Do what the link says by which the page was opened; whether there is one.
function followLink() {
  const held = new URLSearchParams(location.hash.slice(1));
  if (!held.has("seed") || ["loading", "failed"].includes(phase)) return false;
  byId("phrase").value = held.get("seed");
  for (const name of SETTINGS) if (held.has(name)) byId(name).value = held.get(name);
  propose("");
  write({ onlyRead: held.has("read") });
  return true;
}

async function copyText(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`Copied: ${what}.`);
  } catch {
    say("The browser does not let the page copy. Select the text, and copy it with the keyboard.");
  }
}

function saveText() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([view.text], { type: "text/plain" }));
  link.download = "text.txt";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

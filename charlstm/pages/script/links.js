// A text outside of the page: links that write it again, the clipboard, files.
"use strict";

function linkToText() {
  const { phrase, onlyRead } = asked;
  const values = Object.keys(settings).map((name) => [name, asked[name]]);
  const found = new URLSearchParams([["seed", phrase], ...(onlyRead ? [["read", "1"]] : values)]);
  return `${location.href.split("#")[0]}#${found}`;
}

function keepLink() {
  try {
    history.replaceState(null, "", linkToText());
  } catch {
    // Some browsers allow no change of the address of a file. The button still copies the link.
  }
}

function followLink() {
  const values = new URLSearchParams(location.hash.slice(1));
  if (!values.has("seed")) return;
  byId("phrase").value = values.get("seed");
  for (const name of Object.keys(settings)) if (values.has(name)) byId(name).value = values.get(name);
  propose("");
  write({ onlyRead: values.has("read") });
}

async function copyText(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`Copied: ${what}.`);
  } catch {
    say("The browser does not let the page copy. Select the text and copy it with the keyboard.");
  }
}

function saveText() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([view.text], { type: "text/plain" }));
  link.download = "text.txt";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// What the model expected at the cursor, and what the colours of the text show.
"use strict";

const SPOKEN_GUESSES = 3;

function showExpected() {
  const item = view.cursor === null ? null : view.items[view.cursor];
  const guesses = item ? item.guesses || [] : (current.waiting[0]?.guesses ?? current.next);
  const said = item ? described(item) : describedEnd(guesses);
  if (byId("here").textContent !== said) byId("here").textContent = said; // else it is said again
  byId("guesses").replaceChildren(...guesses.map(([id, share]) => guessRow(id, share, item)));
}

function described(item) {
  const place = `Character ${view.cursor + 1}, ${named(item.character)}`;
  if (item.id === null) return `${place} (U+${codePoint(item.character)}): the model does not know it.`;
  // A value may still come that was asked for before the view was changed.
  const shows = view.kind !== "surprisal" && typeof item.value === "number";
  const value = shows ? ` Shown value: ${item.value.toFixed(2)}.` : "";
  return `${place}: surprisal ${item.bits.toFixed(2)} bits.${value} Expected were ${listed(item.guesses)}.`;
}

// While a text is written this is the same all the time, so that it is not said for each character.
function describedEnd(guesses) {
  if (!view.items.length && !guesses.length) return "Nothing is written yet.";
  return phase === "writing" ? "What comes next:" : `What comes next: ${listed(guesses)}.`;
}

function listed(guesses) {
  const first = guesses.slice(0, SPOKEN_GUESSES);
  return first.map(([id, share]) => `${named(characters[id])} ${percent(share)}`).join(", ");
}

const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

function guessRow(id, share, item) {
  const row = document.createElement("li");
  const [name, bar, part] = ["span", "span", "span"].map((tag) => document.createElement(tag));
  row.className = item && item.id === id ? "guess came" : "guess";
  name.textContent = named(characters[id]);
  bar.className = "bar";
  bar.style.width = `${100 * share}%`;
  part.textContent = percent(share);
  row.append(name, bar, part);
  return row;
}

const LEGENDS = {
  surprisal: ["0 bits", "surprisal", `${MOST_BITS} bits or more`],
  cell: ["\u22121", "cell", "1"],
  input: ["closed", "open", "open"],
  forget: ["closed", "open", "open"],
  output: ["closed", "open", "open"],
  none: ["", "", ""],
};

let shownView = { kind: "surprisal" }; // kind, layer and unit from 1; 0 is the mean of all

// Show what the list says: a kind, or a cell that was found, such as "cell 1:119".
function changeView() {
  const [kind, cell] = byId("view").value.split(" ");
  const ofUnit = !cell && !["surprisal", "none"].includes(kind);
  for (const field of document.querySelectorAll(".of-unit")) field.hidden = !ofUnit;
  byId("unit").disabled = byId("layer").value === "0"; // a unit is one of a layer
  if (byId("unit").disabled) byId("unit").value = "";
  const most = data.sizes.hidden_size, asked = byId("unit").value;
  const right = byId("unit").checkValidity() && Number.isInteger(Number(asked));
  if (ofUnit && !right) {
    say(`Unit is \u201c${asked}\u201d: it must be empty, or a whole number from 1 to ${most}.`);
    return;
  }
  const [layer, unit] = cell ? cell.split(":") : [byId("layer").value, asked];
  shownView = { kind, layer: Number(layer), unit: Number(unit) };
  const [least, scale, greatest] = LEGENDS[kind];
  byId("least").textContent = least;
  byId("most").textContent = greatest;
  byId("scale").className = `scale ${scale}`;
  byId("scale").hidden = kind === "none";
  view.show(kind);
  showExpected();
  worker?.postMessage({ kind: "view", view: shownView });
}

function fillViews() {
  byId("layer").append(new Option("all", 0));
  for (let layer = 1; layer <= data.sizes.num_layers; layer++) byId("layer").append(new Option(layer));
  byId("unit").max = data.sizes.hidden_size;
  const group = document.createElement("optgroup");
  group.label = "Cells that were found";
  for (const { property, layer, unit, score } of data.cells) {
    const cell = `${layer}:${unit}`;
    group.append(new Option(`${property} (cell ${cell}, score ${score.toFixed(2)})`, `cell ${cell}`));
  }
  if (data.cells.length) byId("view").append(group);
  byId("view").value = data.view.kind;
  byId("layer").value = data.view.layer;
  byId("unit").value = data.view.unit || "";
}

// What the model expected at the cursor, and what the colours of the text show.
"use strict";

function showExpected() {
  const item = view.cursor === null ? null : view.items[view.cursor];
  const last = view.items.length - 1;
  const guesses = item ? item.guesses || [] : waiting.length ? waiting[0].guesses : nextGuesses;
  const said = item ? described(item) : last < 0 ? "Nothing is written yet." : "What comes next:";
  if (byId("here").textContent !== said) byId("here").textContent = said; // else it is said again
  byId("guesses").replaceChildren(...guesses.map(([id, share]) => guessRow(id, share, item)));
}

function described(item) {
  const place = `Character ${view.cursor + 1}, ${named(item.character)}`;
  if (item.id === null) return `${place} (U+${codePoint(item.character)}): the model does not know it.`;
  const value = typeof item.value === "number" ? ` Shown value: ${item.value.toFixed(2)}.` : "";
  return `${place}: surprisal ${item.bits.toFixed(2)} bits.${value} Expected were:`;
}

function guessRow(id, share, item) {
  const row = document.createElement("li");
  const [name, bar, percent] = ["span", "span", "span"].map((tag) => document.createElement(tag));
  row.className = item && item.id === id ? "guess came" : "guess";
  name.textContent = named(characters[id]);
  bar.className = "bar";
  bar.style.width = `${100 * share}%`;
  percent.textContent = `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
  row.append(name, bar, percent);
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

// A view that the list names is "surprisal", or "cell 1:119" for a cell that was found.
function readView() {
  const [kind, cell] = byId("view").value.split(" ");
  if (cell) {
    const [layer, unit] = cell.split(":").map(Number);
    return { kind, layer, unit };
  }
  return { kind, layer: Number(byId("layer").value), unit: Number(byId("unit").value) || 0 };
}

function changeView() {
  const { kind, unit } = readView();
  const ofUnit = byId("view").value === kind && kind in { cell: 1, input: 1, forget: 1, output: 1 };
  for (const field of document.querySelectorAll(".of-unit")) field.hidden = !ofUnit;
  if (!byId("unit").checkValidity() || unit > data.sizes.hidden_size) {
    say(`Unit is \u201c${byId("unit").value}\u201d: it must be empty or a whole number from 1 to ${data.sizes.hidden_size}.`);
    return;
  }
  const [least, scale, most] = LEGENDS[kind];
  byId("least").textContent = least;
  byId("most").textContent = most;
  byId("scale").className = `scale ${scale}`;
  byId("scale").hidden = kind === "none";
  view.show(kind);
  worker?.postMessage({ kind: "view", view: readView() });
}

function fillViews() {
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

// The text on the page: coloured characters in lines, with a cursor that goes from one to the other.
// All text is set as text, never as markup.
"use strict";

const LONGEST_LINE = 1000; // characters; a longer line of the text is folded there
const MOST_BITS = 8; // the upper end of the scale of surprisal

// What is shown in place of a character that cannot be seen, or that changes the direction of the
// text around it.
function visible(character) {
  const point = character.codePointAt(0);
  if (point < 32 && character !== "\t") return String.fromCodePoint(0x2400 + point);
  if (point === 127) return "\u2421";
  const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/u;
  return hidden.test(character) ? `<U+${codePoint(character)}>` : character;
}

const codePoint = (character) => character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");

// How a character is called in a sentence and in the list of guesses.
function named(character) {
  const names = { "\n": "line end", " ": "space", "\t": "tab" };
  const circle = /\p{M}/u.test(character) ? "\u25cc" : ""; // below or above which an accent is seen
  return names[character] || `\u201c${circle}${visible(character)}\u201d`;
}

// The colour of a value: its class, and where it is on its scale, from 0 to 1.
function tint(kind, bits, value) {
  if (kind === "none") return null;
  if (kind === "surprisal") return ["surprisal", Math.min(bits / MOST_BITS, 1)];
  if (value === null || value === undefined) return null;
  if (kind === "cell") return [value < 0 ? "low" : "high", Math.abs(value)];
  return ["open", value];
}

// `items` has an entry for each character: character, id (null if it is unknown), given, bits,
// guesses, value.
class TextView {
  constructor(element, onSelect) {
    this.element = element;
    this.onSelect = onSelect;
    this.kind = "surprisal";
    this.follows = true; // whether the end of a growing text stays in sight
    this.clear();
    element.addEventListener("click", ({ target }) => {
      if (this.positions.has(target)) this.select(this.positions.get(target));
    });
    element.addEventListener("keydown", (event) => this.onKey(event));
  }

  clear() {
    this.items = [];
    this.spans = [];
    this.positions = new Map(); // of the spans
    this.known = []; // the positions of the characters that the model reads
    this.cursor = null; // the end of the text
    this.line = null;
    this.element.replaceChildren();
  }

  get text() {
    return this.items.map((item) => item.character).join("");
  }

  append(items) {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    const follows = this.follows && this.cursor === null && scrollHeight - scrollTop - clientHeight < 40;
    for (const item of items) {
      if (!this.line || this.line.childElementCount >= LONGEST_LINE) this.newLine();
      const span = document.createElement("span");
      const isEnd = item.character === "\n";
      if (!isEnd) span.textContent = visible(item.character);
      const position = this.items.push(item) - 1;
      if (item.id !== null) this.known.push(position);
      this.spans.push(span);
      this.positions.set(span, position);
      this.colour(position);
      this.line.append(span);
      if (isEnd) this.line = null;
    }
    if (follows) this.element.scrollTop = this.element.scrollHeight;
  }

  newLine() {
    this.line = document.createElement("div");
    this.line.className = "line";
    this.line.dir = "auto";
    this.element.append(this.line);
  }

  colour(position) {
    const item = this.items[position], span = this.spans[position];
    const found = item.id === null ? null : tint(this.kind, item.bits, item.value);
    const classes = [
      item.given && this.follows && "given", // what is only read needs no mark
      item.id === null && "unknown",
      item.character === "\n" && "line-end",
      position === this.cursor && "cursor",
      ...(found ? ["tinted", found[0]] : []),
    ];
    span.className = classes.filter(Boolean).join(" ");
    if (found) span.style.setProperty("--v", found[1].toFixed(3));
  }

  // The value of another view, of one of the characters that the model reads.
  setValue(number, value) {
    const position = this.known[number];
    this.items[position].value = value;
    this.colour(position);
  }

  // Show another view. Values of cells and gates come later; until then, old colours stay.
  show(kind) {
    this.kind = kind;
    if (kind !== "surprisal" && kind !== "none") return;
    this.items.forEach((item, position) => {
      item.value = null;
      this.colour(position);
    });
  }

  select(position) {
    const before = this.cursor;
    this.cursor = position;
    for (const one of [before, position]) if (one !== null && this.spans[one]) this.colour(one);
    if (position !== null) this.spans[position].scrollIntoView({ block: "nearest" });
    this.onSelect();
  }

  // Go so many characters forward, or backward; after the last there is the end of the text.
  move(count) {
    if (!this.items.length) return;
    const goal = Math.max(0, (this.cursor ?? this.items.length) + count);
    this.select(goal < this.items.length ? goal : null);
  }

  onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const line = this.cursor === null ? this.line : this.spans[this.cursor].parentElement;
    const forward = line && getComputedStyle(line).direction === "rtl" ? -1 : 1;
    const counts = { ArrowLeft: -forward, ArrowRight: forward, Home: -Infinity, End: Infinity };
    if (!(event.key in counts)) return;
    event.preventDefault();
    this.move(counts[event.key]);
  }
}

// Creates and updates elements without a framework. Text is set as text and never as markup. A value that changes after it was
// first shown is highlighted for a moment.

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Returns the parts of a text in which `backticks` set off code.
export function withCode(text) {
  return text.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));
}

// Creates an icon from an SVG path.
export function icon(path) {
  const space = "http://www.w3.org/2000/svg";
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", "0 0 16 16");
  drawing.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(space, "path");
  line.setAttribute("d", path);
  drawing.append(line);
  return drawing;
}

const CHANGED_CLASS = "changed";
const filled = new WeakSet(); // elements that have shown a value
const rowsByList = new WeakMap(); // the rows of each list, by id

export function highlight(element) {
  element.classList.remove(CHANGED_CLASS);
  element.getBoundingClientRect(); // restarts the animation
  element.classList.add(CHANGED_CLASS);
}

addEventListener("animationend", ({ animationName, target }) => {
  if (animationName === CHANGED_CLASS) target.classList.remove(CHANGED_CLASS);
});

// Sets an element's text and highlights a change.
export function show(element, text) {
  const before = element.textContent;
  if (before !== text) element.textContent = text;
  if (before !== text && filled.has(element)) highlight(element);
  filled.add(element);
}

// Sets a list's rows. `makeRow` returns the element of a new row and a function that fills it.
export function showRows(list, rows, makeRow) {
  const first = !rowsByList.has(list);
  const before = rowsByList.get(list) ?? new Map();
  const now = new Map(rows.map((row) => [row.id, before.get(row.id) ?? makeRow()]));
  rowsByList.set(list, now);
  for (const [id, { element }] of before) if (!now.has(id)) element.remove();
  rows.forEach((row, index) => {
    const { element, fill } = now.get(row.id);
    fill(row);
    if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null);
    if (!first && !before.has(row.id)) highlight(element);
  });
}

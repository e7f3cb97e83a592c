// Why two customers may be one: the weight of each field, which add up to the score, in bits of evidence.
import { make, show, showRows } from "../shared/dom.js";
import { figure, word } from "../shared/format.js";

const NAMES = { PRIOR: "Before any look at the two", LOOK_ALIKE: "They may only look alike" };
const LEVELS = { EXPECTED: "Most pairs are two people", SHORT_FORM: "Short form" };
const CERTAIN = 12; // bits, at which a bar is full

const signed = (weight) => (weight > 0 ? "+" : weight < 0 ? "−" : "") + figure(Math.abs(weight));

function reasonRow() {
  const [name, level, value] = ["field", "level", "weight"].map((part) => make("td", { class: part }));
  const bar = make("meter", { min: "0", max: String(CERTAIN), "aria-hidden": "true" });
  const element = make("tr", {}, name, level, make("td", { class: "bar-cell" }, bar), value);
  function fill({ field, level: agreement, weight }) {
    element.classList.toggle("against", weight < 0);
    show(name, NAMES[field] ?? word(field));
    show(level, LEVELS[agreement] ?? word(agreement));
    show(value, signed(weight));
    bar.value = Math.min(Math.abs(weight), CERTAIN);
  }
  return { element, fill };
}

// The share of such pairs that are one customer.
function likelihood(score) {
  const odds = 2 ** score;
  const share = odds / (1 + odds);
  if (share < 0.99) return `${Math.round(share * 100)} of 100 such pairs are one customer`;
  return `${figure(Math.round(odds))} of ${figure(Math.round(odds) + 1)} such pairs are one customer`;
}

// The panel, and a function that shows the reasons of a candidate.
export function reasonsPanel() {
  const rows = make("tbody");
  const [total, odds] = [make("td", { class: "weight" }), make("p", { class: "small odds" })];
  const heads = ["Field", "Agreement", "", "Weight"].map((title) => make("th", { scope: "col" }, title));
  const sum = make("tr", {}, make("th", { scope: "row", colspan: "3" }, "Together"), total);
  const table = make("table", {}, make("thead", {}, make("tr", {}, ...heads)), rows, make("tfoot", {}, sum));
  const parts = [make("h2", {}, "Why they may be one"), table, odds];
  const element = make("section", { class: "panel reasons", "aria-label": "Why" }, ...parts);
  function fill({ reasons, score }) {
    const hundredths = reasons.reduce((whole, { weight }) => whole + Math.round(weight * 100), 0);
    const ordered = reasons.map((reason) => ({ id: reason.field, ...reason })).sort((a, b) => b.weight - a.weight);
    showRows(rows, ordered, reasonRow);
    show(total, signed(hundredths / 100));
    show(odds, likelihood(Number(score)));
  }
  return { element, fill };
}

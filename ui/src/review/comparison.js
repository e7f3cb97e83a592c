// Two customers side by side: who of them stays, and for each field in which they differ, whose value.
import { make, show } from "../shared/dom.js";
import { FIELDS, UNITED, isEmpty, isEqual, linesOf } from "./fields.js";

export const SIDES = ["customer", "other"];
const opposite = (side) => (side === "customer" ? "other" : "customer");

const HINT = `The customer who stays keeps everything below of both; the other id leads to it. Where the two differ, choose whose
  value stays.`;

function cell(name, side) {
  const radio = make("input", { type: "radio", name, value: side });
  const lines = make("span", { class: "lines" });
  return { radio, lines, element: make("label", { class: "cell" }, radio, lines) };
}

// A row of two cells. A cell is a label with a radio button where there is a choice.
function row(label, name) {
  const cells = { customer: cell(name, "customer"), other: cell(name, "other") };
  const heading = make("span", { class: "label", "aria-hidden": "true" }, label);
  const attributes = { class: "row", role: "radiogroup", "aria-label": label };
  const element = make("div", attributes, heading, ...SIDES.map((side) => cells[side].element));
  function fill(values, chosen, hasChoice) {
    element.classList.toggle("same", !hasChoice);
    for (const side of SIDES) {
      const { radio, lines } = cells[side];
      radio.hidden = radio.disabled = !hasChoice;
      radio.checked = hasChoice && side === chosen;
      cells[side].element.classList.toggle("chosen", hasChoice && side === chosen);
      const text = values[side].join("\n");
      if (lines.textContent !== text) show(lines, text);
    }
  }
  return { element, fill };
}

// The form, a function that shows a candidate, and what the person has chosen.
export function comparison() {
  const heading = make("h1", { tabindex: "-1" });
  const stays = row("Stays", "survivor");
  const rows = FIELDS.map((field) => ({ field, ...row(field.label, field.names[0]) }));
  const others = UNITED.map((field) => ({ field, ...row(field.label, `both-${field.label}`) }));
  const list = make("div", { class: "rows" }, stays.element, ...[...rows, ...others].map(({ element }) => element));
  const parts = [heading, make("p", { class: "small" }, HINT), list];
  const element = make("section", { class: "panel comparison", "aria-label": "Comparison" }, ...parts);
  const choices = new Map(); // field → side, where the person chose
  let survivor = "customer";
  let candidate;

  // Whose value stays if nobody chooses: the survivor's, or the other one's where it has none. Some the hub does not choose.
  function usual(field) {
    if (field.mustChoose?.(candidate.customer, candidate.other)) return undefined;
    return !field.isConfirmed && isEmpty(field, candidate[survivor]) ? opposite(survivor) : survivor;
  }

  function paint() {
    const { customer, other } = candidate;
    show(heading, `${customer.name} and ${other.name}`);
    stays.fill({ customer: [customer.id], other: [other.id] }, survivor, true);
    for (const { field, fill } of rows) {
      const values = { customer: linesOf(field, customer), other: linesOf(field, other) };
      fill(values, choices.get(field) ?? usual(field), !isEqual(field, customer, other));
    }
    for (const { field, fill } of others) {
      fill({ customer: linesOf(field, customer), other: linesOf(field, other) }, survivor, false);
    }
  }

  list.addEventListener("change", ({ target }) => {
    const { field } = rows.find(({ field }) => field.names[0] === target.name) ?? {};
    if (field) choices.set(field, target.value);
    else survivor = target.value;
    paint();
  });

  return {
    element,
    focus: () => heading.focus(),
    fill(current) {
      candidate = current;
      paint();
    },
    // The input of a merge, with the choices among fields that differ.
    input() {
      const { customer, other } = candidate;
      const chosen = FIELDS.filter((field) => choices.has(field) && !isEqual(field, customer, other));
      const fields = chosen.flatMap((field) => {
        const side = choices.get(field) === survivor ? "SURVIVOR" : "MERGED";
        return field.names.map((name) => ({ field: name, side }));
      });
      return { survivorId: candidate[survivor].id, mergedId: candidate[opposite(survivor)].id, ...(fields.length && { fields }) };
    },
  };
}

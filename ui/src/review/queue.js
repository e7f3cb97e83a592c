// What waits for a decision, and the latest merges, each of which can be taken back.
import { make, show, showRows } from "../shared/dom.js";
import { exactly, figure, when } from "../shared/format.js";

function panel(name, title, nothing) {
  const count = make("span", { class: "count" });
  const rows = make("ul");
  const empty = make("p", { class: "small" }, nothing);
  const element = make("section", { class: `panel ${name}`, "aria-label": title }, make("h2", {}, title, count), rows, empty);
  function fill({ totalCount, nodes }, makeRow) {
    show(count, String(totalCount));
    empty.hidden = totalCount > 0;
    showRows(rows, nodes, makeRow);
  }
  return { element, rows, fill };
}

function candidateRow() {
  const names = make("span", { class: "names" });
  const score = make("span", { class: "score small", title: "Bits of evidence" });
  const link = make("a", {}, names, score);
  function fill({ id, customer, other, score: bits }) {
    link.setAttribute("href", `#${id}`);
    show(names, customer.name === other.name ? customer.name : `${customer.name} / ${other.name}`);
    show(score, figure(bits));
  }
  return { element: make("li", {}, link), fill };
}

// The candidates. `next` is the address of the one behind a candidate, or of the first.
export function candidatesPanel() {
  const { element, rows, fill } = panel("candidates", "To decide", "Nothing to decide. New pairs appear here.");
  let current = "";
  function markCurrent() {
    for (const link of rows.querySelectorAll("a")) {
      if (link.getAttribute("href") === `#${current}`) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }
  return {
    element,
    fill(candidates) {
      fill(candidates, candidateRow);
      markCurrent();
    },
    open(id) {
      current = id;
      markCurrent();
    },
    next(id) {
      const ids = [...rows.querySelectorAll("a")].map((link) => link.getAttribute("href").slice(1));
      return ids[ids.indexOf(id) + 1] ?? ids.find((other) => other !== id) ?? "";
    },
  };
}

// The merges. `undo` takes the id of one back, and returns the problem if it cannot.
export function mergesPanel(undo) {
  const { element, fill } = panel("merges", "Merged", "No merge that can be undone.");
  function mergeRow() {
    const link = make("a");
    const beside = make("p", { class: "small" });
    const button = make("button", { type: "button", class: "plain" }, "Undo");
    const problem = make("p", { class: "refusal", role: "alert" });
    let id;
    button.addEventListener("click", async () => {
      button.disabled = true;
      problem.textContent = (await undo(id)) ?? "";
      button.disabled = false;
    });
    function fillRow(merge) {
      id = merge.id;
      link.setAttribute("href", `live#${merge.customer.id}`);
      show(link, merge.customer.name);
      show(beside, [when(merge.mergedAt), merge.mergedBy?.name].filter(Boolean).join(" · "));
      beside.title = `Can be undone until ${exactly(merge.undoUntil)}`;
      button.setAttribute("aria-label", `Undo the merge of ${merge.customer.name}`);
    }
    return { element: make("li", {}, make("div", {}, link, beside, problem), button), fill: fillRow };
  }
  return { element, fill: (merges) => fill(merges, mergeRow) };
}

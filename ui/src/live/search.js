// The search box, which uses the API's search. Arrows, Enter and Escape work as in any combobox.
import { make } from "../shared/dom.js";
import { request } from "../shared/request.js";
import SEARCH from "./search.graphql";
import { country } from "../shared/format.js";

const DEBOUNCE = 120; // milliseconds after the last key press

async function searchCustomers(words, authorization, signal) {
  return (await request(authorization, SEARCH, { words: words || null }, signal)).customers.nodes;
}

export function searchBox(authorization, pick) {
  const options = make("ul", { id: "results", role: "listbox", "aria-label": "Customers" });
  const status = make("p", { class: "search-status", role: "status" });
  const list = make("div", { class: "results", hidden: "" }, options, status);
  const field = make("input", {
    type: "search",
    role: "combobox",
    "aria-label": "Find a customer",
    "aria-autocomplete": "list",
    "aria-controls": "results",
    "aria-expanded": "false",
    autocomplete: "off",
    spellcheck: "false",
  });
  field.placeholder = "Find a customer";
  let request = new AbortController();
  let chosen = -1;
  let enterPressed = false; // before the response arrived

  function open(shown) {
    list.hidden = !shown;
    field.setAttribute("aria-expanded", String(shown));
  }

  function choose(index) {
    const all = [...options.children];
    chosen = index < all.length ? index : 0;
    all.forEach((option, position) => option.setAttribute("aria-selected", String(position === chosen)));
    if (chosen < 0) field.removeAttribute("aria-activedescendant");
    else field.setAttribute("aria-activedescendant", all[chosen].id);
    all[chosen]?.scrollIntoView({ block: "nearest" });
  }

  function option({ id, name, country: code, unit }, index) {
    const where = make("span", { class: "where" }, [code && country(code), unit?.name].filter(Boolean).join(" · "));
    const element = make("li", { id: `result-${index}`, role: "option", "aria-selected": "false" }, name, where);
    element.addEventListener("pointerdown", (event) => event.preventDefault()); // leaves the focus in the field
    element.addEventListener("click", () => select(id));
    element.select = () => select(id);
    return element;
  }

  function select(id) {
    open(false);
    field.value = "";
    field.blur();
    pick(id);
  }

  async function update(delay) {
    request.abort();
    request = new AbortController();
    enterPressed = false;
    choose(-1);
    const { signal } = request;
    try {
      await new Promise((resolve) => setTimeout(resolve, delay));
      if (signal.aborted) return;
      const customers = await searchCustomers(field.value.trim(), authorization, signal);
      options.replaceChildren(...customers.map(option));
      status.textContent = customers.length ? "" : "No customer matches.";
    } catch (error) {
      if (signal.aborted) return;
      options.replaceChildren();
      status.textContent = `The search failed: ${error.message}`;
    }
    open(document.activeElement === field);
    choose(field.value.trim() ? 0 : -1);
    if (enterPressed) options.children[0]?.select();
  }

  const keys = {
    ArrowDown: () => choose(chosen + 1),
    ArrowUp: () => choose((chosen < 1 ? options.children.length : chosen) - 1),
    Enter: () => (chosen < 0 ? (enterPressed = true) : options.children[chosen]?.select()),
    Escape: () => (list.hidden ? field.blur() : open(false)),
  };
  field.addEventListener("keydown", (event) => {
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });
  field.addEventListener("input", () => update(DEBOUNCE));
  field.addEventListener("focus", () => update(0));
  field.addEventListener("blur", () => open(false));
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.closest("input, dialog")) return;
    event.preventDefault();
    field.focus();
  });
  return { element: make("div", { class: "search", role: "search" }, field, list), focus: () => field.focus() };
}

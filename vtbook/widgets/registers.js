// Registers: a grid of values with what changed marked, and the inspector that reads one of them
// in hexadecimal, signed, unsigned, as characters and as floating point.

import { big, el, hidden, prefixed, printable, setText } from "./common.js";

/**
 * Make a grid of registers, one tab stop; Up and Down move inside it.
 *
 * `kind` is `"x"`, `"f"` or `"csrs"` (the part of the state shown), `names` their names, and
 * `numbers` the letter of the numbered names (`x10`), if they have them.
 */
export function registerGrid({ kind, names, numbers = "", state, inspect, t, label }) {
  const cells = names.map((name, i) => {
    const mark = el("span", { class: "vtb-mark", "aria-hidden": "true" });
    const zeros = el("span", { class: "vtb-zero" });
    const digits = el("span", {});
    const changed = hidden("");
    const button = el("button", {
      type: "button",
      class: "vtb-register",
      tabindex: i === 0 ? 0 : -1,
      "data-register": name,
      on: {
        mouseenter: () => inspect.hover({ kind, i, name, number: numbers && `${numbers}${i}` }),
        mouseleave: () => inspect.leave(),
        focus: () => choose(i),
        click: () => choose(i),
      },
    });
    button.append(mark);
    if (numbers) button.append(el("span", { class: "vtb-number" }, `${numbers}${i}`), " ");
    button.append(el("span", { class: "vtb-name" }, name), " ");
    button.append(el("span", { class: "vtb-value" }, zeros, digits), changed);
    return { button, mark, zeros, digits, changed };
  });
  const choose = (i) => {
    cells.forEach(({ button }, k) => button.setAttribute("tabindex", k === i ? 0 : -1));
    inspect.pin({ kind, i, name: names[i], number: numbers && `${numbers}${i}` });
  };
  const element = el(
    "div",
    { class: `vtb-grid vtb-grid-${kind}`, role: "group", "aria-label": label, "data-vertical": true },
    ...cells.map(({ button }) => button),
  );
  element.style.setProperty("--vtb-name", `${Math.max(...names.map((name) => name.length))}ch`);
  element.addEventListener("keydown", (event) => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const at = cells.findIndex(({ button }) => button === event.target);
    if (!by || at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    cells[Math.max(0, Math.min(cells.length - 1, at + by))].button.focus();
  });
  return {
    element,
    update(record) {
      cells.forEach(({ button, mark, zeros, digits, changed }, i) => {
        const value = state[kind][i];
        const isChanged = record?.old[kind].has(i) ?? false;
        setText(zeros, "0".repeat(16 - value.length));
        setText(digits, value);
        button.toggleAttribute("data-changed", isChanged);
        setText(mark, isChanged ? "◆" : "");
        setText(changed, isChanged ? ` ${t("changed")}` : "");
      });
    },
  };
}

// --- Inspector --------------------------------------------------------------------------------------

function double(hex) {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, big(hex));
  return view.getFloat64(0);
}

function single(hex) {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, Number(big(hex) & 0xffffffffn));
  return view.getFloat32(0);
}

/** A floating-point value in few characters: exact where that fits in 17, else rounded, with ≈. */
function decimal(value) {
  const exact = Object.is(value, -0) ? "-0" : String(value);
  const text = exact.length <= 17 ? exact : `≈${Number(value.toPrecision(10))}`;
  return text.replaceAll("-", "−");
}

function characters(hex) {
  const padded = hex.padStart(16, "0");
  const bytes = padded.match(/../g).map((pair) => printable(parseInt(pair, 16)));
  return bytes.reverse().join("").replaceAll(" ", "␣"); // lowest byte first, as in memory
}

/** The panel that reads one register in several forms. Pointing shows one, focus or a click keeps it. */
export function inspector(state, t) {
  const name = el("div", { class: "vtb-inspect-name" });
  const fields = ["hex", "chars", "signed", "unsigned", "double", "single"].map((key) => {
    const value = el("span", { class: `vtb-field vtb-field-${key}` });
    return { key, value, term: el("span", { class: "vtb-term" }, t(key)) };
  });
  const parts = fields.flatMap(({ term, value }) => [term, value]);
  const list = el("div", { class: "vtb-inspect-list" }, ...parts);
  const element = el("div", { class: "vtb-inspect" }, name, list);
  let pinned = { kind: "x", i: 10, name: "a0", number: "x10" };
  let hovered = null;
  const show = () => {
    const { kind, i, name: called, number } = hovered ?? pinned;
    const hex = state[kind][i];
    const value = big(hex);
    const signed = BigInt.asIntN(64, value);
    const boxed = kind === "f" && hex.length === 16 && hex.startsWith("ffffffff");
    const forms = {
      hex: prefixed(hex),
      signed: String(signed).replace("-", "−"),
      unsigned: String(value),
      chars: characters(hex),
      double: decimal(double(hex)),
      single: kind === "f" && !boxed ? "NaN" : decimal(Number(single(hex).toPrecision(9))),
    };
    setText(name, number ? `${called} (${number})` : called);
    for (const { key, value: node } of fields) setText(node, forms[key]);
  };
  return {
    element,
    update: show,
    pin(register) {
      pinned = register;
      show();
    },
    hover(register) {
      hovered = register;
      show();
    },
    leave() {
      hovered = null;
      show();
    },
  };
}

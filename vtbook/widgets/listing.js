// The program as disassembled: the instruction just executed, the one that is next, and an arrow
// from one to the other when control jumps.

import { el, hidden, setText, svg } from "./common.js";
import { isInterrupt, jumped } from "./trace.js";

const GLYPHS = { executed: "●", trapped: "✕", next: "▶", both: "↻" };

/** Make the panel. `panel(name, title, ...children)` makes its frame. */
export function listingView(trace, state, t, panel) {
  const rows = new Map();
  const wide = Math.max(...trace.listing.map(([address]) => address.length));
  const raws = Math.max(...trace.listing.map(([, raw]) => raw.length));
  const list = el("div", { class: "vtb-lines", role: "list" });
  list.style.setProperty("--vtb-address", `${wide}ch`);
  list.style.setProperty("--vtb-raw", `${raws}ch`);
  const arrow = svg("path", { class: "vtb-jump" });
  const drawing = svg("svg", { class: "vtb-jumps", "aria-hidden": "true" }, arrow);
  let expected = null;
  for (const [address, raw, text, label] of trace.listing) {
    const value = BigInt(`0x${address}`);
    if (expected !== null && value !== expected && !label) {
      list.append(el("div", { class: "vtb-gap", role: "presentation" }, "⋮"));
    }
    expected = value + BigInt(raw.length / 2);
    const glyph = el("span", { class: "vtb-glyph", "aria-hidden": "true" });
    const code = el("span", { class: "vtb-code" }, text);
    const encoding = el("span", { class: "vtb-raw" }, raw);
    const role = hidden("");
    const row = el("div", { class: "vtb-line", role: "listitem" });
    if (label) row.append(el("span", { class: "vtb-label" }, `${label}:`));
    const place = el("span", { class: "vtb-address" }, address);
    row.append(el("span", { class: "vtb-line-code" }, glyph, place, encoding, code, role));
    list.append(row);
    rows.set(address, { row, glyph, code, encoding, role, shown: { raw, text } });
  }
  const scroller = el(
    "div",
    {
      class: "vtb-scroll",
      tabindex: 0,
      role: "group",
      "aria-label": t("listing"),
      "data-vertical": true,
    },
    el("div", { class: "vtb-scroll-content" }, drawing, list),
  );
  const { body, head: title } = panel("listing", t("listing"), scroller);
  const legend = (mark, label) =>
    el("span", {}, el("span", { class: "vtb-glyph" }, GLYPHS[mark]), ` ${label}`);
  title.append(
    el(
      "span",
      { class: "vtb-legend", "aria-hidden": "true" },
      legend("executed", t("executed")),
      legend("next", t("next_one")),
    ),
  );
  let marked = [];

  const mark = (address, name, words) => {
    const line = rows.get(address);
    if (!line) return;
    const both = line.row.hasAttribute("data-executed") && name === "next";
    line.row.setAttribute(`data-${name === "trapped" ? "executed" : name}`, "");
    if (name === "trapped") line.row.setAttribute("data-trapped", "");
    if (name !== "next") line.row.setAttribute("aria-current", "step");
    setText(line.glyph, GLYPHS[both ? "both" : name]);
    setText(line.role, `${line.role.textContent} (${words})`);
    marked.push(line);
  };
  const clear = () => {
    for (const { row, glyph, role } of marked) {
      for (const name of ["data-executed", "data-trapped", "data-next", "aria-current"]) {
        row.removeAttribute(name);
      }
      setText(glyph, "");
      setText(role, "");
    }
    marked = [];
  };
  // Offsets, not client rectangles: those are scaled where the host scales (slides).
  const middle = (line) => {
    const code = line.row.querySelector(".vtb-line-code");
    return code.offsetTop + code.offsetHeight / 2;
  };
  const drawArrow = (record) => {
    const from = record && jumped(state, record) ? rows.get(record.executed.address) : null;
    const to = rows.get(state.pc);
    const drawn = Boolean(from && to && from !== to);
    drawing.classList.toggle("vtb-off", !drawn);
    if (!drawn) return;
    const y1 = middle(from);
    const y2 = middle(to);
    const bend = Math.sign(y2 - y1) * Math.min(6, Math.abs(y2 - y1) / 2);
    arrow.setAttribute(
      "d",
      `M17 ${y1}H11Q5 ${y1} 5 ${y1 + bend}V${y2 - bend}Q5 ${y2} 11 ${y2}H18`,
    );
  };
  /** Scroll the panel alone (never the page) so that both lines are in sight, the next first. */
  const reveal = (record) => {
    const height = scroller.clientHeight;
    const inSight = (line) => {
      const y = middle(line) - scroller.scrollTop;
      return y > 14 && y < height - 14;
    };
    const next = rows.get(state.pc);
    const done = record && rows.get(record.executed.address);
    const lines = [next, done].filter(Boolean);
    if (!height || lines.every(inSight)) return;
    const ys = lines.map(middle);
    const span = Math.max(...ys) - Math.min(...ys);
    const centre = span < height - 40 ? (Math.max(...ys) + Math.min(...ys)) / 2 : ys[0];
    scroller.scrollTop = centre - height / 2;
  };
  let last = null;
  const place = () => {
    drawArrow(last);
    reveal(last);
  };
  // Heights are known only once the panel is in the page, and change with its width.
  const sized = new ResizeObserver(place);
  sized.observe(scroller);

  return {
    element: body,
    update(record) {
      clear();
      for (const [address, line] of rows) {
        const now = state.code.get(address);
        if (now.raw === line.shown.raw && now.text === line.shown.text) continue;
        line.shown = now;
        setText(line.code, now.text);
        setText(line.encoding, now.raw);
      }
      if (record) {
        const trap = record.event?.kind === "trap";
        if (trap && !isInterrupt(record.event)) {
          mark(record.executed.address, "trapped", t("not_completed"));
        } else if (!trap) mark(record.executed.address, "executed", t("executed"));
      }
      mark(state.pc, "next", t("next_one"));
      last = record;
      place();
    },
    dispose: () => sized.disconnect(),
  };
}

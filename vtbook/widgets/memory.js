// A view of bytes in memory: hexadecimal and ASCII, with marks. Rows are made for what is in
// sight only, so a region may be large.

import { el, hidden, printable } from "./common.js";

const ROW_HEIGHT = 20; // pixels; memory rows in the style sheet have the same

/**
 * Make a byte view. `show(region, marks)` sets what it shows: `region` is `{ base, bytes }`, and
 * `marks` a Map from offset to `"r"`, `"w"` or `"rw"`. `reveal(offset)` scrolls there.
 */
export function byteView({ label, rows, t }) {
  const content = el("div", { class: "vtb-bytes-content" });
  const scroller = el(
    "div",
    {
      class: "vtb-bytes",
      tabindex: 0,
      role: "group",
      "aria-label": label,
      "data-vertical": true,
    },
    content,
  );
  scroller.style.height = `${rows * ROW_HEIGHT + 8}px`;
  let region = null;
  let marks = new Map();
  let columns = 16;

  const words = { r: t("bytes_read"), w: t("bytes_written"), rw: t("both") };
  const makeRow = (row) => {
    const start = row * columns;
    const bytes = region.bytes.subarray(start, start + columns);
    const width = (region.base + BigInt(region.bytes.length)).toString(16).length;
    const address = (region.base + BigInt(start)).toString(16).padStart(width, "0");
    const hex = el("span", { class: "vtb-hexes" });
    const ascii = el("span", { class: "vtb-ascii" });
    for (let i = 0; i < columns; i += 1) {
      const there = i < bytes.length;
      const mark = there ? marks.get(start + i) : undefined;
      const pair = there ? bytes[i].toString(16).padStart(2, "0") : "";
      const cell = el("span", { class: "vtb-byte", "data-mark": mark }, pair);
      if (mark) {
        cell.append(hidden(` ${words[mark]}`));
        cell.title = words[mark];
      } else if (there && bytes[i] === 0) cell.classList.add("vtb-zero");
      hex.append(cell);
      if (there) ascii.append(el("span", { "data-mark": mark }, printable(bytes[i])));
    }
    const line = el("div", { class: "vtb-bytes-row" });
    line.append(el("span", { class: "vtb-address" }, address), hex, ascii);
    line.style.top = `${row * ROW_HEIGHT}px`;
    return line;
  };
  const draw = () => {
    if (!region) return;
    const total = Math.ceil(region.bytes.length / columns);
    content.style.height = `${total * ROW_HEIGHT}px`;
    content.dataset.columns = columns;
    const first = Math.max(0, Math.floor(scroller.scrollTop / ROW_HEIGHT) - 2);
    const last = Math.min(total, first + rows + 5);
    content.replaceChildren(...Array.from({ length: last - first }, (_, i) => makeRow(first + i)));
  };
  scroller.addEventListener("scroll", draw);
  /** The most columns that fit: an address, then 2.3 + 1 characters a byte (see the style
   * sheet, which gives bytes more room in a cell so wide that all fit in any case). */
  const fitting = (width) => {
    const probe = el("span", { class: "vtb-bytes-row" }, "0".repeat(10));
    scroller.append(probe);
    const ch = probe.offsetWidth / 10;
    probe.remove();
    const digits = region ? region.base.toString(16).length : 8;
    const needed = (n) => (digits + 3 + 3.3 * n + 0.8 * (n / 8 - 1)) * ch;
    return [16, 8].find((n) => needed(n) <= width) ?? 4;
  };
  const fit = new ResizeObserver(([entry]) => {
    const fits = fitting(entry.contentRect.width);
    if (fits !== columns) {
      columns = fits;
      draw();
    }
  });
  fit.observe(scroller);

  return {
    element: scroller,
    show(newRegion, newMarks) {
      if (region !== newRegion) scroller.scrollTop = 0;
      region = newRegion;
      marks = newMarks;
      draw();
    },
    reveal(offset) {
      const row = Math.floor(offset / columns);
      const top = row * ROW_HEIGHT;
      const seen = top >= scroller.scrollTop && top + ROW_HEIGHT <= scroller.scrollTop + rows * ROW_HEIGHT;
      if (!seen) {
        scroller.scrollTop = Math.max(0, top - Math.floor(rows / 2) * ROW_HEIGHT);
        draw();
      }
    },
    dispose() {
      fit.disconnect();
    },
  };
}

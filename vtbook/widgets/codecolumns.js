// Code in columns. Lines with a common link belong together: pointing at one, or focusing it, lights
// up the others in all columns and brings them into sight. Steps go through frames, or through links.

import { el, hidden, Player, setText } from "./common.js";
import { bookWidget, headerLine, wordsBox } from "./widget.js";

const MARK_NAMES = { "+": "added", "-": "removed", "~": "changed" };

function columnView({ onPoint, index, t }) {
  const title = el("span", { class: "vtb-panel-title" });
  const language = el("span", { class: "vtb-language" });
  const list = el("div", { class: "vtb-code-lines", role: "list" });
  const scroller = el("div", { class: "vtb-code-scroll", tabindex: 0, role: "group", "data-vertical": true }, list);
  const foot = el("div", { class: "vtb-code-counts" });
  const element = el(
    "section",
    { class: "vtb-panel vtb-code-column" },
    el("div", { class: "vtb-panel-head" }, title, language),
    scroller,
    foot,
  );
  let lines = [];
  const show = (column) => {
    setText(title, column.title);
    setText(language, column.language);
    language.hidden = column.language === "";
    scroller.setAttribute("aria-label", `${column.title} ${column.language}`.trim());
    element.setAttribute("aria-label", column.title || t("column", { n: index + 1 }));
    const marked = column.lines.some(([, mark]) => mark !== "");
    list.toggleAttribute("data-marked", marked);
    lines = column.lines.map(([text, mark, links], n) => {
      const kind = MARK_NAMES[mark];
      const node = el(
        "div",
        { class: "vtb-code-line", role: "listitem", "data-kind": kind ?? null, "data-linked": links.length > 0 },
        el("span", { class: "vtb-line-number", "aria-hidden": "true" }, String(n + 1)),
        el("span", { class: "vtb-line-mark", "aria-hidden": "true" }, mark === "-" ? "−" : mark),
        el("span", { class: "vtb-line-text" }, text || " "),
        kind ? hidden(` (${t(kind)})`) : null,
      );
      node.addEventListener("pointerenter", () => onPoint(links, index));
      return { node, links };
    });
    list.replaceChildren(...lines.map((line) => line.node));
    const tally = (mark) => column.lines.filter((line) => line[1] === mark).length;
    const counts = [
      t.count("lines", column.lines.length),
      ...column.counts.map(([what, n]) => `${n.toLocaleString()} ${what}`),
      ...Object.keys(MARK_NAMES)
        .filter((mark) => tally(mark) > 0)
        .map((mark) => `${mark === "-" ? "−" : mark}${tally(mark)} ${t(MARK_NAMES[mark])}`),
    ];
    setText(foot, counts.join(" · "));
  };
  const reveal = (wanted) => {
    const first = lines.find((line) => line.links.some((link) => wanted.has(link)));
    if (!first) return;
    const { node } = first;
    const top = node.offsetTop - scroller.scrollTop;
    if (top < 0 || top + node.offsetHeight > scroller.clientHeight) {
      scroller.scrollTop = node.offsetTop - scroller.clientHeight / 3;
    }
  };
  return {
    element,
    scroller,
    show,
    /** Light up the lines with one of these links; scroll to them unless the reader is here. */
    light(wanted, scroll) {
      for (const { node, links } of lines) {
        node.toggleAttribute("data-lit", links.some((link) => wanted.has(link)));
      }
      if (scroll) reveal(wanted);
    },
    linksAt: (n) => lines[n]?.links ?? [],
    count: () => lines.length,
    scrollTo: (n) => lines[n]?.node.scrollIntoView?.({ block: "nearest" }),
    textsOf: (wanted) =>
      lines.filter((line) => line.links.some((link) => wanted.has(link))).map((line) => line.node),
  };
}

function linksInOrder(frame) {
  const seen = new Set();
  for (const { lines } of frame.columns) {
    for (const [, , links] of lines) for (const link of links) seen.add(link);
  }
  return [...seen];
}

function build({ model, t, root }) {
  const { title, frames } = model.get("code");
  const many = frames.length > 1;
  const order = linksInOrder(frames[0]);
  const player = new Player(many ? frames.length - 1 : order.length, () => ({ undo() {} }));
  const words = wordsBox();
  let shown = null;
  let stepped = new Set();
  const views = frames[0].columns.map((_, index) =>
    columnView({ index, t, onPoint: (links, from) => light(links, from) }),
  );
  const light = (links, from) => {
    const wanted = links.length ? new Set(links) : stepped;
    views.forEach((view, i) => view.light(wanted, i !== from && links.length > 0));
  };
  // The keys Up and Down move a cursor over the lines of the column that has the focus.
  views.forEach((view, index) => {
    let cursor = -1;
    view.scroller.addEventListener("keydown", (event) => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      cursor = Math.max(0, Math.min(view.count() - 1, cursor + by));
      const wanted = new Set(view.linksAt(cursor));
      views.forEach((other) => other.light(wanted, true));
    });
    view.scroller.addEventListener("blur", () => {
      cursor = -1;
      light([], index);
    });
  });
  const columns = el("div", { class: "vtb-code-columns", "data-columns": views.length });
  columns.append(...views.map((view) => view.element));
  columns.addEventListener("pointerleave", () => light([], -1));
  const size = (frame) => Math.max(...frame.columns.map((column) => column.lines.length));
  columns.style.setProperty("--vtb-code-rows", Math.min(18, Math.max(...frames.map(size))));
  const name = (n) => frames[n].title || t("frame", { n });
  const describe = () => {
    if (many) {
      const { text } = frames[player.index];
      return { plain: true, code: name(player.index), body: text || t("point") };
    }
    if (player.index === 0) return { plain: true, code: frames[0].title || title, body: frames[0].text || t("point") };
    const counts = views.map((view, i) => {
      const column = frames[0].columns[i];
      return `${column.title || t("column", { n: i + 1 })}: ${t.count("lines", view.textsOf(stepped).length)}`;
    });
    const first = views[0].textsOf(stepped)[0]?.querySelector(".vtb-line-text").textContent.trim();
    const other = frames[0].columns[0].title;
    return { code: first || t("only_others", { column: other }), plain: !first, body: `${counts.join("; ")}.` };
  };
  return {
    label: `${t("widget")}: ${title}`,
    player: player.count > 0 ? player : null,
    keys: player.count > 0 ? `${t("keys")} ${t("keys_lines")}` : t("keys_lines"),
    head: [headerLine(title)],
    body: [words.element, columns],
    update() {
      const frame = frames[many ? player.index : 0];
      if (shown !== frame) frame.columns.forEach((column, i) => views[i].show(column));
      shown = frame;
      stepped = new Set(!many && player.index > 0 ? [order[player.index - 1]] : []);
      views.forEach((view) => view.light(stepped, true));
      words.show(player, describe());
    },
  };
}

export default bookWidget({ name: "codecolumns", remount: ["code"], build });

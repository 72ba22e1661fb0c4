// The view of queues: tables as tables, rings cut open and laid straight, queues as lists; what a
// step changed is marked, and lines go from an index to what it names.

import { el, hidden, Player, svg } from "./common.js";
import { bookWidget, headerLine, panel, wordsBox } from "./widget.js";
import { byteView } from "./memory.js";
import { applyQueueStep, initialQueues, slotsInUse } from "./queue_state.js";

const MOST_SAID = 5;

// --- Words --------------------------------------------------------------------------------------

function queueWords(record, { state, data, index, t }) {
  if (record === null) return { code: t("start"), plain: true, body: "" };
  const text = (value) => (value === "" ? t("nothing") : value);
  const phrases = {
    cell: ({ s, row, column, old, now }) => {
      const { title, columns } = state.structures[s];
      return t("said_cell", { title, row, column: columns[column], new: text(now), old: text(old) });
    },
    pointer: ({ s, p, old, now }) =>
      t("said_pointer", { name: state.structures[s].pointers[p].label, new: now, old }),
    push: ({ s, now }) => t("said_push", { text: now, title: state.structures[s].title }),
    pop: ({ s, old }) => t("said_pop", { text: old, title: state.structures[s].title }),
    link: ({ s, row, target, at }) =>
      t("said_link", {
        title: state.structures[s].title,
        row,
        target: state.structures[target].title,
        target_row: at,
      }),
    visit: ({ s, row }) => t("said_visit", { title: state.structures[s].title, row }),
  };
  const said = record.said.map((change) => phrases[change.kind](change));
  const more = said.length > MOST_SAID ? "; …" : ".";
  const actor = data.actors.find(([name]) => name === record.actor);
  return {
    code: record.note || t("step_note", { n: index }),
    plain: true,
    body: said.length ? `${said.slice(0, MOST_SAID).join("; ")}${more}` : t("said_nothing"),
    event: actor ? { kind: "actor", label: actor[1], text: "" } : null,
  };
}

// --- Structures ---------------------------------------------------------------------------------

/** A mark that a cell changed or was looked at, for the eye and for assistive software. */
function marked(node, kind, t) {
  node.dataset.mark = kind;
  node.append(hidden(` ${t(kind === "w" ? "changed" : "visited")}`));
}

function linkChip({ s, row, state, record, t }) {
  const target = state.links.get(`${s}:${row}`);
  if (!target) return null;
  const { title } = state.structures[target[0]];
  const label = t("names_row", { title, row: target[1] });
  const live = record?.links.has(`${s}:${row}`);
  return el(
    "span",
    { class: "vtb-link", "data-live": live, "data-from": `${s}:${row}`, title: label },
    el("span", { "aria-hidden": "true" }, `→ ${target[1]}`),
    hidden(label),
  );
}

function tableBody({ s, state, record, t }) {
  const { columns, rows } = state.structures[s];
  const linked = rows.some((_, row) => state.links.has(`${s}:${row}`));
  const heads = [t("row"), ...columns].map((text) => el("th", { scope: "col" }, text));
  if (linked) heads.push(el("td", {}));
  const lines = rows.map((cells, row) => {
    const at = `${s}:${row}`;
    const number = el("th", { scope: "row" }, String(row));
    if (record?.visited.has(at)) marked(number, "r", t);
    const line = el("tr", { "data-at": at, "data-visited": record?.visited.has(at) }, number);
    cells.forEach((text, column) => {
      const cell = el("td", {}, text);
      if (record?.changed.has(`${at}:${column}`)) marked(cell, "w", t);
      line.append(cell);
    });
    if (linked) line.append(el("td", { class: "vtb-link-cell" }, linkChip({ s, row, state, record, t })));
    return line;
  });
  return el(
    "table",
    { class: "vtb-rows" },
    el("thead", {}, el("tr", {}, ...heads)),
    el("tbody", {}, ...lines),
  );
}

/** A ring, cut open: one box a slot; pointers stand under the slot that they name. */
function ringBody({ s, state, record, t }) {
  const { columns, rows, pointers } = state.structures[s];
  const used = slotsInUse(state.structures[s]);
  const slots = rows.map((cells, row) => {
    const at = `${s}:${row}`;
    const number = el("span", { class: "vtb-slot-number" }, String(row));
    if (record?.visited.has(at)) marked(number, "r", t);
    if (used.has(row)) number.append(hidden(` ${t("in_use")}`));
    const box = el("div", { class: "vtb-slot", "data-at": at, "data-used": used.has(row) }, number);
    cells.forEach((text, column) => {
      const value = el("span", { class: "vtb-slot-value" }, text || "·");
      const head = columns[column] ? el("span", { class: "vtb-slot-head" }, columns[column]) : null;
      if (record?.changed.has(`${at}:${column}`)) marked(value, "w", t);
      box.append(el("div", { class: "vtb-slot-cell" }, head, value));
    });
    const chip = linkChip({ s, row, state, record, t });
    if (chip) box.append(chip);
    const under = pointers.map((pointer, p) => {
      if (pointer.value % rows.length !== row) return null;
      const tag = el(
        "span",
        { class: "vtb-pointer", title: t("laps", { n: Math.floor(pointer.value / rows.length) }) },
        `▲ ${t("pointer", { name: pointer.label, value: pointer.value })}`,
      );
      if (record?.moved.has(`${s}:${p}`)) marked(tag, "w", t);
      return tag;
    });
    return el(
      "div",
      { class: "vtb-slot-item", role: "listitem" },
      box,
      el("div", { class: "vtb-pointers" }, ...under),
    );
  });
  const list = el("div", { class: "vtb-ring", role: "list" }, ...slots);
  const wrap = el("div", { class: "vtb-wrap" }, `↻ ${t("wraps", { last: rows.length - 1 })}`);
  return el("div", {}, list, wrap);
}

function queueBody({ s, state, record, t }) {
  const { rows } = state.structures[s];
  if (rows.length === 0) return el("div", { class: "vtb-wrap" }, t("empty_queue"));
  const items = rows.map(([text], row) => {
    const at = `${s}:${row}`;
    const box = el("span", { class: "vtb-slot-value" }, text);
    if (record?.changed.has(`${at}:0`)) marked(box, "w", t);
    else if (record?.visited.has(at)) marked(box, "r", t);
    const front = row === 0 ? el("span", { class: "vtb-slot-number" }, t("front")) : null;
    const item = el("div", { class: "vtb-slot", "data-at": at, "data-used": true }, front, box);
    const chip = linkChip({ s, row, state, record, t });
    if (chip) item.append(chip);
    return el("div", { class: "vtb-slot-item", role: "listitem" }, item);
  });
  return el("div", { class: "vtb-ring vtb-queue", role: "list" }, ...items);
}

function structureView(s, state, t) {
  const { kind, title } = state.structures[s];
  const holder = el("div", {
    class: "vtb-structure",
    tabindex: 0,
    role: "group",
    "aria-label": title,
    "data-vertical": true,
  });
  const make = { table: tableBody, ring: ringBody, queue: queueBody }[kind];
  const { body } = panel(`kind-${kind}`, title, holder);
  return {
    element: body,
    holder,
    show: (record) => holder.replaceChildren(make({ s, state, record, t })),
  };
}

// --- Lines from an index to what it names ---------------------------------------------------------

function linesOver(board, state) {
  const picture = svg("svg", { class: "vtb-lines", "aria-hidden": "true" });
  const draw = (record) => {
    picture.replaceChildren();
    for (const node of board.querySelectorAll("[data-named]")) delete node.dataset.named;
    if (!record) return;
    const origin = board.getBoundingClientRect();
    for (const key of record.links) {
      const from = board.querySelector(`.vtb-link[data-from="${key}"]`);
      const target = state.links.get(key);
      const to = target && board.querySelector(`[data-at="${target[0]}:${target[1]}"]`);
      if (!from || !to) continue;
      to.dataset.named = "true";
      const [a, b] = [from.getBoundingClientRect(), to.getBoundingClientRect()];
      const tableRow = to.tagName === "TR";
      const x0 = a.right - origin.left;
      const y0 = a.top + a.height / 2 - origin.top;
      // To the side of a table row that is nearer, and to the top or foot of a slot.
      const right = x0 >= (b.left + b.right) / 2 - origin.left;
      const x1 = (tableRow ? (right ? b.right + 3 : b.left - 3) : (b.left + b.right) / 2) - origin.left;
      const y1 = (tableRow ? b.top + b.height / 2 : y0 < b.top - origin.top ? b.top - 3 : b.bottom + 3) - origin.top;
      const bend = 16 + Math.abs(y1 - y0) / 4;
      const end = tableRow ? `${x1 + (right ? bend : -bend)} ${y1}` : `${x1} ${y1 < y0 ? y1 + bend : y1 - bend}`;
      picture.append(
        svg("path", { d: `M${x0} ${y0} C${x0 + bend} ${y0} ${end} ${x1} ${y1}` }),
        svg("circle", { cx: x1, cy: y1, r: 3.5 }),
      );
    }
  };
  return { picture, draw };
}

// --- Raw bytes ----------------------------------------------------------------------------------

function rawPanel(state, t) {
  const regions = state.memory;
  const largest = Math.max(...regions.map((region) => region.bytes.length));
  const rows = Math.min(8, Math.max(2, Math.ceil(largest / 16)));
  const view = byteView({ label: t("memory"), rows, t });
  const { body, head } = panel("memory", t("memory"), view.element);
  const choose = el("select", { class: "vtb-select", "aria-label": t("region"), title: t("region") });
  regions.forEach(({ name, base }, i) =>
    choose.append(el("option", { value: i }, name || `0x${base.toString(16)}`)),
  );
  let shown = 0;
  let last = null;
  if (regions.length > 1) head.append(choose);
  const marksIn = (region) => {
    const marks = new Map();
    for (const [accesses, letter] of [[last?.reads ?? [], "r"], [last?.writes ?? [], "w"]]) {
      for (const { address, length } of accesses) {
        const start = Number(address - region.base);
        for (let at = Math.max(0, start); at < Math.min(region.bytes.length, start + length); at += 1) {
          marks.set(at, letter);
        }
      }
    }
    return marks;
  };
  const reveal = () => {
    const marks = marksIn(regions[shown]);
    if (marks.size) view.reveal(Math.min(...marks.keys()));
  };
  const draw = () => {
    view.show(regions[shown], marksIn(regions[shown]));
    reveal();
  };
  choose.addEventListener("change", () => {
    shown = Number(choose.value);
    draw();
  });
  return {
    element: body,
    dispose: view.dispose,
    reveal, // for when the panel gets its size
    show(record) {
      last = record;
      const touched = regions.findIndex((region) => marksIn(region).size > 0);
      if (touched >= 0) {
        shown = touched;
        choose.value = touched;
      }
      draw();
    },
  };
}

// --- The widget ---------------------------------------------------------------------------------

function build({ model, t, root }) {
  const data = model.get("data");
  const state = initialQueues(data);
  const player = new Player(data.steps.length, (i) => applyQueueStep(state, data.steps[i]));
  const steps = data.steps.length > 0; // without any it is a picture, and has no controls
  const words = wordsBox();
  const views = state.structures.map((_, s) => structureView(s, state, t));
  const raw = state.memory.length ? rawPanel(state, t) : null;
  // Raw bytes stand beside the tables that come first; rings take the whole width below.
  const panels = views.map((view) => view.element);
  const tables = state.structures.findIndex(({ kind }) => kind !== "table");
  if (raw) panels.splice(tables < 0 ? panels.length : tables, 0, raw.element);
  const board = el("div", { class: "vtb-board" }, ...panels);
  const lines = linesOver(board, state);
  board.append(lines.picture);
  const redraw = () => lines.draw(player.record);
  const fit = new ResizeObserver(() => {
    raw?.reveal();
    redraw();
  });
  fit.observe(board);
  for (const { holder } of views) holder.addEventListener("scroll", redraw);
  return {
    label: `${t("widget")}: ${data.title}`,
    player: steps ? player : null,
    head: [headerLine(data.title)],
    body: [...(steps ? [words.element] : []), board],
    update() {
      words.show(player, queueWords(player.record, { state, data, index: player.index, t }));
      const { actors } = data;
      const who = actors.findIndex(([name]) => name === player.record?.actor);
      words.element.dataset.actor = who;
      for (const view of views) view.show(player.record);
      raw?.show(player.record);
      redraw();
    },
    dispose() {
      fit.disconnect();
      raw?.dispose();
    },
  };
}

export default bookWidget({ name: "queueview", remount: ["data"], build });

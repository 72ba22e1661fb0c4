// Recorded page-table walks. Above, the virtual address cut into fields; below it one table for
// each reference, each pointing to the next; then the entry just read, bit by bit, and the result.

import { big, el, Player, setText } from "./common.js";
import { bookWidget, headerLine, panel, readout, wordsBox } from "./widget.js";

const WALK_LEVELS = { sv39: 3, sv48: 4 };
const PTE_FLAGS = ["D", "A", "G", "U", "X", "W", "R", "V"];
const PERMISSION = { load: "R", store: "W", fetch: "X" };

function reference(row) {
  const [stage, level, table, index, at, pte, outcome, translates] = row;
  return { stage, level, table, index, at, pte: big(pte), outcome, translates };
}

function indexAt(address, level) {
  return Number((big(address) >> BigInt(12 + 9 * level)) & 511n);
}

const hexadecimal = (value) => `0x${value.toString(16)}`;
const bitOf = (pte, flag) => Number((pte >> BigInt(7 - PTE_FLAGS.indexOf(flag))) & 1n);
const frameOf = (pte) => ((pte >> 10n) & ((1n << 44n) - 1n)) << 12n;

/** One frame for the address of each walk, for each of its references, and for its result. */
function framesOf(walks) {
  return walks.flatMap((walk, w) => {
    const count = walk.references.length;
    return Array.from({ length: count + 2 }, (_, at) => ({ w, read: Math.min(at, count), at, count }));
  });
}

// --- The addresses --------------------------------------------------------------------------------

function fieldBox(name, bits, value, width, attributes = {}) {
  const box = el(
    "div",
    { class: "vtb-field-box", ...attributes },
    el("span", { class: "vtb-field-name" }, name),
    el("span", { class: "vtb-field-value" }, value),
    el("span", { class: "vtb-field-bits" }, bits),
  );
  box.style.flexGrow = width;
  return box;
}

/** The virtual address as fields; `level` is the one in use now, or null. */
function virtualFields(walk, address, level, t) {
  const levels = WALK_LEVELS[walk.scheme];
  const top = 12 + 9 * levels;
  const sign = big(address) >> BigInt(top);
  const boxes = [fieldBox(t("sign"), `63–${top}`, hexadecimal(sign), 8)];
  for (let at = levels - 1; at >= 0; at -= 1) {
    const value = indexAt(address, at);
    const low = 12 + 9 * at;
    boxes.push(
      fieldBox(`VPN[${at}]`, `${low + 8}–${low}`, String(value), 9, { "data-now": at === level }),
    );
  }
  const used = level === "offset";
  boxes.push(
    fieldBox(t("offset"), "11–0", hexadecimal(big(address) & 0xfffn), 12, { "data-now": used }),
  );
  return boxes;
}

function physicalFields(walk, t) {
  const value = big(walk.physical);
  const bits = Math.log2(walk.page);
  return [
    fieldBox(t("frame"), `55–${bits}`, hexadecimal(value >> BigInt(bits)), 44, { "data-now": true }),
    fieldBox(t("offset"), `${bits - 1}–0`, hexadecimal(value & BigInt(walk.page - 1)), 20),
  ];
}

// --- Tables ---------------------------------------------------------------------------------------

// Not <table> nor <ol>: the hosts of notebooks restyle these.
const gapRow = () => el("div", { class: "vtb-gap-row", "aria-hidden": "true" }, "⋮");

function tableCard(walk, row, state, t) {
  const { stage, level, table, index, pte, outcome } = row;
  const known = new Map(walk.tables.find(([at]) => at === table)?.[1] ?? []);
  known.set(index, pte.toString(16));
  const near = [...known.keys()].sort((a, b) => a - b);
  const place = near.indexOf(index);
  const from = Math.max(0, Math.min(place - 1, near.length - 3));
  const rows = [];
  let before = -1;
  for (const at of near.slice(from, from + 3)) {
    if (at > before + 1) rows.push(gapRow());
    before = at;
    const mine = at === index;
    rows.push(
      el(
        "div",
        { class: "vtb-row", role: "row", "data-read": mine, "data-outcome": mine ? outcome : null },
        el("span", { class: "vtb-row-index", role: "rowheader" }, `${at}`),
        el("span", { role: "cell" }, known.get(at).padStart(16, "0")),
      ),
    );
  }
  if (before < 511) rows.push(gapRow());
  const name = stage === "S" ? t("level", { n: level }) : t("stage_level", { stage, n: level });
  return el(
    "div",
    { class: "vtb-table-card", "data-state": state, "data-stage": stage, role: "listitem" },
    el("div", { class: "vtb-table-name" }, el("b", {}, name), " ", el("span", { class: "vtb-address" }, `0x${table}`)),
    el("div", { class: "vtb-rows", role: "table", "aria-label": name }, ...rows),
    el("div", { class: "vtb-table-said" }, t(outcome)),
  );
}

function nextLink(text, state) {
  return el(
    "div",
    { class: "vtb-link", "data-state": state, "aria-hidden": "true" },
    el("span", { class: "vtb-link-arrow" }),
    el("span", { class: "vtb-link-text" }, text),
  );
}

// --- The entry, bit by bit ------------------------------------------------------------------------

function entryFields(pte, t) {
  const part = (from, count) => (pte >> BigInt(from)) & ((1n << BigInt(count)) - 1n);
  const flag = (name) =>
    el(
      "div",
      { class: "vtb-flag", "data-set": bitOf(pte, name) === 1, title: t(`flag_${name}`) },
      el("span", { class: "vtb-field-name" }, name),
      el("span", { class: "vtb-field-value" }, String(bitOf(pte, name))),
      el("span", { class: "vtb-field-bits" }, String(7 - PTE_FLAGS.indexOf(name))),
    );
  return [
    fieldBox(t("upper"), "63–54", hexadecimal(part(54, 10)), 5),
    fieldBox("PPN", "53–10", hexadecimal(part(10, 44)), 20),
    fieldBox("RSW", "9–8", String(part(8, 2)), 3),
    el("div", { class: "vtb-flags" }, ...PTE_FLAGS.map(flag)),
  ];
}

/** What the hart asks of the entry, in its order, up to the one that fails: `[words, passed]`. */
function questions(walk, row, t) {
  const bit = (name) => bitOf(row.pte, name);
  const leaf = bit("R") || bit("X");
  const fails = row.outcome === "fault" ? walk.fault : "";
  if (fails === "access") return [[t("ask_memory"), false]];
  const asked = [
    [t("ask_valid", { bit: bit("V") }), ["invalid"]],
    [t("ask_reserved"), ["reserved", "write_only"]],
    [t(leaf ? "ask_leaf" : "ask_pointer"), ["no_leaf"]],
  ];
  if (leaf && row.level > 0) asked.push([t("ask_aligned"), ["misaligned"]]);
  if (leaf) {
    const user = ["not_user", "user_page", "user_code"];
    asked.push([t("ask_user", { bit: bit("U"), mode: walk.mode, sum: Number(walk.sum) }), user]);
    const name = PERMISSION[walk.access];
    const wanted = { R: "not_readable", W: "not_writable", X: "not_executable" }[name];
    asked.push([t(`ask_${walk.access}`, { bit: bit(name) }), [wanted]]);
    asked.push([t(walk.access === "store" ? "ask_dirty" : "ask_accessed"), ["accessed", "dirty"]]);
  }
  const found = [];
  for (const [words, faults] of asked) {
    found.push([words, !faults.includes(fails)]);
    if (faults.includes(fails)) break;
  }
  return found;
}

// --- The step in words ----------------------------------------------------------------------------

function wordsOf(walk, frame, rows, t) {
  const { at, count } = frame;
  const address = `0x${walk.address}`;
  const access = t(`access_${walk.access}`, { mode: walk.mode });
  if (at === 0) {
    const levels = WALK_LEVELS[walk.scheme];
    const start = walk.tlb ? "say_start_tlb" : "say_start";
    const body = t(start, { address, root: `0x${walk.root}`, levels });
    return { plain: true, code: `${access} ${address}`, body };
  }
  if (at > count) {
    const n = count;
    if (walk.fault) {
      const event = { kind: "trap", label: t("fault"), text: t("cause", { n: walk.cause }) };
      const why = t(`fault_${walk.fault}`);
      const body = `${why[0].toUpperCase()}${why.slice(1)}. ${t.count("say_cost", n)}`;
      return { plain: true, code: t("say_fault"), body, event };
    }
    const body = walk.tlb ? t("say_hit") : t.count("say_cost", n);
    const page = t("say_page", { size: sizeOf(walk.page) });
    const wrote = walk.updated ? ` ${t("say_updated", { pte: `0x${walk.updated}` })}` : "";
    return { code: `${address} → 0x${walk.physical}`, body: `${body} ${page}${wrote}` };
  }
  const row = rows[at - 1];
  const code = `${hexadecimal(big(row.table))} + ${row.index} × 8 = 0x${row.at}`;
  const values = {
    pte: hexadecimal(row.pte),
    next: hexadecimal(frameOf(row.pte)),
    level: row.level - 1,
    n: at,
  };
  const body = `${t("say_read", values)} ${t(`say_${row.outcome}`, values)}`;
  const event =
    row.outcome === "fault"
      ? { kind: "trap", label: t("fault"), text: t(`fault_${walk.fault}`) }
      : null;
  return { code, body, event };
}

function sizeOf(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let n = 0;
  for (; bytes >= 1024 && n < units.length - 1; n += 1) bytes /= 1024;
  return `${bytes} ${units[n]}`;
}

// --- The widget -----------------------------------------------------------------------------------

function build({ model, t }) {
  const walks = model.get("walks");
  const title = model.get("title") || t("widget");
  const frames = framesOf(walks);
  const player = new Player(frames.length - 1, () => ({ undo() {} }));
  const scheme = readout(t("scheme"));
  const access = readout(t("access"));
  const count = readout(t("references"));
  const words = wordsBox();
  const starts = walks.map((_, w) => frames.findIndex((frame) => frame.w === w));
  const tabs = walks.map((walk, w) =>
    el(
      "button",
      { type: "button", class: "vtb-tab", on: { click: () => player.jump(starts[w]) } },
      walk.title || `0x${walk.address}`,
    ),
  );
  const choose = el("div", { class: "vtb-tabs", role: "group", "aria-label": t("walks") }, ...tabs);
  choose.hidden = walks.length < 2;
  const virtual = el("div", { class: "vtb-fields" });
  const physical = el("div", { class: "vtb-fields" });
  const list = el("div", { class: "vtb-walk-tables", role: "list" });
  const bits = el("div", { class: "vtb-fields vtb-entry-fields" });
  const checks = el("div", { class: "vtb-checks", role: "list" });
  const addressPanel = panel("virtual", t("virtual"), virtual);
  const tablesPanel = panel("tables", t("tables"), list);
  const entryPanel = panel("entry", t("entry"), bits, checks);
  const entryValue = el("span", { class: "vtb-address" });
  entryPanel.head.append(entryValue);
  const resultPanel = panel("result", t("physical"), physical);
  const resultValue = el("span", { class: "vtb-address" });
  resultPanel.head.append(resultValue);
  const addressValue = el("span", { class: "vtb-address" });
  addressPanel.head.append(addressValue);
  return {
    label: `${t("widget")}: ${title}`,
    player,
    head: [headerLine(title, scheme, access, count), choose],
    body: [
      words.element,
      el(
        "div",
        { class: "vtb-panels" },
        addressPanel.body,
        tablesPanel.body,
        entryPanel.body,
        resultPanel.body,
      ),
    ],
    update() {
      const frame = frames[player.index];
      const walk = walks[frame.w];
      const rows = walk.references.map(reference);
      const row = frame.at > 0 ? (rows[Math.min(frame.at, rows.length) - 1] ?? null) : null;
      const done = frame.at > frame.count;
      setText(scheme.value, walk.scheme === "sv39" ? "Sv39" : "Sv48");
      setText(access.value, t(`access_${walk.access}`, { mode: walk.mode }));
      setText(count.value, String(frame.read));
      tabs.forEach((tab, w) => tab.setAttribute("aria-pressed", w === frame.w));
      words.show(player, wordsOf(walk, frame, rows, t));
      const address = row && !done ? row.translates : walk.address;
      setText(addressValue, `0x${address}`);
      const now = done ? (walk.physical ? "offset" : null) : row ? row.level : null;
      virtual.replaceChildren(...virtualFields(walk, address, now, t));
      const shown = rows.slice(0, frame.read);
      const cards = [nextLink(t("root"), "done")];
      if (walk.tlb) cards.splice(0, 1, el("div", { class: "vtb-note" }, t("tlb_hit")));
      shown.forEach((one, i) => {
        const last = i === shown.length - 1;
        cards.push(tableCard(walk, one, last && !done ? "now" : "done", t));
        if (one.outcome !== "fault") {
          const text = one.outcome === "leaf" ? t("to_page") : t("to_table");
          if (!last || one.outcome === "pointer") cards.push(nextLink(text, last ? "now" : "done"));
        }
      });
      list.replaceChildren(...cards);
      list.toggleAttribute("data-empty", shown.length === 0);
      entryPanel.body.toggleAttribute("data-empty", row === null);
      setText(entryValue, row ? `0x${row.pte.toString(16).padStart(16, "0")}` : "");
      bits.replaceChildren(...(row ? entryFields(row.pte, t) : [note(t("no_entry"))]));
      const asked = row ? questions(walk, row, t) : [];
      checks.replaceChildren(
        ...asked.map(([text, passed]) =>
          el("div", { class: "vtb-asked", role: "listitem", "data-passed": passed }, el("span", { class: "vtb-tick" }, passed ? "✓" : "✕"), " ", text),
        ),
      );
      checks.hidden = asked.length === 0;
      const arrived = done && walk.physical !== "";
      setText(resultValue, arrived ? `0x${walk.physical}` : "");
      const waiting = done ? t("no_result") : t("not_yet");
      physical.replaceChildren(...(arrived ? physicalFields(walk, t) : [note(waiting)]));
    },
  };
}

function note(text) {
  return el("div", { class: "vtb-note" }, text);
}

export default bookWidget({ name: "pagewalk", remount: ["walks", "title"], build });

// The stepper: one recorded execution, step by step. Panels: program, registers (with an
// inspector of one value), CSRs, memory, console; above them the controls and the step in words.

import { el, Player, setText } from "./common.js";
import { bookWidget, headerLine, panel, readout, wordsBox } from "./widget.js";
import { applyStep, F_NAMES, initialState, isInterrupt, overlap, X_NAMES } from "./trace.js";
import { effects, eventWords, startWords } from "./narrate.js";
import { byteView } from "./memory.js";
import { inspector, registerGrid } from "./registers.js";
import { listingView } from "./listing.js";

// --- Header and step in words -------------------------------------------------------------------

function header(trace, t) {
  const pc = readout(t("pc"));
  const mode = readout(t("mode"));
  const count = readout(t("instructions"));
  const longest = Math.max(trace.initial.pc.length, ...trace.steps.map(([at]) => at.length));
  pc.value.style.minWidth = `${longest + 2}ch`;
  count.value.style.minWidth = `${String(trace.steps.length).length}ch`;
  const entered = trace.steps.flatMap((step) => step.filter(([kind]) => kind === "mode"));
  const modes = new Set([trace.initial.mode, ...entered.map(([, name]) => name)]);
  const modeText = (name) => `${name} (${t(`mode_${name}`)})`;
  mode.value.style.minWidth = `${Math.max(...[...modes].map((name) => modeText(name).length))}ch`;
  return {
    element: headerLine(trace.title, mode, pc, count),
    update(state) {
      setText(pc.value, `0x${state.pc}`);
      setText(mode.value, modeText(state.mode));
      setText(count.value, String(state.instructions));
    },
  };
}

function wordsView(trace, t) {
  const box = wordsBox();
  const labels = new Map(trace.listing.filter((line) => line[3]).map((line) => [line[0], line[3]]));
  const csrNames = trace.initial.csrs.map(([name]) => name);
  return {
    element: box.element,
    update(state, player) {
      const { record } = player;
      const words = eventWords(record?.event ?? null, t);
      const event = words && { kind: record.event.kind, label: words.kind, text: words.text };
      if (record === null) {
        box.show(player, { code: t("say_start"), plain: true, body: startWords(state, t), event });
        return;
      }
      const before = isInterrupt(record.event) ? `${t("say_interrupted")} ` : "";
      const { address, text } = record.executed;
      const body = effects(state, record, { t, csrNames, labels });
      box.show(player, { address, code: before + text, body, event });
    },
  };
}

// --- Registers and CSRs ---------------------------------------------------------------------------

function registersPanel(trace, state, inspect, t) {
  const banks = [{ kind: "x", label: t("integer"), names: X_NAMES }];
  if (state.f.length) banks.push({ kind: "f", label: t("float"), names: F_NAMES });
  const { body, head } = panel("registers", t("registers"));
  const grids = banks.map(({ kind, names }) =>
    registerGrid({ kind, names, numbers: kind, state, inspect, t, label: t("registers") }),
  );
  const tabs = banks.map(({ label }, i) => {
    const select = () => {
      grids.forEach((grid, k) => (grid.element.hidden = k !== i));
      tabs.forEach((tab, k) => tab.setAttribute("aria-pressed", k === i));
    };
    return el("button", { type: "button", class: "vtb-tab", on: { click: select } }, label);
  });
  if (tabs.length > 1) {
    head.append(el("div", { class: "vtb-tabs", role: "group", "aria-label": t("register_set") }, ...tabs));
  }
  body.append(...grids.map((grid) => grid.element), inspect.element);
  tabs[0].click();
  return {
    element: body,
    update(record) {
      grids.forEach((grid, i) => {
        grid.update(record);
        const changed = (record?.old[banks[i].kind].size ?? 0) > 0;
        tabs[i].toggleAttribute("data-changed", changed);
        tabs[i].title = changed ? t("changed") : "";
      });
    },
  };
}

function csrPanel(trace, state, inspect, t) {
  const names = trace.initial.csrs.map(([name]) => name);
  const grid = registerGrid({ kind: "csrs", names, state, inspect, t, label: t("csrs") });
  const { body } = panel("csrs", t("csrs"), grid.element);
  return { element: body, update: (record) => grid.update(record) };
}

// --- Memory -----------------------------------------------------------------------------------------

function marksOf(region, record) {
  const marks = new Map();
  let first = null;
  const mark = (accesses, letter) => {
    for (const { address, length } of accesses) {
      const part = overlap(region, address, length);
      if (!part) continue;
      first ??= part.from;
      for (let at = part.from; at < part.to; at += 1) {
        const had = marks.get(at);
        marks.set(at, had && had !== letter ? "rw" : letter);
      }
    }
  };
  if (record) {
    mark(record.writes, "w");
    mark(record.reads, "r");
  }
  return { marks, first };
}

function memoryPanel(state, t) {
  const regions = state.memory;
  const { body, head } = panel("memory", t("memory"));
  const largest = Math.max(...regions.map((region) => region.bytes.length));
  const rows = Math.min(6, Math.max(3, Math.ceil(largest / 16)));
  const view = byteView({ label: t("memory"), rows, t });
  let shown = 0;
  let last = null;
  const name = ({ name: given, base }) => given || `0x${base.toString(16)}`;
  const choose = el("select", { class: "vtb-select", "aria-label": t("region"), title: t("region") });
  regions.forEach((region, i) => choose.append(el("option", { value: i }, name(region))));
  const follow = el("input", { type: "checkbox", checked: true });
  const draw = () => {
    const { marks, first } = marksOf(regions[shown], last);
    view.show(regions[shown], marks);
    if (first !== null && follow.checked) view.reveal(first);
  };
  choose.addEventListener("change", () => {
    shown = Number(choose.value);
    draw();
  });
  const legend = el(
    "span",
    { class: "vtb-legend", "aria-hidden": "true" },
    el("span", { "data-mark": "r" }, t("bytes_read")),
    el("span", { "data-mark": "w" }, t("bytes_written")),
  );
  const following = el("label", { class: "vtb-check" }, follow, t("follow"));
  if (regions.length > 1) head.append(choose, following, legend);
  else head.append(el("span", { class: "vtb-region" }, name(regions[0])), legend);
  body.append(view.element);
  return {
    element: body,
    dispose: view.dispose,
    update(record) {
      last = record;
      if (follow.checked && marksOf(regions[shown], record).first === null) {
        const touched = regions.findIndex((region) => marksOf(region, record).first !== null);
        if (touched >= 0) {
          shown = touched;
          choose.value = touched;
        }
      }
      draw();
    },
  };
}

// --- Console -----------------------------------------------------------------------------------------

function consolePanel(state, t) {
  const before = el("span", {});
  const fresh = el("span", { class: "vtb-fresh" });
  const empty = el("span", { class: "vtb-empty" }, t("console_empty"));
  const screen = el(
    "div",
    { class: "vtb-screen", tabindex: 0, role: "group", "aria-label": t("console"), "data-vertical": true },
    before,
    fresh,
    empty,
  );
  const { body } = panel("console", t("console"), screen);
  const decode = (bytes) =>
    new TextDecoder()
      .decode(Uint8Array.from(bytes))
      .replace(/\x1b\[[0-9;?]*[A-Za-z]/g, "")
      .replace(/\r/g, "");
  return {
    element: body,
    update(record) {
      const all = decode(state.console);
      const old = decode(state.console.slice(0, state.console.length - (record?.printed ?? 0)));
      const split = all.startsWith(old) ? old.length : all.length;
      setText(before, all.slice(0, split));
      setText(fresh, all.slice(split));
      empty.hidden = all !== "";
      screen.scrollTop = screen.scrollHeight;
    },
  };
}

// --- The widget --------------------------------------------------------------------------------------

function build({ model, t }) {
  const trace = model.get("trace");
  const wanted = model.get("panels");
  const state = initialState(trace);
  const player = new Player(trace.steps.length, (i) => applyStep(state, trace.steps[i]));
  const top = header(trace, t);
  const words = wordsView(trace, t);
  const inspect = inspector(state, t);
  const prints = trace.steps.some((step) => step.some((change) => change[0] === "out"));
  const has = {
    listing: trace.listing.length > 0,
    registers: true,
    csrs: state.csrs.length > 0,
    memory: state.memory.length > 0,
    console: prints || state.console.length > 0,
  };
  const make = {
    listing: () => listingView(trace, state, t, panel),
    registers: () => registersPanel(trace, state, inspect, t),
    csrs: () => csrPanel(trace, state, inspect, t),
    memory: () => memoryPanel(state, t),
    console: () => consolePanel(state, t),
  };
  const panels = wanted.filter((name) => has[name]).map((name) => make[name]());
  if (!wanted.includes("registers") && has.csrs && wanted.includes("csrs")) {
    panels[wanted.filter((name) => has[name]).indexOf("csrs")].element.append(inspect.element);
  }
  return {
    label: `${t("widget")}: ${trace.title}`,
    player,
    head: [top.element],
    body: [
      words.element,
      el("div", { class: "vtb-panels" }, ...panels.map((one) => one.element)),
    ],
    update() {
      top.update(state);
      words.update(state, player);
      inspect.update();
      for (const one of panels) one.update(player.record, player);
    },
    dispose() {
      for (const one of panels) one.dispose?.();
    },
  };
}

export default bookWidget({ name: "stepper", remount: ["trace", "panels"], build });

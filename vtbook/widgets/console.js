// The console: a terminal (xterm.js) on a running machine, or on a recording. The kernel sends the
// output as bytes with their position in the whole output, so a view that comes late or was skipped
// knows where it is; the view tells what it has shown, so the kernel does not run ahead.

import { Terminal } from "./vendor/xterm.mjs";
import { el, listenToKeys, Player, setText, transport, translator, watchTheme } from "./common.js";
import STRINGS from "./strings.json";

const THEMES = {
  light: {
    background: "#fbfbfa", foreground: "#1b2430", cursor: "#1d5fb8", cursorAccent: "#ffffff",
    selectionBackground: "#b7d3f7", black: "#1b2430", red: "#b3261e", green: "#1b6e3c",
    yellow: "#7a5200", blue: "#1d5fb8", magenta: "#8a2f9e", cyan: "#0b6470", white: "#5d6774",
    brightBlack: "#5d6774", brightRed: "#c4311f", brightGreen: "#1f7a37", brightYellow: "#855c00",
    brightBlue: "#2266c9", brightMagenta: "#9b3bb0", brightCyan: "#0f6f7a", brightWhite: "#3d4754",
  },
  dark: {
    background: "#0f1318", foreground: "#e4e9f0", cursor: "#7db3f7", cursorAccent: "#0f1318",
    selectionBackground: "#2c4a75", black: "#3a4452", red: "#ff8a80", green: "#7fd99a",
    yellow: "#f2cc6b", blue: "#7db3f7", magenta: "#d9a3f0", cyan: "#74d5df", white: "#d3dae3",
    brightBlack: "#93a0b1", brightRed: "#ffb0a8", brightGreen: "#a6ebba", brightYellow: "#ffe29a",
    brightBlue: "#a9cdfb", brightMagenta: "#e8c4f7", brightCyan: "#a5e8ee", brightWhite: "#ffffff",
  },
};
const SIZES = [[40, 12], [80, 24], [100, 30], [132, 43]];
const SCROLLBACK = 5000; // lines
const PATIENCE = 1500; // milliseconds until a page without an answer counts as one without a kernel
const FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";

let views = 0;
const answering = new WeakMap(); // model -> the one view that answers the guest's questions

/** Questions of the guest to its terminal; a view that does not answer swallows them. */
function swallowQuestions(term, silent) {
  const csi = [{ final: "n" }, { prefix: "?", final: "n" }, { final: "c" }, { prefix: ">", final: "c" },
    { intermediates: "$", final: "p" }, { prefix: "?", intermediates: "$", final: "p" }];
  for (const id of csi) term.parser.registerCsiHandler(id, silent);
  term.parser.registerDcsHandler({ intermediates: "$", final: "q" }, silent);
  for (const id of [4, 10, 11, 12]) {
    term.parser.registerOscHandler(id, (data) => data.includes("?") && silent());
  }
}

function makeTerminal(model, holder, root) {
  const term = new Terminal({
    cols: model.get("columns"),
    rows: model.get("rows"),
    convertEol: model.get("newlines"),
    scrollback: SCROLLBACK,
    fontFamily: FONT,
    fontSize: 13,
    minimumContrastRatio: 4.5,
    theme: THEMES[root.dataset.vtbTheme],
  });
  const themes = new MutationObserver(() => (term.options.theme = THEMES[root.dataset.vtbTheme]));
  themes.observe(root, { attributes: true, attributeFilter: ["data-vtb-theme"] });
  // A terminal measures its font when it opens, so it opens when it has a place in the page.
  const opening = new ResizeObserver(() => {
    if (!holder.isConnected || holder.clientWidth === 0 || term.element) return;
    opening.disconnect();
    term.open(holder);
    term.textarea.setAttribute("aria-label", holder.dataset.label);
  });
  opening.observe(holder);
  const resize = () => term.resize(model.get("columns"), model.get("rows"));
  model.on("change:columns", resize);
  model.on("change:rows", resize);
  return {
    term,
    dispose() {
      opening.disconnect();
      themes.disconnect();
      model.off("change:columns", resize);
      model.off("change:rows", resize);
      term.dispose();
    },
  };
}

function stateWords(status, t) {
  const special = status.state === "off" && status.reason === "reset" ? "reset" : status.state;
  const key = status.state === "stopped" && t.has(`state_${status.reason}`) ? status.reason : special;
  return t(`state_${key}`, status);
}

function textButton(name, label, help, action) {
  const attributes = { type: "button", class: "vtb-button vtb-text-button", "data-action": name };
  return el("button", { ...attributes, title: help, on: { click: action } }, label);
}

function sizeMenu(model, term, holder, t) {
  const menu = el("select", { class: "vtb-select", "aria-label": t("size"), title: t("size") });
  const update = () => {
    const now = [model.get("columns"), model.get("rows")];
    const known = SIZES.some((size) => size.join() === now.join());
    menu.replaceChildren(
      ...(known ? SIZES : [now, ...SIZES]).map(([columns, rows]) =>
        el("option", { value: `${columns},${rows}` }, t("size_of", { columns, rows })),
      ),
      el("option", { value: "fit" }, t("size_fit")),
    );
    menu.value = now.join();
  };
  menu.addEventListener("change", () => {
    let [columns, rows] = menu.value.split(",").map(Number);
    if (menu.value === "fit") {
      const cell = holder.querySelector(".xterm-screen").clientWidth / term.cols;
      columns = Math.max(20, Math.min(300, Math.floor((holder.clientWidth - 30) / cell)));
      rows = term.rows;
    }
    model.set("columns", columns);
    model.set("rows", rows);
    model.save_changes();
    update();
  });
  update();
  return menu;
}

/** The part that talks to a machine in the kernel. */
function liveParts({ model, term, holder, t, status }) {
  const id = `${Date.now()}-${(views += 1)}`;
  const send = (type, more = {}) => model.send({ type, view: id, ...more });
  let live = false;
  let epoch = null;
  let position = 0;
  const run = textButton("run", t("run"), t("run"), () => {
    if (run.getAttribute("aria-disabled") === "true") return;
    send(["running", "waiting"].includes(model.get("status").state) ? "pause" : "run");
  });
  run.classList.add("vtb-primary");
  const reset = textButton("reset", t("restart"), t("restart_help"), () => live && send("reset"));
  const clear = textButton("clear", t("clear"), t("clear_help"), () => term.clear());
  const note = el("div", { class: "vtb-console-note", role: "note", hidden: true }, t("no_kernel"));
  const hint = el("div", { class: "vtb-keys" }, t("hint"));

  const update = () => {
    const now = model.get("status");
    const going = ["running", "waiting"].includes(now.state);
    setText(run, t(live && going ? "pause_machine" : "run"));
    run.title = run.textContent;
    const over = now.state === "off" || now.state === "closed";
    run.setAttribute("aria-disabled", !live || over);
    reset.setAttribute("aria-disabled", !live || now.state === "closed");
    status.show(now);
    term.options.disableStdin = !live;
    term.options.cursorBlink = going;
  };
  const write = (data, then) => {
    const silent = answering.get(model) !== id;
    muted = silent;
    term.write(data, then);
  };
  let muted = true;
  swallowQuestions(term, () => muted);
  const received = (content, buffers) => {
    if (content.type === "screen") {
      live = true;
      note.hidden = true;
      hint.hidden = false;
      epoch = content.epoch;
      position = content.at;
      answering.set(model, answering.get(model) ?? id);
      muted = true; // questions of the past were answered then
      term.write("\x18\x1b\\\x1bc"); // end what is open, reset: in order after what is still to draw
      const bytes = bytesIn(buffers[0]);
      position += bytes.length;
      term.write(bytes, () => (muted = answering.get(model) !== id));
      send("ack", { at: position, epoch });
      update();
    } else if (content.type === "output" && content.epoch === epoch) {
      let bytes = bytesIn(buffers[0]);
      const end = content.at + bytes.length;
      if (end <= position) return;
      if (content.at < position) bytes = bytes.subarray(position - content.at);
      const gap = content.at - position;
      if (gap > 0) {
        const words = t("skipped", { n: gap.toLocaleString(model.get("language")) });
        term.write(`\x18\x1b\\\x1b[0m\r\n\x1b[7m ${words} \x1b[0m\r\n`);
      }
      position = end;
      const of = epoch;
      write(bytes, () => send("ack", { at: end, epoch: of }));
    }
  };
  model.on("msg:custom", received);
  model.on("change:status", update);
  term.onData((data) => live && send("type", { data }));
  term.attachCustomKeyEventHandler((event) => {
    if (event.key === "F6") {
      if (event.type === "keydown") run.focus();
      event.preventDefault();
      return false;
    }
    const copies = event.ctrlKey && event.shiftKey && event.code === "KeyC";
    if (copies && event.type === "keydown") {
      document.execCommand("copy"); // the terminal gives its selection
      event.preventDefault();
      return false;
    }
    return !(event.ctrlKey && event.shiftKey && ["KeyC", "KeyV"].includes(event.code));
  });
  const text = model.get("transcript");
  if (text) term.write(text);
  hint.hidden = true;
  const timer = setTimeout(() => (note.hidden = live), PATIENCE);
  update();
  send("hello");
  return {
    head: [run, reset, clear],
    foot: [note, hint],
    dispose() {
      clearTimeout(timer);
      if (answering.get(model) === id) answering.delete(model);
      model.off("msg:custom", received);
      model.off("change:status", update);
      send("bye");
    },
  };
}

function bytesIn(buffer) {
  if (buffer instanceof ArrayBuffer) return new Uint8Array(buffer);
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** The part that plays a recording. */
function recordedParts({ model, term, root, t, status }) {
  const { frames } = model.get("recording");
  const player = new Player(frames.length, () => ({ undo() {} }));
  player.speed = 10;
  let drawn = 0;
  swallowQuestions(term, () => true);
  term.options.disableStdin = true;
  const update = () => {
    if (player.index < drawn) {
      term.reset();
      drawn = 0;
    }
    const text = frames.slice(drawn, player.index).map(([, written]) => written).join("");
    if (text) term.write(text);
    drawn = player.index;
    status.count(drawn ? frames[drawn - 1][0] : 0);
  };
  player.subscribe(() => {
    update();
    model.set("step", player.index);
    if (!player.playing) model.save_changes();
  });
  const follow = () => player.seek(model.get("step"));
  model.on("change:step", follow);
  listenToKeys(root, player);
  follow();
  update();
  return {
    head: [transport(player, t)],
    foot: [el("div", { class: "vtb-keys" }, t("keys"))],
    dispose() {
      model.off("change:step", follow);
      player.dispose();
    },
  };
}

function statusLine(t, recorded) {
  const state = el("span", { class: "vtb-console-state", role: "status" });
  const count = el("span", { class: "vtb-console-count" });
  const rate = el("span", { class: "vtb-console-count" });
  const put = (node, label, value) => node.replaceChildren(el("span", {}, label), " ", el("b", {}, value));
  const show = (n) => put(count, t("instructions"), Number(n).toLocaleString("en"));
  return {
    element: el("div", { class: "vtb-console-status" }, ...(recorded ? [] : [state]), count, rate),
    count: show,
    show(now) {
      state.dataset.state = now.state ?? "";
      setText(state, now.note ?? stateWords(now, t));
      show(now.instructions ?? 0);
      rate.hidden = now.state !== "running" || !now.mips;
      const mips = now.mips >= 10 ? Math.round(now.mips) : Number(now.mips ?? 0).toFixed(2);
      put(rate, t("mips"), String(mips));
    },
  };
}

function mount(model, host) {
  const language = model.get("language");
  const t = translator(STRINGS, language);
  const recorded = Boolean(model.get("recording"));
  const title = model.get("title") || t(recorded ? "recorded" : "widget");
  const root = el("div", {
    class: "vtb vtb-console-widget",
    role: "group",
    lang: language,
    "aria-label": title,
    "data-lm-suppress-shortcuts": "true",
    tabindex: recorded ? 0 : null,
  });
  const stopTheme = watchTheme(root);
  const holder = el("div", { class: "vtb-console-screen", "data-label": t("terminal") });
  const { term, dispose } = makeTerminal(model, holder, root);
  const status = statusLine(t, recorded);
  const make = recorded ? recordedParts : liveParts;
  const parts = make({ model, term, holder, root, t, status });
  const reader = el("input", { type: "checkbox" });
  reader.addEventListener("change", () => (term.options.screenReaderMode = reader.checked));
  const readerLabel = el("label", { class: "vtb-console-reader" }, reader, " ", t("reader"));
  const tools = el("div", { class: "vtb-console-tools" }, sizeMenu(model, term, holder, t), readerLabel);
  root.append(
    el("div", { class: "vtb-console-head" }, el("div", { class: "vtb-console-title" }, title), status.element),
    el("div", { class: "vtb-console-controls" }, ...parts.head, tools),
    holder,
    ...parts.foot,
  );
  // Keys for the guest must not reach the notebook or the slides.
  holder.addEventListener("keydown", (event) => event.stopPropagation());
  host.append(root);
  return () => {
    parts.dispose();
    stopTheme();
    dispose();
    root.remove();
  };
}

function render({ model, el: host }) {
  let unmount = mount(model, host);
  const again = () => {
    unmount();
    unmount = mount(model, host);
  };
  model.on("change:language", again);
  return () => {
    model.off("change:language", again);
    unmount();
  };
}

export default { render };

// The front end that every widget of the book shares: a player of frames and deltas, its controls
// and keys, the theme, the language. Plain DOM, no dependencies. `_assets.py` joins this file and
// one widget's file into the single module that anywidget loads.

// --- Elements -----------------------------------------------------------------------------------

/** Make an element. `attributes` may hold `class`, any attribute, `on` handlers; children follow. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, f] of Object.entries(value)) node.addEventListener(event, f);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const SVG = "http://www.w3.org/2000/svg";

/** Make an SVG element with the given attributes. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** Set an element's text only when it differs, so that assistive software hears real changes. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// --- Language -----------------------------------------------------------------------------------

/**
 * Return `t(key, values)`: the label in the language, English where a language lacks it.
 * `{name}` in a label is replaced by `values.name`. `t.has(key)` tells whether there is one.
 */
export function translator(strings, language) {
  const english = { ...strings.common.en, ...strings.widget.en };
  const wanted = String(language).split("-")[0];
  const table = { ...english, ...strings.common[wanted], ...strings.widget[wanted] };
  const t = (key, values = {}) =>
    (table[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  t.has = (key) => key in table;
  t.count = (key, n, values = {}) =>
    t(n === 1 && `${key}_one` in table ? `${key}_one` : key, { n, ...values });
  return t;
}

// --- Theme --------------------------------------------------------------------------------------

function luminance(colour) {
  const parts = colour.match(/[\d.]+/g);
  if (!parts || parts.length < 3 || (parts.length > 3 && Number(parts[3]) < 0.5)) return null;
  const [r, g, b] = parts.map(Number);
  return (0.299 * r + 0.587 * g + 0.114 * b) / 255;
}

/** Tell "light" or "dark": what the host says of itself, else the background, else the system. */
export function themeOf(node) {
  const { body, documentElement: html } = document;
  const lab = body.getAttribute("data-jp-theme-light");
  if (lab !== null) return lab === "false" ? "dark" : "light";
  const declared = html.getAttribute("data-theme") ?? html.getAttribute("data-bs-theme");
  if (declared === "dark" || declared === "light") return declared;
  if (body.classList.contains("vscode-dark")) return "dark";
  if (body.classList.contains("vscode-light")) return "light";
  for (let at = node.parentElement; at; at = at.parentElement) {
    const light = luminance(getComputedStyle(at).backgroundColor);
    if (light !== null) return light < 0.5 ? "dark" : "light";
  }
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Keep `root.dataset.vtbTheme` at the host's theme. Returns a function that stops watching. */
export function watchTheme(root) {
  const update = () => {
    const theme = themeOf(root);
    if (root.dataset.vtbTheme !== theme) root.dataset.vtbTheme = theme;
  };
  const observer = new MutationObserver(update);
  for (const node of [document.documentElement, document.body]) {
    observer.observe(node, {
      attributes: true,
      attributeFilter: ["class", "style", "data-theme", "data-bs-theme", "data-jp-theme-light"],
    });
  }
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", update);
  update();
  requestAnimationFrame(update); // once more when the root is in the page
  return () => {
    observer.disconnect();
    system.removeEventListener("change", update);
  };
}

// --- Player -------------------------------------------------------------------------------------

/**
 * Moves through frames that are stored as differences.
 *
 * `forward(i)` applies frame `i` and returns a record with an `undo()` that takes it back; it may
 * carry more for the view. Position 0 is before the first frame, `count` after the last.
 */
export class Player {
  constructor(count, forward) {
    this.count = count;
    this.index = 0;
    this.playing = false;
    this.speed = 2; // frames a second
    this._forward = forward;
    this._records = [];
    this._listeners = new Set();
    this._timer = null;
  }

  /** The record of the frame just applied; null before the first. */
  get record() {
    return this._records.at(-1) ?? null;
  }

  subscribe(listener) {
    this._listeners.add(listener);
    return () => this._listeners.delete(listener);
  }

  seek(index) {
    const target = Math.max(0, Math.min(this.count, Math.round(Number(index)) || 0));
    if (target === this.index) return;
    while (this.index < target) {
      this._records.push(this._forward(this.index));
      this.index += 1;
    }
    while (this.index > target) {
      this._records.pop().undo();
      this.index -= 1;
    }
    this._tell();
  }

  /** Move by some frames, as a reader's key or button does: that ends playing. */
  move(by) {
    this.pause();
    this.seek(this.index + by);
  }

  jump(index) {
    this.pause();
    this.seek(index);
  }

  play() {
    if (this.playing || this.count === 0) return;
    if (this.index === this.count) this.seek(0);
    this.playing = true;
    this._tell();
    const tick = () => {
      this._timer = setTimeout(tick, 1000 / this.speed);
      if (this.index + 1 >= this.count) {
        clearTimeout(this._timer);
        this.playing = false;
      }
      this.seek(this.index + 1);
    };
    this._timer = setTimeout(tick, 1000 / this.speed);
  }

  pause() {
    clearTimeout(this._timer);
    if (!this.playing) return;
    this.playing = false;
    this._tell();
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  dispose() {
    clearTimeout(this._timer);
    this.playing = false;
    this._listeners.clear();
  }

  _tell() {
    for (const listener of this._listeners) listener(this);
  }
}

// --- Controls -----------------------------------------------------------------------------------

const ICONS = {
  first: "M3 3h2v10H3zM13 3v10L6 8z",
  previous: "M11.5 3v10L4.5 8z",
  play: "M4.5 2.5v11l9-5.5z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  next: "M4.5 3v10l7-5z",
  last: "M11 3h2v10h-2zM3 3v10l7-5z",
};

const SPEEDS = [0.5, 1, 2, 5, 10, 30];

function iconButton(name, label, action) {
  const path = svg("path", { d: ICONS[name] });
  const icon = svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" }, path);
  const button = el(
    "button",
    { type: "button", class: "vtb-button", "data-action": name, "aria-label": label, title: label },
    icon,
  );
  button.addEventListener("click", action);
  return button;
}

/** Buttons, slider, position and speed for a player. Returns the element; it follows the player. */
export function transport(player, t) {
  const first = iconButton("first", t("first"), () => player.jump(0));
  const previous = iconButton("previous", t("previous"), () => player.move(-1));
  const play = iconButton("play", t("play"), () => player.toggle());
  const next = iconButton("next", t("next"), () => player.move(1));
  const last = iconButton("last", t("last"), () => player.jump(player.count));
  play.classList.add("vtb-primary");
  const slider = el("input", {
    type: "range",
    class: "vtb-slider",
    min: 0,
    max: player.count,
    step: 1,
    value: player.index,
    "aria-label": t("position"),
    on: { input: () => player.jump(slider.valueAsNumber) },
  });
  const position = el("span", { class: "vtb-position" });
  const widest = t("step_of", { n: player.count, total: player.count });
  position.style.minWidth = `${widest.length * 0.58}em`;
  const speed = el("select", {
    class: "vtb-select",
    "aria-label": t("speed"),
    title: t("speed"),
    on: { change: () => (player.speed = Number(speed.value)) },
  });
  for (const n of SPEEDS) {
    const text = t("speed_value", { n: n === 0.5 ? "½" : n });
    speed.append(el("option", { value: n, selected: n === player.speed }, text));
  }

  const update = () => {
    const { index, count, playing } = player;
    const text = t("step_of", { n: index, total: count });
    slider.value = index;
    slider.setAttribute("aria-valuetext", text);
    slider.style.setProperty("--vtb-done", `${count ? (100 * index) / count : 0}%`);
    setText(position, text);
    // aria-disabled, not disabled: a disabled button would lose the keyboard focus.
    for (const [button, off] of [
      [first, index === 0],
      [previous, index === 0],
      [next, index === count],
      [last, index === count],
    ]) {
      button.setAttribute("aria-disabled", off);
    }
    const label = t(playing ? "pause" : "play");
    if (play.title !== label) {
      play.title = label;
      play.setAttribute("aria-label", label);
      play.querySelector("path").setAttribute("d", ICONS[playing ? "pause" : "play"]);
    }
  };
  player.subscribe(update);
  update();
  const buttons = el("div", { class: "vtb-buttons" }, first, previous, play, next, last);
  return el(
    "div",
    { class: "vtb-transport", role: "group", "aria-label": t("playback") },
    buttons,
    speed,
    slider,
    position,
  );
}

// --- Keys ---------------------------------------------------------------------------------------

/**
 * Let the keys move the player. Keys that are used do not reach the host (JupyterLab's command
 * mode, the next slide). Up and Down stay with what has the focus where that scrolls or holds a
 * list (`data-vertical`); sliders and menus keep the meaning that sliders and menus have.
 */
export function listenToKeys(root, player) {
  const moves = {
    ArrowLeft: () => player.move(-1),
    ArrowRight: () => player.move(1),
    ArrowUp: () => player.move(-1),
    ArrowDown: () => player.move(1),
    PageUp: () => player.move(-10),
    PageDown: () => player.move(10),
    Home: () => player.jump(0),
    End: () => player.jump(player.count),
    " ": () => player.toggle(),
  };
  const onSlider = { PageUp: () => player.move(10), PageDown: () => player.move(-10), " ": moves[" "] };
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key, target } = event;
    if (!(key in moves)) return;
    event.stopPropagation();
    if (event.defaultPrevented || target.tagName === "SELECT") return;
    if (key === " " && (target.tagName === "BUTTON" || target.type === "checkbox")) return;
    const vertical = key === "ArrowUp" || key === "ArrowDown";
    if (vertical && target.closest("[data-vertical]")) return;
    let move = moves[key];
    if (target.type === "range") {
      move = onSlider[key];
      if (!move) return;
    }
    event.preventDefault();
    move();
  });
}

// --- Numbers and text -------------------------------------------------------------------------

/** `1f` to `0x1f`. */
export function prefixed(hex) {
  return `0x${hex}`;
}

/** The number that a string of hexadecimal digits stands for. */
export function big(hex) {
  return BigInt(`0x${hex}`);
}

/** `"0a1b"` to an array of bytes. */
export function bytesOf(hex) {
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** A byte as a printable ASCII character, or a middle dot. */
export function printable(byte) {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·";
}

/** Text that is seen by assistive software only. */
export function hidden(text) {
  return el("span", { class: "vtb-hidden" }, text);
}

// The grid of cells: one canvas for the cells, text for all that it says. States come as runs.

import { big, el, Player, setText, svg } from "./common.js";
import { bookWidget, headerLine, panel, readout, wordsBox } from "./widget.js";
import { FILLS, fillStyle, patternLines } from "./palette.js";

const LARGEST = 22; // pixels of a cell's side
const SMALLEST = 2;
const TALL = 400; // pixels of height that the cells should not pass
const LABEL = 18; // pixels of a region's label above its cells
const MOST_SAID = 12; // steps of a cell's history, told one by one
const MOST_MOVES = 5; // transitions of a step, the most frequent
const BLANK_FILL = -1;

// --- Cells --------------------------------------------------------------------------------------

/** Call `f(first, length, state)` for each run of a step. */
function eachRun(runs, f) {
  let at = 0;
  for (let i = 0; i < runs.length; i += 3) {
    at += runs[i];
    f(at, runs[i + 1], runs[i + 2]);
    at += runs[i + 1];
  }
}

function initialCells({ count, initial }) {
  const cells = new Uint8Array(count);
  let at = 0;
  for (let i = 0; i < initial.length; i += 2) {
    cells.fill(initial[i + 1], at, at + initial[i]);
    at += initial[i];
  }
  return cells;
}

function countStates(cells, states) {
  const counts = new Array(states).fill(0);
  for (const state of cells) counts[state] += 1;
  return counts;
}

/** Apply a step. The record tells its runs and how many cells went from which state to which. */
function applyRuns(state, [note, runs]) {
  const undos = [];
  const moved = new Map();
  const before = [...state.counts];
  eachRun(runs, (first, length, to) => {
    const old = state.cells.slice(first, first + length);
    for (const from of old) {
      const key = from * 256 + to;
      moved.set(key, (moved.get(key) ?? 0) + 1);
      state.counts[from] -= 1;
      state.counts[to] += 1;
    }
    state.cells.fill(to, first, first + length);
    undos.push(() => state.cells.set(old, first));
  });
  return {
    note,
    runs,
    moved: [...moved].map(([key, n]) => ({ from: key >> 8, to: key & 255, n })).filter(({ from, to }) => from !== to),
    undo() {
      for (const undo of undos) undo();
      state.counts = before;
    },
  };
}

/** The counts of all states before the first step and after each. */
function countsOverTime(grid) {
  const state = { cells: initialCells(grid), counts: [] };
  state.counts = countStates(state.cells, grid.states.length);
  const all = [[...state.counts]];
  for (const step of grid.steps) {
    applyRuns(state, step);
    all.push([...state.counts]);
  }
  return all;
}

/** The parts of the grid that are drawn apart: `{ first, cells, label }`, covering all cells. */
function groupsOf({ count, regions }) {
  const groups = [];
  let at = 0;
  for (const [first, cells, label] of regions) {
    if (first > at) groups.push({ first: at, cells: first - at, label: "" });
    groups.push({ first, cells, label });
    at = first + cells;
  }
  if (at < count) groups.push({ first: at, cells: count - at, label: "" });
  return groups;
}

// --- Layout and drawing -------------------------------------------------------------------------

/** Side of a cell, columns, and where each group stands, for a width in pixels. */
function layOut(groups, width) {
  const labelled = groups.some(({ label }) => label) || groups.length > 1;
  const place = (side) => {
    const fitting = Math.max(1, Math.floor(width / side));
    const unit = [64, 16, 8, 4].find((n) => fitting >= n) ?? 1;
    const columns = Math.floor(fitting / unit) * unit;
    let y = 0;
    const placed = groups.map((group) => {
      const top = y + (labelled ? LABEL : 0);
      y = top + Math.ceil(group.cells / columns) * side + (labelled ? 6 : 0);
      return { ...group, top };
    });
    return { side, columns, placed, height: y, labelled };
  };
  let side = LARGEST;
  while (side > SMALLEST && place(side).height > TALL) side -= 1;
  return place(side);
}

function cellAt({ placed, side, columns }, x, y) {
  const column = Math.floor(x / side);
  if (column < 0 || column >= columns) return null;
  for (const { first, cells, top } of placed) {
    const row = Math.floor((y - top) / side);
    const index = row * columns + column;
    if (row >= 0 && index < cells) return first + index;
  }
  return null;
}

function placeOf({ placed, side, columns }, cell) {
  const group = placed.find(({ first, cells }) => cell < first + cells);
  const index = cell - group.first;
  return {
    x: (index % columns) * side,
    y: group.top + Math.floor(index / columns) * side,
    group,
    index,
  };
}

function drawCells(context, { layout, grid, cells, colours, only, theme }) {
  const { side, columns, placed } = layout;
  const gap = side >= 5 ? 1 : 0;
  for (const { first, cells: count, top, label } of placed) {
    if (layout.labelled) {
      context.fillStyle = colours.muted;
      context.font = `12px ${colours.font}`;
      const address = (big(grid.base) + BigInt(first) * BigInt(grid.size)).toString(16);
      context.fillText(`0x${address}${label ? `  ${label}` : ""}`, 0, top - 5);
    }
    // Runs of one state in a row are one rectangle where cells touch.
    for (let i = 0; i < count; ) {
      const state = cells[first + i];
      const column = i % columns;
      let length = 1;
      const most = Math.min(columns - column, count - i);
      if (!gap) while (length < most && cells[first + i + length] === state) length += 1;
      const fill = grid.states[state][1];
      const x = column * side;
      const y = top + Math.floor(i / columns) * side;
      const shown = only === null || only === state;
      if (fill === BLANK_FILL || !shown) {
        context.fillStyle = shown && only !== null ? colours.strong : colours.blank;
        context.fillRect(x, y, side * length - gap, side - gap);
      } else {
        context.fillStyle = FILLS[fill][theme];
        context.fillRect(x, y, side * length - gap, side - gap);
        if (side >= 8) drawPattern(context, FILLS[fill].pattern, x, y, side - gap, theme);
      }
      i += length;
    }
  }
}

function drawPattern(context, pattern, x, y, side, theme) {
  context.strokeStyle = theme === "dark" ? "rgb(0 0 0 / 70%)" : "rgb(255 255 255 / 85%)";
  context.lineWidth = side >= 14 ? 2 : 1.5;
  context.beginPath();
  for (const [x0, y0, x1, y1] of patternLines(pattern, side)) {
    context.moveTo(x + x0, y + y0);
    context.lineTo(x + x1, y + y1);
  }
  context.stroke();
}

function outline(context, { x, y }, side, colour, width) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.strokeRect(x - 0.5, y - 0.5, side, side);
}

/** The canvas with its cursor. `draw(record)` draws it all; `onCell(cell)` hears what is pointed at. */
function canvasView({ grid, state, root, t, onCell }) {
  const groups = groupsOf(grid);
  const canvas = el("canvas", { "aria-hidden": "true" });
  const element = el(
    "div",
    {
      class: "vtb-cells",
      tabindex: 0,
      role: "application",
      "aria-label": t("grid"),
      "data-vertical": true,
    },
    canvas,
  );
  let layout = layOut(groups, 600);
  let last = null;
  let cursor = 0;
  let only = null;

  const draw = () => {
    const style = getComputedStyle(root);
    const colours = {
      blank: style.getPropertyValue("--vtb-blank"),
      muted: style.getPropertyValue("--vtb-muted"),
      strong: style.getPropertyValue("--vtb-strong-line"),
      text: style.getPropertyValue("--vtb-text"),
      ground: style.getPropertyValue("--vtb-ground"),
      font: style.fontFamily,
    };
    const scale = devicePixelRatio || 1;
    const width = layout.side * layout.columns;
    const fullWidth = Math.max(width, element.clientWidth - 20);
    canvas.width = Math.round(fullWidth * scale);
    canvas.height = Math.round((layout.height + 2) * scale);
    canvas.style.width = `${fullWidth}px`;
    canvas.style.height = `${layout.height + 2}px`;
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    context.translate(1, 1);
    const theme = root.dataset.vtbTheme === "dark" ? "dark" : "light";
    drawCells(context, { layout, grid, cells: state.cells, colours, only, theme });
    if (last && layout.side >= 6) {
      eachRun(last.runs, (first, length) => {
        for (let i = first; i < first + length; i += 1) {
          outline(context, placeOf(layout, i), layout.side, colours.text, 1.5);
        }
      });
    }
    if (document.activeElement === element) {
      const spot = placeOf(layout, cursor);
      const side = Math.max(layout.side, 8);
      const centred = {
        x: spot.x - (side - layout.side) / 2,
        y: spot.y - (side - layout.side) / 2,
      };
      outline(context, centred, side, colours.ground, 5);
      outline(context, centred, side, colours.text, 2);
    }
  };
  const moveTo = (cell) => {
    cursor = Math.max(0, Math.min(grid.count - 1, cell));
    const { y } = placeOf(layout, cursor);
    if (y < element.scrollTop) element.scrollTop = y - LABEL;
    const below = y + layout.side - element.clientHeight + 16;
    if (below > element.scrollTop) element.scrollTop = below;
    draw();
    onCell(cursor);
  };
  const keys = {
    ArrowLeft: () => cursor - 1,
    ArrowRight: () => cursor + 1,
    ArrowUp: () => vertical(-1),
    ArrowDown: () => vertical(1),
    PageUp: () => vertical(-10),
    PageDown: () => vertical(10),
    Home: () => 0,
    End: () => grid.count - 1,
  };
  /** The cell so many rows away in the same column, over the borders of groups. */
  const vertical = (rows) => {
    const { group, index } = placeOf(layout, cursor);
    const target = index + rows * layout.columns;
    const column = index % layout.columns;
    if (target >= 0 && target < group.cells) return group.first + target;
    const next = layout.placed[layout.placed.indexOf(group) + Math.sign(rows)];
    if (!next) return rows < 0 ? group.first + column : group.first + group.cells - 1;
    if (rows > 0) return next.first + Math.min(column, next.cells - 1);
    const lastRow = Math.floor((next.cells - 1) / layout.columns) * layout.columns;
    return next.first + Math.min(lastRow + column, next.cells - 1);
  };
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // JupyterLab takes Escape before it comes here, and moves the focus to the cell: that leaves too.
    if (event.key === "Escape") root.focus();
    else if (event.key in keys) moveTo(keys[event.key]());
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  element.addEventListener("focus", () => moveTo(cursor));
  element.addEventListener("blur", draw);
  const under = ({ clientX, clientY }) => {
    const box = canvas.getBoundingClientRect();
    return cellAt(layout, clientX - box.left - 1, clientY - box.top - 1);
  };
  canvas.addEventListener("pointermove", (event) => {
    const cell = under(event);
    if (cell !== null) onCell(cell);
  });
  canvas.addEventListener("pointerdown", (event) => {
    const cell = under(event);
    if (cell !== null) cursor = cell;
    onCell(cursor);
    draw();
  });
  const fit = new ResizeObserver(() => {
    layout = layOut(groups, element.clientWidth - 22);
    draw();
  });
  fit.observe(element);
  const themed = new MutationObserver(draw);
  themed.observe(root, { attributes: true, attributeFilter: ["data-vtb-theme"] });
  return {
    element,
    show(record) {
      last = record;
      draw();
    },
    emphasise(which) {
      only = which;
      draw();
    },
    dispose() {
      fit.disconnect();
      themed.disconnect();
    },
  };
}

// --- Legend, lines, words -----------------------------------------------------------------------

function swatchOf(fill) {
  const blank = fill === BLANK_FILL;
  return el("span", {
    class: blank ? "vtb-swatch vtb-blank" : "vtb-swatch",
    style: blank ? null : fillStyle(fill),
    "aria-hidden": "true",
  });
}

function legendView({ grid, t, format, emphasise }) {
  const buttons = grid.states.map(([label, fill], i) => {
    const count = el("span", { class: "vtb-count" });
    const button = el(
      "button",
      {
        type: "button",
        class: "vtb-state",
        "aria-pressed": "false",
        title: t("emphasise", { label }),
        on: {
          click: () => {
            const on = button.getAttribute("aria-pressed") === "false";
            for (const other of buttons) other.button.setAttribute("aria-pressed", "false");
            button.setAttribute("aria-pressed", on);
            emphasise(on ? i : null);
          },
        },
      },
      swatchOf(fill),
      el("span", {}, label),
      count,
    );
    return { button, count };
  });
  const element = el(
    "div",
    { class: "vtb-states", role: "group", "aria-label": t("states") },
    ...buttons.map(({ button }) => button),
  );
  return {
    element,
    show: (counts) => buttons.forEach(({ count }, i) => setText(count, format(counts[i]))),
  };
}

const DASHES = ["", "7 3", "2 3", "9 3 2 3", "4 4", "1 2", "12 4", "6 2 2 2"];

/** Counts over time as lines, one a state; a blank state is left out, unless it is the only one. */
function linesView({ grid, counts, t, format }) {
  const width = 600;
  const height = 64;
  const drawn = grid.states.map(([, fill], i) => [fill, i]).filter(([fill]) => fill !== BLANK_FILL);
  const most = Math.max(1, ...counts.flatMap((all) => drawn.map(([, i]) => all[i])));
  const x = (step) => (width * step) / Math.max(1, counts.length - 1);
  const y = (n) => height - 3 - ((height - 6) * n) / most;
  const lines = drawn.map(([fill, i]) => {
    const points = counts.map((all, step) => `${x(step).toFixed(1)},${y(all[i]).toFixed(1)}`);
    return svg("polyline", {
      points: points.join(" "),
      style: `stroke: light-dark(${FILLS[fill].light}, ${FILLS[fill].dark})`,
      "stroke-dasharray": DASHES[fill],
    });
  });
  const now = svg("line", { class: "vtb-now-line", y1: 0, y2: height });
  const picture = svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
    now,
    ...lines,
  );
  const scale = el("span", { class: "vtb-scale" }, el("span", {}, format(most)), el("span", {}, "0"));
  const element = el("div", { class: "vtb-lines" }, scale, picture);
  return {
    element,
    useful: drawn.length > 0 && counts.length > 2,
    show(step) {
      now.setAttribute("x1", x(step));
      now.setAttribute("x2", x(step));
    },
  };
}

function historyOf(grid, cell) {
  const steps = [];
  grid.steps.forEach(([, runs], i) => {
    eachRun(runs, (first, length) => {
      if (cell >= first && cell < first + length) steps.push(i + 1);
    });
  });
  return steps;
}

function cellWords({ grid, state, cell, t, format }) {
  const address = (big(grid.base) + BigInt(cell) * BigInt(grid.size)).toString(16);
  const values = {
    cell: grid.cell[0].toUpperCase() + grid.cell.slice(1),
    n: format(cell),
    address: `0x${address}`,
    state: grid.states[state.cells[cell]][0],
  };
  const parts = [t("pointed", values)];
  const region = grid.regions.find(([first, cells]) => cell >= first && cell < first + cells);
  if (region?.[2]) parts.push(t("region_of", { label: region[2] }));
  const steps = historyOf(grid, cell);
  if (steps.length === 0) parts.push(t("never"));
  else {
    const shown = steps.slice(0, MOST_SAID).join(", ");
    const more = steps.length - MOST_SAID;
    const told = more > 0 ? t("and_more", { steps: shown, more }) : shown;
    parts.push(t.count("changed_at", steps.length, { steps: told }));
  }
  return `${parts.join("; ")}.`;
}

function stepWords(record, { index, grid, t, format }) {
  if (record === null) return { code: t("start"), plain: true, body: "" };
  const said = [...record.moved]
    .sort((a, b) => b.n - a.n)
    .slice(0, MOST_MOVES)
    .map(({ from, to, n }) => {
      const values = { before: grid.states[from][0], after: grid.states[to][0], n: format(n) };
      return t(n === 1 ? "change_one" : "change", values);
    });
  return {
    code: record.note || t("step_note", { n: index }),
    plain: true,
    body: said.length ? `${said.join("; ")}${record.moved.length > MOST_MOVES ? "; …" : "."}` : t("nothing"),
  };
}

// --- The widget ---------------------------------------------------------------------------------

function build({ model, t, root }) {
  const grid = model.get("grid");
  const number = new Intl.NumberFormat(model.get("language"));
  const format = (n) => number.format(n);
  const cells = initialCells(grid);
  const state = { cells, counts: countStates(cells, grid.states.length) };
  const player = new Player(grid.steps.length, (i) => applyRuns(state, grid.steps[i]));
  const info = el("div", { class: "vtb-cell-info", role: "status", "aria-live": "polite" });
  let pointed = null;
  const tell = () => {
    setText(info, pointed === null ? t("hint") : cellWords({ grid, state, cell: pointed, t, format }));
  };
  const view = canvasView({
    grid,
    state,
    root,
    t,
    onCell(cell) {
      pointed = cell;
      tell();
    },
  });
  const legend = legendView({ grid, t, format, emphasise: view.emphasise });
  const lines = linesView({ grid, counts: countsOverTime(grid), t, format });
  const steps = grid.steps.length > 0; // without any it is a picture, and has no controls
  const words = wordsBox();
  const size = readout("");
  setText(size.value, t("grid_summary", { count: format(grid.count), cell: grid.cell, size: format(grid.size) }));
  const frame = el("div", { class: "vtb-panel" }, view.element, info);
  const overTime = panel("over-time", t("over_time"), lines.element).body;
  return {
    label: `${t("widget")}: ${grid.title}`,
    player: steps ? player : null,
    head: [headerLine(grid.title, size)],
    body: [...(steps ? [words.element] : []), legend.element, frame, ...(lines.useful ? [overTime] : [])],
    update() {
      words.show(player, stepWords(player.record, { index: player.index, grid, t, format }));
      legend.show(state.counts);
      lines.show(player.index);
      view.show(player.record);
      tell();
    },
    dispose: view.dispose,
  };
}

export default bookWidget({ name: "bytegrid", remount: ["grid"], build });

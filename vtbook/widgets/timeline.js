// The timeline: one lane for each that can run, spans where it did, arrows where control moved.
// Times are mapped to pixels here; what is narrower than a pixel is merged before it is drawn.

import { el, Player, setText, svg } from "./common.js";
import { bookWidget, headerLine, readout, wordsBox } from "./widget.js";

const LANE_HEIGHT = 46;
const BAR_TOP = 20;
const BAR_HEIGHT = 18;
const LEFT = 8;
const AXIS_HEIGHT = 24;
const CLOSEST_ARROWS = 4; // pixels

/** Merge spans that a pixel cannot tell apart: `[x0, x1, filled, label, index]`. */
function mergeSpans(spans, from, to, width) {
  const scale = width / (to - from);
  const drawn = [];
  for (const [index, start, end, label] of spans) {
    if (end < from || start > to) continue;
    const x0 = Math.max(0, (start - from) * scale);
    const x1 = Math.min(width, (end - from) * scale);
    const last = drawn.at(-1);
    const tiny = x1 - x0 < 2;
    if (last && x0 - last.x1 < 1 && (tiny || last.tiny)) {
      last.x1 = Math.max(last.x1, x1);
      last.filled += x1 - x0;
      last.label = "";
      last.tiny = true;
    } else drawn.push({ x0, x1, filled: x1 - x0, label, index, tiny });
  }
  return drawn;
}

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
}

function niceTicks(from, to, count) {
  const step = Math.max(niceStep((to - from) / count), Number.EPSILON);
  const ticks = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) ticks.push(at);
  return ticks;
}

/** The first index of a list, sorted by `time`, whose time is at least `at`. */
function lowerBound(events, at) {
  let [low, high] = [0, events.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (events[middle].time < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

function readTimeline(model) {
  const { title, unit, basis, lanes, spans, events } = model.get("timeline");
  const byLane = lanes.map(() => []);
  spans.forEach(([lane, start, end, label], i) => byLane[lane].push([i, start, end, label]));
  const ends = [...spans.map((span) => span[2]), ...events.map((event) => event[0])];
  const starts = [...spans.slice(0, 1).map((span) => span[1]), ...events.slice(0, 1).map((e) => e[0])];
  const min = starts.length ? Math.min(...starts) : 0;
  const max = ends.reduce((a, b) => Math.max(a, b), min);
  return {
    title,
    unit,
    basis,
    lanes: lanes.map(([name, kind], i) => ({
      name,
      kind,
      spans: byLane[i],
      total: byLane[i].reduce((sum, [, start, end]) => sum + end - start, 0),
    })),
    spans,
    events: events.map(([time, from, to, kind, label, text]) => ({ time, from, to, kind, label, text })),
    min,
    max: max > min ? max : min + 1,
  };
}

// --- The drawing ----------------------------------------------------------------------------------

const barTop = (lane) => lane * LANE_HEIGHT + BAR_TOP;
const barMiddle = (lane) => barTop(lane) + BAR_HEIGHT / 2;

function arrowPath(x, from, to) {
  if (from === to) return `M${x} ${barTop(from) - 6}V${barTop(from)}m-3 -4l3 5l3 -5`;
  const down = to > from;
  const y1 = down ? barTop(from) + BAR_HEIGHT : barTop(from);
  const y2 = down ? barTop(to) - 1 : barTop(to) + BAR_HEIGHT + 1;
  const tip = down ? -5 : 5;
  return `M${x} ${y1}V${y2}M${x - 3} ${y2 + tip}L${x} ${y2}L${x + 3} ${y2 + tip}`;
}

function chart(data, view, player, t, number) {
  const height = data.lanes.length * LANE_HEIGHT + AXIS_HEIGHT;
  const lanes = svg("g", {});
  const arrows = svg("g", {});
  const now = svg("g", { class: "vtb-now-mark" });
  const names = svg("g", {});
  const axis = svg("g", { class: "vtb-axis" });
  const layers = [axis, lanes, arrows, names, now];
  const drawing = svg("svg", { class: "vtb-chart", height, role: "img" }, ...layers);
  const element = el("div", { class: "vtb-plot" }, drawing);
  let width = 0;
  const x = (time) => LEFT + ((time - view.from) / (view.to - view.from)) * (width - 2 * LEFT);
  const text = (attributes, words) => svg("text", attributes, words);

  const drawAxis = () => {
    const bottom = data.lanes.length * LANE_HEIGHT;
    const parts = [];
    for (const at of niceTicks(view.from, view.to, Math.max(2, width / 110))) {
      const px = x(at);
      parts.push(svg("line", { x1: px, x2: px, y1: 0, y2: bottom + 4, class: "vtb-tick-line" }));
      const anchor = px < 30 ? "start" : px > width - 30 ? "end" : "middle";
      parts.push(text({ x: px, y: bottom + 17, "text-anchor": anchor }, number(at)));
    }
    axis.replaceChildren(...parts);
  };
  const drawLanes = () => {
    const inner = width - 2 * LEFT;
    const parts = [];
    const words = [];
    data.lanes.forEach((lane, i) => {
      const y = barTop(i);
      parts.push(svg("rect", { x: LEFT, y, width: inner, height: BAR_HEIGHT, class: "vtb-lane" }));
      for (const one of mergeSpans(lane.spans, view.from, view.to, inner)) {
        const wide = Math.max(1, one.x1 - one.x0);
        const share = Math.min(1, Math.max(0.5, one.filled / wide));
        const box = { x: LEFT + one.x0, y, width: wide, height: BAR_HEIGHT };
        const rect = svg("rect", { ...box, class: "vtb-span", "data-kind": lane.kind });
        if (one.tiny) rect.style.opacity = share;
        parts.push(rect);
        if (one.label && wide > one.label.length * 6.6 + 10) {
          const at = { x: LEFT + one.x0 + 5, y: y + 13, class: "vtb-span-label" };
          parts.push(text({ ...at, "data-kind": lane.kind }, one.label));
        }
      }
      const sum = `${number(lane.total)} (${number((100 * lane.total) / (data.max - data.min), 1)} %)`;
      words.push(text({ x: LEFT, y: y - 6, class: "vtb-lane-name" }, lane.name));
      words.push(text({ x: width - LEFT, y: y - 6, class: "vtb-lane-sum" }, sum));
    });
    lanes.replaceChildren(...parts);
    names.replaceChildren(...words);
  };
  const drawArrows = () => {
    const parts = [];
    const last = new Map();
    const { events } = data;
    for (let i = lowerBound(events, view.from); i < events.length; i += 1) {
      const { time, from, to, kind } = events[i];
      if (time > view.to) break;
      const px = x(time);
      const way = `${from}-${to}`;
      if (px - (last.get(way) ?? -99) < CLOSEST_ARROWS) continue;
      last.set(way, px);
      parts.push(svg("path", { d: arrowPath(px, from, to), class: "vtb-arrow", "data-kind": kind }));
    }
    arrows.replaceChildren(...parts);
  };
  const drawNow = () => {
    const event = data.events[player.index - 1];
    const time = event ? event.time : data.min;
    now.replaceChildren();
    if (time < view.from || time > view.to) return;
    const px = x(time);
    const bottom = data.lanes.length * LANE_HEIGHT;
    now.append(svg("line", { x1: px, x2: px, y1: 2, y2: bottom, class: "vtb-playhead" }));
    const lane = event ? event.to : (data.spans[0]?.[0] ?? 0);
    const following = data.lanes[lane].spans.find(([, start, end]) => start >= time || end > time);
    if (following) {
      const [x0, x1] = [Math.max(LEFT, x(following[1])), Math.min(width - LEFT, x(following[2]))];
      const box = { x: x0, y: barTop(lane) - 1.5, width: Math.max(3, x1 - x0), height: BAR_HEIGHT + 3 };
      now.append(svg("rect", { ...box, class: "vtb-following" }));
    }
    if (event) {
      now.append(svg("path", { d: arrowPath(px, event.from, event.to), class: "vtb-arrow-halo" }));
      const d = arrowPath(px, event.from, event.to);
      now.append(svg("path", { d, class: "vtb-arrow vtb-arrow-now", "data-kind": event.kind }));
    }
  };
  const draw = () => {
    if (!width) return;
    drawing.setAttribute("width", width);
    drawAxis();
    drawLanes();
    drawArrows();
    drawNow();
  };
  const sized = new ResizeObserver(() => {
    if (element.clientWidth === width) return;
    width = element.clientWidth;
    draw();
  });
  sized.observe(element);

  // A click goes to the nearest transition; a drag pans.
  let held = null;
  const timeAt = (px) => view.from + ((px - LEFT) / (width - 2 * LEFT)) * (view.to - view.from);
  drawing.addEventListener("pointerdown", (event) => {
    held = { x: event.offsetX, from: view.from, to: view.to, moved: false };
    drawing.setPointerCapture(event.pointerId);
  });
  drawing.addEventListener("pointermove", (event) => {
    if (!held) return;
    const by = event.offsetX - held.x;
    if (Math.abs(by) > 4) held.moved = true;
    if (!held.moved) return;
    const shift = (-by / (width - 2 * LEFT)) * (held.to - held.from);
    view.show(held.from + shift, held.to + shift);
  });
  drawing.addEventListener("pointerup", (event) => {
    if (held && !held.moved && data.events.length) {
      const at = timeAt(event.offsetX);
      const after = Math.min(lowerBound(data.events, at), data.events.length - 1);
      const before = Math.max(0, after - 1);
      const near = at - data.events[before].time < data.events[after].time - at ? before : after;
      player.jump(near + 1);
    }
    held = null;
  });
  return { element, drawing, draw, drawNow, dispose: () => sized.disconnect() };
}

/** The window of time that is seen; `changed` is called when it moves. */
function timeWindow(data, changed) {
  const all = data.max - data.min;
  const least = all / Math.max(4, data.spans.length * 4 + 40);
  const view = {
    from: data.min,
    to: data.max,
    show(from, to) {
      const wide = Math.min(all, Math.max(least, to - from));
      const start = Math.min(Math.max(from, data.min), data.max - wide);
      [view.from, view.to] = [start, start + wide];
      changed();
    },
    zoom(factor, centre) {
      const at = Math.min(Math.max(centre, view.from), view.to);
      view.show(at - (at - view.from) / factor, at + (view.to - at) / factor);
    },
    pan(share) {
      const by = share * (view.to - view.from);
      view.show(view.from + by, view.to + by);
    },
    reveal(time) {
      const wide = view.to - view.from;
      if (time < view.from + wide * 0.02 || time > view.to - wide * 0.02) {
        if (wide < all) view.show(time - wide / 2, time + wide / 2);
      }
    },
    all: () => view.show(data.min, data.max),
  };
  return view;
}

// --- The widget -----------------------------------------------------------------------------------

function timelineWords(data, index, t, number) {
  const event = data.events[index - 1];
  const unit = data.unit;
  if (!event) {
    const sums = data.lanes.map((lane) => `${lane.name}: ${number(lane.total)}`).join("; ");
    const body = t("say_start", { unit, sums, n: number(data.events.length) });
    return { plain: true, code: t("say_before"), body };
  }
  const [from, to] = [data.lanes[event.from].name, data.lanes[event.to].name];
  const before = data.events[index - 2]?.time ?? data.min;
  const after = data.events[index]?.time ?? data.max;
  const values = { from, to, unit, ago: number(event.time - before), next: number(after - event.time) };
  const said = [event.text, t(`say_${event.kind}`, values)];
  if (event.kind !== "end") said.push(t("say_next_in", values));
  const kind = event.kind === "trap" || event.kind === "interrupt" ? "trap" : "exit";
  return {
    plain: true,
    address: number(event.time),
    code: from === to ? from : `${from} → ${to}`,
    body: said.filter(Boolean).join(" "),
    event: { kind, label: t(`kind_${event.kind}`), text: event.label },
  };
}

function build({ model, t, root }) {
  const data = readTimeline(model);
  const language = model.get("language");
  const number = (value, digits = 2) =>
    value.toLocaleString(language === "pt" ? "pt-BR" : "en", { maximumFractionDigits: digits });
  const player = new Player(data.events.length, () => ({ undo() {} }));
  const words = wordsBox();
  let drawn = null;
  const view = timeWindow(data, () => drawn?.draw());
  drawn = chart(data, view, player, t, number);
  const names = data.lanes.map((lane) => lane.name).join(", ");
  drawn.drawing.setAttribute("aria-label", t("chart", { lanes: names, n: data.events.length }));
  const centre = () => data.events[player.index - 1]?.time ?? (view.from + view.to) / 2;
  const actions = {
    "[": ["pan_left", "←", () => view.pan(-0.4)],
    "]": ["pan_right", "→", () => view.pan(0.4)],
    "-": ["zoom_out", "−", () => view.zoom(0.5, centre())],
    "+": ["zoom_in", "+", () => view.zoom(2, centre())],
    0: ["zoom_all", t("all"), () => view.all()],
  };
  const buttons = ["[", "]", "-", "+", "0"].map((key) => {
    const [name, sign, action] = actions[key];
    const label = t(name);
    const attributes = { type: "button", class: "vtb-button vtb-zoom", "data-action": name };
    return el("button", { ...attributes, "aria-label": label, title: label, on: { click: action } }, sign);
  });
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key === "=" ? "+" : event.key;
    if (!(key in actions) || event.target.tagName === "SELECT") return;
    event.preventDefault();
    event.stopPropagation();
    actions[key][2]();
  });
  const unit = readout(t("axis"));
  setText(unit.value, `${data.unit} (${t(`basis_${data.basis}`)})`);
  const used = [...new Set(data.events.map((event) => event.kind))];
  const legend = el(
    "div",
    { class: "vtb-legend vtb-kinds", "aria-hidden": "true" },
    ...used.map((kind) => el("span", { "data-kind": kind }, t(`kind_${kind}`))),
  );
  const tools = el("div", { class: "vtb-tools", role: "group", "aria-label": t("view") }, ...buttons);
  const foot = el("div", { class: "vtb-plot-foot" }, tools, legend);
  const frame = el("div", { class: "vtb-panel vtb-plot-panel" }, drawn.element, foot);
  return {
    label: `${t("widget")}: ${data.title}`,
    player,
    keys: `${t("keys")} ${t("keys_zoom")}`,
    head: [headerLine(data.title, unit)],
    body: [words.element, frame],
    update() {
      words.show(player, timelineWords(data, player.index, t, number));
      const event = data.events[player.index - 1];
      if (event) view.reveal(event.time);
      drawn.drawNow();
    },
    dispose: () => drawn.dispose(),
  };
}

export default bookWidget({ name: "timeline", remount: ["timeline"], build });

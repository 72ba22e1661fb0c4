// Cost bars: counted events times costs. The counts are data; the costs are the reader's to move.

import { el, setText } from "./common.js";
import { bookWidget, headerLine, panel } from "./widget.js";
import { fillStyle } from "./palette.js";

const STEPS = 1000; // of a slider, from the least cost to the greatest
const DIGITS = 3; // significant, of a cost set with a slider

/** A cost's place on its slider, 0 to `STEPS`, and back. */
function scaleOf([, , , low, high, kind]) {
  const [toScale, fromScale] = kind === "log" ? [Math.log, Math.exp] : [Number, Number];
  const [start, span] = [toScale(low), toScale(high) - toScale(low)];
  return {
    place: (cost) => Math.round((STEPS * (toScale(cost) - start)) / span),
    cost: (place) => {
      const exact = fromScale(start + (span * place) / STEPS);
      return Math.min(high, Math.max(low, Number(exact.toPrecision(DIGITS))));
    },
  };
}

function costRow({ event, i, unit, t, changed }) {
  const [, label, , low, high, , source] = event;
  const { place, cost } = scaleOf(event);
  const name = t("cost_of", { label, unit });
  const slider = el("input", {
    type: "range",
    class: "vtb-slider",
    min: 0,
    max: STEPS,
    "aria-label": name,
    on: { input: () => changed(i, cost(slider.valueAsNumber)) },
  });
  const number = el("input", {
    type: "number",
    class: "vtb-number-input",
    min: low,
    max: high,
    step: "any",
    "aria-label": name,
    on: {
      change: () => {
        const value = number.valueAsNumber;
        changed(i, Number.isFinite(value) ? Math.min(high, Math.max(low, value)) : null);
      },
    },
  });
  const swatch = el("span", { class: "vtb-swatch", style: fillStyle(i), "aria-hidden": "true" });
  const element = el(
    "div",
    { class: "vtb-cost", role: "group", "aria-label": label },
    el("span", { class: "vtb-cost-label" }, swatch, label),
    slider,
    el("span", { class: "vtb-cost-value" }, number, el("span", {}, t("each", { unit }))),
    el("span", { class: "vtb-cost-source" }, source),
  );
  return {
    element,
    show(value) {
      slider.value = place(value);
      slider.setAttribute("aria-valuetext", `${value} ${unit}`);
      slider.style.setProperty("--vtb-done", `${(100 * place(value)) / STEPS}%`);
      number.value = value;
    },
  };
}

function barRow([name, counts, fixed]) {
  const segments = counts.map((_, i) => el("span", { class: "vtb-segment", style: fillStyle(i) }));
  const parts = fixed.map(() => el("span", { class: "vtb-segment vtb-fixed" }));
  const mark = el("span", { class: "vtb-published", hidden: true });
  const track = el("div", { class: "vtb-track", role: "img" }, ...segments, ...parts, mark);
  const total = el("span", { class: "vtb-total" });
  const element = el("div", { class: "vtb-bar" }, el("span", { class: "vtb-bar-name" }, name), track, total);
  return {
    element,
    /** `lengths` of all parts, `longest` what fills the track, `at` the published mark or null. */
    show({ lengths, longest, at, text, words, markWords }) {
      [...segments, ...parts].forEach((segment, i) => {
        segment.style.width = `${(100 * lengths[i]) / longest}%`;
        segment.title = words[i];
        segment.hidden = lengths[i] === 0;
      });
      mark.hidden = at === null;
      if (at !== null) {
        mark.style.left = `${(100 * at) / longest}%`;
        mark.title = markWords;
      }
      setText(total, text);
      const said = words.filter((_, i) => lengths[i] > 0);
      track.setAttribute("aria-label", [`${name}: ${text}`, ...said, markWords].filter(Boolean).join("; "));
    },
  };
}

/** The numbers behind the bars, as a table: bars down, events across. */
function numbersTable(chart, t) {
  const cell = (tag, text, scope) => el(tag, { scope }, text);
  const body = el("tbody", {});
  const heads = [t("bar"), t("event"), t("count"), t("cost"), t("product")];
  const table = el(
    "table",
    { class: "vtb-table" },
    el("thead", {}, el("tr", {}, ...heads.map((text) => cell("th", text, "col")))),
    body,
  );
  const scroll = el(
    "div",
    { class: "vtb-table-scroll", tabindex: 0, role: "group", "aria-label": t("numbers") },
    table,
  );
  const details = el("details", { class: "vtb-details" }, el("summary", {}, t("numbers")), scroll);
  return {
    element: details,
    show(values, totals, format) {
      const rows = chart.bars.flatMap(([name, counts, fixed], b) => [
        ...counts.map((n, i) => [name, chart.events[i][1], n, values[i], n * values[i]]),
        ...fixed.map(([label, value]) => [name, label, t("fixed"), "", value]),
        [name, t("total"), "", "", totals[b]],
      ]);
      body.replaceChildren(
        ...rows.map((row) =>
          el(
            "tr",
            { "data-total": row[3] === "" && row[2] === "" },
            ...row.map((value, k) =>
              k < 2
                ? cell(k ? "td" : "th", value, k ? null : "row")
                : cell("td", typeof value === "number" ? format(value, 9) : value),
            ),
          ),
        ),
      );
    },
  };
}

function sourceLine(kind, label, words) {
  return el("div", { class: "vtb-source", "data-kind": kind }, el("b", {}, label), " ", words);
}

function build({ model, t, root }) {
  const chart = model.get("chart");
  const { events, bars, unit, published } = chart;
  const language = model.get("language");
  const format = (value, digits = 4) =>
    new Intl.NumberFormat(language, { maximumSignificantDigits: digits }).format(value);
  const brief = (value) =>
    value < 1e6
      ? format(value)
      : new Intl.NumberFormat(language, { notation: "compact", maximumSignificantDigits: 4 }).format(value);
  const marks = new Map(published.values ?? []);

  const changed = (i, value) => {
    const now = [...model.get("values")];
    if (value !== null) now[i] = value;
    model.set("values", now);
    model.save_changes();
    update();
  };
  const sliders = events.map((event, i) => costRow({ event, i, unit, t, changed }));
  const rows = bars.map(barRow);
  const table = numbersTable(chart, t);

  const relative = el("select", {
    class: "vtb-select",
    on: {
      change: () => {
        model.set("relative_to", relative.value);
        model.save_changes();
        update();
      },
    },
  });
  relative.append(el("option", { value: "" }, t("absolute", { unit })));
  for (const [name] of bars) relative.append(el("option", { value: name }, name));
  const reset = el(
    "button",
    {
      type: "button",
      class: "vtb-text-button",
      on: {
        click: () => {
          model.set("values", events.map(([, , cost]) => cost));
          model.save_changes();
          update();
        },
      },
    },
    t("reset"),
  );

  const update = () => {
    const values = model.get("values");
    const base = bars.findIndex(([name]) => name === model.get("relative_to"));
    const products = bars.map(([, counts, fixed]) => [
      ...counts.map((n, i) => n * values[i]),
      ...fixed.map(([, value]) => value),
    ]);
    const totals = products.map((parts) => parts.reduce((sum, part) => sum + part, 0));
    const divisor = base >= 0 && totals[base] > 0 ? totals[base] : 1;
    const publishedBase = base >= 0 ? marks.get(bars[base][0]) : published.unit === unit ? 1 : null;
    const at = bars.map(([name]) =>
      marks.has(name) && publishedBase ? marks.get(name) / publishedBase : null,
    );
    const longest = Math.max(...totals.map((total) => total / divisor), ...at.filter((x) => x !== null)) || 1;
    const told = (value) =>
      base >= 0 ? t("times", { value: format(value, 3) }) : t("value_unit", { value: brief(value), unit });
    rows.forEach((row, b) => {
      const names = [...events.map(([, label]) => label), ...bars[b][2].map(([label]) => label)];
      row.show({
        lengths: products[b].map((part) => part / divisor),
        longest,
        at: at[b],
        text: told(totals[b] / divisor),
        words: names.map((label, i) => `${label}: ${told(products[b][i] / divisor)}`),
        markWords: at[b] === null ? "" : t("published_value", { value: told(at[b]) }),
      });
    });
    sliders.forEach((slider, i) => slider.show(values[i]));
    relative.value = model.get("relative_to");
    table.show(values, totals, format);
  };

  const sources = el(
    "div",
    { class: "vtb-sources" },
    sourceLine("counted", t("counted"), chart.counted),
    sourceLine("modelled", t("modelled"), t("modelled_words")),
  );
  if (published.values) {
    const other = published.unit === unit ? "" : `; ${t("only_relative", { unit: published.unit })}`;
    sources.append(sourceLine("published", t("published"), `${published.citation}${other}`));
  }
  const drawing = el("div", { class: "vtb-bars" }, ...rows.map((row) => row.element));
  const { body: costs, head } = panel("costs", t("costs"), ...sliders.map((one) => one.element));
  head.append(reset);
  const choice = el("label", { class: "vtb-check" }, t("relative"), relative);

  // Keys that move a cost stay here: in slides an arrow would turn the page.
  root.addEventListener("keydown", (event) => {
    if (event.target.matches("input, select")) event.stopPropagation();
  });
  for (const name of ["values", "relative_to"]) model.on(`change:${name}`, update);
  return {
    label: `${t("widget")}: ${chart.title}`,
    head: [headerLine(chart.title, choice)],
    body: [sources, drawing, costs, table.element],
    keys: t("keys"),
    update,
    dispose() {
      for (const name of ["values", "relative_to"]) model.off(`change:${name}`, update);
    },
  };
}

export default bookWidget({ name: "costbars", remount: ["chart"], build });

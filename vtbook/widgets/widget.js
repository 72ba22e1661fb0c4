// The frame that the book's widgets stand in: root element, controls, keys, theme, and the model's
// `step` kept with the player. A widget's own file says what to show and how one step changes it.

import { el, listenToKeys, setText, transport, translator, watchTheme } from "./common.js";
import { keepShortcutsOut } from "./shortcuts.js";
import STRINGS from "./strings.json";

/**
 * Make anywidget's `{ render }`.
 *
 * `name` gives the class `vtb-<name>`. A change of a trait in `remount`, or of the language, builds
 * the widget anew. `build({ model, t, root })` returns
 *   label          what assistive software calls the widget
 *   player         a Player, if the reader steps: brings the controls, the keys and `step`
 *   head, body     lists of elements above and below the controls
 *   keys           the line that names the keys (default: those of the player), null for none
 *   update(player) brings the view to where the player is; called at the start, at every move
 *   mounted()      called once when all is in the page
 *   dispose()      stops what would go on after the widget is gone
 */
export function bookWidget({ name, remount = [], build }) {
  return {
    render({ model, el: host }) {
      let unmount = mount({ name, build, model, host });
      const again = () => {
        unmount();
        unmount = mount({ name, build, model, host });
      };
      const events = [...remount, "language"].map((trait) => `change:${trait}`);
      for (const event of events) model.on(event, again);
      return () => {
        for (const event of events) model.off(event, again);
        unmount();
      };
    },
  };
}

function mount({ name, build, model, host }) {
  const language = model.get("language");
  const t = translator(STRINGS, language);
  const root = el("div", {
    class: `vtb vtb-${name}`,
    tabindex: 0,
    role: "group",
    lang: language,
    "data-lm-suppress-shortcuts": "true",
  });
  keepShortcutsOut(root);
  const stopTheme = watchTheme(root);
  const built = build({ model, t, root });
  const { label, player = null, head = [], body = [], update, mounted, dispose } = built;
  const { keys = player ? t("keys") : null } = built;
  root.setAttribute("aria-label", label);
  root.append(...head, ...(player ? [transport(player, t)] : []), ...body);
  if (keys) root.append(el("div", { class: "vtb-keys" }, keys));
  host.append(root);
  const stopFollowing = player ? follow(model, root, player, update) : null;
  update?.(player);
  mounted?.();
  return () => {
    stopFollowing?.();
    stopTheme();
    dispose?.();
    root.remove();
  };
}

/** Tie player, keys, view and the model's `step` together. */
function follow(model, root, player, update) {
  const fromModel = () => player.seek(model.get("step"));
  listenToKeys(root, player);
  player.subscribe(() => {
    update?.(player);
    model.set("step", player.index);
    if (!player.playing) model.save_changes(); // the kernel hears where a move ended
  });
  player.seek(model.get("step"));
  model.on("change:step", fromModel);
  return () => {
    model.off("change:step", fromModel);
    player.dispose();
  };
}

/** A framed part with its title: `{ body, head }`; `head` takes buttons and legends. */
export function panel(name, title, ...children) {
  const heading = el("div", { class: "vtb-panel-title" }, title);
  const head = el("div", { class: "vtb-panel-head" }, heading);
  const body = el(
    "div",
    { class: `vtb-panel vtb-${name}`, role: "group", "aria-label": title },
    head,
    ...children,
  );
  return { body, head };
}

/** A labelled value of the header: `{ element, value }`. */
export function readout(label) {
  const value = el("span", { class: "vtb-readout-value" });
  return { value, element: el("span", { class: "vtb-readout" }, el("span", {}, label), " ", value) };
}

/** The widget's first line: its title, and readouts at the right. */
export function headerLine(title, ...readouts) {
  return el(
    "div",
    { class: "vtb-header" },
    el("div", { class: "vtb-title" }, title),
    el("div", { class: "vtb-readouts" }, ...readouts.map((one) => one.element ?? one)),
  );
}

/**
 * The box that tells the step in words. `show(player, { address, code, plain, body, event })`:
 * an address, code (in the text face if `plain`), a sentence, and `event` as `{ kind, label, text }`.
 */
export function wordsBox() {
  const address = el("span", { class: "vtb-address" });
  const code = el("span", { class: "vtb-words-code" });
  const body = el("div", { class: "vtb-words-body" });
  const kind = el("span", { class: "vtb-event-kind" });
  const said = el("span", {});
  const badge = el("div", { class: "vtb-event" }, kind, " ", said);
  const head = el("div", { class: "vtb-words-head" }, address, " ", code, " ", badge);
  const element = el("div", { class: "vtb-words", role: "status", "aria-live": "polite" });
  element.append(head, " ", body);
  return {
    element,
    show(player, words) {
      // While it plays, assistive software is not told every step.
      element.setAttribute("aria-live", player.playing ? "off" : "polite");
      address.hidden = !words.address;
      setText(address, words.address ?? "");
      code.classList.toggle("vtb-plain", words.plain === true);
      setText(code, words.code);
      setText(body, words.body ?? "");
      badge.hidden = !words.event;
      badge.dataset.kind = words.event?.kind ?? "";
      setText(kind, words.event?.label ?? "");
      setText(said, words.event?.text ?? "");
    },
  };
}

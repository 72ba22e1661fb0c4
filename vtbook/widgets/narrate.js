// Steps in words: what the widget writes under its controls and says to assistive software.

import { prefixed } from "./common.js";
import { causeOf, F_NAMES, jumped, X_NAMES } from "./trace.js";

const MOST = 4; // effects told one by one; the panels show them all

function littleEndian(bytes) {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i -= 1) value = (value << 8n) | BigInt(bytes[i]);
  return `0x${value.toString(16)}`;
}

function printedText(state, record) {
  const bytes = Uint8Array.from(state.console.slice(state.console.length - record.printed));
  return new TextDecoder().decode(bytes).replace(/\n/g, "↵").replace(/\p{Cc}/gu, "·");
}

/** An address with its label where the listing has one: `loop (0x80000010)`. */
function place(address, labels) {
  const label = labels.get(address);
  return label ? `${label} (${prefixed(address)})` : prefixed(address);
}

/** The effects of the step just applied, each a short clause. */
export function effects(state, record, { t, csrNames, labels }) {
  const said = [];
  const value = (name, now, old) =>
    said.push(t("say_value", { name, new: prefixed(now), old: prefixed(old) }));
  if (record.modified) said.push(t("say_code"));
  for (const [i, old] of record.old.x) value(X_NAMES[i], state.x[i], old);
  for (const [i, old] of record.old.f) value(F_NAMES[i], state.f[i], old);
  for (const { address, length } of record.reads) {
    said.push(t.count("say_read", length, { address: prefixed(address.toString(16)) }));
  }
  for (const { address, length, bytes } of record.writes) {
    const at = prefixed(address.toString(16));
    said.push(t.count("say_write", length, { value: littleEndian(bytes), address: at }));
  }
  if (record.printed) said.push(t("say_print", { text: printedText(state, record) }));
  if (state.mode !== record.modeBefore) {
    said.push(t("say_mode", { mode: state.mode, words: t(`mode_${state.mode}`) }));
  }
  for (const [i, old] of record.old.csrs) value(csrNames[i], state.csrs[i], old);
  if (said.length > MOST) {
    const more = said.length - MOST;
    said.length = MOST;
    said.push(t.count("say_more", more));
  }
  const trap = record.event?.kind === "trap";
  if (trap) said.push(t("say_jump_trap", { target: place(state.pc, labels) }));
  else if (jumped(state, record)) said.push(t("say_jump", { target: place(state.pc, labels) }));
  if (said.length === 0) said.push(t("say_nothing"));
  return `${said.join("; ")}.`;
}

/** The event of a step in words, or null: its kind, and what there is to say of it. */
export function eventWords(event, t) {
  if (!event) return null;
  const parts = [];
  const cause = causeOf(event);
  if (cause) {
    const key = `${cause.interrupt ? "interrupt" : "cause"}_${cause.code}`;
    const unknown = cause.interrupt ? t("interrupt", { n: cause.code }) : t("cause_unknown");
    const words = t.has(key) ? t(key) : unknown;
    parts.push(`${words} (${t("event_cause", { n: cause.code })})`);
  }
  for (const name of ["epc", "tval"]) {
    if (event[name] !== undefined) {
      parts.push(t(`event_${name}`, { value: prefixed(event[name]) }));
    }
  }
  if (event.reason) {
    const key = `reason_${event.reason}`;
    parts.push(t.has(key) ? t(key) : event.reason);
  }
  if (event.text) parts.push(event.text);
  return { kind: t(`event_${event.kind}`), text: parts.join(", ") };
}

/** What comes next, before anything has run. */
export function startWords(state, t) {
  const code = state.code.get(state.pc);
  const address = prefixed(state.pc);
  return code ? t("say_next", { text: code.text, address }) : t("say_next_unknown", { address });
}

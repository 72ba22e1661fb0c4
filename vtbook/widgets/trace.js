// A recorded execution in the browser: the state at one step, moved by the trace's differences.
// The schema is described in trace.py.

import { big, bytesOf } from "./common.js";
import STRINGS from "./strings.json";

/** The ABI names of the registers. */
export const X_NAMES = STRINGS.registers.x;
export const F_NAMES = STRINGS.registers.f;

/** The state before the first step. Numbers stay hexadecimal strings; memory is bytes. */
export function initialState(trace) {
  const { pc, mode, instructions, x, f, csrs, memory, console: printed } = trace.initial;
  return {
    pc,
    mode,
    instructions: big(instructions),
    x: [...x],
    f: [...f],
    csrs: csrs.map(([, value]) => value),
    memory: memory.map(([base, size, start, name]) => {
      const bytes = new Uint8Array(size);
      bytes.set(bytesOf(start));
      return { base: big(base), bytes, name };
    }),
    console: [...bytesOf(printed)],
    code: new Map(trace.listing.map(([address, raw, text]) => [address, { raw, text }])),
  };
}

/** Where an access falls in a region: `[from, to)` as offsets, or null. */
export function overlap(region, address, length) {
  const start = Number(address - region.base);
  const from = Math.max(0, start);
  const to = Math.min(region.bytes.length, start + length);
  return from < to ? { from, to, start } : null;
}

/**
 * Apply one step to the state. The record it returns says what the step did, for the views:
 * `executed` (address, raw, text), `old` values by kind, `reads`, `writes`, `printed`, `event`,
 * `modeBefore`, `modified`; and `undo()` takes the step back.
 */
export function applyStep(state, step) {
  const before = { pc: state.pc, mode: state.mode, instructions: state.instructions };
  const undos = [];
  const record = {
    old: { x: new Map(), f: new Map(), csrs: new Map() },
    reads: [],
    writes: [],
    printed: 0,
    event: null,
    modified: false,
    modeBefore: state.mode,
  };
  let retired = 1n;
  const put = (kind, i, value) => {
    const old = state[kind][i];
    record.old[kind].set(i, old);
    state[kind][i] = value;
    undos.push(() => (state[kind][i] = old));
  };
  const kinds = {
    x: (i, value) => put("x", i, value),
    f: (i, value) => put("f", i, value),
    csr: (i, value) => put("csrs", i, value),
    mode: (name) => (state.mode = name),
    r: (address, length) => record.reads.push({ address: big(address), length }),
    w: (address, hex) => {
      const bytes = bytesOf(hex);
      record.writes.push({ address: big(address), length: bytes.length, bytes });
      for (const region of state.memory) {
        const part = overlap(region, big(address), bytes.length);
        if (!part) continue;
        const old = region.bytes.slice(part.from, part.to);
        region.bytes.set(bytes.subarray(part.from - part.start, part.to - part.start), part.from);
        undos.push(() => region.bytes.set(old, part.from));
      }
    },
    out: (hex) => {
      const bytes = bytesOf(hex);
      record.printed += bytes.length;
      state.console.push(...bytes);
      undos.push(() => (state.console.length -= bytes.length));
    },
    retired: (n) => (retired = BigInt(n)),
    code: (address, raw, text) => {
      const old = state.code.get(address);
      state.code.set(address, { raw, text });
      record.modified = true;
      undos.push(() => state.code.set(address, old));
    },
    event: (kind, text, details) => (record.event = { kind, text, ...Object.fromEntries(details) }),
  };
  const [pc, ...changes] = step;
  for (const [kind, ...values] of changes) kinds[kind](...values);
  record.executed = { address: before.pc, ...(state.code.get(before.pc) ?? { raw: "", text: "" }) };
  state.pc = pc;
  state.instructions += retired;
  record.undo = () => {
    for (const undo of undos.reverse()) undo();
    Object.assign(state, before);
  };
  return record;
}

/** True when the step went elsewhere than to the instruction after the executed one. */
export function jumped(state, record) {
  const { address, raw } = record.executed;
  return raw !== "" && big(state.pc) !== big(address) + BigInt(raw.length / 2);
}

/** `{ interrupt, code }` of a trap's cause, or null when the event has none. */
export function causeOf(event) {
  if (event.cause === undefined) return null;
  const cause = big(event.cause);
  return { interrupt: cause >> 63n === 1n, code: String(cause & ((1n << 63n) - 1n)) };
}

/** True when the event says that an interrupt came before the instruction could run. */
export function isInterrupt(event) {
  return event?.kind === "trap" && causeOf(event)?.interrupt === true;
}

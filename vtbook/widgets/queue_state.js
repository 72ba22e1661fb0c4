// Tables, rings and queues in the browser: the state at one step, moved by the differences.
// The schema is described in queue_data.py.

import { big, bytesOf } from "./common.js";
import { overlap } from "./trace.js";

/** The state before the first step; `links` maps "structure:row" to `[structure, row]`. */
export function initialQueues(data) {
  return {
    structures: data.structures.map(([name, kind, title, columns, rows, pointers, window]) => ({
      name,
      kind,
      title,
      columns,
      rows: rows.map((row) => [...row]),
      pointers: pointers.map(([label, value, actor]) => ({ label, value, actor })),
      window,
    })),
    links: new Map(data.links.map(([s, row, target, at]) => [`${s}:${row}`, [target, at]])),
    memory: data.memory.map(([base, size, start, name]) => {
      const bytes = new Uint8Array(size);
      bytes.set(bytesOf(start));
      return { base: big(base), bytes, name };
    }),
  };
}

/**
 * Apply one step. The record tells `actor`, `note`, `said` (the changes with their old values, for
 * words), `changed` and `visited` ("structure:row:column", "structure:row"), `moved`
 * ("structure:pointer"), `links` touched, `reads`, `writes`, and takes it all back with `undo()`.
 */
export function applyQueueStep(state, [actor, note, ...changes]) {
  const undos = [];
  const record = {
    actor,
    note,
    said: [],
    changed: new Set(),
    visited: new Set(),
    moved: new Set(),
    links: new Set(),
    reads: [],
    writes: [],
  };
  const setLink = (key, target) => {
    const old = state.links.get(key);
    if (target) state.links.set(key, target);
    else state.links.delete(key);
    undos.push(() => (old ? state.links.set(key, old) : state.links.delete(key)));
  };
  const kinds = {
    cell(s, row, column, text) {
      const cells = state.structures[s].rows[row];
      const old = cells[column];
      cells[column] = text;
      undos.push(() => (cells[column] = old));
      record.changed.add(`${s}:${row}:${column}`);
      return { s, row, column, old, now: text };
    },
    pointer(s, p, value) {
      const pointer = state.structures[s].pointers[p];
      const old = pointer.value;
      pointer.value = value;
      undos.push(() => (pointer.value = old));
      record.moved.add(`${s}:${p}`);
      return { s, p, old, now: value };
    },
    push(s, text) {
      const { rows } = state.structures[s];
      rows.push([text]);
      undos.push(() => rows.pop());
      record.changed.add(`${s}:${rows.length - 1}:0`);
      return { s, now: text };
    },
    pop(s) {
      const { rows } = state.structures[s];
      const gone = rows.shift();
      undos.push(() => rows.unshift(gone));
      return { s, old: gone[0] };
    },
    link(s, row, target, at) {
      setLink(`${s}:${row}`, [target, at]);
      record.links.add(`${s}:${row}`);
      return { s, row, target, at };
    },
    unlink(s, row) {
      setLink(`${s}:${row}`, null);
      return null;
    },
    visit(s, row) {
      record.visited.add(`${s}:${row}`);
      if (state.links.has(`${s}:${row}`)) record.links.add(`${s}:${row}`);
      return { s, row };
    },
    r(address, length) {
      record.reads.push({ address: big(address), length });
      return null;
    },
    w(address, hex) {
      const bytes = bytesOf(hex);
      record.writes.push({ address: big(address), length: bytes.length });
      for (const region of state.memory) {
        const part = overlap(region, big(address), bytes.length);
        if (!part) continue;
        const old = region.bytes.slice(part.from, part.to);
        region.bytes.set(bytes.subarray(part.from - part.start, part.to - part.start), part.from);
        undos.push(() => region.bytes.set(old, part.from));
      }
      return null;
    },
  };
  for (const [kind, ...values] of changes) {
    const said = kinds[kind](...values);
    if (said) record.said.push({ kind, ...said });
  }
  record.undo = () => {
    for (const undo of undos.reverse()) undo();
  };
  return record;
}

/** The slots between the two pointers of a ring's window. */
export function slotsInUse({ rows, pointers, window }) {
  if (window.length === 0) return new Set();
  const [first, end] = window.map((p) => pointers[p].value);
  const used = Math.max(0, Math.min(end - first, rows.length));
  return new Set(Array.from({ length: used }, (_, i) => (first + i) % rows.length));
}

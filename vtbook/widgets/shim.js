// Brings the widgets of a static page to life: a stand-in for the Jupyter model, and a loader of
// the module that the page carries. Harmless to run more than once.

class StaticModel {
  constructor(state) {
    this.state = state;
    this.listeners = new Map();
  }
  get(name) {
    return this.state[name];
  }
  set(name, value) {
    if (this.state[name] === value) return;
    this.state[name] = value;
    for (const listener of [...(this.listeners.get(`change:${name}`) ?? [])]) listener();
  }
  on(event, listener) {
    if (!this.listeners.has(event)) this.listeners.set(event, new Set());
    this.listeners.get(event).add(listener);
  }
  off(event, listener) {
    this.listeners.get(event)?.delete(listener);
  }
  save_changes() {}
  send() {}
}

const shared = (globalThis.vtbookStatic ??= { models: new Map(), modules: new Map() });

function loadModule(key) {
  if (!shared.modules.has(key)) {
    const { script, style } = JSON.parse(
      document.querySelector(`script[data-vtbook-module="${key}"]`).textContent,
    );
    const sheet = document.createElement("style");
    sheet.textContent = style;
    document.head.append(sheet);
    const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    shared.modules.set(key, import(url));
  }
  return shared.modules.get(key);
}

async function enliven(host) {
  const { vtbookWidget: key } = host.dataset;
  host.removeAttribute("data-vtbook-widget"); // taken: another run of this script passes it by
  const saved = host.querySelector("script[data-vtbook-state]");
  const id = saved.dataset.vtbookState;
  const first = !shared.models.has(id);
  if (first) shared.models.set(id, new StaticModel(JSON.parse(saved.textContent)));
  const model = shared.models.get(id);
  const { default: given } = await loadModule(key);
  const widget = typeof given === "function" ? await given() : given;
  const stage = document.createElement("div");
  if (first) await widget.initialize?.({ model });
  await widget.render({ model, el: stage });
  // The module stays in the page for the widgets further down; only the fallback goes.
  for (const node of [...host.childNodes]) if (node.tagName !== "SCRIPT") node.remove();
  host.prepend(stage);
}

for (const host of document.querySelectorAll("[data-vtbook-widget]")) enliven(host);

// One page of EduPulse: what a person does goes to Python as {do, values}; what comes back takes its place by id.
// Everything is found by event delegation, so that a part of the page that was drawn anew needs no wiring.

const LIVE = 120, DRAFT = 600, PATIENCE = 10_000; // milliseconds
const byId = (id) => document.getElementById(id);
const snake = (name) => name.replace(/[A-Z]/g, (letter) => "_" + letter.toLowerCase());

function valuesOf(element, drop) { // an element's data-* attributes, but for ours
  const entries = Object.entries({ ...element.dataset }).filter(([name]) => !drop.includes(name));
  return Object.fromEntries(entries.map(([name, value]) => [snake(name), value]));
}

function fieldsOf(form, submitter) { // a form's data-* and fields; several of one name are joined by commas
  const values = valuesOf(form, ["do", "live", "draft"]);
  for (const [name, value] of new FormData(form, submitter)) {
    if (typeof value === "string") values[name] = values[name] ? `${values[name]},${value}` : value;
  }
  return values;
}

function toggle(button, shown) { // show or hide what a button is about
  const panel = byId(button.dataset.toggle);
  if (!panel) return;
  panel.hidden = !shown;
  button.setAttribute("aria-expanded", String(shown));
  const first = shown && panel.querySelector("form :is(input:not([type=hidden]), select, textarea, button)");
  if (first) (panel.querySelector("input:checked") || first).focus();
}

const opened = () => [...document.querySelectorAll('[data-toggle][aria-expanded="true"]')];

function place(id, html) { // scripts in a template's markup do not run, and the page's policy refuses handlers
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const [old, fresh] = [byId(id), holder.content.firstElementChild];
  if (old && fresh) old.replaceWith(fresh);
}

function put(regions, closing) { // draw regions anew; focus, caret, scroll and what was open stay
  const shown = opened().map((button) => button.dataset.toggle).filter((id) => !closing.includes(id));
  const at = document.activeElement, [x, y] = [scrollX, scrollY];
  const typed = at?.matches?.("input[type=search], input[type=text], textarea") && at.form?.matches("[data-live]");
  const caret = typed ? [at.value, at.selectionStart, at.selectionEnd] : null;
  for (const [id, html] of Object.entries(regions)) place(id, html);
  for (const button of document.querySelectorAll('[data-toggle][aria-expanded="false"]')) {
    if (shown.includes(button.dataset.toggle) && byId(button.dataset.toggle)) {
      byId(button.dataset.toggle).hidden = false;
      button.setAttribute("aria-expanded", "true");
    }
  }
  const again = at?.id && !at.isConnected ? byId(at.id) : null;
  if (again) again.focus({ preventScroll: true });
  if (again && caret) [again.value] = caret, again.setSelectionRange(caret[1], caret[2]);
  scrollTo(x, y);
}

function save({ name, mime }, bytes) { // a file that never leaves this machine
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type: mime }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), PATIENCE);
}

const draftKey = (form) => `edupulse ${location.pathname}${location.search} ${form.dataset.draft} ${form.dataset.id || ""}`;

function keepDrafts() { // what can no longer be sent outlives a reload, in this tab alone
  for (const form of document.querySelectorAll("form[data-draft]")) {
    const fields = [...new FormData(form)].filter(([, value]) => typeof value === "string");
    if (form.dataset.typed) sessionStorage.setItem(draftKey(form), JSON.stringify(fields));
  }
}

function bringDrafts() {
  for (const form of document.querySelectorAll("form[data-draft]")) {
    const kept = sessionStorage.getItem(draftKey(form));
    sessionStorage.removeItem(draftKey(form));
    for (const [name, value] of kept ? JSON.parse(kept) : []) {
      const field = form.elements.namedItem(name);
      if (field && field.type !== "hidden") field.value = value;
    }
  }
}

function render({ model }) {
  const stop = new AbortController(), on = (name, act) => addEventListener(name, act, { signal: stop.signal });
  const timers = new Map(), busy = new Set(); // by form: what waits to be sent, and what waits for a reply
  let patience = null, closing = [];

  const lost = () => (byId("lost").hidden = false, keepDrafts());
  const send = (what, values) => {
    patience ??= setTimeout(lost, PATIENCE);
    model.send({ do: what, values });
  };
  const later = (form, wait, act) => {
    clearTimeout(timers.get(form));
    timers.set(form, setTimeout(act, wait));
  };

  model.on("msg:custom", (reply, buffers) => {
    clearTimeout(patience);
    patience = null;
    byId("lost").hidden = true;
    busy.clear();
    if (reply.of !== "draft" && !reply.regions.notice) byId("notice").hidden = true;
    put(reply.regions, reply.regions.notice ? [] : closing);
    closing = [];
    if (reply.lang) document.documentElement.lang = reply.lang;
    if (reply.regions.page) document.title = [document.querySelector("h1")?.textContent, "EduPulse"].filter(Boolean).join(" · ");
    bringDrafts(); // a form may come later than the page
    if (reply.say) byId("said").textContent = reply.say;
    const wanted = reply.focus && byId(reply.focus);
    if (wanted) wanted.focus();
    else if (reply.of !== "hello" && document.activeElement === document.body) byId("page").focus({ preventScroll: true });
    if (reply.download) save(reply.download, buffers[0]);
    const go = reply.go && new URL(reply.go, location.href);
    if (go && go.origin === location.origin) location.assign(go);
  });

  on("click", (event) => {
    const button = event.target.closest?.("button");
    if (!button) return;
    if ("print" in button.dataset) print();
    if (button.dataset.toggle) toggle(button, button.getAttribute("aria-expanded") !== "true");
    if (!button.dataset.do) return;
    event.preventDefault();
    send(button.dataset.do, valuesOf(button, ["do"]));
  });
  on("submit", (event) => {
    const form = event.target;
    if (!form.dataset.do) return;
    event.preventDefault();
    if (busy.has(form)) return;
    busy.add(form);
    clearTimeout(timers.get(form));
    delete form.dataset.typed;
    closing = opened().map((button) => button.dataset.toggle).filter((id) => byId(id)?.contains(form));
    send(form.dataset.do, fieldsOf(form, event.submitter));
  });
  on("input", (event) => {
    const form = event.target.form;
    if (!form?.dataset.do) return;
    if ("live" in form.dataset) later(form, LIVE, () => send(form.dataset.do, fieldsOf(form)));
    if (!form.dataset.draft) return;
    form.dataset.typed = "yes";
    later(form, DRAFT, () => send("draft", { form: form.dataset.draft, ...fieldsOf(form) }));
  });
  on("keydown", (event) => {
    if (event.key !== "Escape") return;
    const buttons = opened(), within = buttons.filter((button) => byId(button.dataset.toggle)?.contains(document.activeElement));
    const last = within.at(-1) || buttons.at(-1);
    if (last) toggle(last, false), last.focus();
  });
  on("pagehide", keepDrafts); // what was typed in the last moment
  on("pageshow", (event) => event.persisted && location.reload()); // its kernel ended when the page was left

  const kernel = model.widget_manager?.kernel;
  kernel?.statusChanged?.connect((_, status) => status === "dead" && lost());
  kernel?.connectionStatusChanged?.connect((_, status) => status === "disconnected" && lost());

  const pass = document.querySelector("meta[name=pass]");
  const values = { browser: document.documentElement.lang, ...Object.fromEntries(new URLSearchParams(location.search)) };
  send("hello", { ...values, pass: pass?.content ?? "" });
  pass?.remove();
  return () => stop.abort();
}

export default { render };
